package io.sluice.send;

import static io.sluice.send.Scene.PAGE;
import static io.sluice.send.Scene.holdsOriginal;
import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.ErrnoException;
import io.sluice.Kernel.Outcome;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.Loan.State;
import io.sluice.loan.PageArena;
import io.sluice.loan.PageRing;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Workbench;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/** Memory that is lent to a connection, by either method that says when the kernel is done with it. */
@ExtendWith(ExpectNoLeaks.class)
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"MSG_ZEROCOPY", "SEND_ZC"})
class SenderTest {
    private static final int SIZE = 64 << 10;

    @Parameter
    private Method method;

    @Test
    void aLoanIsReleasedByTheKernelsOwnNotification() throws Exception {
        try (Scene scene = new Scene(method)) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.lend(pages);
            assertThat(loan.accepted()).isEqualTo(SIZE);
            assertThat(loan.method()).isEqualTo(method);
            Scene.closed(() -> pages.fill((byte) 1));
            scene.peerReads(SIZE);
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            holdsOriginal(loan.reclaim());
        }
    }

    @Test
    void aLoanThatCannotArriveYetStaysOutAndReclaimRefuses() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            Loan loan = scene.lend(scene.filled(SIZE));
            assertThat(loan.state()).isEqualTo(State.IN_PIPE);
            assertThat(loan.regime()).isEqualTo(Outcome.REFERENCES);
            assertThatIllegalStateException().isThrownBy(loan::reclaim).withMessageContaining("await() first");
            scene.letGo();
            scene.peerReads(SIZE);
            assertThat(loan.await()).isEqualTo(State.RELEASED);
        }
    }

    @Test
    void loopbackCopiesAndTheLoanSaysSo() throws Exception {
        try (Scene scene = new Scene(method)) {
            Loan loan = scene.lend(scene.filled(SIZE));
            scene.peerReads(SIZE);
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            assertThat(loan.regime()).isEqualTo(Outcome.COPIES);
            assertThat(loan.method()).isEqualTo(method);
        }
    }

    @Test
    void severalSegmentsAreSentInOneCallAndReleasedTogether() throws Exception {
        try (Scene scene = new Scene(method)) {
            MemorySegment all = MemorySegment.ofArray(Workbench.bytes(3 * PAGE));
            List<MemorySegment> pages = Stream.of(0, 1, 2)
                    .map(i -> scene.arena.allocate(PAGE).copyFrom(all.asSlice((long) i * PAGE, PAGE)))
                    .toList();
            List<Loan> loans = scene.arena.lend(pages, scene.sender);
            assertThat(loans).hasSize(3).allMatch(loan -> loan.accepted() == PAGE);
            scene.peerReads(3 * PAGE);
            for (Loan loan : loans) {
                assertThat(loan.await()).isEqualTo(State.RELEASED);
            }
        }
    }

    @Test
    void aLoanSentInManyPiecesIsReleasedByTheLastOfThem() throws Exception {
        try (Scene scene = new Scene(method)) {
            int size = 24 << 20;
            MemorySegment pages = scene.filled(size);
            FutureTask<byte[]> peer = Scene.concurrently(() -> scene.bench.readFully(scene.sockets.far(), size));
            Loan loan = scene.lend(pages);
            assertThat(loan.accepted()).isEqualTo(size);
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            assertThat(peer.get()).isEqualTo(Workbench.bytes(size));
            holdsOriginal(loan.reclaim());
        }
    }

    @Test
    void withoutWaitingOnlyWhatTheSocketHasRoomForIsLentAndTheRestLater() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            int size = 16 << 20;
            Loan loan = scene.arena.tryLend(scene.filled(size), scene.sender).orElseThrow();
            while (loan.tryLendRest() > 0) {}
            long accepted = loan.accepted();
            assertThat(accepted).isPositive().isLessThan(size);
            scene.letGo();
            scene.peerReads((int) accepted);
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            Await.until(() -> loan.tryLendRest() > 0, "room");
            assertThat(loan.accepted()).isGreaterThan(accepted);
        }
    }

    @Test
    void withoutWaitingASocketWithoutRoomLeavesTheMemoryAsItIs() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            MemorySegment pages = scene.filled(PAGE);
            Await.until(
                    () -> scene.arena
                            .tryLend(scene.filled(8 << 20), scene.sender)
                            .isEmpty(),
                    "a full socket");
            assertThat(scene.arena.tryLend(pages, scene.sender)).isEmpty();
            pages.fill((byte) 1);
        }
    }

    @Test
    void anErrorOfTheSocketIsThrownByTheNextSendAndNothingIsLent() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            scene.peerResets();
            Await.until(
                    () -> (WaitCalls.poll(scene.sockets.near(), Linux.POLLIN(), 0) & Linux.POLLHUP()) != 0,
                    "the reset");
            MemorySegment pages = scene.filled(SIZE);
            assertThatExceptionOfType(ErrnoException.class)
                    .isThrownBy(() -> scene.lend(pages))
                    .satisfies(e -> assertThat(e.name()).isIn("ECONNRESET", "EPIPE"))
                    .withMessageContaining(method == Method.SEND_ZC ? "io_uring_enter(" : "send(");
            pages.fill((byte) 1);
        }
    }

    @Test
    void closingTheSenderSettlesWhatWasReportedAndRetiresTheRest() throws Exception {
        try (Scene scene = new Scene(method)) {
            Loan arrived = scene.lend(scene.filled(PAGE));
            scene.peerReads(PAGE);
            Await.until(
                    () -> WaitCalls.poll(scene.sockets.near(), 0, 0) != 0 || arrived.state() == State.RELEASED,
                    "the notification");
            scene.holdUp();
            MemorySegment pages = scene.filled(SIZE);
            Loan underWay = scene.lend(pages);
            scene.sender.close();
            assertThat(arrived.state()).isEqualTo(State.RELEASED);
            assertThat(underWay.await()).isEqualTo(State.FORWARDED);
            MemorySegment fresh = underWay.reclaim();
            assertThat(fresh.mismatch(MemorySegment.ofArray(new byte[SIZE]))).isEqualTo(-1);
            fresh.fill(Scene.HOSTILE);
            scene.letGo();
            scene.peerReads(SIZE);
            assertThatThrownBy(() -> scene.lend(fresh)).isInstanceOf(ClosedChannelException.class);
            scene.sender.close();
        }
    }

    @Test
    void closingTheArenaIsSafeWithSendsUnderWay() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            Loan loan = scene.lend(scene.filled(SIZE));
            scene.arena.close();
            try (PageArena other = PageArena.open()) {
                other.allocate(SIZE).fill(Scene.HOSTILE);
                scene.letGo();
                scene.peerReads(SIZE);
            }
            assertThat(loan.await()).isEqualTo(State.RELEASED);
        }
    }

    @Test
    void theProgramsOwnProtocolCanReleaseALoan() throws Exception {
        try (Scene scene = new Scene(method);
                Sender other = Sender.over(scene.socket, Method.WRITE)) {
            scene.holdUp();
            Loan loan = scene.lend(scene.filled(SIZE));
            assertThat(loan.state()).isEqualTo(State.IN_PIPE);
            assertThatIllegalArgumentException().isThrownBy(() -> other.acknowledge(loan));
            assertThat(loan.state()).isEqualTo(State.IN_PIPE);
            scene.sender.acknowledge(loan);
            assertThat(loan.state()).isEqualTo(State.RELEASED);
            holdsOriginal(loan.reclaim());
        }
    }

    @Test
    void anAcknowledgementCoversOnlyWhatWasAccepted() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            Loan loan =
                    scene.arena.tryLend(scene.filled(16 << 20), scene.sender).orElseThrow();
            scene.sender.acknowledge(loan);
            assertThat(loan.state()).isEqualTo(State.RELEASED);
            assertThat(loan.tryLendRest()).isPositive();
            assertThat(loan.state()).isEqualTo(State.IN_PIPE);
        }
    }

    @Test
    void aVirtualThreadThatWaitsForANotificationHoldsNoCarrier() throws Exception {
        int processors = Runtime.getRuntime().availableProcessors();
        List<Scene> scenes = new ArrayList<>();
        try {
            List<FutureTask<State>> waiters = new ArrayList<>();
            for (int i = 0; i < 4 * processors; i++) {
                Scene scene = new Scene(method);
                scenes.add(scene);
                scene.holdUp();
                FutureTask<State> waiter = new FutureTask<>(scene.lend(scene.filled(SIZE))::await);
                waiters.add(waiter);
                Thread thread = Thread.ofVirtual().start(waiter);
                Await.until(
                        () -> thread.getState() == Thread.State.WAITING
                                || thread.getState() == Thread.State.TIMED_WAITING,
                        "a virtual thread that is parked");
            }
            FutureTask<Integer> another = new FutureTask<>(() -> 42);
            Thread.ofVirtual().start(another);
            assertThat(another.get()).isEqualTo(42);
            for (Scene scene : scenes) {
                scene.letGo();
                scene.peerReads(SIZE);
            }
            for (FutureTask<State> waiter : waiters) {
                assertThat(waiter.get()).isEqualTo(State.RELEASED);
            }
        } finally {
            for (Scene scene : scenes) {
                scene.close();
            }
        }
    }

    @Test
    void interruptingWhoWaitsForANotificationLeavesTheLoan() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            Loan loan = scene.lend(scene.filled(SIZE));
            Thread.currentThread().interrupt();
            assertThatThrownBy(loan::await).isInstanceOf(InterruptedException.class);
            assertThat(loan.state()).isEqualTo(State.IN_PIPE);
        }
    }

    @Test
    void interruptingWhoWaitsForRoomLendsNothingMoreAndClosesNothing() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            MemorySegment first = scene.filled(16 << 20);
            MemorySegment second = scene.filled(PAGE);
            Loan loan = scene.arena.tryLend(first, scene.sender).orElseThrow();
            while (loan.tryLendRest() > 0) {}
            Thread.currentThread().interrupt();
            assertThatThrownBy(() -> scene.lend(second)).isInstanceOf(InterruptedIOException.class);
            assertThat(Thread.interrupted()).isTrue();
            holdsOriginal(second);
            assertThat(scene.socket.isOpen()).isTrue();
        }
    }

    @Test
    @DisplayName("lesson 17: a send may fail and notify, notifications may come late and out of order")
    void lesson17NothingIsGivenBackWhileANotificationIsDue() throws Exception {
        try (Scene scene = new Scene(method)) {
            scene.holdUp();
            Loan first = scene.lend(scene.filled(SIZE));
            Loan second = scene.lend(scene.filled(SIZE));
            gives(0, SocketCalls.shutdown(scene.sockets.near(), Linux.SHUT_WR()));
            assertThatThrownBy(() -> scene.lend(scene.filled(SIZE))).isInstanceOf(ErrnoException.class);
            assertThat(first.state()).isEqualTo(State.IN_PIPE);
            assertThat(second.state()).isEqualTo(State.IN_PIPE);
            assertThatIllegalStateException().isThrownBy(first::reclaim);
            scene.letGo();
            scene.peerReads(SIZE);
            scene.peerReads(SIZE);
            assertThat(first.await()).isEqualTo(State.RELEASED);
            assertThat(second.await()).isEqualTo(State.RELEASED);
        }
    }

    @Test
    void aRingOverASenderGetsItsSlotsBackAsNotificationsArrive() throws Exception {
        try (Scene scene = new Scene(method);
                PageRing ring = PageRing.over(scene.sender, SIZE, 3)) {
            int slots = 64;
            FutureTask<byte[]> peer =
                    Scene.concurrently(() -> scene.bench.readFully(scene.sockets.far(), slots * SIZE));
            Set<Long> addresses = new HashSet<>();
            for (int i = 0; i < slots; i++) {
                MemorySegment slot = ring.acquire();
                addresses.add(slot.address());
                slot.copyFrom(
                        MemorySegment.ofArray(Workbench.bytes(slots * SIZE)).asSlice((long) i * SIZE, SIZE));
                ring.publish(SIZE);
                Scene.closed(() -> slot.fill(Scene.HOSTILE));
            }
            assertThat(peer.get()).isEqualTo(Workbench.bytes(slots * SIZE));
            assertThat(addresses).hasSize(3);
        }
    }

    @Test
    void aSenderThatIsDroppedKeepsNoDescriptorOpen() throws Exception {
        try (ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel near = SocketChannel.open(server.getLocalAddress());
                SocketChannel far = server.accept()) {
            WeakReference<Sender> dropped = new WeakReference<>(usedOnce(near, far));
            Await.until(
                    () -> {
                        System.gc();
                        return dropped.get() == null;
                    },
                    "a sender that is found unreachable");
        }
    }

    private Sender usedOnce(SocketChannel near, SocketChannel far) throws Exception {
        Sender sender = Sender.over(near, method);
        try (PageArena arena = PageArena.open()) {
            Loan loan = arena.lend(arena.allocate(SIZE), sender);
            ByteBuffer into = ByteBuffer.allocate(SIZE);
            while (into.hasRemaining()) {
                far.read(into);
            }
            assertThat(loan.await()).isEqualTo(State.RELEASED);
        }
        return sender;
    }
}
