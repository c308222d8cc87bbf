package io.sluice.send;

import io.sluice.internal.SocketCalls;
import io.sluice.internal.ffi.Linux;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The notifications of one socket. The kernel numbers the sends of a socket, whoever makes them and through whichever of its descriptors, so
 * all engines over one socket count together, under {@link #lock}.
 *
 * <p>That the option SO_ZEROCOPY is off says that nobody has counted before. A socket on which it is on, and which is not known here, is
 * left alone: one number more or less would release memory that the kernel still reads.
 */
final class ErrorQueue {
    /** How many sockets are remembered that no engine is left over, so that the next one can go on counting. */
    private static final int REMEMBERED = 1024;

    /** How often the watcher finds the queue untouched before it takes over from a program that was looking after it. */
    private static final int PATIENCE = 2;

    private static final ReentrantLock QUEUES = new ReentrantLock();
    private static final Map<Long, Known> OPEN = new HashMap<>();
    private static final ReferenceQueue<ErrorQueue> DROPPED = new ReferenceQueue<>();

    private static final LinkedHashMap<Long, Integer> COUNTED = new LinkedHashMap<>() {
        private static final long serialVersionUID = 1L;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, Integer> eldest) {
            return size() > REMEMBERED;
        }
    };

    /** A queue that must not keep its engines, and through them descriptors, from being found unreachable. */
    private static final class Known extends WeakReference<ErrorQueue> {
        final long cookie;

        Known(ErrorQueue queue) {
            super(queue, DROPPED);
            cookie = queue.cookie;
        }
    }

    final ReentrantLock lock = new ReentrantLock();
    final Outstanding outstanding;
    final SocketCalls.ErrorEntry entry = new SocketCalls.ErrorEntry();

    /** The engines over this socket. */
    final List<ZeroCopyEngine> engines = new CopyOnWriteArrayList<>();

    /** The queue was emptied since the watcher last looked. */
    private volatile boolean emptied;

    /** Looks of the watcher since a program emptied the queue; the watcher's. */
    private int looks = PATIENCE;

    private final long cookie;

    private ErrorQueue(long cookie, int next) {
        this.cookie = cookie;
        this.outstanding = new Outstanding(next);
    }

    /** Joins the queue of a socket, or returns null if its sends cannot be counted, or it has no notifications. */
    static @Nullable ErrorQueue join(int fd, ZeroCopyEngine engine) {
        long cookie = SocketCalls.cookie(fd);
        if (cookie == -1) {
            return null;
        }
        QUEUES.lock();
        try {
            forgetDropped();
            Known known = OPEN.get(cookie);
            ErrorQueue queue = known == null ? null : known.get();
            if (queue == null) {
                queue = opened(fd, cookie);
            }
            if (queue != null) {
                queue.engines.add(engine);
            }
            return queue;
        } finally {
            QUEUES.unlock();
        }
    }

    private static @Nullable ErrorQueue opened(int fd, long cookie) {
        Integer next = COUNTED.remove(cookie);
        int before = SocketCalls.option(fd, Linux.SO_ZEROCOPY());
        if (before < 0 || (before > 0 && next == null)) {
            return null;
        }
        if (before == 0 && SocketCalls.setOption(fd, Linux.SOL_SOCKET(), Linux.SO_ZEROCOPY(), 1) < 0) {
            return null;
        }
        ErrorQueue queue = new ErrorQueue(cookie, next == null ? 0 : next);
        OPEN.put(cookie, new Known(queue));
        return queue;
    }

    // The socket of a sender that was dropped still has the option on, so that nobody counts from the wrong number.
    private static void forgetDropped() {
        Reference<? extends ErrorQueue> dropped;
        while ((dropped = DROPPED.poll()) != null) {
            Known known = (Known) dropped;
            OPEN.remove(known.cookie, known);
        }
    }

    /** An engine is closed. */
    void leave(ZeroCopyEngine engine) {
        QUEUES.lock();
        try {
            if (engines.remove(engine) && engines.isEmpty()) {
                OPEN.remove(cookie);
                if (!outstanding.hasStrangers()) {
                    COUNTED.put(cookie, outstanding.next());
                }
            }
        } finally {
            QUEUES.unlock();
        }
    }

    /** Takes the entries that are there; to be called under the lock. Returns how many sends they settled. */
    int reap(int fd) {
        int settled = 0;
        while (SocketCalls.receiveError(fd, entry) == 0) {
            if (entry.origin == Linux.SO_EE_ORIGIN_ZEROCOPY()) {
                boolean copied = (entry.code & Linux.SO_EE_CODE_ZEROCOPY_COPIED()) != 0;
                settled += outstanding.settle(entry.info, entry.data, copied);
                engines.forEach(engine -> engine.reported(copied));
            }
        }
        if (!emptied) {
            emptied = true;
        }
        return settled;
    }

    /** Asked by the watcher, each time it looks: whether the program leaves the queue to it. */
    boolean isNeglected() {
        if (emptied) {
            emptied = false;
            looks = 0;
        } else if (looks < PATIENCE) {
            looks++;
        }
        return looks == PATIENCE;
    }

    /** What was emptied just now was emptied by the watcher. */
    void emptiedByWatcher() {
        emptied = false;
    }
}
