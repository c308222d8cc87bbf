package io.sluice.send;

import io.sluice.Fd;
import io.sluice.internal.FdAccess;
import io.sluice.internal.Hold;
import io.sluice.internal.Ledger.Place;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.nio.channels.ClosedChannelException;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * {@code send} with MSG_ZEROCOPY, {@code sendmsg} for several ranges: the kernel sends from the caller's pages, and puts a notification
 * into the socket's error queue when it is done with them.
 */
final class ZeroCopyEngine implements Engine {
    /** The most bytes of one send: all of them count against the limit on locked memory until its notification. */
    private static final long LONGEST = 1 << 20;

    /** After so many notifications in a row that speak of a copy, lending is in vain. */
    private static final int COPIES_IN_VAIN = 4;

    private static final long FIRST_PAUSE_NANOS = 20_000;
    private static final int LONGEST_PAUSE = 6;
    private static final int PLAIN = Linux.MSG_DONTWAIT() | Linux.MSG_NOSIGNAL();

    private final FdAccess access = FdAccess.get();
    private final Fd socket;
    private final WriteEngine write;
    private final BooleanSupplier watch = watch(this);
    private @Nullable ErrorQueue queue;

    /** The kernel does not let this process send so, or not on this socket. */
    private volatile boolean refused;

    private volatile int copiesInARow;
    private volatile int looksInVain;
    private boolean watched;

    /** No further number is given; under the queue's lock. */
    private boolean closed;

    private ZeroCopyEngine(Fd socket) {
        this.socket = socket;
        this.write = new WriteEngine(socket);
    }

    /** An engine over this socket, or null if it has no such notifications. */
    static @Nullable ZeroCopyEngine open(Fd socket) throws IOException {
        ZeroCopyEngine engine = new ZeroCopyEngine(socket);
        int fd = engine.access.enter(socket);
        try {
            engine.queue = ErrorQueue.join(fd, engine);
            return engine.queue == null ? null : engine;
        } finally {
            engine.access.exit(socket);
        }
    }

    @Override
    public Hold.Means means() {
        return Hold.Means.MSG_ZEROCOPY;
    }

    @Override
    public long send(long address, long length, Consumer<Hold> lent) throws IOException {
        if (!refused) {
            SentHold hold = new SentHold(this);
            long n = transmit(hold, address, Math.min(length, LONGEST), null, null);
            if (n > 0) {
                lent.accept(hold);
            }
            if (n >= 0) {
                return n;
            }
        }
        return write.send(address, length, lent);
    }

