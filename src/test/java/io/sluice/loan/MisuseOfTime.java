package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.loan.Scene.closed;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Pipe;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;

/** Taking memory back too early, too often, too late, or on the wrong thread. */
final class MisuseOfTime {
    private static final int SIZE = 3 * PAGE;

    @Misuse(value = "reclaim while it is in the pipe", outcome = "IllegalStateException; the reader gets the original")
    void reclaimInPipe(Scene scene) throws IOException {
        Scene.assumePagesAreReferenced();
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        assertThatIllegalStateException().isThrownBy(loan::reclaim).withMessageContaining("await() first");
        scene.attack(loan, pages);
        scene.holds(0, SIZE);
        scene.isReleased(loan, pages);
    }

    @Misuse(value = "reclaim twice", outcome = "IllegalStateException; the memory is open once")
    void reclaimTwice(Scene scene) throws IOException {
        Loan loan = scene.lend(scene.filled(SIZE));
        scene.holds(0, SIZE);
        MemorySegment again = loan.reclaim();
        assertThatIllegalStateException().isThrownBy(loan::reclaim).withMessageContaining("reclaimed before");
        Loan next = scene.lend(again);
        assertThatIllegalStateException().isThrownBy(loan::reclaim).withMessageContaining("reclaimed before");
        closed(() -> again.fill((byte) 1));
        Scene.isIn(State.IN_PIPE, next);
        scene.holds(0, SIZE);
    }

    @Misuse(
            value = "reclaim, store and lend again after it was passed on",
            outcome = "both readers get what was lent to them")
    void lendFreshPagesAgain(Scene scene) throws IOException {
        try (Pipe second = Pipe.open()) {
            MemorySegment pages = scene.filled(SIZE);
            for (int round = 0; round < 5; round++) {
                pages.set(JAVA_BYTE, 0, (byte) round);
                Loan loan = scene.lend(pages);
                assertThat(scene.pipe.source().spliceTo(second.sink(), SIZE)).isEqualTo(SIZE);
                pages = loan.reclaim();
                Scene.isFresh(pages);
                pages.copyFrom(MemorySegment.ofArray(Workbench.bytes(SIZE)));
            }
            for (int round = 0; round < 5; round++) {
                assertThat(Scene.read(second.source(), 1)).containsExactly(round);
                Scene.holds(second.source(), 1, SIZE);
            }
        }
    }

    @Misuse(
            value = "close the arena with loans in flight, then map and store",
            outcome = "the readers get the original")
    void closeArena(Scene scene) throws IOException {
        MemorySegment pages = scene.filled(SIZE);
        MemorySegment more = scene.filled(SIZE);
        Loan first = scene.lend(pages);
        Loan second = scene.lend(more);
        scene.arena.close();
        scene.attack(first, pages, more);
        assertThatIllegalStateException().isThrownBy(second::reclaim);
        scene.holds(0, SIZE);
        assertThat(first.state()).isEqualTo(State.RELEASED);
        scene.holds(0, SIZE);
        assertThat(second.state()).isEqualTo(State.RELEASED);
        assertThatIllegalStateException().isThrownBy(second::reclaim).withMessageContaining("closed");
        assertThatIllegalStateException().isThrownBy(second::tryLendRest).withMessageContaining("closed");
    }

    @Misuse(
            value = "close an arena of memfds with loans in flight, then map and store",
            outcome = "the readers get the original")
    void closeArenaOfMemfds(Scene unused) throws IOException {
        try (Scene scene = new Scene(PageArena.Option.MEMFD)) {
            Loan loan = scene.lend(scene.filled(SIZE));
            scene.arena.close();
            scene.attack(loan);
            scene.holds(0, SIZE);
        }
    }

    @Misuse(
            value = "let a loan outlive its pipe",
            outcome = "FORWARDED, with fresh pages: somebody else may have the pipe open")
    void outliveThePipe(Scene scene) throws Exception {
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        Loan other = scene.lend(scene.filled(SIZE));
        scene.holds(0, SIZE);
        scene.pipe.close();
        assertThat(other.await()).isEqualTo(Scene.pagesAreReferenced() ? State.FORWARDED : State.RELEASED);
        scene.isForwarded(other);
        scene.isReleased(loan, pages);
    }

