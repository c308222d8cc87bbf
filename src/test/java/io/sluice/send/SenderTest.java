package io.sluice.send;

import static io.sluice.send.Scene.PAGE;
import static io.sluice.send.Scene.holdsOriginal;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.ErrnoException;
import io.sluice.Fd;
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
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.WeakReference;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(ExpectNoLeaks.class)
class SenderTest {
    private static final int SIZE = 64 << 10;

    @Test
    void aLoanIsReleasedByTheKernelsOwnNotification() throws Exception {
        try (Scene scene = new Scene()) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.lend(pages);
            assertThat(loan.accepted()).isEqualTo(SIZE);
            assertThat(loan.method()).isEqualTo(Method.MSG_ZEROCOPY);
            Scene.closed(() -> pages.fill((byte) 1));
            scene.peerReads(SIZE);
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            holdsOriginal(loan.reclaim());
        }
    }

    @Test
    void aLoanThatCannotArriveYetStaysOutAndReclaimRefuses() throws Exception {
        try (Scene scene = new Scene()) {
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
        try (Scene scene = new Scene()) {
            Loan loan = scene.lend(scene.filled(SIZE));
            scene.peerReads(SIZE);
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            assertThat(loan.regime()).isEqualTo(Outcome.COPIES);
            assertThat(loan.method()).isEqualTo(Method.MSG_ZEROCOPY);
        }
    }

    @Test
    void severalSegmentsAreSentInOneCallAndReleasedTogether() throws Exception {
        try (Scene scene = new Scene()) {
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
        try (Scene scene = new Scene()) {
            int size = 24 << 20;
            MemorySegment pages = scene.filled(size);
            FutureTask<byte[]> peer = concurrently(() -> scene.bench.readFully(scene.sockets.far(), size));
            Loan loan = scene.lend(pages);
            assertThat(loan.accepted()).isEqualTo(size);
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            assertThat(peer.get()).isEqualTo(Workbench.bytes(size));
            holdsOriginal(loan.reclaim());
        }
    }

    @Test
    void withoutWaitingOnlyWhatTheSocketHasRoomForIsLentAndTheRestLater() throws Exception {
        try (Scene scene = new Scene()) {
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
        try (Scene scene = new Scene()) {
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
    void aLimitIsNeverAFailure() throws Exception {
        try (Workbench bench = new Workbench()) {
            Sockets tcp = bench.tcp();
            Loan.State state = Seccomp.refusing(Map.of(SystemCall.SENDMSG, Linux.ENOBUFS()), () -> {
                try (PageArena arena = PageArena.open();
                        Fd socket = Fd.borrow(tcp.near());
                        Sender sender = Sender.over(socket, Method.MSG_ZEROCOPY)) {
                    MemorySegment pages = arena.allocate(SIZE).copyFrom(MemorySegment.ofArray(Workbench.bytes(SIZE)));
                    Loan loan = arena.lend(pages, sender);
                    assertThat(loan.accepted()).isEqualTo(SIZE);
                    assertThat(loan.method()).isEqualTo(Method.WRITE);
                    return loan.state();
                }
            });
            assertThat(state).isEqualTo(State.RELEASED);
            assertThat(bench.readFully(tcp.far(), SIZE)).isEqualTo(Workbench.bytes(SIZE));
        }
    }

    @Test
    void whereSendmsgIsDeniedItIsWritten() throws Exception {
        try (Workbench bench = new Workbench()) {
            Sockets tcp = bench.tcp();
            Seccomp.refusing(Map.of(SystemCall.SENDMSG, Linux.EPERM()), () -> {
                try (PageArena arena = PageArena.open();
                        Fd socket = Fd.borrow(tcp.near());
                        Sender sender = Sender.over(socket, Method.MSG_ZEROCOPY)) {
                    MemorySegment first = arena.allocate(PAGE).fill((byte) 1);
                    MemorySegment second = arena.allocate(PAGE).fill((byte) 2);
                    List<Loan> loans = arena.lend(List.of(first, second), sender);
                    assertThat(loans).hasSize(2).allMatch(loan -> loan.state() == State.RELEASED);
                    return null;
                }
            });
            byte[] got = bench.readFully(tcp.far(), 2 * PAGE);
            assertThat(got).hasSize(2 * PAGE).startsWith(1).endsWith(2);
        }
    }

    @Test
    void reapingTakesNoErrorOfTheSocket() throws Exception {
        try (Scene scene = new Scene()) {
            Loan first = scene.lend(scene.filled(PAGE));
            scene.holdUp();
            Loan second = scene.lend(scene.filled(SIZE));
            scene.peerResets();
            Await.until(
                    () -> (WaitCalls.poll(scene.sockets.near(), Linux.POLLIN(), 0) & Linux.POLLHUP()) != 0,
                    "the reset");
            assertThat(Scene.settled(first)).isEqualTo(State.RELEASED);
            assertThat(Scene.settled(second)).isEqualTo(State.RELEASED);
            gives(Linux.ECONNRESET(), SocketCalls.option(scene.sockets.near(), Linux.SO_ERROR()));
        }
    }

    @Test
    void anErrorOfTheSocketIsThrownByTheNextSendAndNothingIsLent() throws Exception {
        try (Scene scene = new Scene()) {
            scene.holdUp();
            scene.peerResets();
            Await.until(
                    () -> (WaitCalls.poll(scene.sockets.near(), Linux.POLLIN(), 0) & Linux.POLLHUP()) != 0,
                    "the reset");
            MemorySegment pages = scene.filled(SIZE);
            assertThatExceptionOfType(ErrnoException.class)
                    .isThrownBy(() -> scene.lend(pages))
                    .satisfies(e -> assertThat(e.name()).isIn("ECONNRESET", "EPIPE"))
                    .withMessageContaining("sendmsg(");
            pages.fill((byte) 1);
        }
    }

    @Test
    void awaitingDoesNotSpinOnAConnectionThatIsResetOrEnded() throws Exception {
        try (Scene scene = new Scene()) {
            scene.holdUp();
            Loan loan = scene.lend(scene.filled(SIZE));
            gives(0, SocketCalls.shutdown(scene.sockets.near(), Linux.SHUT_RDWR()));
            FutureTask<State> waiter = new FutureTask<>(loan::await);
            Thread thread = Thread.ofPlatform().daemon().start(waiter);
            Await.until(() -> thread.getState() == Thread.State.TIMED_WAITING, "a thread that pauses");
            scene.letGo();
            scene.peerReads(SIZE);
            assertThat(waiter.get()).isEqualTo(State.RELEASED);
        }
    }

    @Test
    void closingTheSenderSettlesWhatWasReportedAndRetiresTheRest() throws Exception {
        try (Scene scene = new Scene()) {
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
    void closingTheSocketRetiresWhatIsUnderWay() throws Exception {
        try (Scene scene = new Scene()) {
            scene.holdUp();
            Loan loan = scene.lend(scene.filled(SIZE));
            FutureTask<State> waiter = concurrently(loan::await);
            scene.socket.close();
            assertThat(waiter.get()).isEqualTo(State.FORWARDED);
            loan.reclaim().fill(Scene.HOSTILE);
            scene.letGo();
            scene.peerReads(SIZE);
        }
    }

    @Test
    void closingTheArenaIsSafeWithSendsUnderWay() throws Exception {
        try (Scene scene = new Scene()) {
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
    void aSocketWithoutNotificationsIsCopiedToAndReleasesAtOnce() throws Exception {
        try (Workbench bench = new Workbench();
                PageArena arena = PageArena.open()) {
            Sockets pair = bench.unix(Linux.SOCK_STREAM());
            try (Fd near = Fd.borrow(pair.near());
                    Sender sender = Sender.over(near)) {
                assertThat(sender.method()).isEqualTo(Method.WRITE);
                Loan loan =
                        arena.lend(arena.allocate(SIZE).copyFrom(MemorySegment.ofArray(Workbench.bytes(SIZE))), sender);
                assertThat(loan.state()).isEqualTo(State.RELEASED);
                assertThat(loan.regime()).isEqualTo(Outcome.COPIES);
                assertThat(loan.method()).isEqualTo(Method.WRITE);
                loan.reclaim().fill(Scene.HOSTILE);
                assertThat(bench.readFully(pair.far(), SIZE)).isEqualTo(Workbench.bytes(SIZE));
                assertThatThrownBy(() -> Sender.over(near, Method.MSG_ZEROCOPY))
                        .isInstanceOf(UnsupportedOperationException.class)
                        .hasMessageContaining("MSG_ZEROCOPY does not work here");
            }
        }
    }

    @Test
    void whatIsNoStreamSocketIsRefused() throws Exception {
        try (Workbench bench = new Workbench();
                Fd end = Fd.borrow(bench.pipe().sink());
                Fd datagrams = Fd.borrow(new Loopback(bench).datagrams().near());
                Fd stream = Fd.borrow(bench.tcp().near())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> Sender.over(end))
                    .withMessageContaining("pipe");
            assertThatIllegalArgumentException().isThrownBy(() -> Sender.over(datagrams));
            assertThatIllegalArgumentException().isThrownBy(() -> Sender.over(stream, Method.VMSPLICE));
        }
    }

    @Test
    void aSocketThatWasCountedOnByOthersIsLeftAlone() throws Exception {
        try (Workbench bench = new Workbench();
                Fd socket = Fd.borrow(bench.tcp().near())) {
            gives(0, Libc.setsockopt(socket.number(), Linux.SOL_SOCKET(), Linux.SO_ZEROCOPY(), 1));
            assertThatThrownBy(() -> Sender.over(socket, Method.MSG_ZEROCOPY))
                    .isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Test
    void twoSendersOverOneSocketCountTogether() throws Exception {
        try (Scene scene = new Scene()) {
            Sender second = Sender.over(scene.socket, Method.MSG_ZEROCOPY);
            scene.holdUp();
            Loan a = scene.lend(scene.filled(PAGE));
            Loan b = scene.arena.lend(scene.filled(PAGE), second);
            Loan c = scene.lend(scene.filled(PAGE));
            second.close();
            assertThat(List.of(a.state(), b.state(), c.state()))
                    .containsExactly(State.IN_PIPE, State.FORWARDED, State.IN_PIPE);
            scene.letGo();
            scene.peerReads(PAGE);
            scene.peerReads(PAGE);
            scene.peerReads(PAGE);
            assertThat(Scene.settled(a)).isEqualTo(State.RELEASED);
            assertThat(b.state()).isEqualTo(State.FORWARDED);
            assertThat(Scene.settled(c)).isEqualTo(State.RELEASED);
        }
    }

    @Test
    void aLaterSenderOverTheSameSocketGoesOnCounting() throws Exception {
        try (Scene scene = new Scene()) {
            scene.holdUp();
            scene.lend(scene.filled(PAGE));
            scene.sender.close();
            try (Sender second = Sender.over(scene.socket, Method.MSG_ZEROCOPY)) {
                Loan loan = scene.arena.lend(scene.filled(PAGE), second);
                assertThat(loan.state()).isEqualTo(State.IN_PIPE);
                scene.letGo();
                scene.peerReads(PAGE);
                scene.peerReads(PAGE);
                assertThat(Scene.settled(loan)).isEqualTo(State.RELEASED);
            }
        }
    }

    @Test
    void theProgramsOwnProtocolCanReleaseALoan() throws Exception {
        try (Scene scene = new Scene();
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
        try (Scene scene = new Scene()) {
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
                Scene scene = new Scene();
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
        try (Scene scene = new Scene()) {
            scene.holdUp();
            Loan loan = scene.lend(scene.filled(SIZE));
            Thread.currentThread().interrupt();
            assertThatThrownBy(loan::await).isInstanceOf(InterruptedException.class);
            assertThat(loan.state()).isEqualTo(State.IN_PIPE);
        }
    }

    @Test
    void interruptingWhoWaitsForRoomLendsNothingMoreAndClosesNothing() throws Exception {
        try (Scene scene = new Scene()) {
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
    void aChannelCanBeSelectedForReadingWhileLoansAreForgotten() throws Exception {
        try (ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel near = SocketChannel.open(server.getLocalAddress());
                SocketChannel far = server.accept();
                Selector selector = Selector.open();
                PageArena arena = PageArena.open();
                Fd socket = Fd.of(near);
                Sender sender = Sender.over(socket, Method.MSG_ZEROCOPY)) {
            near.configureBlocking(false);
            near.register(selector, SelectionKey.OP_READ);
            arena.lend(arena.allocate(SIZE), sender);
            ByteBuffer into = ByteBuffer.allocate(SIZE);
            while (into.hasRemaining()) {
                far.read(into);
            }
            // An entry of the error queue would be reported for as long as it is there.
            Await.until(() -> selector.selectNow() == 0 & clear(selector), "a selector with nothing to select");
            far.write(ByteBuffer.wrap(new byte[1]));
            assertThat(selector.select()).isEqualTo(1);
        }
    }

    private static boolean clear(Selector selector) {
        selector.selectedKeys().clear();
        return true;
    }

    @Test
    void bothAreChosenByObservation() throws Exception {
        try (Workbench bench = new Workbench();
                PageArena arena = PageArena.open();
                Fd socket = Fd.borrow(bench.tcp().near());
                Sender sender = Sender.over(socket)) {
            assertThat(sender.method()).isNotEqualTo(Method.VMSPLICE);
            Loan small = arena.lend(arena.allocate(PAGE), sender);
            assertThat(small.method()).isEqualTo(Method.WRITE);
            assertThat(small.state()).isEqualTo(State.RELEASED);
        }
    }

    @Test
    void aSenderThatIsToldOfCopiesCopiesInTheKernelsPlace() throws Exception {
        try (Workbench bench = new Workbench();
                PageArena arena = PageArena.open()) {
            Sockets tcp = bench.tcp();
            try (Fd socket = Fd.borrow(tcp.near());
                    Sender sender = Sender.over(socket)) {
                MemorySegment pages = arena.allocate(SIZE);
                boolean copied = false;
                for (int i = 0; i < 20; i++) {
                    Loan loan = arena.lend(pages, sender);
                    bench.readFully(tcp.far(), SIZE);
                    assertThat(loan.await()).isEqualTo(State.RELEASED);
                    pages = loan.reclaim();
                    copied = loan.method() == Method.WRITE;
                }
                assertThat(copied).as("the last of them was written").isTrue();
            }
        }
    }

    @Test
    void aChannelOfAUnixDomainIsTakenToo() throws Exception {
        try (Workbench bench = new Workbench();
                ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                        .bind(UnixDomainSocketAddress.of(bench.folder().resolve("socket")));
                SocketChannel near = SocketChannel.open(server.getLocalAddress());
                SocketChannel far = server.accept();
                PageArena arena = PageArena.open();
                Sender sender = Sender.over(near)) {
            Loan loan = arena.lend(arena.allocate(PAGE).fill((byte) 7), sender);
            assertThat(loan.state()).isEqualTo(State.RELEASED);
            ByteBuffer into = ByteBuffer.allocate(PAGE);
            while (into.hasRemaining()) {
                far.read(into);
            }
            assertThat(into.array()).containsOnly(7);
        }
    }

    @Test
    @DisplayName("lesson 17: a send may fail and notify, notifications may come late and out of order")
    void lesson17NothingIsGivenBackWhileANotificationIsDue() throws Exception {
        try (Scene scene = new Scene()) {
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
        try (Scene scene = new Scene();
                PageRing ring = PageRing.over(scene.sender, SIZE, 3)) {
            int slots = 64;
            FutureTask<byte[]> peer = concurrently(() -> scene.bench.readFully(scene.sockets.far(), slots * SIZE));
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

    private static Sender usedOnce(SocketChannel near, SocketChannel far) throws Exception {
        Sender sender = Sender.over(near, Method.MSG_ZEROCOPY);
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

    @Test
    void theErrorQueueIsEmptyOnceAllIsReleased() throws Exception {
        try (Scene scene = new Scene()) {
            Loan loan = scene.lend(scene.filled(SIZE));
            scene.peerReads(SIZE);
            loan.await();
            fails(Linux.EAGAIN(), SocketCalls.receiveError(scene.sockets.near(), new SocketCalls.ErrorEntry()));
        }
    }

    private static <T> FutureTask<T> concurrently(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }
}
