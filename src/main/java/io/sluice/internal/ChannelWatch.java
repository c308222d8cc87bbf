package io.sluice.internal;

import java.nio.channels.Channel;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Notices that an application closed a channel of which the library holds a duplicate descriptor.
 *
 * <p>Closing a channel tells nobody, and as long as a duplicate is open the peer is not told either. So one thread looks at every watched
 * channel ten times a second, for as long as any is watched and a little longer: a volatile read each.
 */
public final class ChannelWatch {
    private static final long INTERVAL_NANOS = 100_000_000;

    /** How long the thread stays with nothing to watch: starting it anew takes ten times as long as resolving a channel. */
    private static final int IDLE_INTERVALS = 50;

    private static final Map<Descriptor, Watched> WATCHED = new ConcurrentHashMap<>();
    private static final ReentrantLock LOCK = new ReentrantLock();
    private static @Nullable Thread watcher;

    private record Watched(Channel channel, Runnable whenClosed) {}

    private ChannelWatch() {}

    /** Runs {@code whenClosed} soon after {@code channel} is closed, unless {@code duplicate} was removed before. */
    public static void add(Descriptor duplicate, Channel channel, Runnable whenClosed) {
        LOCK.lock();
        try {
            WATCHED.put(duplicate, new Watched(channel, whenClosed));
            if (watcher == null) {
                watcher = Thread.ofPlatform()
                        .daemon()
                        .name("sluice-channel-watch")
                        .inheritInheritableThreadLocals(false)
                        .start(ChannelWatch::run);
            }
        } finally {
            LOCK.unlock();
        }
    }

    public static void remove(Descriptor duplicate) {
        WATCHED.remove(duplicate);
    }

    private static void run() {
        for (int idle = 0; !finished(idle); idle = WATCHED.isEmpty() ? idle + 1 : 0) {
            LockSupport.parkNanos(INTERVAL_NANOS);
            WATCHED.forEach((duplicate, watched) -> {
                boolean channelClosed = !watched.channel.isOpen();
                if ((channelClosed || !duplicate.isOpen()) && WATCHED.remove(duplicate, watched) && channelClosed) {
                    watched.whenClosed.run();
                }
            });
        }
    }

    // Under the lock, so that a channel added just now finds either this thread still running or none.
    private static boolean finished(int idle) {
        LOCK.lock();
        try {
            if (idle < IDLE_INTERVALS || !WATCHED.isEmpty()) {
                return false;
            }
            watcher = null;
            return true;
        } finally {
            LOCK.unlock();
        }
    }
}
