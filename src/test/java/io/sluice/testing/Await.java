package io.sluice.testing;

import java.time.Duration;
import java.util.concurrent.locks.LockSupport;

/** Waiting for a condition to hold, never for time to pass. */
public final class Await {
    /** So long that only a condition that will never hold runs into it. */
    private static final Duration DEADLINE = Duration.ofSeconds(60);

    private static final int SPINS = 200;
    private static final long PAUSE_NANOS = 200_000;

    private Await() {}

    /** Something that will hold sooner or later. */
    @FunctionalInterface
    public interface Condition {
        boolean holds() throws Exception;
    }

    /** Returns once the condition holds, and fails if it never does. */
    public static void until(Condition condition, String what) throws Exception {
        if (!within(DEADLINE, condition)) {
            throw new AssertionError("waited " + DEADLINE.toSeconds() + " s in vain: " + what);
        }
    }

    /** Whether the condition came to hold within a time. */
    public static boolean within(Duration time, Condition condition) throws Exception {
        long start = System.nanoTime();
        for (int spin = 0; !condition.holds(); spin++) {
            if (System.nanoTime() - start > time.toNanos()) {
                return false;
            }
            if (spin < SPINS) {
                Thread.onSpinWait();
            } else {
                LockSupport.parkNanos(PAUSE_NANOS);
            }
        }
        return true;
    }
}
