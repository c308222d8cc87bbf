package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.loan.Scene.closed;
import static io.sluice.loan.Scene.isOriginal;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.internal.SocketCalls;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.Loan.State;
import io.sluice.send.Sender;
import io.sluice.testing.Await;
import io.sluice.testing.Loopback;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.concurrent.FutureTask;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** Breaking the rule while a socket has the memory, which was sent by one method or the other. */
final class MisuseWithSenders {
    private static final int SIZE = 3 * PAGE;
    private static final int RECEIVE_BUFFER = 64 << 10;
    private static final int AHEAD = 256 << 10;

    final Method method;

    MisuseWithSenders(Method method) {
        this.method = method;
    }

    /** A connection whose peer does not read what is in the way, so that nothing sent behind it arrives. */
    private static final class Held implements AutoCloseable {
        final Workbench bench;
        final Sockets sockets;
        final Fd socket;
        final Sender sender;

        Held(Scene scene, Method method) throws IOException {
            Kernel kernel = Kernel.observed();
            assumeTrue(
                    (method == Method.SEND_ZC ? kernel.ioUring() : kernel.messageZerocopy()).isUsable(),
                    "needs " + method);
            bench = scene.bench;
            sockets = new Loopback(bench).receiveBuffer(RECEIVE_BUFFER).connect();
            socket = Fd.borrow(sockets.near());
            sender = Sender.over(socket, method);
            bench.write(sockets.near(), new byte[AHEAD]);
        }

        void arrives() {
            bench.readFully(sockets.far(), AHEAD);
            isOriginal(bench.readFully(sockets.far(), SIZE), 0, SIZE);
        }

        @Override
        public void close() {
            sender.close();
            socket.close();
        }
    }

    @Misuse(
            value = "store into memory that a socket still has, and reclaim it",
            outcome = "IllegalStateException; the peer gets the original")
    void storeWhileSent(Scene scene) throws Exception {
        try (Held held = new Held(scene, method)) {
            MemorySegment pages = scene.filled(SIZE);
            MemorySegment slice = pages.asSlice(PAGE);
            Loan loan = scene.arena.lend(pages, held.sender);
            assertThatIllegalStateException().isThrownBy(loan::reclaim).withMessageContaining("await() first");
            scene.attack(loan, pages, slice);
            held.arrives();
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            scene.isReleased(loan, pages, slice);
        }
    }

