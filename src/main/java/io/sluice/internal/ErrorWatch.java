package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;

/**
 * Empties the error queues of sockets when nobody else does.
 *
 * <p>A socket whose error queue holds something is reported to everybody who waits for it, for whatever he waits: a selector, or a thread
 * that wants to read, would look again and again in vain. So one thread has each such socket emptied: at once where the program never
 * does so itself, and within a tenth of a second after it last did. A program that looks after its loans is not disturbed.
 */
public final class ErrorWatch {
    private static final int EVENTS_AT_ONCE = 256;

    /** Between one look and the next: what comes at once is taken at once. Grows while programs look themselves. */
    private static final long SHORTEST_PAUSE_NANOS = 2_000_000;

    private static final long LONGEST_PAUSE_NANOS = 32_000_000;

    private static final ReentrantLock MAKING = new ReentrantLock();
    private static final ConcurrentHashMap<Integer, BooleanSupplier> HANDLERS = new ConcurrentHashMap<>();
    private static volatile int epoll = -1;

    private ErrorWatch() {}

    /**
     * Calls {@code handler} soon after an entry came, and again after pauses for as long as it returns false; where the kernel refuses,
     * nobody does.
     */
    public static void add(Descriptor socket, BooleanSupplier handler) {
        int watching = watching();
        if (watching < 0 || !socket.enter()) {
            return;
        }
        try {
            socket.markPolled();
            HANDLERS.put(socket.number(), handler);
            // Edge-triggered: a socket that has come to its end is reported once, and not for ever.
            int added = WaitCalls.epollControl(watching, Linux.EPOLL_CTL_ADD(), socket.number(), Linux.EPOLLET());
            if (added < 0 && added != -Linux.EEXIST()) {
                HANDLERS.remove(socket.number(), handler);
            }
        } finally {
            socket.exit();
        }
    }

    /** Ends what {@link #add} began, unless another handler has taken its place. */
    public static void remove(Descriptor socket, BooleanSupplier handler) {
        if (socket.enter()) {
            try {
                if (HANDLERS.remove(socket.number(), handler)) {
                    WaitCalls.epollControl(epoll, Linux.EPOLL_CTL_DEL(), socket.number(), 0);
                }
            } finally {
                socket.exit();
            }
        }
    }

    /** Drops what is registered for a number that is about to be given back. */
    static void forget(int number) {
        if (HANDLERS.remove(number) != null) {
            WaitCalls.epollControl(epoll, Linux.EPOLL_CTL_DEL(), number, 0);
        }
    }

    private static int watching() {
        if (epoll < 0) {
            MAKING.lock();
            try {
                if (epoll < 0) {
                    int made = WaitCalls.epollCreate();
                    if (made < 0) {
                        return made;
                    }
                    epoll = made;
                    Thread.ofPlatform()
                            .daemon()
                            .name("sluice-error-watch")
                            .inheritInheritableThreadLocals(false)
                            .start(() -> run(made));
                }
            } finally {
                MAKING.unlock();
            }
        }
        return epoll;
    }

    private static void run(int on) {
        MemorySegment events = Arena.global().allocate((long) EVENTS_AT_ONCE * Arch.current().epollEventSize, 8);
        Set<Integer> pending = new HashSet<>();
        long pause = SHORTEST_PAUSE_NANOS;
        // Invariant: what was reported and is not settled is pending, because an edge is reported once.
        for (; ; ) {
            int n = WaitCalls.epollWait(on, events, pending.isEmpty() ? -1 : 0);
            for (int i = 0; i < n; i++) {
                pending.add(WaitCalls.epollDescriptor(events, i));
            }
            boolean settled = pending.removeIf(ErrorWatch::isSettled);
            pause = settled ? SHORTEST_PAUSE_NANOS : Math.min(2 * pause, LONGEST_PAUSE_NANOS);
            LockSupport.parkNanos(pause);
        }
    }

    private static boolean isSettled(int number) {
        BooleanSupplier handler = HANDLERS.get(number);
        return handler == null || handler.getAsBoolean();
    }
}