    @Misuse(
            value = "lend more than there is room for, then touch what did not go in",
            outcome = "IllegalStateException; the rest can still be lent")
    void shortLoan(Scene scene) throws IOException {
        Scene.assumePagesAreReferenced();
        scene.pipe.capacity(4 * PAGE);
        MemorySegment pages = scene.filled(6 * PAGE);
        MemorySegment rest = pages.asSlice(5 * PAGE);
        Loan loan = scene.arena.tryLend(pages, scene.pipe.sink()).orElseThrow();
        assertThat(loan.accepted()).isEqualTo(4 * PAGE);
        assertThat(loan.requested()).isEqualTo(6 * PAGE);
        scene.attack(loan, pages, rest);
        assertThat(loan.tryLendRest()).isZero();
        scene.holds(0, PAGE);
        assertThat(loan.tryLendRest()).isEqualTo(PAGE);
        scene.attack(loan, pages, rest);
        scene.holds(PAGE, 5 * PAGE);
        assertThat(loan.state()).isEqualTo(State.RELEASED);
        assertThat(loan.tryLendRest()).isEqualTo(PAGE);
        Scene.isIn(State.IN_PIPE, loan);
        scene.attack(loan, pages, rest);
        scene.holds(5 * PAGE, 6 * PAGE);
        assertThat(loan.tryLendRest()).isZero();
        scene.isReleased(loan, pages, rest);
    }

    @Misuse(
            value = "reclaim a loan of which only a part went in, then lend the rest",
            outcome = "IllegalStateException; nothing more is lent")
    void restAfterReclaim(Scene scene) throws IOException {
        Scene.assumePagesAreReferenced();
        scene.pipe.capacity(PAGE);
        Loan loan = scene.arena.tryLend(scene.filled(SIZE), scene.pipe.sink()).orElseThrow();
        scene.holds(0, PAGE);
        Scene.isOpenInPlace(loan.reclaim());
        assertThatIllegalStateException().isThrownBy(loan::tryLendRest).withMessageContaining("reclaimed");
        assertThat(scene.pipe.available()).isZero();
    }

    @Misuse(
            value = "reclaim when the first part was passed on and the rest is in the pipe",
            outcome = "fresh pages; both parts arrive as they were")
    void restAfterForwarding(Scene scene) throws IOException {
        Scene.assumePagesAreReferenced();
        scene.pipe.capacity(2 * PAGE);
        MemorySegment pages = scene.filled(SIZE);
        try (Pipe second = Pipe.open()) {
            Loan loan = scene.arena.tryLend(pages, scene.pipe.sink()).orElseThrow();
            assertThat(scene.pipe.source().spliceTo(second.sink(), SIZE)).isEqualTo(2 * PAGE);
            Scene.isIn(State.FORWARDED, loan);
            assertThat(loan.tryLendRest()).isEqualTo(PAGE);
            scene.attack(loan, pages);
            Scene.holds(second.source(), 0, 2 * PAGE);
            scene.holds(2 * PAGE, SIZE);
        }
    }

    @Misuse(
            value = "lend to a pipe that is full, without waiting",
            outcome = "empty; nothing is lent and the memory stays open")
    void fullPipe(Scene scene) throws IOException {
        scene.pipe.capacity(PAGE);
        scene.pipe.sink().write(MemorySegment.ofArray(new byte[PAGE]));
        MemorySegment pages = scene.filled(SIZE);
        assertThat(scene.arena.tryLend(pages, scene.pipe.sink())).isEqualTo(Optional.empty());
        pages.fill((byte) 1);
        assertThat(scene.pipe.available()).isEqualTo(PAGE);
    }

    @Misuse(value = "lend, reclaim or close on another thread", outcome = "WrongThreadException; nothing changes")
    void otherThread(Scene scene) throws Exception {
        MemorySegment pages = scene.filled(SIZE);
        MemorySegment open = scene.arena.allocate(PAGE);
        Loan loan = scene.lend(pages);
        refusedElsewhere(() -> scene.lend(open));
        refusedElsewhere(() -> scene.arena.tryLend(open, scene.pipe.sink()));
        refusedElsewhere(() -> scene.arena.allocate(PAGE));
        refusedElsewhere(() -> open.set(JAVA_BYTE, 0, (byte) 1), open);
        refusedElsewhere(loan::reclaim);
        refusedElsewhere(loan::tryLendRest);
        refusedElsewhere(() -> {
            scene.arena.close();
            return null;
        });
        assertThat(scene.pipe.available()).isEqualTo(SIZE);
        scene.holds(0, SIZE);
        refusedElsewhere(loan::reclaim);
        scene.isReleased(loan, pages);
    }

    private static void refusedElsewhere(Runnable action, Object unused) throws Exception {
        refusedElsewhere(() -> {
            action.run();
            return unused;
        });
    }

    private static void refusedElsewhere(Callable<?> action) throws Exception {
        FutureTask<Void> elsewhere = new FutureTask<>(() -> {
            assertThatThrownBy(action::call).isInstanceOf(WrongThreadException.class);
            return null;
        });
        Thread.ofPlatform().start(elsewhere);
        elsewhere.get();
    }
}
