package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.testing.Results.gives;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.Pipe;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

/** Two programs that vmsplice corrupted, once as they were, on bare system calls, and once on this library. */
class RewrittenProgramsTest {
    private static final int HALF = 4 * PAGE;
    private static final int BLOCKS = 40;
    private static final int DROPPED = 3 * PAGE;
    private static final int ATTEMPTS = 200;

    /**
     * A program with two halves of a buffer that fills one as soon as the pipe has accepted the other, for "then it was consumed"
     * (uutils/coreutils#7625). Its pipe holds one half; its reader splices all of it to a second pipe, which is read at last.
     */
    @Test
    void doubleBufferOnBareCallsIsCorruptedByAReaderWhoSplices() throws Exception {
        Scene.assumePagesAreReferenced();
        try (Workbench bench = new Workbench()) {
            Ends pipe = bench.pipe();
            Ends second = bench.pipe();
            gives(HALF, Syscalls.fcntl(pipe.sink(), Linux.F_SETPIPE_SZ(), HALF));
            gives(1 << 20, Syscalls.fcntl(second.sink(), Linux.F_SETPIPE_SZ(), 1 << 20));
            FutureTask<Void> reader = start(() -> {
                long n;
                do {
                    n = Syscalls.splice(pipe.source(), -1, second.sink(), -1, HALF, 0);
                    assertThat(n).isNotNegative();
                } while (n > 0);
                return null;
            });
            MemorySegment buffer = bench.map(2 * HALF);
            for (int block = 0; block < BLOCKS; block++) {
                MemorySegment half = buffer.asSlice((block & 1) * HALF, HALF).fill((byte) block);
                for (long lent = 0; lent < HALF; ) {
                    long n = Syscalls.vmsplice(pipe.sink(), half.address() + lent, HALF - lent, 0);
                    assertThat(n).isPositive();
                    lent += n;
                }
            }
            bench.close(pipe.sink());
            reader.get();
            assertThat(wrongBlocks(bench.readFully(second.source(), BLOCKS * HALF)))
                    .as("blocks that were corrupted")
                    .hasSize(BLOCKS - 2);
        }
    }

    @Test
    void doubleBufferOnLoansIsNot() throws Exception {
        try (Pipe pipe = Pipe.open();
                Pipe second = Pipe.open();
                PageArena arena = PageArena.open()) {
            FutureTask<Void> reader = collect(pipe, second);
            MemorySegment[] halves = {arena.allocate(HALF), arena.allocate(HALF)};
            Loan[] loans = new Loan[2];
            for (int block = 0; block < BLOCKS; block++) {
                int half = block & 1;
                if (loans[half] != null) {
                    assertThat(loans[half].await()).isNotEqualTo(State.IN_PIPE);
                    halves[half] = loans[half].reclaim();
                }
                loans[half] = arena.lend(halves[half].fill((byte) block), pipe.sink());
            }
            pipe.sink().close();
            reader.get();
            assertThat(wrongBlocks(Scene.read(second.source(), BLOCKS * HALF))).isEmpty();
        }
    }

    @Test
    void doubleBufferOnARingIsNot() throws Exception {
        try (Pipe pipe = Pipe.open();
                Pipe second = Pipe.open();
                PageRing ring = PageRing.over(pipe.sink(), HALF, 2)) {
            FutureTask<Void> reader = collect(pipe, second);
            for (int block = 0; block < BLOCKS; block++) {
                ring.acquire().fill((byte) block);
                ring.publish(HALF);
            }
            pipe.sink().close();
            reader.get();
            assertThat(wrongBlocks(Scene.read(second.source(), BLOCKS * HALF))).isEmpty();
        }
    }

    /** A program that frees a buffer when vmsplice has returned, which safe Rust let it do (nix #2633): the next buffer is the same memory. */
    @Test
    void aBufferThatIsFreedOnBareCallsIsCorruptedByTheNext() throws IOException {
        Scene.assumePagesAreReferenced();
        try (Workbench bench = new Workbench()) {
            Ends pipe = bench.pipe();
            for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
                try (Arena dropped = Arena.ofConfined()) {
                    MemorySegment buffer = dropped.allocate(DROPPED).fill((byte) 'A');
                    gives(DROPPED, Syscalls.vmsplice(pipe.sink(), buffer.address(), DROPPED, 0));
                }
                try (Arena next = Arena.ofConfined()) {
                    next.allocate(DROPPED).fill((byte) 'B');
                    if (contains(bench.readFully(pipe.source(), DROPPED), 'B')) {
                        return;
                    }
                }
            }
            abort("needs a malloc that gives freed memory out again");
        }
    }

    @Test
    void aBufferThatIsFreedOnAnArenaIsNot() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
                try (PageArena dropped = PageArena.open()) {
                    dropped.lend(dropped.allocate(DROPPED).fill((byte) 'A'), pipe.sink());
                }
                try (PageArena next = PageArena.open();
                        Arena malloc = Arena.ofConfined()) {
                    next.allocate(DROPPED).fill((byte) 'B');
                    malloc.allocate(DROPPED).fill((byte) 'B');
                    assertThat(Scene.read(pipe.source(), DROPPED)).containsOnly('A');
                }
            }
        }
    }

    private static FutureTask<Void> collect(Pipe pipe, Pipe second) throws IOException {
        assertThat(pipe.capacity(HALF)).isEqualTo(HALF);
        assertThat(second.capacity(1 << 20)).isEqualTo(1 << 20);
        return start(() -> {
            while (pipe.source().spliceTo(second.sink(), HALF) >= 0) {
                // Goes on until the pipe is at its end.
            }
            return null;
        });
    }

    /** The blocks that hold anything but their own number. */
    private static List<Integer> wrongBlocks(byte[] stream) {
        assertThat(stream).hasSize(BLOCKS * HALF);
        List<Integer> wrong = new ArrayList<>();
        MemorySegment all = MemorySegment.ofArray(stream);
        for (int block = 0; block < BLOCKS; block++) {
            byte number = (byte) block;
            MemorySegment expected = MemorySegment.ofArray(new byte[HALF]).fill(number);
            if (all.asSlice((long) block * HALF, HALF).mismatch(expected) >= 0) {
                wrong.add(block);
            }
        }
        return wrong;
    }

    private static boolean contains(byte[] bytes, char wanted) {
        return MemorySegment.ofArray(bytes).elements(JAVA_BYTE).anyMatch(b -> b.get(JAVA_BYTE, 0) == wanted);
    }

    private static <T> FutureTask<T> start(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }
}
