package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * One thread waiting for a descriptor, or for being woken because that descriptor, or the one at the other side of its transfer, was
 * closed.
 *
 * <p>A platform thread waits in poll(2), with an eventfd beside the descriptor for the waking. A virtual thread parks, which leaves its
 * carrier to others, and {@link Poller} unparks it.
 */
public final class Waiter {
    /** A burst of waiting threads does not keep its descriptors for ever. */
    private static final int MOST_SPARE = 8;

    private static final ArrayBlockingQueue<Integer> SPARE_EVENTFDS = new ArrayBlockingQueue<>(MOST_SPARE);
    private static final MemorySegment ONE = Arena.global().allocateFrom(ValueLayout.JAVA_LONG, 1L);
    private static final MemorySegment DRAIN = Arena.global().allocate(ValueLayout.JAVA_LONG);

    private final Thread thread = Thread.currentThread();
    private final int eventfd;
    private volatile boolean signalled;

    /** The errno that kept the poller from waiting, or 0; written before the signal. */
    int failure;

    /** The next waiter for the same descriptor; the poller's, under its map. */
    @Nullable
    Waiter next;

    private Waiter() throws WaitFailedException {
        eventfd = thread.isVirtual() ? -1 : takeEventfd();
    }

    /**
     * Waits until {@code on} has one of {@code events} or an error to report, or until {@code on} or {@code other} is closed, or the thread
     * is interrupted, or the time is over. Returns early now and then: the caller tries its call again whatever woke it.
     *
     * @param events POLLIN or POLLOUT
     * @param other the descriptor at the other side, or {@code on} again
     * @param gate what ends the wait by being closed, or null
     * @param nanos the most to wait, {@link Long#MAX_VALUE} for no limit
     * @throws WaitFailedException if the kernel cannot wait for it
     */
    public static void await(Descriptor on, int events, Descriptor other, @Nullable Descriptor gate, long nanos)
            throws WaitFailedException {
        Waiter waiter = new Waiter();
        on.add(waiter);
        other.add(waiter);
        if (gate != null) {
            gate.add(waiter);
        }
        try {
            on.markPolled();
            if (on.isOpen() && other.isOpen() && (gate == null || gate.isOpen())) {
                waiter.await(on.number(), events, nanos);
            }
        } catch (WaitFailedException e) {
            if (on.isOpen()) {
                throw e;
            } // else the number may by now be that of a file which cannot be waited for
        } finally {
            if (gate != null) {
                gate.remove(waiter);
            }
            other.remove(waiter);
            on.remove(waiter);
            waiter.returnEventfd();
        }
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
