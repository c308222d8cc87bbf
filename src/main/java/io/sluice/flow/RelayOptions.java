package io.sluice.flow;

import java.time.Duration;
import java.util.Objects;

/** How a relay works, where it should be otherwise than usual. Immutable. */
public final class RelayOptions {
    /** No idle timeout, and pipes from {@link PipePool#shared()}. */
    public static final RelayOptions DEFAULT = new RelayOptions(Long.MAX_VALUE, PipePool.shared());

    final long idleNanos;
    final PipePool pool;

    private RelayOptions(long idleNanos, PipePool pool) {
        this.idleNanos = idleNanos;
        this.pool = pool;
    }

    /**
     * Ends the relay with {@link RelayException.Reason#IDLE} when nothing has moved in any direction for so long.
     *
     * @param timeout a positive time; more than 292 years is no limit
     * @return the same options with this one
     * @throws IllegalArgumentException if it is not positive
     */
    public RelayOptions idleTimeout(Duration timeout) {
        if (timeout.isZero() || timeout.isNegative()) {
            throw new IllegalArgumentException("an idle timeout is positive: " + timeout);
        }
        boolean fits = timeout.compareTo(Duration.ofNanos(Long.MAX_VALUE)) < 0;
        return new RelayOptions(fits ? timeout.toNanos() : Long.MAX_VALUE, pool);
    }

    /**
     * Where the relay takes its pipes from. Their capacity is how much it moves at a time, and how much of the kernel's memory it
     * holds while the sink stalls: 1 MiB in {@link PipePool#shared()}. What suits a machine depends on its caches and on its peers;
     * {@code mvn -q -Pbench -Djmh.args=--capacities} compares several.
     *
     * @param pool a pool, which must not be closed before the relay has ended
     * @return the same options with this one
     */
    public RelayOptions pool(PipePool pool) {
        return new RelayOptions(idleNanos, Objects.requireNonNull(pool));
    }

    /**
     * The options in words.
     *
     * @return such as {@code idle timeout PT30S, pipes of 1048576 bytes}
     */
    @Override
    public String toString() {
        return (idleNanos == Long.MAX_VALUE ? "no idle timeout" : "idle timeout " + Duration.ofNanos(idleNanos))
                + ", pipes of " + pool.capacity() + " bytes";
    }
}
