package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Kernel;
import io.sluice.Pipe;
import io.sluice.internal.Gate;
import io.sluice.internal.Hold;
import io.sluice.internal.Ledger;
import io.sluice.internal.Lending;
import io.sluice.internal.PipeAccess;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.Channel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.function.Consumer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a loan says of itself, how it is waited for, and how its memory comes back. */
@ExpectNoLeaks.OfMappings
class LoanTest {
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
    void saysWhatItIs() throws IOException {
        Loan loan = scene.lend(scene.filled(3 * PAGE).asSlice(100, PAGE));
        assertThat(loan.accepted()).isEqualTo(PAGE);
        assertThat(loan.requested()).isEqualTo(PAGE);
        assertThat(loan.regime()).isEqualTo(Kernel.observed().vmsplice().outcome());
        assertThat(loan).hasToString(PAGE + " bytes, " + (Scene.pagesAreReferenced() ? "IN_PIPE" : "RELEASED"));
        scene.holds(100, PAGE + 100);
        assertThat(loan).hasToString(PAGE + " bytes, RELEASED");
    }

    @Test
    void comesBackInPlaceWithItsContent() throws IOException {
        MemorySegment pages = scene.filled(5 * PAGE + 7);
        Loan loan = scene.lend(pages);
        scene.holds(0, 5 * PAGE + 7);
        MemorySegment again = loan.reclaim();
        assertThat(again.address()).isEqualTo(pages.address());
        assertThat(again.byteSize()).isEqualTo(pages.byteSize());
        Scene.isOpenInPlace(again);
    }

    @ParameterizedTest
    @EnumSource
    void comesBackFreshAtTheSameAddress(PageArena.Option option) throws IOException {
        try (PageArena arena = PageArena.open(option);
                Pipe second = Pipe.open()) {
            MemorySegment before = Scene.filled(arena, PAGE);
            MemorySegment pages = Scene.filled(arena, 3 * PAGE);
            MemorySegment after = Scene.filled(arena, PAGE);
            Loan loan = arena.lend(pages, scene.pipe.sink());
            assertThat(scene.pipe.source().spliceTo(second.sink(), 3 * PAGE)).isEqualTo(3 * PAGE);
            MemorySegment again = loan.reclaim();
            assertThat(again.address()).isEqualTo(pages.address());
            assertThat(again.byteSize()).isEqualTo(3 * PAGE);
            Scene.isFresh(again);
            again.fill((byte) 1);
            Scene.isOpenInPlace(before);
            Scene.isOpenInPlace(after);
            Scene.holds(second.source(), 0, 3 * PAGE);
        }
    }

    @Test
    void isLongerThanThePipe() throws Exception {
        int length = 1 << 20;
        FutureTask<Void> reader = start(() -> {
            byte[] got = new byte[length];
            for (int at = 0; at < length; ) {
                at += (int) scene.pipe.source().read(MemorySegment.ofArray(got).asSlice(at));
            }
            Scene.isOriginal(got, 0, length);
            return null;
        });
        Loan loan = scene.lend(scene.filled(length));
        assertThat(loan.accepted()).isEqualTo(length);
        assertThat(loan.await()).isEqualTo(State.RELEASED);
        Scene.isOpenInPlace(loan.reclaim());
        reader.get();
    }

    @Test
    void isAwaitedByItsOwnerAndByOthers() throws Exception {
        Scene.assumePagesAreReferenced();
        Loan loan = scene.lend(scene.filled(PAGE));
        FutureTask<State> platform = new FutureTask<>(loan::await);
        Thread waiting = Thread.ofPlatform().start(platform);
        FutureTask<State> virtual = new FutureTask<>(loan::await);
        Thread parked = Thread.ofVirtual().start(virtual);
        awaitParked(waiting);
        awaitParked(parked);
        FutureTask<Void> reader = start(() -> {
            scene.holds(0, PAGE);
            return null;
        });
        assertThat(loan.await()).isEqualTo(State.RELEASED);
        assertThat(platform.get()).isEqualTo(State.RELEASED);
        assertThat(virtual.get()).isEqualTo(State.RELEASED);
        reader.get();
    }

    @Test
    void isAsItWasAfterAnInterruptedWait() throws Exception {
        Scene.assumePagesAreReferenced();
        Loan loan = scene.lend(scene.filled(PAGE));
        Thread.currentThread().interrupt();
        assertThatThrownBy(loan::await).isInstanceOf(InterruptedException.class);
        assertThat(Thread.interrupted()).isFalse();
        FutureTask<State> other = new FutureTask<>(loan::await);
        Thread waiting = Thread.ofPlatform().start(other);
        awaitParked(waiting);
        waiting.interrupt();
        assertThatThrownBy(other::get).hasCauseInstanceOf(InterruptedException.class);
        assertThat(loan.state()).isEqualTo(State.IN_PIPE);
        assertThat(scene.pipe.isOpen()).isTrue();
        scene.holds(0, PAGE);
        assertThat(loan.await()).isEqualTo(State.RELEASED);
    }

