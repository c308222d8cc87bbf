package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * One thread waiting for a descriptor, or for being woken because that descriptor, or the one at the other side of its transfer, was
 * closed.
 *
 * <p>A platform thread waits in poll(2), with an eventfd beside the descriptor for the waking. A virtual thread parks, which leaves its
 * carrier to others, and {@link Poller} unparks it.
 */
public final class Waiter {
    /** The first and the second that {@link #awaitEither} waits for, as bits; and both, where it is not known which is ready. */
    public static final int FIRST = 1;

    public static final int SECOND = 2;
    public static final int EITHER = FIRST | SECOND;

    /** A burst of waiting threads does not keep its descriptors for ever. */
    private static final int MOST_SPARE = 8;

    private static final ArrayBlockingQueue<Integer> SPARE_EVENTFDS = new ArrayBlockingQueue<>(MOST_SPARE);
    private static final MemorySegment ONE = Arena.global().allocateFrom(ValueLayout.JAVA_LONG, 1L);
    private static final MemorySegment DRAIN = Arena.global().allocate(ValueLayout.JAVA_LONG);

    private final Thread thread = Thread.currentThread();
    private final int eventfd;

    /** What is signalled in its stead, or itself: a thread that waits in several places has a waiter in each. */
    private final Waiter principal;

    private volatile boolean signalled;

    /** The errno that kept the poller from waiting, or 0; written before the signal. */
    private volatile int failure;

    /** The next waiter for the same descriptor; the poller's, under its map. */
    @Nullable
    Waiter next;

    private Waiter() throws WaitFailedException {
        eventfd = thread.isVirtual() ? -1 : takeEventfd();
        principal = this;
    }

    private Waiter(Waiter principal) {
        this.eventfd = -1;
        this.principal = principal;
    }

    /**
     * Waits until {@code on} has one of {@code events} or an error to report, or until {@code on} or {@code other} is closed, or the thread
     * is interrupted, or the time is over. Returns early now and then: the caller tries its call again whatever woke it.
     *
     * @param events POLLIN, POLLOUT or none
     * @param other the descriptor at the other side, or {@code on} again
     * @param nanos the most to wait, {@link Long#MAX_VALUE} for no limit
     * @throws WaitFailedException if the kernel cannot wait for it
     */
    public static void await(Descriptor on, int events, Descriptor other, long nanos) throws WaitFailedException {
        await(on, events, other, Waiter::never, nanos);
    }

    /**
     * As {@link #await(Descriptor, int, Descriptor, long)}, for nobody but who wakes the descriptor's waiters: {@code unless} is asked when
     * this thread can be woken, so that what it asks for cannot come to hold unseen in between. No events at all are those that are always
     * reported: an error, an entry of the error queue, the end in both directions.
     */
    public static void await(Descriptor on, int events, Descriptor other, BooleanSupplier unless, long nanos)
            throws WaitFailedException {
        Waiter waiter = new Waiter();
        on.add(waiter);
        other.add(waiter);
        try {
            on.markPolled();
            if (on.isOpen() && other.isOpen() && !unless.getAsBoolean()) {
                waiter.await(on.number(), events, nanos);
            }
        } catch (WaitFailedException e) {
            if (on.isOpen()) {
                throw e;
            } // else the number may by now be that of a file which cannot be waited for
        } finally {
            other.remove(waiter);
            on.remove(waiter);
            waiter.returnEventfd();
        }
    }

    /**
     * As {@link #await(Descriptor, int, Descriptor, long)}, for either of two descriptors and for one or both directions of each. An
     * interrupt wakes a platform thread too; the caller is not inside an interruptible channel's operation.
     *
     * @param firstEvents POLLIN, POLLOUT, both, or 0 for closing alone
     * @param secondEvents the same for the other
     * @return which has something to report: {@link #FIRST}, {@link #SECOND}, or {@link #EITHER} where both have or it is not known
     */
    public static int awaitEither(Descriptor first, int firstEvents, Descriptor second, int secondEvents, long nanos)
            throws WaitFailedException {
        Waiter waiter = new Waiter();
        first.add(waiter);
        second.add(waiter);
        try {
            first.markPolled();
            second.markPolled();
            if (first.isOpen() && second.isOpen()) {
                if (waiter.eventfd >= 0) {
                    return waiter.pollEither(first.number(), firstEvents, second.number(), secondEvents, nanos);
                }
                waiter.parkForEither(first.number(), firstEvents, second.number(), secondEvents, nanos);
            }
        } catch (WaitFailedException e) {
            if (first.isOpen() && second.isOpen()) {
                throw e;
            } // else a number may by now be that of a file which cannot be waited for
        } finally {
            second.remove(waiter);
            first.remove(waiter);
            waiter.returnEventfd();
        }
        return EITHER;
    }

