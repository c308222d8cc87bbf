package io.sluice.send;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.Fd;
import io.sluice.internal.FdAccess;
import io.sluice.internal.Hold;
import io.sluice.internal.Syscalls;
import io.sluice.internal.Uring;
import io.sluice.internal.UringFailedException;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.WaitFailedException;
import io.sluice.internal.Waiter;
import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.msghdr;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Zero-copy sends through a ring of the sender's own: each is one {@code io_uring_enter}, which brings its result, and mostly what the
 * kernel has to say of earlier ones.
 *
 * <p>Where the kernel has no memory for a send, or the ring has none for its completions, the bytes are copied; where the socket cannot send
 * so, they are copied from then on.
 */
final class UringEngine implements Engine {
    private static final int ENTRIES = 2;
    private static final int COMPLETIONS = 512;

    /** The most bytes of one send: all of them count against the limit on locked memory until its notification. */
    private static final long LONGEST = 1 << 20;

    /** After so many notifications in a row that speak of a copy, lending is in vain. */
    private static final int COPIES_IN_VAIN = 4;

    private static final int MAX_RANGES = 16;
    private static final long RANGE = 16;
    private static final long MESSAGE = msghdr.sizeof();
    private static final int NONE = -1;

    /** Between one look and the next where the ring cannot be waited for. */
    private static final long PAUSE_NANOS = 1_000_000;

    /** What a send that failed waits for its notification, which no packet can hold up, but for reasons of the kernel's own. */
    private static final int LOOKS = 100;

    private static final long COPY_INSTEAD = -1;

    private final FdAccess access = FdAccess.get();
    private final ReentrantLock lock = new ReentrantLock();
    private final Fd socket;
    private final WriteEngine write;
    private final Uring ring;
    private final AtomicInteger waiting = new AtomicInteger();
    private final UringPlaces places = new UringPlaces();

    /**
     * Sends whose notifications may be due at once. With the two completions of one more they all have room, so that the kernel never has to
     * keep one elsewhere, and never loses one.
     */
    private final int mostInFlight;

    /** A {@code struct msghdr} and the ranges that it names. */
    private final MemorySegment message = Arena.ofAuto().allocate(MESSAGE + MAX_RANGES * RANGE, 8);

    /** The send that was answered last, and how. */
    private int answered;

    private int result;

    /** That send, if it sent nothing: its notification speaks of a copy, and there was none. */
    private int failed = NONE;

    private volatile boolean refused;
    private volatile int copiesInARow;
    private boolean closed;

    /** The last send found no room for all of it. */
    private boolean wasFull;

    private UringEngine(Fd socket, Uring ring, int completions) {
        this.socket = socket;
        this.write = new WriteEngine(socket);
        this.ring = ring;
        this.mostInFlight = completions - 2;
        msghdr.msg_iov(message, message.asSlice(MESSAGE));
    }

    /** An engine over this socket, or null if io_uring is denied to this process, or knows no zero-copy sends. */
    static @Nullable UringEngine open(Fd socket) {
        return open(socket, COMPLETIONS);
    }

    /** As {@link #open(Fd)}, with room for so many completions. */
    static @Nullable UringEngine open(Fd socket, int completions) {
        Uring ring;
        try {
            ring = Uring.open(ENTRIES, completions);
        } catch (UringFailedException e) {
            return null;
        }
        if (!ring.register().knows(Linux.IORING_OP_SEND_ZC(), Linux.IORING_OP_SENDMSG_ZC())) {
            ring.close();
            return null;
        }
        return new UringEngine(socket, ring, completions);
    }

    @Override
    public Hold.Means means() {
        return Hold.Means.SEND_ZC;
    }

    /**
     * One attempt to send one range. The kernel may owe a notification for an attempt that sent nothing: it hangs it on to that of an earlier
     * send, before it finds that it has no room. Then {@code lent} is told that hold all the same.
     */
    @Override
    public long send(long address, long length, Consumer<Hold> lent) throws IOException {
        if (!refused) {
            SentHold hold = new SentHold(this);
            long n = transmit(hold, address, Math.min(length, LONGEST), null, null);
            if (n > 0 || !hold.isSettled()) {
                lent.accept(hold);
            }
            if (n != COPY_INSTEAD) {
                return n;
            }
        }
        return write.send(address, length, lent);
    }

