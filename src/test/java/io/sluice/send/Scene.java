package io.sluice.send;

import static io.sluice.testing.Workbench.bytes;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.PageArena;
import io.sluice.testing.Await;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Results;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** A sender, an arena, and a peer who reads when he is told to. */
final class Scene implements AutoCloseable {
    static final int PAGE = MemoryCalls.pageSize();
    static final byte HOSTILE = (byte) 0xEE;

    private static final int RECEIVE_BUFFER = 64 << 10;
    private static final int HELD_UP = 256 << 10;

    final Workbench bench = new Workbench();
    final PageArena arena;
    final Sockets sockets;
    final Fd socket;
    final Sender sender;

    Scene(Method method) throws IOException {
        assumeUsable(method);
        arena = PageArena.open();
        sockets = new Loopback(bench).receiveBuffer(RECEIVE_BUFFER).connect();
        Results.gives(0, Libc.setsockopt(sockets.near(), Linux.IPPROTO_TCP(), Linux.TCP_NODELAY(), 1));
        socket = Fd.borrow(sockets.near());
        sender = Sender.over(socket, method);
    }

    /** Skips the test where nothing can be sent so. */
    static void assumeUsable(Method method) {
        Kernel kernel = Kernel.observed();
        assumeTrue(
                (method == Method.SEND_ZC ? kernel.ioUring() : kernel.messageZerocopy()).isUsable(), "needs " + method);
    }

    /** Memory of the arena that holds {@link Workbench#bytes}. */
    MemorySegment filled(long size) {
        return arena.allocate(size, 1).copyFrom(MemorySegment.ofArray(bytes((int) size)));
    }

    Loan lend(MemorySegment memory) throws IOException {
        return arena.lend(memory, sender);
    }

    /** Runs it on a thread of its own. */
    static <T> FutureTask<T> concurrently(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }

    static void closed(ThrowingCallable attempt) {
        assertThatIllegalStateException().isThrownBy(attempt).withMessageContaining("closed");
    }

    /** Stores something else through every alias, in what reclaim gives, and in new memory. */
    void attack(Loan loan, MemorySegment... aliases) {
        for (MemorySegment alias : aliases) {
            closed(() -> alias.fill(HOSTILE));
        }
        try {
            loan.reclaim().fill(HOSTILE);
        } catch (IllegalStateException e) {
            // Refused, so there is nothing to store into.
        }
        if (arena.scope().isAlive()) {
            arena.allocate(loan.requested(), 1).fill(HOSTILE);
        }
        try (PageArena other = PageArena.open()) {
            other.allocate(loan.requested(), 1).fill(HOSTILE);
        }
    }

    /** The peer reads so many bytes, which are those of {@link Workbench#bytes} from 0 on. */
    void peerReads(int size) {
        byte[] got = bench.readFully(sockets.far(), size);
        assertThat(MemorySegment.ofArray(got).mismatch(MemorySegment.ofArray(bytes(size))))
                .as("first byte that differs, of %d", size)
                .isEqualTo(-1);
    }

    /** Loopback reports a send as soon as the peer's socket has it. */
    static Loan.State settled(Loan loan) throws Exception {
        Await.until(() -> loan.state() != Loan.State.IN_PIPE, "the notification");
        return loan.state();
    }

    static void holdsOriginal(MemorySegment memory) {
        byte[] got = memory.toArray(JAVA_BYTE);
        assertThat(MemorySegment.ofArray(got).mismatch(MemorySegment.ofArray(bytes(got.length))))
                .isEqualTo(-1);
    }

    /** Fills the peer's window and more: what is sent from now on cannot arrive before he reads this. */
    void holdUp() {
        bench.write(sockets.near(), new byte[HELD_UP]);
    }

    /** The peer reads what {@link #holdUp} put into his way. */
    void letGo() {
        assertThat(bench.readFully(sockets.far(), HELD_UP)).hasSize(HELD_UP);
    }

    /** The peer goes away without having read all, which resets the connection. */
    void peerResets() {
        bench.close(sockets.far());
    }

    @Override
    public void close() throws IOException {
        sender.close();
        socket.close();
        if (arena.scope().isAlive()) {
            arena.close();
        }
        bench.close();
    }
}
