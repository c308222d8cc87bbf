package io.sluice.loan.torture;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Fd;
import io.sluice.loan.FrozenPages;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;

/**
 * What all streams of a run carry: a long random sequence, repeated, which each lane enters at a place of its own.
 *
 * <p>The model is kept in memory that nothing can write to, so that the test cannot be deceived by what it tests.
 */
final class Content implements AutoCloseable {
    /** A prime, so that positions which meet in one page of reused memory never meet in the sequence as well. */
    static final int PERIOD = 1_048_583;

    private final Workbench bench = new Workbench();
    private final FrozenPages frozen;
    private final Fd file;

    Content(long seed) throws IOException {
        SplittableRandom random = new SplittableRandom(seed);
        frozen = FrozenPages.filled(2L * PERIOD, memory -> {
            for (long at = 0; at < PERIOD; at += Long.BYTES) {
                memory.set(JAVA_LONG_UNALIGNED, at, random.nextLong());
            }
            MemorySegment.copy(memory, 0, memory, PERIOD, PERIOD);
        });
        int memfd = bench.memfd(2L * PERIOD);
        assertThat(Libc.pwrite(memfd, frozen.segment(), 2L * PERIOD, 0)).isEqualTo(2L * PERIOD);
        file = Fd.borrow(memfd);
    }

    /** Two periods, never to be closed, which may be lent as they are. */
    FrozenPages frozen() {
        return frozen;
    }

    /** A file with two periods, which nobody writes to. */
    Fd file() {
        return file;
    }

    /** Where in the two periods the first byte of this pattern is, or −1. */
    long find(MemorySegment pattern) {
        MemorySegment all = frozen.segment();
        for (long at = 0; at < PERIOD; at++) {
            if (all.get(JAVA_BYTE, at) == pattern.get(JAVA_BYTE, 0)
                    && all.asSlice(at, pattern.byteSize()).mismatch(pattern) < 0) {
                return at;
            }
        }
        return -1;
    }

    @Override
    public void close() throws IOException {
        file.close();
        bench.close();
    }
}