    /** As {@link #send(long, long, Consumer)}, with a hold for every range that was part of the attempt. */
    @Override
    public long send(long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException {
        if (refused) {
            return write.send(addresses, lengths, lent);
        }
        SentHold hold = new SentHold(this);
        long n = transmit(hold, 0, 0, addresses, lengths);
        if (n == COPY_INSTEAD) {
            n = write.send(addresses, lengths, lent);
        } else {
            long rest = n;
            for (int i = 0; rest > 0; i++) {
                lent[i] = hold;
                rest -= lengths[i];
            }
            if (n > 0) {
                return n;
            }
        }
        if (!hold.isSettled()) {
            Arrays.fill(lent, 0, Math.min(addresses.length, MAX_RANGES), hold);
        }
        return n;
    }

    private long transmit(
            SentHold hold, long address, long length, long @Nullable [] addresses, long @Nullable [] lengths)
            throws IOException {
        lock.lock();
        try {
            requireOpen();
            // Otherwise they are taken with the answer.
            if (wasFull || ring.inFlight() >= mostInFlight) {
                takeAll();
            }
            if (ring.inFlight() >= mostInFlight) {
                hold.released(true);
                return COPY_INSTEAD;
            }
            int fd = access.enter(socket);
            int submitted;
            int place;
            try {
                // A send for which there is no room would be answered by a notification too.
                if (wasFull && ring.inFlight() > 0 && WaitCalls.poll(fd, Linux.POLLOUT(), 0) == 0) {
                    hold.released(true);
                    return 0;
                }
                place = places.occupy(hold);
                prepare(fd, place, address, length, addresses, lengths);
                submitted = ring.submit(1, Uring.FOREVER);
            } finally {
                access.exit(socket);
            }
            if (submitted <= 0) {
                hold.released(true);
                places.vacate(place);
                return fallBack(-submitted, length, lengths);
            }
            awaitAnswer(place);
            int n = result;
            wasFull = n <= 0 || n < wanted(length, lengths);
            if (n > 0) {
                return n;
            } else if (n == 0 || n == -Linux.EAGAIN() || n == -Linux.EINTR()) {
                return 0;
            }
            for (int looks = 0; looks < LOOKS && !hold.isSettled(); looks++) {
                look();
            }
            // Whoever got an exception would take the memory for his own. The next attempt fails as this one did.
            return hold.isSettled() ? fallBack(-n, length, lengths) : 0;
        } finally {
            lock.unlock();
        }
    }

    private void prepare(
            int fd, int place, long address, long length, long @Nullable [] addresses, long @Nullable [] lengths) {
        answered = NONE;
        failed = NONE;
        if (addresses == null || lengths == null) {
            ring.prepareSend(fd, address, length, place);
        } else {
            ring.prepareSendMessage(fd, messageOf(addresses, lengths), place);
        }
    }

    private long messageOf(long[] addresses, long[] lengths) {
        int count = Math.min(addresses.length, MAX_RANGES);
        for (int i = 0; i < count; i++) {
            message.set(JAVA_LONG, MESSAGE + RANGE * i, addresses[i]);
            message.set(JAVA_LONG, MESSAGE + RANGE * i + 8, Math.min(lengths[i], Syscalls.MAX_LENGTH));
        }
        msghdr.msg_iovlen(message, count);
        return message.address();
    }

    // A request with MSG_DONTWAIT is answered before the call that hands it over returns; a signal cuts short no more
    // than the waiting.
    private void awaitAnswer(int place) {
        takeAll();
        while (answered != place) {
            look();
        }
    }

    private void look() {
        if (ring.submit(1, PAUSE_NANOS) < 0) {
            LockSupport.parkNanos(this, PAUSE_NANOS);
        }
        takeAll();
    }

    // A limit passes, so the next send tries again; what is refused is refused for good.
    private long fallBack(int errno, long length, long @Nullable [] lengths) throws IOException {
        if (errno == Linux.ENOMEM()
                || errno == Linux.ENOBUFS()
                || errno == Linux.EBUSY()
                || errno == Linux.EAGAIN()
                || errno == 0) {
            return COPY_INSTEAD;
        } else if (errno == Linux.EOPNOTSUPP()
                || errno == Linux.EINVAL()
                || errno == Linux.EPERM()
                || errno == Linux.ENOSYS()) {
            refused = true;
            return COPY_INSTEAD;
        }
        long bytes = wanted(length, lengths);
        String operation = lengths == null ? " bytes, IORING_OP_SEND_ZC" : " bytes, IORING_OP_SENDMSG_ZC";
        throw access.failure("io_uring_enter", socket, bytes + operation, errno);
    }

    private static long wanted(long length, long @Nullable [] lengths) {
        if (lengths == null) {
            return length;
        }
        long sum = 0;
        for (int i = 0; i < Math.min(lengths.length, MAX_RANGES); i++) {
            sum += lengths[i];
        }
        return sum;
    }

    @Override
    public int reap() {
        lock.lock();
        try {
            return closed ? 0 : takeAll();
        } finally {
            lock.unlock();
        }
    }

    private int takeAll() {
        int settled = 0;
        while (ring.next()) {
            int place = (int) ring.tag();
            if (ring.isNotification()) {
                settle(place, ring.wasCopied());
                settled++;
            } else {
                answered = place;
                result = ring.result();
                failed = result > 0 ? NONE : place;
                if (!ring.hasMore()) {
                    settle(place, true);
                }
            }
        }
        if (settled > 0 && waiting.get() > 0) {
            ring.descriptor().wake();
        }
        return settled;
    }

    private void settle(int place, boolean copied) {
        SentHold hold = places.vacate(place);
        if (hold != null) {
            if (place != failed) {
                reported(copied);
            }
            hold.released(copied);
        }
    }

    // What is asked by any thread is dear to write, so it is not written again and again.
    private void reported(boolean copied) {
        int copies = copied ? Math.min(copiesInARow + 1, COPIES_IN_VAIN) : 0;
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
        waiting.incrementAndGet();
        try {
            // Who takes a notification that somebody else waits for wakes all who wait.
            Waiter.await(ring.descriptor(), Linux.POLLIN(), ring.descriptor(), hold::isSettled, nanos);
        } catch (WaitFailedException e) {
            LockSupport.parkNanos(this, Math.min(nanos, PAUSE_NANOS));
        } finally {
            waiting.decrementAndGet();
        }
        reap();
    }

    private void requireOpen() throws ClosedChannelException {
        if (closed) {
            throw new ClosedChannelException();
        }
    }

    @Override
    public void close() {
        lock.lock();
        try {
            if (!closed) {
                takeAll();
                closed = true;
                places.retire();
                ring.close();
            }
        } finally {
            lock.unlock();
        }
    }
}
