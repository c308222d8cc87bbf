package io.sluice.loan.torture;

import io.sluice.Fd;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan.Method;
import io.sluice.send.Sender;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Results;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.util.SplittableRandom;

/** The life of one connection: how much is sent over it, by which method, and how it ends. */
final class Connection implements AutoCloseable {
    private static final int LARGEST = 24 << 20;
    private static final int SMALL_BUFFER = 32 << 10;

    enum Ending {
        END_OF_STREAM,
        PEER_RESETS,
        PEER_HALF_CLOSES,
        SENDER_CLOSES_FIRST,
        SOCKET_CLOSES_FIRST
    }

    final long start;
    final long end;
    final long cut;
    final Ending ending;
    final Fd socket;
    final Sender sender;

    /** What was accepted for certain, and what may have been. */
    volatile long sent;

    private final Workbench bench = new Workbench();
    private final Sockets sockets;
    private volatile boolean farOpen = true;
    private volatile long arrived = -1;

    Connection(SplittableRandom random, long start, Method method) throws IOException {
        this.start = start;
        this.end = start + (1L << random.nextInt(12, 24)) + random.nextInt(LARGEST >> random.nextInt(10));
        this.cut = random.nextLong(start, end);
        this.ending =
                random.nextInt(3) == 0 ? Ending.END_OF_STREAM : Ending.values()[random.nextInt(Ending.values().length)];
        this.sent = start;
        Loopback network = new Loopback(bench);
        this.sockets =
                random.nextInt(3) == 0 ? network.receiveBuffer(SMALL_BUFFER).connect() : network.connect();
        Results.gives(0, Libc.setsockopt(sockets.near(), Linux.IPPROTO_TCP(), Linux.TCP_NODELAY(), 1));
        this.socket = Fd.borrow(sockets.near());
        this.sender = random.nextInt(4) == 0 ? Sender.over(socket) : Sender.over(socket, method);
    }

    int far() {
        return sockets.far();
    }

    /** The peer goes away. */
    void closeFar() {
        farOpen = false;
        bench.close(sockets.far());
    }

    /** No more is sent. */
    void finish() {
        int result = Libc.shutdown(sockets.near(), Linux.SHUT_WR());
        if (result < 0) {
            // The peer has reset it.
            Results.fails(Linux.ENOTCONN(), result);
        }
    }

    /** The peer read up to here, and then this result. */
    void ended(long position, long result) {
        if (result < 0 && ending != Ending.SOCKET_CLOSES_FIRST) {
            throw new Corruption("reading the connection gave " + Results.shown(result) + " at " + position);
        }
        arrived = position;
    }

    /** Once both sides are done: what was accepted has arrived, no less and no more. */
    void compare() {
        if (farOpen && arrived != sent) {
            throw new Corruption(
                    "%d bytes were accepted, and %d have arrived; %s".formatted(sent - start, arrived - start, this));
        }
    }

    @Override
    public void close() throws IOException {
        sender.close();
        socket.close();
        bench.close();
    }

    @Override
    public String toString() {
        return "connection for %d to %d, ending: %s at %d, sent %d".formatted(start, end, ending, cut, sent);
    }
}