    private int pollEither(int first, int firstEvents, int second, int secondEvents, long nanos)
            throws WaitFailedException {
        int ready;
        InterruptBell bell = new InterruptBell(this);
        bell.listen();
        try {
            // A descriptor that is waited for with no events reports its errors all the same, for ever: it is left out.
            ready = WaitCalls.poll(
                    firstEvents == 0 ? -1 : first,
                    firstEvents,
                    secondEvents == 0 ? -1 : second,
                    secondEvents,
                    eventfd,
                    Linux.POLLIN(),
                    millis(nanos));
        } finally {
            bell.silence();
        }
        if (ready > 0 && (ready & 4) != 0) {
            Syscalls.read(eventfd, DRAIN, Long.BYTES);
        } else if (ready < 0 && ready != -Linux.EINTR() && ready != -Linux.EAGAIN()) {
            throw new WaitFailedException("poll", -ready);
        }
        return ready > 0 && ready <= EITHER ? ready : EITHER;
    }

    private void parkForEither(int first, int firstEvents, int second, int secondEvents, long nanos)
            throws WaitFailedException {
        Waiter firstIn = placeFor(firstEvents & Linux.POLLIN());
        Waiter firstOut = placeFor(firstEvents & Linux.POLLOUT());
        Waiter secondIn = placeFor(secondEvents & Linux.POLLIN());
        Waiter secondOut = placeFor(secondEvents & Linux.POLLOUT());
        try {
            if (enlist(firstIn, Linux.POLLIN(), first)
                    && enlist(firstOut, Linux.POLLOUT(), first)
                    && enlist(secondIn, Linux.POLLIN(), second)
                    && enlist(secondOut, Linux.POLLOUT(), second)) {
                park(nanos);
            }
        } finally {
            strike(firstIn, Linux.POLLIN(), first);
            strike(firstOut, Linux.POLLOUT(), first);
            strike(secondIn, Linux.POLLIN(), second);
            strike(secondOut, Linux.POLLOUT(), second);
        }
        throwFailure();
    }

    private @Nullable Waiter placeFor(int events) {
        return events == 0 ? null : new Waiter(this);
    }

    private static boolean enlist(@Nullable Waiter place, int events, int fd) throws WaitFailedException {
        return place == null || Poller.of(events).enlist(fd, place);
    }

    private static void strike(@Nullable Waiter place, int events, int fd) throws WaitFailedException {
        if (place != null) {
            Poller.of(events).strike(fd, place);
        }
    }

    void throwFailure() throws WaitFailedException {
        if (failure != 0) {
            throw new WaitFailedException("epoll_wait", failure);
        }
    }

    private static boolean never() {
        return false;
    }

    private void await(int fd, int events, long nanos) throws WaitFailedException {
        if (eventfd < 0) {
            Poller.of(events).await(fd, this, nanos);
            return;
        }
        int ready = WaitCalls.poll(fd, events, eventfd, Linux.POLLIN(), millis(nanos));
        if (ready == -Linux.EINTR() || ready == -Linux.EAGAIN()) {
            return;
        } else if (ready < 0) {
            throw new WaitFailedException("poll", -ready);
        } else if ((ready & 2) != 0) {
            Syscalls.read(eventfd, DRAIN, Long.BYTES);
        }
    }

    /** Wakes the thread, now or when it begins to wait, with the errno that keeps the poller from waiting, or 0. */
    void signal(int errno) {
        principal.failure = errno;
        principal.signal();
    }

    /** Wakes the thread, now or when it begins to wait. */
    void signal() {
        signalled = true;
        if (eventfd < 0) {
            LockSupport.unpark(thread);
        } else {
            Syscalls.write(eventfd, ONE, Long.BYTES);
        }
    }

    /** Parks the virtual thread until it is signalled or interrupted, or the time is over. */
    void park(long nanos) {
        if (nanos == Long.MAX_VALUE) {
            while (!signalled && !thread.isInterrupted()) {
                LockSupport.park(this);
            }
            return;
        }
        long end = System.nanoTime() + nanos;
        for (long left = nanos; left > 0 && !signalled && !thread.isInterrupted(); left = end - System.nanoTime()) {
            LockSupport.parkNanos(this, left);
        }
    }

    private static int millis(long nanos) {
        return nanos == Long.MAX_VALUE ? -1 : (int) Math.min(Integer.MAX_VALUE, (nanos + 999_999) / 1_000_000);
    }

    private static int takeEventfd() throws WaitFailedException {
        Integer spare = SPARE_EVENTFDS.poll();
        if (spare != null) {
            return spare;
        }
        int fresh = WaitCalls.eventfd();
        if (fresh < 0) {
            throw new WaitFailedException("eventfd", -fresh);
        }
        return fresh;
    }

    // A signal that comes late leaves a count in a spare eventfd, which costs its next user one early return.
    private void returnEventfd() {
        if (eventfd >= 0 && !SPARE_EVENTFDS.offer(eventfd)) {
            Syscalls.close(eventfd);
        }
    }
}
