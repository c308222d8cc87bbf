package io.sluice.send;

import static io.sluice.send.Scene.PAGE;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Fd;
import io.sluice.internal.FdAccess;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.Loan.State;
import io.sluice.loan.PageArena;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Libc;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.List;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** Senders that are notified through the error queue of their socket, which others look at too. */
@ExtendWith(ExpectNoLeaks.class)
class ErrorQueueTest {
    private static final int SIZE = 64 << 10;

    @Test
    void aLimitIsNeverAFailure() throws Exception {
        try (Workbench bench = new Workbench()) {
            Sockets tcp = bench.tcp();
            Loan.State state = Seccomp.refusing(Map.of(SystemCall.SENDTO, Linux.ENOBUFS()), () -> {
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
        try (Scene scene = new Scene(Method.MSG_ZEROCOPY)) {
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
    void closingTheSocketRetiresWhatIsUnderWay() throws Exception {
        try (Scene scene = new Scene(Method.MSG_ZEROCOPY)) {
            scene.holdUp();
            Loan loan = scene.lend(scene.filled(SIZE));
            FutureTask<State> waiter = Scene.concurrently(loan::await);
            scene.socket.close();
            assertThat(waiter.get()).isEqualTo(State.FORWARDED);
            loan.reclaim().fill(Scene.HOSTILE);
            scene.letGo();
            scene.peerReads(SIZE);
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
        try (Scene scene = new Scene(Method.MSG_ZEROCOPY)) {
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
        try (Scene scene = new Scene(Method.MSG_ZEROCOPY)) {
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

    /** A program that is just emptying its queue itself is left alone, and must not be forgotten when it stops. */
    @Test
    void whoIsLeftAloneIsLookedAtAgainThoughNothingMoreComes() throws Exception {
        try (Workbench bench = new Workbench();
                Arena memory = Arena.ofConfined()) {
            Sockets tcp = bench.tcp();
            AtomicInteger looks = new AtomicInteger();
            BooleanSupplier leftAloneTwice = () -> looks.incrementAndGet() == 3;
            try (Fd socket = Fd.borrow(tcp.near())) {
                FdAccess.get().watchErrors(socket, leftAloneTwice);
                gives(0, SocketCalls.setOption(tcp.near(), Linux.SOL_SOCKET(), Linux.SO_ZEROCOPY(), 1));
                long address = memory.allocate(PAGE, PAGE).address();
                gives(PAGE, SocketCalls.send(tcp.near(), address, PAGE, Linux.MSG_ZEROCOPY()));
                bench.readFully(tcp.far(), PAGE);
                Await.until(() -> looks.get() == 3, "a third look");
                FdAccess.get().unwatchErrors(socket, leftAloneTwice);
            }
        }
    }

    private static boolean clear(Selector selector) {
        selector.selectedKeys().clear();
        return true;
    }

    @Test
    void aProgramThatEmptiesTheQueueIsLeftAloneUntilItHasNotDoneSoTwice() throws Exception {
        try (Workbench bench = new Workbench();
                Fd socket = Fd.borrow(bench.tcp().near());
                ZeroCopyEngine engine = ZeroCopyEngine.open(socket)) {
            ErrorQueue queue = ErrorQueue.join(socket.number(), engine);
            assertThat(queue.isNeglected()).as("before anybody looked").isTrue();

            engine.reap();
            assertThat(queue.isNeglected()).as("just emptied").isFalse();
            engine.reap();
            assertThat(queue.isNeglected()).as("emptied again").isFalse();
            assertThat(queue.isNeglected()).as("not emptied once").isFalse();
            assertThat(queue.isNeglected()).as("not emptied twice").isTrue();

            engine.reap();
            queue.emptiedByWatcher();
            assertThat(queue.isNeglected()).as("emptied by the watcher").isTrue();
            queue.leave(engine);
        }
    }

    @Test
    void theErrorQueueIsEmptyOnceAllIsReleased() throws Exception {
        try (Scene scene = new Scene(Method.MSG_ZEROCOPY)) {
            Loan loan = scene.lend(scene.filled(SIZE));
            scene.peerReads(SIZE);
            loan.await();
            fails(Linux.EAGAIN(), SocketCalls.receiveError(scene.sockets.near(), new SocketCalls.ErrorEntry()));
        }
    }

    @Test
    void awaitingDoesNotSpinOnAConnectionThatIsResetOrEnded() throws Exception {
        try (Scene scene = new Scene(Method.MSG_ZEROCOPY)) {
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
}
