package io.sluice.loan.torture;

import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** A writer's memory: who lends it, and who decides when it may be written to again. */
interface Lender extends AutoCloseable {
    /** A range of one piece of memory that was filled with what belongs at {@code position}. */
    record Filled(MemorySegment memory, MemorySegment range, long position) {
        /** The position after its last byte. */
        long end() {
            return position + range.byteSize();
        }
    }

    /** Another pipe is to be filled; nothing more goes into the one before. */
    void begin(Episode episode);

    /** Memory that is believed to be nobody's. Waits until there is some. */
    MemorySegment take() throws Exception;

    /** Takes back memory that was filled and not lent. */
    void untouched(MemorySegment memory);

    /** Lends the range of a piece that was taken; bytes lent. */
    long lend(Filled filled, boolean wait) throws IOException;

    /** Lends several in a row; bytes lent. */
    long lend(Filled first, Filled second, Filled third) throws IOException;

    /** Lends what there was no room for the last time, if that was a part; bytes lent. */
    long lendRest() throws IOException;

    /** Takes back what is believed to be nobody's any more, and overwrites it at once. */
    void reuse();

    @Override
    void close();
}
