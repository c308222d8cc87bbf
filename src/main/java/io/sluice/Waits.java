package io.sluice;

import io.sluice.internal.WaitCalls;
import io.sluice.internal.WaitFailedException;
import io.sluice.internal.Waiter;
import io.sluice.internal.ffi.Linux;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** Waiting between attempts to move something, for whichever side held up the last. */
final class Waits {
    private static final long LONGEST_PAUSE_NANOS = 1_000_000;

    /** Attempts that a platform thread makes within some 20 µs before it sleeps, where that is less than being woken takes. */
    private static final int BRIEF_ROUNDS = Runtime.getRuntime().availableProcessors() > 1 ? 6 : 0;

    private static final int SHORTEST_SPIN = 16;
    private static final int ROUNDS_BEFORE_PAUSE = BRIEF_ROUNDS + 3;

    private Waits() {}

    /** To be called by whoever makes the first pipe: a thread that waits may be bound to one processor, and would count only that. */
    static void countProcessors() {}

    /**
     * Waits for the side that held up the attempt before: the source if it has nothing, else the target if it has no room.
     *
     * <p>A virtual thread first lets others run once, which is often all that the other side needs. A platform thread whose pipe has memory,
     * a pipe or the null device at its other side spins for some 20 µs: who fills or drains it may work at memory's speed, and
     * being woken takes longer. Where both sides say that they are ready although nothing moved, what was missing has come meanwhile. Where
     * they go on saying so, a descriptor reports an error for good; a growing pause keeps that from becoming a spin.
     *
     * @param from the source, or null if it is memory
     * @param to the target, or null if it is memory
     * @param round how many attempts moved nothing before this wait, less one
     */
    @SuppressWarnings("ThreadPriorityCheck") // the yield is a measured saving, not what correctness rests on
    static void await(@Nullable Side from, @Nullable Side to, int round) throws ErrnoException {
        if (round == 0 && Thread.currentThread().isVirtual()) {
            Thread.yield();
        } else if (round < BRIEF_ROUNDS && !Thread.currentThread().isVirtual() && isFast(from) && isFast(to)) {
            for (int i = 0; i < SHORTEST_SPIN << round; i++) {
                Thread.onSpinWait();
            }
        } else if (from != null && to != null) {
            awaitEither(from, to, round);
        } else if (from != null) {
            awaitReady(from, Linux.POLLIN(), from, Long.MAX_VALUE);
        } else if (to != null) {
            awaitReady(to, Linux.POLLOUT(), to, Long.MAX_VALUE);
        }
    }

    private static boolean isFast(@Nullable Side side) {
        return side == null || side.isPipe() || side.kind() == Fd.Kind.NULL;
    }

    private static void awaitEither(Side from, Side to, int round) throws ErrnoException {
        if (to.kind() == Fd.Kind.NULL && round < ROUNDS_BEFORE_PAUSE) {
            awaitReady(from, Linux.POLLIN(), to, Long.MAX_VALUE); // nothing else can have been missing
            return;
        }
        int ready = ready(from, to);
        if ((ready & 1) == 0) {
            awaitReady(from, Linux.POLLIN(), to, Long.MAX_VALUE);
        } else if ((ready & 2) == 0) {
            awaitReady(to, Linux.POLLOUT(), from, Long.MAX_VALUE);
        } else if (round >= ROUNDS_BEFORE_PAUSE) {
            pause(round - ROUNDS_BEFORE_PAUSE);
        }
    }

    static void pause(int round) {
        LockSupport.parkNanos(Math.min(1000L << Math.min(round, 10), LONGEST_PAUSE_NANOS));
    }

    /** Waits until the pipe at one side of a transfer has bytes or a free slot, before a thread is spent on the other side's disk. */
    static void awaitPipe(Side from, Side to) throws ErrnoException {
        int ready = ready(from, to);
        if (from.isPipe() && (ready & 1) == 0) {
            awaitReady(from, Linux.POLLIN(), to, Long.MAX_VALUE);
        } else if (to.isPipe() && (ready & 2) == 0) {
            awaitReady(to, Linux.POLLOUT(), from, Long.MAX_VALUE);
        }
    }

    static int ready(Side from, Side to) throws ErrnoException {
        int in = from.descriptor().number();
        int out = to.descriptor().number();
        int ready = WaitCalls.poll(in, Linux.POLLIN(), out, Linux.POLLOUT(), 0);
        if (ready >= 0) {
            return ready;
        } else if (ready == -Linux.EINTR() || ready == -Linux.EAGAIN()) {
            return 3;
        }
        throw Failures.query("poll", "POLLIN, and " + to.words() + ", POLLOUT", -ready, from);
    }

    static void awaitReady(Side side, int events, Side other, long nanos) throws ErrnoException {
        try {
            Waiter.await(side.descriptor(), events, other.descriptor(), nanos);
        } catch (WaitFailedException e) {
            throw Failures.waiting(e, side);
        }
    }
}
