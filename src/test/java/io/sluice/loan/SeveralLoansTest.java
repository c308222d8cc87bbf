package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Pipe;
import io.sluice.internal.Syscalls;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Several allocations that are lent at once. */
@ExpectNoLeaks.OfMappings
class SeveralLoansTest {
    private Scene scene;

    @BeforeEach
    void open() throws IOException {
        scene = new Scene();
    }

    @AfterEach
    void close() throws IOException {
        scene.close();
    }

    @Test
    void severalAreLentInOneStreamAndComeBackEachOnItsOwn() throws IOException {
        try (Pipe second = Pipe.open()) {
            List<MemorySegment> segments =
                    List.of(scene.filled(PAGE), scene.filled(3 * PAGE).asSlice(PAGE, 10), scene.filled(2 * PAGE));
            List<Loan> loans = scene.arena.lend(segments, scene.pipe.sink());
            assertThat(loans).extracting(Loan::accepted).containsExactly((long) PAGE, 10L, 2L * PAGE);
            for (MemorySegment segment : segments) {
                Scene.closed(() -> segment.fill((byte) 1));
            }
            scene.holds(0, PAGE);
            assertThat(scene.pipe.source().spliceTo(second.sink(), 10)).isEqualTo(10);
            scene.holds(0, PAGE);
            Scene.isIn(State.RELEASED, loans.get(0));
            Scene.isIn(State.FORWARDED, loans.get(1));
            Scene.isIn(State.IN_PIPE, loans.get(2));
            scene.isForwarded(loans.get(1));
            scene.isReleased(loans.get(0));
            scene.attack(loans.get(2));
            scene.holds(PAGE, 2 * PAGE);
            Scene.holds(second.source(), PAGE, PAGE + 10);
        }
    }

    @Test
    void moreAreLentThanOneCallTakesAndThePipeHolds() throws Exception {
        int count = 5 * Syscalls.MAX_RANGES + 3;
        List<MemorySegment> segments =
                Stream.generate(() -> scene.filled(PAGE + 100)).limit(count).toList();
        FutureTask<Void> reader = start(() -> {
            byte[] got = new byte[PAGE + 100];
            for (int i = 0; i < count; i++) {
                for (int at = 0; at < got.length; ) {
                    at += (int)
                            scene.pipe.source().read(MemorySegment.ofArray(got).asSlice(at));
                }
                Scene.isOriginal(got, 0, got.length);
            }
            return null;
        });
        List<Loan> loans = scene.arena.lend(segments, scene.pipe.sink());
        assertThat(loans).hasSize(count).allMatch(loan -> loan.accepted() == PAGE + 100);
        for (Loan loan : loans) {
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            Scene.isOpenInPlace(loan.reclaim());
        }
        reader.get();
    }

    @Test
    void ofSeveralThatAreCutShortTheRestStaysOpen() throws Exception {
        Scene.assumePagesAreReferenced();
        scene.pipe.capacity(4 * PAGE);
        Thread lender = Thread.currentThread();
        FutureTask<Void> breaker = start(() -> {
            Await.until(() -> scene.pipe.available() == 4 * PAGE, "a full pipe");
            lender.interrupt();
            return null;
        });
        List<MemorySegment> segments =
                List.of(scene.filled(PAGE), scene.filled(4 * PAGE), scene.filled(PAGE), scene.filled(PAGE));
        List<Loan> loans = scene.arena.lend(segments, scene.pipe.sink());
        assertThat(Thread.interrupted()).isTrue();
        breaker.get();
        assertThat(loans).extracting(Loan::accepted).containsExactly((long) PAGE, 3L * PAGE);
        assertThat(loans.get(1).requested()).isEqualTo(4 * PAGE);
        Scene.closed(() -> segments.get(1).asSlice(3 * PAGE).fill((byte) 1));
        segments.get(2).fill((byte) 1);
        segments.get(3).fill((byte) 1);
        scene.attack(loans.get(0), segments.get(0), segments.get(1));
        scene.holds(0, PAGE);
        scene.holds(0, 3 * PAGE);
        scene.isReleased(loans.get(0));
        scene.isReleased(loans.get(1));
        assertThatThrownBy(() -> scene.arena.lend(segments.subList(2, 4), scene.pipe.sink()))
                .isInstanceOf(ClosedChannelException.class);
        assertThat(segments.get(2).toArray(JAVA_BYTE)).containsOnly(1);
    }

    @Test
    void ofSeveralThatMayNotBeLentNoneIs() throws IOException {
        MemorySegment page = scene.filled(PAGE);
        MemorySegment two = scene.filled(2 * PAGE);
        Map<String, List<MemorySegment>> refused = Map.of(
                "same allocation", List.of(page, two.asSlice(0, PAGE), two.asSlice(PAGE)),
                "heap", List.of(page, MemorySegment.ofArray(bytes(10))),
                "less than a page", List.of(page, scene.arena.allocate(10)));
        refused.forEach((why, segments) -> assertThatIllegalArgumentException()
                .isThrownBy(() -> scene.arena.lend(segments, scene.pipe.sink()))
                .withMessageContaining(why));
        assertThat(scene.arena.lend(List.of(), scene.pipe.sink())).isEmpty();
        assertThat(scene.pipe.available()).isZero();
        Scene.isOpenInPlace(page);
        Scene.isOpenInPlace(two);
    }

    private static <T> FutureTask<T> start(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }
}
