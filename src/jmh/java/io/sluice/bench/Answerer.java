package io.sluice.bench;

import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;

/**
 * A thread that takes a byte and gives one back, so often, with the kernel's own calls: the same peer for whoever waits. It never sleeps
 * between a byte and its answer, so that its own waking is no part of what is measured.
 */
final class Answerer extends Thread {
    private final int from;
    private final int to;
    private final int trips;
    private final long pauseNanos;
    private volatile long answeredAt;
    private volatile long cpuNanos;

    /** @param pauseNanos until it answers; with none it also spins for the byte instead of sleeping until there is one */
    Answerer(int from, int to, int trips, long pauseNanos) {
        super("answerer");
        setDaemon(true);
        this.from = from;
        this.to = to;
        this.trips = trips;
        this.pauseNanos = pauseNanos;
    }

    /** When it made the call that gives the last answer. */
    long answeredAt() {
        return answeredAt;
    }

    /** The processor time it took, once it has ended. */
    long cpuNanos() {
        return cpuNanos;
    }

    @Override
    public void run() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment one = arena.allocate(1);
            for (int i = 0; i < trips; i++) {
                while (WaitCalls.poll(from, Linux.POLLIN(), -1, 0, pauseNanos == 0 ? 0 : -1) <= 0) {}
                one(Syscalls.read(from, one, 1));
                for (long end = System.nanoTime() + pauseNanos; pauseNanos > 0 && System.nanoTime() < end; ) {
                    Thread.onSpinWait();
                }
                answeredAt = System.nanoTime();
                one(Syscalls.write(to, one, 1));
            }
        }
        cpuNanos = ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }

    private static void one(long n) {
        if (n != 1) {
            throw new IllegalStateException("not 1 but " + n);
        }
    }
}
