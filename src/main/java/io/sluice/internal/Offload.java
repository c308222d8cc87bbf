package io.sluice.internal;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.function.LongSupplier;

/**
 * Runs a call that may wait for a disk on a platform thread while the virtual thread that wants it is parked.
 *
 * <p>As many run at once as there are callers, up to a bound that only keeps a flood of them from becoming a flood of threads.
 */
public final class Offload {
    private static final int AT_ONCE = 256;

    private static final Semaphore ROOM = new Semaphore(AT_ONCE);
    private static final ExecutorService THREADS = Executors.newCachedThreadPool(Thread.ofPlatform()
            .daemon()
            .name("sluice-offload-", 0)
            .inheritInheritableThreadLocals(false)
            .factory());

    private Offload() {}

    /**
     * The result of {@code call}, made here on a platform thread and elsewhere for a virtual one. An interrupt does not cut the wait
     * short, because the call goes on and its result must not be lost; the interrupt status is kept.
     */
    public static long call(LongSupplier call) {
        if (!Thread.currentThread().isVirtual()) {
            return call.getAsLong();
        }
        ROOM.acquireUninterruptibly();
        try {
            return CompletableFuture.supplyAsync(call::getAsLong, THREADS).join();
        } finally {
            ROOM.release();
        }
    }
}
