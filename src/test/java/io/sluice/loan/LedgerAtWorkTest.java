package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Behind real pipes, with readers and writers on several threads, the ledger counts right and leaves nothing behind. */
@ExpectNoLeaks.OfMappings
class LedgerAtWorkTest {
    private static final long SEED = 20260601;

    /** One thread lends and writes, another takes it out in every way there is; each loan is where the reader's own notes say. */
    @Test
    void everyLoanIsWhereTheReadersNotesSay() throws Exception {
        try (Scene scene = new Scene();
                Pipe second = Pipe.open();
                Fd nowhere = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            Scene.assumePagesAreReferenced();
            List<long[]> passedOn = new ArrayList<>();
            FutureTask<Long> reader = new FutureTask<>(() -> takeOut(scene.pipe, second, nowhere, passedOn));
            Thread.ofPlatform().start(reader);
            List<long[]> ranges = new ArrayList<>();
            List<Loan> loans = new ArrayList<>();
            long position = 0;
            Random random = new Random(SEED);
            MemorySegment header = MemorySegment.ofArray(new byte[200]);
            for (int i = 0; i < 3000; i++) {
                if (random.nextInt(3) == 0) {
                    position += scene.pipe.sink().write(header);
                }
                MemorySegment pages = scene.arena.allocate((1 + random.nextInt(3)) * (long) PAGE, 1);
                Loan loan = scene.lend(pages.asSlice(random.nextInt(PAGE)));
                ranges.add(new long[] {position, position + loan.accepted()});
                loans.add(loan);
                position += loan.accepted();
            }
            scene.pipe.sink().close();
            assertThat(reader.get()).isEqualTo(position);
            for (int i = 0; i < loans.size(); i++) {
                long[] range = ranges.get(i);
                boolean forwarded = passedOn.stream().anyMatch(some -> some[0] < range[1] && some[1] > range[0]);
                assertThat(loans.get(i).state())
                        .as("loan %d, at %d to %d", i, range[0], range[1])
                        .isEqualTo(forwarded ? State.FORWARDED : State.RELEASED);
            }
        }
    }

    private static long takeOut(Pipe pipe, Pipe second, Fd nowhere, List<long[]> passedOn) throws IOException {
        Random random = new Random(SEED + 1);
        MemorySegment into = MemorySegment.ofArray(new byte[4 * PAGE]);
        long position = 0;
        while (true) {
            long max = 1 + random.nextInt(3 * PAGE);
            long n = switch (random.nextInt(8)) {
                case 0 -> {
                    long moved = pipe.source().spliceTo(second.sink(), max);
                    note(passedOn, position, moved);
                    yield moved;
                }
                case 1 -> {
                    note(passedOn, position, pipe.source().teeTo(second.sink(), max));
                    yield 0;
                }
                case 2, 3 -> pipe.source().spliceTo(nowhere, max);
                default -> pipe.source().read(into.asSlice(0, max));
            };
            while (second.source().trySpliceTo(nowhere, Long.MAX_VALUE) > 0) {
                // What was passed on is thrown away, to make room.
            }
            if (n < 0) {
                return position;
            }
            position += n;
        }
    }

    private static void note(List<long[]> passedOn, long position, long n) {
        if (n > 0) {
            passedOn.add(new long[] {position, position + n});
        }
    }

    @Test
    void aMillionLoansLeaveNothing() throws Exception {
        try (Scene scene = new Scene()) {
            MemorySegment into = scene.bench.buffer(PAGE);
            Recent recent = new Recent();
            Loan kept = null;
            MemorySegment page = scene.arena.allocate(PAGE);
            long heapBefore = 0;
            long mappingsBefore = 0;
            long descriptorsBefore = 0;
            for (int i = 0; i < 1_000_000; i++) {
                if (i == 10_000) {
                    heapBefore = heapInUse();
                    mappingsBefore = mappings();
                    descriptorsBefore = descriptors();
                }
                Loan loan = scene.lend(page);
                recent.add(loan);
                if (kept == null) {
                    kept = loan;
                }
                scene.pipe.source().read(into);
                page = loan.reclaim();
            }
            long before = heapBefore;
            Await.until(() -> heapInUse() < before + (4 << 20), "a heap as small as it was");
            assertThat(mappings()).isLessThanOrEqualTo(mappingsBefore + 20);
            assertThat(descriptors()).isEqualTo(descriptorsBefore);
            recent.areGone();
            Reference.reachabilityFence(kept);
        }
    }

    @Test
    void loansThatAreDroppedLeaveNothing() throws Exception {
        try (Scene scene = new Scene();
                Pipe second = Pipe.open();
                Fd nowhere = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            Recent recent = new Recent();
            for (int i = 0; i < 1000; i++) {
                recent.add(scene.lend(scene.arena.allocate(PAGE)));
                scene.pipe.source().spliceTo(second.sink(), PAGE);
                second.source().spliceTo(nowhere, PAGE);
            }
            recent.areGone();
            assertThat(scene.pipe.available()).isZero();
        }
    }

    /** The last few loans, of which nobody else should know. */
    private static final class Recent {
        private final ArrayDeque<WeakReference<Loan>> loans = new ArrayDeque<>();

        void add(Loan loan) {
            if (loans.size() == 100) {
                loans.removeFirst();
            }
            loans.addLast(new WeakReference<>(loan));
        }

        void areGone() throws Exception {
            loans.removeLast();
            LedgerTest.areGone(loans);
        }
    }

    private static long heapInUse() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    private static long mappings() throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).size();
    }

    private static long descriptors() throws IOException {
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            return open.count();
        }
    }
}
