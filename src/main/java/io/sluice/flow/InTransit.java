package io.sluice.flow;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.sluice.Pipe;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** What a transfer has taken from its source and not delivered: the first of it in memory, what follows in a pipe. */
final class InTransit {
    private @Nullable Pipe pipe;
    private long inPipe;

    private MemorySegment memory = MemorySegment.NULL;
    private long memoryFrom;
    private long memoryTo;

    /** Bytes are going to be in this pipe. */
    void enter(Pipe between) {
        pipe = between;
    }

    /** The pipe, from now on nobody's; null if it belongs to a {@link #remainder}. */
    @Nullable
    Pipe leave() {
        Pipe left = pipe;
        pipe = null;
        return left;
    }

    void filled(long n) {
        inPipe = n;
    }

    void drained(long n) {
        inPipe -= n;
    }

    long inPipe() {
        return inPipe;
    }

    /** The first {@code n} bytes of this memory were taken from the source or the pipe. */
    void hold(MemorySegment buffer, long n) {
        memory = buffer;
        memoryFrom = 0;
        memoryTo = n;
    }

    boolean isHolding() {
        return memoryFrom < memoryTo;
    }

    MemorySegment held() {
        return memory.asSlice(memoryFrom, memoryTo - memoryFrom);
    }

    void written(long n) {
        memoryFrom += n;
    }

    /** Bytes in all. */
    long bytes() {
        return inPipe + memoryTo - memoryFrom;
    }

    /** All of it; the pipe belongs to it, and to nobody else. */
    Remainder remainder(IOException cause) {
        Pipe left = inPipe > 0 ? leave() : null;
        if (left != null) {
            try {
                left.sink().close();
            } catch (IOException e) {
                cause.addSuppressed(e);
            }
        }
        return Remainder.owning(held().toArray(JAVA_BYTE), left == null ? null : left.source());
    }
}
