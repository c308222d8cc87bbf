package io.sluice.send;

import io.sluice.Fd;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.PageArena;
import io.sluice.loan.Taker;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.SocketChannel;

/**
 * Sends lent memory over a connected stream socket, and says when the kernel is done with it.
 *
 * {@snippet :
 * try (PageArena arena = PageArena.open();
 *         Sender sender = Sender.over(channel)) {
 *     MemorySegment page = arena.allocate(1 << 20);
 *     fill(page);
 *     Loan loan = arena.lend(page, sender);    // page can no longer be reached
 *     loan.await();                            // until the kernel says that it is done
 *     MemorySegment again = loan.reclaim();    // the same pages, to be written again
 * }
 * }
 *
 * <p>Loans are those of {@link PageArena}, and a {@link io.sluice.loan.PageRing} works over a sender as over a pipe. What was lent is {@link
 * Loan.State#IN_PIPE} until the kernel's notification has come, then {@link Loan.State#RELEASED}; if the sender is closed before, {@link
 * Loan.State#FORWARDED}: the kernel still sends from these pages, which may be unmapped, and are not used again. The same holds if the
 * socket is closed, unless the notifications are those of io_uring, which come all the same. A loan also says by which {@linkplain
 * Loan#method method} it was sent, and whether the kernel {@linkplain Loan#regime copied} after all, as it does
 * where the peer is on the same machine.
 *
 * <p><b>The choice.</b> Without a method given, what works here is observed, and of that the first taken of io_uring, MSG_ZEROCOPY and write.
 * Up to 16 KiB are copied in any case, which costs less than a notification; and if the kernel reports that it copies what it is lent, the
 * sender copies in its place, and lends again now and then to see whether that has changed. A loan of what was copied is released at once.
 * Running out of a limit, such as that on locked memory, never fails: what is over it is copied.
 *
 * <p>Nobody else may send with MSG_ZEROCOPY on the same socket, or read its error queue. Errors of the socket itself stay where they are and
 * are thrown by the next send. Bytes sent in other ways, such as through the channel, keep their order if it is the same thread that sends
 * them.
 *
 * <p>Safe for use by several threads, as far as the order of their bytes does not matter. A thread that waits for room holds no carrier if it
 * is virtual. Interrupting it throws {@link java.io.InterruptedIOException} and closes nothing; the interrupt status stays set.
 *
 * @see <a href="https://docs.kernel.org/networking/msg_zerocopy.html">MSG_ZEROCOPY</a>
 */
public final class Sender extends Taker implements Closeable {
    private final SocketLending lending;
    private final Fd socket;
    private final boolean owned;

    private Sender(SocketLending lending, Fd socket, boolean owned) {
        super(lending);
        this.lending = lending;
        this.socket = socket;
        this.owned = owned;
    }

    /**
     * A sender over a socket, by the best method that works here.
     *
     * @param socket a connected stream socket; it stays the caller's to close, after this
     * @return a sender, to be closed
     * @throws IllegalArgumentException if it is not a stream socket
     * @throws java.nio.channels.ClosedChannelException if it is closed
     */
    public static Sender over(Fd socket) throws IOException {
        return new Sender(new SocketLending(checked(socket), Engines.choose(socket), false), socket, false);
    }

    /**
     * A sender over a socket, by one method, for all sizes and whatever the kernel reports of it.
     *
     * @param socket a connected stream socket; it stays the caller's to close, after this
     * @param method MSG_ZEROCOPY, SEND_ZC or WRITE
     * @return a sender, to be closed
     * @throws IllegalArgumentException if it is not a stream socket, or the method is none for sockets
     * @throws UnsupportedOperationException if the method does not work here: the kernel has it not, a sandbox denies it, or this kind of
     *     socket, or this socket because others use it so already, has no notifications
     * @throws java.nio.channels.ClosedChannelException if it is closed
     */
    public static Sender over(Fd socket, Method method) throws IOException {
        Engine engine = Engines.open(checked(socket), method);
        if (engine == null) {
            throw new UnsupportedOperationException(method + " does not work here over " + socket
                    + "; without a method given, a sender takes one that does");
        }
        return new Sender(new SocketLending(socket, engine, true), socket, false);
    }

    /**
     * A sender over a channel, by the best method that works here; see {@link Fd#of(java.nio.channels.SelectableChannel)} for what that means
     * for the channel.
     *
     * @param channel a connected channel, of TCP or a Unix domain
     * @return a sender, to be closed before the channel
     * @throws java.nio.channels.ClosedChannelException if it is closed
     */
    public static Sender over(SocketChannel channel) throws IOException {
        return owning(Fd.of(channel), Sender::over);
    }

    /**
     * A sender over a channel, by one method, for all sizes and whatever the kernel reports of it.
     *
     * @param channel a connected channel, of TCP or a Unix domain
     * @param method MSG_ZEROCOPY, SEND_ZC or WRITE
     * @return a sender, to be closed before the channel
     * @throws IllegalArgumentException if the method is none for sockets
     * @throws UnsupportedOperationException if the method does not work here
     * @throws java.nio.channels.ClosedChannelException if it is closed
     */
    public static Sender over(SocketChannel channel, Method method) throws IOException {
        return owning(Fd.of(channel), socket -> over(socket, method));
    }

    private interface Maker {
        Sender over(Fd socket) throws IOException;
    }

    private static Sender owning(Fd socket, Maker maker) throws IOException {
        try {
            return new Sender(maker.over(socket).lending, socket, true);
        } catch (IOException | RuntimeException | Error e) {
            socket.close();
            throw e;
        }
    }

    /**
     * The method by which this sender lends, where it does not copy.
     *
     * @return MSG_ZEROCOPY, SEND_ZC or, if neither works here, WRITE
     */
    public Method method() {
        return switch (lending.engine().means()) {
            case VMSPLICE -> Method.VMSPLICE;
            case MSG_ZEROCOPY -> Method.MSG_ZEROCOPY;
            case SEND_ZC -> Method.SEND_ZC;
            case WRITE -> Method.WRITE;
        };
    }

    /**
     * Ends sending. Takes the notifications that are there; a loan that has none by now is {@link Loan.State#FORWARDED}. What was sent still
     * arrives. Does nothing the second time.
     */
    @Override
    public void close() {
        lending.close();
        if (owned) {
            socket.close();
        }
    }

    /**
     * The socket and the method.
     *
     * @return such as {@code MSG_ZEROCOPY to socket …}
     */
    @Override
    public String toString() {
        return method() + " to " + socket;
    }

    private static Fd checked(Fd socket) throws IOException {
        Engines.requireStream(socket);
        return socket;
    }
}