    @Override
    public long send(long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException {
        if (!refused) {
            SentHold hold = new SentHold(this);
            long n = transmit(hold, 0, 0, addresses, lengths);
            long rest = n;
            for (int i = 0; rest > 0; i++) {
                lent[i] = hold;
                rest -= lengths[i];
            }
            if (n >= 0) {
                return n;
            }
        }
        return write.send(addresses, lengths, lent);
    }

    /** Bytes sent, 0 for would block, negative if it is to be copied instead. */
    private long transmit(
            SentHold hold, long address, long length, long @Nullable [] addresses, long @Nullable [] lengths)
            throws IOException {
        ErrorQueue shared = queue();
        // The kernel gives its numbers in the order of the calls, and only to calls that sent something.
        shared.lock.lock();
        try {
            if (closed) {
                throw new ClosedChannelException();
            }
            int fd = access.enter(socket);
            try {
                long n = transmit(fd, address, length, addresses, lengths);
                if ((n == -Linux.ENOBUFS() || n == -Linux.ENOMEM()) && reaped(shared.reap(fd)) > 0) {
                    n = transmit(fd, address, length, addresses, lengths);
                }
                if (n > 0) {
                    shared.outstanding.add(hold);
                    watchOnce();
                    return n;
                }
                return n == 0 || n == -Linux.EAGAIN() ? 0 : copyInstead((int) -n, length, lengths);
            } finally {
                access.exit(socket);
            }
        } finally {
            shared.lock.unlock();
        }
    }

    private static long transmit(
            int fd, long address, long length, long @Nullable [] addresses, long @Nullable [] lengths) {
        int flags = PLAIN | Linux.MSG_ZEROCOPY();
        return addresses == null || lengths == null
                ? SocketCalls.send(fd, address, length, flags)
                : SocketCalls.send(fd, addresses, lengths, flags);
    }

    // A limit passes, so the next send tries again; what is refused is refused for good.
    private long copyInstead(int errno, long length, long @Nullable [] lengths) throws IOException {
        if (errno == Linux.ENOBUFS() || errno == Linux.ENOMEM()) {
            return -1;
        }
        if (errno == Linux.EPERM()
                || errno == Linux.ENOSYS()
                || errno == Linux.EINVAL()
                || errno == Linux.EOPNOTSUPP()) {
            refused = true;
            return -1;
        }
        long bytes = lengths == null ? length : Arrays.stream(lengths).sum();
        throw access.failure(lengths == null ? "send" : "sendmsg", socket, bytes + " bytes, MSG_ZEROCOPY", errno);
    }

    // What is watched must not keep the engine, and through it the descriptor, from being found unreachable.
    private static BooleanSupplier watch(ZeroCopyEngine engine) {
        WeakReference<ZeroCopyEngine> watched = new WeakReference<>(engine);
        return () -> {
            ZeroCopyEngine alive = watched.get();
            return alive == null || alive.isLookedAfter();
        };
    }

    // A program that empties the queue itself is left alone, because it would have to wait for the lock.
    private boolean isLookedAfter() {
        boolean neglected = queue().isNeglected();
        if (neglected) {
            reap();
            queue().emptiedByWatcher();
        }
        return neglected;
    }

    private void watchOnce() {
        if (!watched) {
            watched = true;
            access.watchErrors(socket, watch);
        }
    }

    @Override
    public int reap() {
        ErrorQueue shared = queue();
        shared.lock.lock();
        try {
            int fd = access.enter(socket);
            try {
                return reaped(shared.reap(fd));
            } finally {
                access.exit(socket);
            }
        } catch (IOException e) {
            // The descriptor is closed, so there is nobody who could be asked.
            return reaped(shared.outstanding.retire(this));
        } finally {
            shared.lock.unlock();
        }
    }

    private int reaped(int settled) {
        if (settled > 0) {
            looksInVain = 0;
            queue().engines.forEach(engine -> engine.access.wake(engine.socket));
        }
        return settled;
    }

    /** A notification has come. */
    void reported(boolean copied) {
        int copies = copied ? Math.min(copiesInARow + 1, COPIES_IN_VAIN) : 0;
        // What is asked by any thread is dear to write, so it is not written again and again.
        if (copies != copiesInARow) {
            copiesInARow = copies;
        }
    }

    @Override
    public boolean isInVain() {
        return refused || copiesInARow == COPIES_IN_VAIN;
    }

    @Override
    public void await(SentHold hold, long nanos) {
        boolean waited = false;
        try {
            access.awaitError(socket, () -> hold.place() != Place.IN_PIPE, nanos);
            waited = true;
        } catch (IOException e) {
            // It cannot be waited for, so it is asked now and then.
        }
        if (!hold.isSettled() && reap() == 0 && !hold.isSettled()) {
            // An error of the socket itself, or its end in both directions, is reported for good and must not become a
            // spin.
            int round = looksInVain;
            looksInVain = Math.min(round + 1, LONGEST_PAUSE);
            long pause = FIRST_PAUSE_NANOS << (waited ? round : LONGEST_PAUSE);
            LockSupport.parkNanos(this, Math.min(nanos, pause));
        }
    }

    @Override
    public void close() {
        reap();
        ErrorQueue shared = queue();
        shared.lock.lock();
        try {
            closed = true;
            shared.outstanding.retire(this);
        } finally {
            shared.lock.unlock();
        }
        access.unwatchErrors(socket, watch);
        shared.leave(this);
        access.wake(socket);
    }

    private ErrorQueue queue() {
        return Objects.requireNonNull(queue);
    }
}
