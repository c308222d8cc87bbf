package io.sluice.flow;

import java.nio.file.Path;
import java.time.Duration;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What a {@link Fanout} does about a branch that has not delivered one step when the next is there. A step is what one pipe holds, 1 MiB
 * unless the fan-out was given other pipes.
 *
 * <p>Immutable, and safe for use by several threads.
 */
public final class WhenSlow {
    private static final long FOR_EVER = Long.MAX_VALUE;

    private static final WhenSlow WAIT = new WhenSlow(FOR_EVER, null, 0);

    private final long patienceNanos;
    private final @Nullable Path spillFolder;
    private final long mostSpilled;

    private WhenSlow(long patienceNanos, @Nullable Path spillFolder, long mostSpilled) {
        this.patienceNanos = patienceNanos;
        this.spillFolder = spillFolder;
        this.mostSpilled = mostSpilled;
    }

    /**
     * Everybody waits for the branch: it gets every byte, and the whole is as fast as its slowest branch.
     *
     * @return the policy
     */
    public static WhenSlow waitForIt() {
        return WAIT;
    }

    /**
     * The branch is given up when it has kept the others waiting for this long. At the end of the stream, when nobody waits for another, it is
     * given up when it has taken nothing for this long, but not before a second is over.
     *
     * @param patience how long one step may take; zero does not wait at all, and drops a branch that is late by a moment
     * @return the policy
     * @throws IllegalArgumentException if the patience is negative
     */
    public static WhenSlow dropAfter(Duration patience) {
        return new WhenSlow(nanos(patience), null, 0);
    }

    /**
     * When the branch has kept the others waiting for this long, what it cannot take yet goes to a temporary file, and from there to the
     * branch, in order. While something is in the file the others do not wait for it. It returns to the pipe when it has caught up.
     *
     * @param patience how long one step may take; zero spills at once
     * @param folder where the file is made, which has no name there once it is open
     * @param mostSpilled the most bytes that may wait in the file; a branch that is further behind is dropped
     * @return the policy
     * @throws IllegalArgumentException if the patience is negative or the limit is not positive
     */
    public static WhenSlow spillAfter(Duration patience, Path folder, long mostSpilled) {
        if (mostSpilled <= 0) {
            throw new IllegalArgumentException("at least one byte must be allowed to spill: " + mostSpilled);
        }
        return new WhenSlow(nanos(patience), Objects.requireNonNull(folder), mostSpilled);
    }

    private static long nanos(Duration patience) {
        if (patience.isNegative()) {
            throw new IllegalArgumentException("patience cannot be negative: " + patience);
        }
        try {
            return patience.toNanos();
        } catch (ArithmeticException e) {
            return FOR_EVER - 1;
        }
    }

    long patienceNanos() {
        return patienceNanos;
    }

    boolean isToWait() {
        return patienceNanos == FOR_EVER;
    }

    @Nullable
    Path spillFolder() {
        return spillFolder;
    }

    long mostSpilled() {
        return mostSpilled;
    }

    /**
     * The policy in words.
     *
     * @return such as {@code drop after PT1S}
     */
    @Override
    public String toString() {
        if (isToWait()) {
            return "wait";
        }
        Duration patience = Duration.ofNanos(patienceNanos);
        return spillFolder == null
                ? "drop after " + patience
                : "spill to " + spillFolder + " after " + patience + ", at most " + mostSpilled + " bytes";
    }
}
