package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.testing.ExpectNoLeaks;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;

/** However many loans are made, ended and dropped, nothing is left of them. */
@ExpectNoLeaks.OfMappings
class ManyLoansTest {
    private static final int LOANS = 1_000_000;
    private static final int PER_ARENA = 1000;

    /** Of a million things of the smallest size there is, hardly more than half would fit. */
    private static final long NOTHING = 10 << 20;

    @Test
    void aMillionLoansLeaveNothing() throws IOException {
        try (Pipe pipe = Pipe.open();
                Pipe second = Pipe.open();
                Fd nowhere = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            lend(10 * PER_ARENA, pipe, second, nowhere);
            long heap = heap();
            long mapped = statm(0);
            long resident = statm(1);
            long areas = areas();
            lend(LOANS, pipe, second, nowhere);
            assertThat(heap() - heap).as("bytes on the heap").isLessThan(NOTHING);
            // A page for each arena would be 4 MB; a page for each loan, 4 GB. The JVM itself maps some more as it
            // goes.
            assertThat(statm(0) - mapped).as("bytes mapped").isLessThan(1L << 30);
            assertThat(statm(1) - resident).as("bytes resident").isLessThan(1L << 30);
            assertThat(areas() - areas).as("mappings").isLessThan(LOANS / PER_ARENA);
        }
    }

    /** In turn: read and reclaimed, passed on and reclaimed, dropped with what is in the pipe; an arena for each thousand. */
    private static void lend(int loans, Pipe pipe, Pipe second, Fd nowhere) throws IOException {
        for (int arenas = 0; arenas < loans / PER_ARENA; arenas++) {
            try (PageArena arena = PageArena.open()) {
                MemorySegment page = arena.allocate(PAGE);
                for (int i = 0; i < PER_ARENA; i++) {
                    page.set(JAVA_BYTE, 0, (byte) i);
                    Loan loan = arena.lend(page.asSlice(0, 1), pipe.sink());
                    boolean passOn = i % 16 == 7;
                    if (passOn) {
                        assertLeaves(pipe.source().trySpliceTo(second.sink(), 1));
                        assertLeaves(second.source().trySpliceTo(nowhere, 1));
                    } else {
                        assertLeaves(pipe.source().trySpliceTo(nowhere, 1));
                    }
                    page = i % 16 == 15 ? arena.allocate(PAGE) : loan.reclaim();
                }
            }
        }
    }

    private static void assertLeaves(long n) {
        if (n != 1) {
            throw new AssertionError("moved " + n);
        }
    }

    private static long heap() {
        System.gc();
        Runtime runtime = Runtime.getRuntime();
        return runtime.totalMemory() - runtime.freeMemory();
    }

    private static long statm(int field) throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[field]) * PAGE;
    }

    private static long areas() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).size();
    }
}
