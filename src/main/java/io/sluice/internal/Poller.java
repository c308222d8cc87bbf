package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Unparks virtual threads when their descriptors are ready: an epoll instance and a daemon thread for each direction and one for errors,
 * because an epoll instance knows a descriptor once, while one thread may wait to read it, another to write it and a third for its error
 * queue alone.
 *
 * <p>Registrations are one-shot and stay when they have fired, so that the next wait is a single epoll_ctl; they are {@linkplain #forget
 * dropped} with the descriptor, because the kernel drops them only with the last duplicate of it. One that fires for a number that was closed and given out again causes an early return, no more.
 */
final class Poller {
    private static final int EVENTS_AT_ONCE = 256;

    /** Between one epoll_wait that fails and the next, so that one which always fails is no spin. */
    private static final long PAUSE_NANOS = 1_000_000;

    private static final ReentrantLock MAKING = new ReentrantLock();

    private final int epoll;
    private final int interest;
    private final ConcurrentHashMap<Integer, Waiter> waiting = new ConcurrentHashMap<>();

    private static volatile @Nullable Poller in;
    private static volatile @Nullable Poller out;
    private static volatile @Nullable Poller error;

    private Poller(String name, int events) throws WaitFailedException {
        epoll = WaitCalls.epollCreate();
        if (epoll < 0) {
            throw new WaitFailedException("epoll_create1", -epoll);
        }
        interest = events | Linux.EPOLLONESHOT();
        Thread.ofPlatform()
                .daemon()
                .name(name)
                .inheritInheritableThreadLocals(false)
                .start(this::run);
    }

    /** The poller for POLLIN, for POLLOUT or for neither. Made at the first wait, and tried again at the next where that fails. */
    static Poller of(int events) throws WaitFailedException {
        boolean forInput = events == Linux.POLLIN();
        Poller poller = forInput ? in : events == 0 ? error : out;
        if (poller != null) {
            return poller;
        }
        MAKING.lock();
        try {
            if (forInput) {
                return in != null ? in : (in = new Poller("sluice-poll-in", Linux.EPOLLIN()));
            }
            if (events == 0) {
                return error != null ? error : (error = new Poller("sluice-poll-error", 0));
            }
            return out != null ? out : (out = new Poller("sluice-poll-out", Linux.EPOLLOUT()));
        } finally {
            MAKING.unlock();
        }
    }

    /** Drops what is registered for a number that is about to be given back. */
    static void forget(int fd) {
        for (Poller poller : new @Nullable Poller[] {in, out, error}) {
            if (poller != null) {
                WaitCalls.epollControl(poller.epoll, Linux.EPOLL_CTL_DEL(), fd, 0);
            }
        }
    }

    /** Parks the current virtual thread until {@code fd} is ready, or {@code waiter} is signalled for another reason, or the time is over. */
    void await(int fd, Waiter waiter, long nanos) throws WaitFailedException {
        if (!enlist(fd, waiter)) {
            return; // closed meanwhile, as the caller's next try will see
        }
        try {
            waiter.park(nanos);
        } finally {
            strike(fd, waiter);
        }
        waiter.throwFailure();
    }

    /** Has {@code waiter} signalled once {@code fd} is ready; to be followed by {@link #strike}. False if the number is not open. */
    boolean enlist(int fd, Waiter waiter) throws WaitFailedException {
        int armed = arm(fd, waiter);
        if (armed < 0 && armed != -Linux.EBADF()) {
            throw new WaitFailedException("epoll_ctl", -armed);
        }
        return armed >= 0;
    }

    /** Forgets that {@code waiter} waits for {@code fd}, if it does. */
    void strike(int fd, Waiter waiter) {
        waiting.computeIfPresent(fd, (k, first) -> without(first, waiter));
    }

    // Registered and armed under the map's lock for this number: the event cannot come before its waiter is there to be
    // found.
    private int arm(int fd, Waiter waiter) {
        int[] result = new int[1];
        waiting.compute(fd, (k, first) -> {
            int armed = WaitCalls.epollControl(epoll, Linux.EPOLL_CTL_MOD(), fd, interest);
            if (armed == -Linux.ENOENT()) {
                armed = WaitCalls.epollControl(epoll, Linux.EPOLL_CTL_ADD(), fd, interest);
            }
            result[0] = armed;
            if (armed < 0) {
                return first;
            }
            waiter.next = first;
            return waiter;
        });
        return result[0];
    }

    private static @Nullable Waiter without(Waiter first, Waiter gone) {
        if (first == gone) {
            return first.next;
        }
        for (Waiter w = first; w.next != null; w = w.next) {
            if (w.next == gone) {
                w.next = gone.next;
                break;
            }
        }
        return first;
    }

    private void run() {
        MemorySegment events = Arena.global().allocate((long) EVENTS_AT_ONCE * Arch.current().epollEventSize, 8);
        for (; ; ) {
            int n = WaitCalls.epollWait(epoll, events, -1);
            for (int i = 0; i < n; i++) {
                wake(WaitCalls.epollDescriptor(events, i), 0);
            }
            if (n < 0 && n != -Linux.EINTR()) {
                waiting.keySet().forEach(fd -> wake(fd, -n));
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
    }

    private void wake(int fd, int failure) {
        waiting.computeIfPresent(fd, (k, first) -> {
            for (Waiter w = first; w != null; w = w.next) {
                w.signal(failure);
            }
            return null;
        });
    }
}
