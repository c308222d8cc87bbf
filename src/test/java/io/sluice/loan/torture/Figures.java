package io.sluice.loan.torture;

import java.util.EnumMap;
import java.util.Map;
import java.util.concurrent.atomic.LongAdder;

/** What a run has done so far. */
final class Figures {
    /** What is counted. */
    enum Count {
        BYTES_COMPARED,
        BYTES_LENT,
        BYTES_ABANDONED,
        PIPES,
        LOANS,
        RELEASED,
        FORWARDED,
        DROPPED,
        ARENAS_CLOSED_IN_FLIGHT
    }

    private final Map<Count, LongAdder> counts = new EnumMap<>(Count.class);

    Figures() {
        for (Count count : Count.values()) {
            counts.put(count, new LongAdder());
        }
    }

    void add(Count count, long n) {
        counts.get(count).add(n);
    }

    void add(Count count) {
        add(count, 1);
    }

    long get(Count count) {
        return counts.get(count).sum();
    }

    @Override
    public String toString() {
        return counts.toString();
    }
}