    @Misuse(
            value = "close the sender first, then reclaim and store",
            outcome = "fresh pages; the peer gets the original")
    void senderClosedFirst(Scene scene) throws Exception {
        try (Held held = new Held(scene, method)) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.arena.lend(pages, held.sender);
            held.sender.close();
            assertThat(loan.await()).isEqualTo(State.FORWARDED);
            scene.attack(loan, pages);
            held.arrives();
            assertThat(loan.state()).isEqualTo(State.FORWARDED);
        }
    }

    @Misuse(
            value = "close the socket first, then reclaim and store",
            outcome =
                    "fresh pages, or IllegalStateException while a ring can still be told; the peer gets the original")
    void socketClosedFirst(Scene scene) throws Exception {
        try (Held held = new Held(scene, method)) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.arena.lend(pages, held.sender);
            held.socket.close();
            assertThat(loan.state()).isEqualTo(method == Method.SEND_ZC ? State.IN_PIPE : State.FORWARDED);
            scene.attack(loan, pages);
            held.arrives();
        }
    }

    @Misuse(
            value = "close the arena while a socket has its memory, then map and store",
            outcome = "the peer gets the original")
    void arenaClosedFirst(Scene scene) throws Exception {
        try (Held held = new Held(scene, method)) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.arena.lend(pages, held.sender);
            scene.arena.close();
            scene.attack(loan, pages);
            held.arrives();
            assertThat(loan.await()).isEqualTo(State.RELEASED);
            assertThatIllegalStateException().isThrownBy(loan::reclaim).withMessageContaining("closed");
        }
    }

    @Misuse(
            value = "acknowledge a loan to a sender that it was not lent to",
            outcome = "IllegalArgumentException; nothing is released")
    void acknowledgeElsewhere(Scene scene) throws Exception {
        try (Held held = new Held(scene, method);
                Sender other = Sender.over(held.socket, Method.WRITE)) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.arena.lend(pages, held.sender);
            assertThatIllegalArgumentException().isThrownBy(() -> other.acknowledge(loan));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> held.sender.acknowledge(scene.lend(scene.filled(PAGE))));
            scene.attack(loan, pages);
            held.arrives();
        }
    }

    @Misuse(
            value = "lend memory that a socket still has to a pipe, and to the socket again",
            outcome = "IllegalStateException; nothing is lent")
    void lendTwice(Scene scene) throws Exception {
        try (Held held = new Held(scene, method)) {
            MemorySegment pages = scene.filled(SIZE);
            scene.arena.lend(pages, held.sender);
            isLentAlready(() -> scene.lend(pages));
            isLentAlready(() -> scene.arena.lend(pages, held.sender));
            isLentAlready(() -> scene.arena.tryLend(pages, held.sender));
            assertThat(scene.pipe.available()).isZero();
            held.arrives();
        }
    }

    private static void isLentAlready(ThrowingCallable attempt) {
        assertThatIllegalStateException().isThrownBy(attempt).withMessageContaining("lent already");
    }

    @Misuse(
            value = "take the notification from the error queue behind the sender's back",
            outcome = "released by what the sender itself was told, or never; fresh pages once it is closed")
    void stealNotification(Scene scene) throws Exception {
        try (Held held = new Held(scene, method)) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.arena.lend(pages, held.sender);
            FutureTask<Void> thief = new FutureTask<>(() -> {
                SocketCalls.ErrorEntry stolen = new SocketCalls.ErrorEntry();
                Await.until(
                        () -> SocketCalls.receiveError(held.sockets.near(), stolen) == 0
                                || loan.state() == State.RELEASED,
                        "a notification");
                return null;
            });
            Thread.ofPlatform().daemon().start(thief);
            held.arrives();
            thief.get();
            scene.attack(loan, pages);
            held.sender.close();
            assertThat(loan.state()).isNotEqualTo(State.IN_PIPE);
        }
    }

    @Misuse(
            value = "store into a slot of a ring over a sender after it was published",
            outcome = "IllegalStateException; the peer gets the original")
    void storeIntoPublishedSlot(Scene scene) throws Exception {
        try (Held held = new Held(scene, method);
                PageRing ring = PageRing.over(held.sender, SIZE, 4)) {
            MemorySegment slot = ring.acquire();
            slot.copyFrom(MemorySegment.ofArray(Workbench.bytes(SIZE)));
            ring.publish(SIZE);
            closed(() -> slot.fill((byte) 1));
            MemorySegment next = ring.acquire();
            next.fill((byte) 1);
            held.arrives();
        }
    }

    @Misuse(
            value = "lend two slices of one allocation to a socket",
            outcome = "IllegalArgumentException; nothing is lent")
    void twoSlices(Scene scene) throws Exception {
        try (Held held = new Held(scene, method)) {
            MemorySegment pages = scene.filled(SIZE);
            assertThatIllegalArgumentException()
                    .isThrownBy(
                            () -> scene.arena.lend(List.of(pages.asSlice(0, PAGE), pages.asSlice(PAGE)), held.sender));
            scene.arena.lend(pages, held.sender);
            held.arrives();
        }
    }

    @Misuse(value = "lend to a socket on another thread", outcome = "WrongThreadException; nothing is lent")
    void otherThread(Scene scene) throws Exception {
        try (Held held = new Held(scene, method)) {
            MemorySegment pages = scene.filled(SIZE);
            FutureTask<Void> elsewhere = new FutureTask<>(() -> {
                assertThatExceptionOfType(WrongThreadException.class)
                        .isThrownBy(() -> scene.arena.lend(pages, held.sender));
                return null;
            });
            Thread.ofPlatform().start(elsewhere);
            elsewhere.get();
            scene.arena.lend(pages, held.sender);
            held.arrives();
        }
    }
}
