package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Empties the error queues of sockets when nobody else does.
 *
 * <p>A socket whose error queue holds something is reported to everybody who waits for it, for whatever he waits: a selector, or a thread
 * that wants to read, would look again and again in vain. So one thread has each such socket emptied, at the latest some milliseconds after
 * the first entry came; a program that looks after its loans itself is always sooner, and leaves it nothing to do.
 */
public final class ErrorWatch {
    private static final int EVENTS_AT_ONCE = 256;

    /** Between one look and the next: what comes at once is taken at once. */
    private static final long PAUSE_NANOS = 2_000_000;

    private static final ReentrantLock MAKING = new ReentrantLock();
    private static final ConcurrentHashMap<Integer, Runnable> HANDLERS = new ConcurrentHashMap<>();
    private static volatile int epoll = -1;

    private ErrorWatch() {}

    /** Runs {@code handler} soon after an entry came; where the kernel refuses, nobody does. */
    public static void add(Descriptor socket, Runnable handler) {
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
    public static void remove(Descriptor socket, Runnable handler) {
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
        for (; ; ) {
            int n = WaitCalls.epollWait(on, events);
            for (int i = 0; i < n; i++) {
                Runnable handler = HANDLERS.get(WaitCalls.epollDescriptor(events, i));
                if (handler != null) {
                    handler.run();
                }
            }
            LockSupport.parkNanos(PAUSE_NANOS);
        }
    }
}