    @Test
    void isMadeAndAwaitedOnVirtualThreadsWithoutHoldingTheirCarriers() throws Exception {
        int lenders = 16;
        List<Pipe> pipes = new ArrayList<>();
        List<FutureTask<State>> tasks = new ArrayList<>();
        List<Thread> threads = new ArrayList<>();
        CountDownLatch lent = new CountDownLatch(lenders);
        for (int i = 0; i < lenders; i++) {
            Pipe pipe = Pipe.open();
            pipes.add(pipe);
            FutureTask<State> task = new FutureTask<>(() -> {
                try (PageArena arena = PageArena.open()) {
                    Loan loan = arena.lend(Scene.filled(arena, PAGE), pipe.sink());
                    lent.countDown();
                    State state = loan.await();
                    Scene.isOpenInPlace(loan.reclaim());
                    return state;
                }
            });
            tasks.add(task);
            threads.add(Thread.ofVirtual().start(task));
        }
        lent.await();
        if (Scene.pagesAreReferenced()) {
            for (Thread thread : threads) {
                awaitParked(thread);
            }
        }
        FutureTask<Void> reader = new FutureTask<>(() -> {
            for (Pipe pipe : pipes) {
                Scene.holds(pipe.source(), 0, PAGE);
            }
            return null;
        });
        Thread.ofVirtual().start(reader);
        reader.get();
        for (FutureTask<State> task : tasks) {
            assertThat(task.get()).isEqualTo(State.RELEASED);
        }
        for (Pipe pipe : pipes) {
            pipe.close();
        }
    }

    @Test
    void lendingWaitsForRoomOnAVirtualThreadToo() throws Exception {
        int capacity = (int) scene.pipe.capacity();
        FutureTask<Long> lender = new FutureTask<>(() -> {
            try (PageArena arena = PageArena.open()) {
                return arena.lend(Scene.filled(arena, 4L * capacity), scene.pipe.sink())
                        .accepted();
            }
        });
        Thread.ofVirtual().start(lender);
        Await.until(() -> scene.pipe.available() == capacity, "a full pipe");
        byte[] got = new byte[4 * capacity];
        for (int at = 0; at < got.length; ) {
            at += (int) scene.pipe.source().read(MemorySegment.ofArray(got).asSlice(at));
        }
        assertThat(lender.get()).isEqualTo(4L * capacity);
        Scene.isOriginal(got, 0, got.length);
    }

    @Test
    void rewritingAfterAReaderCopiedNeverShows() throws Exception {
        int rounds = 20_000;
        FutureTask<Integer> reader = start(() -> {
            byte[] got = new byte[PAGE];
            int wrong = 0;
            for (int round = 0; round < rounds; round++) {
                for (int at = 0; at < PAGE; ) {
                    at += (int)
                            scene.pipe.source().read(MemorySegment.ofArray(got).asSlice(at));
                }
                for (byte b : got) {
                    if (b != (byte) round) {
                        wrong++;
                        break;
                    }
                }
            }
            return wrong;
        });
        MemorySegment page = scene.arena.allocate(PAGE);
        for (int round = 0; round < rounds; round++) {
            Loan loan = scene.lend(page.fill((byte) round));
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            page = loan.reclaim();
        }
        assertThat(reader.get()).as("pages with another round's bytes").isZero();
    }

    @Test
    void anotherThreadsLookNeverSettlesALoanThatGrew() throws Exception {
        Scene.assumePagesAreReferenced();
        PipeAccess real = PipeAccess.get();
        PageByPage pipe = new PageByPage();
        PipeAccess.grant(pipe);
        try {
            Loan loan = scene.arena
                    .tryLend(scene.filled(2 * PAGE), scene.pipe.sink())
                    .orElseThrow();
            pipe.level = 0;
            FutureTask<State> observer = start(loan::state);
            pipe.answered.await();
            assertThat(loan.tryLendRest()).isEqualTo(PAGE);
            pipe.goOn.countDown();
            assertThat(observer.get()).isNotEqualTo(State.FORWARDED);
            assertThat(loan.state()).isEqualTo(State.IN_PIPE);
            assertThatIllegalStateException().isThrownBy(loan::reclaim);
        } finally {
            PipeAccess.grant(real);
        }
    }

    /** A pipe that takes a page at a time. To any thread but its maker's the kernel's answer takes long to arrive. */
    private static final class PageByPage extends PipeAccess {
        final CountDownLatch answered = new CountDownLatch(1);
        final CountDownLatch goOn = new CountDownLatch(1);
        volatile int level;
        private final Thread owner = Thread.currentThread();
        private final Ledger ledger = new Ledger(this::inPipe, new Gate(), new Gate());

        PageByPage() {
            ledger.shareSource();
            ledger.promiseReadersCopy();
        }

        private int inPipe() {
            int answer = level;
            if (!Thread.currentThread().equals(owner)) {
                answered.countDown();
                try {
                    goOn.await();
                } catch (InterruptedException e) {
                    throw new AssertionError(e);
                }
            }
            return answer;
        }

        @Override
        public Ledger ledger(Channel sink) {
            return ledger;
        }

        @Override
        public Lending lending(Channel sink) {
            return new Lending() {
                @Override
                public long lend(long address, long length, boolean wait, Consumer<Hold> lent) {
                    Ledger.Entry page = ledger.lend(0, length);
                    level = PAGE;
                    ledger.lent(page, PAGE);
                    lent.accept(page);
                    return PAGE;
                }

                @Override
                public long lend(long[] addresses, long[] lengths, Hold[] lent) {
                    throw new UnsupportedOperationException();
                }

                @Override
                public long write(long address, long length, boolean wait) {
                    throw new UnsupportedOperationException();
                }

                @Override
                public long copyUpTo() {
                    return 0;
                }
            };
        }
    }

    private static void awaitParked(Thread thread) throws Exception {
        Await.until(
                () -> thread.getState() == Thread.State.TIMED_WAITING || thread.getState() == Thread.State.WAITING,
                "a thread that waits");
    }

    private static <T> FutureTask<T> start(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }
}
