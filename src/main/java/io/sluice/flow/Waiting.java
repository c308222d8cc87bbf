package io.sluice.flow;

import io.sluice.Fd.Kind;
import io.sluice.internal.FdAccess;
import java.io.IOException;
import java.util.concurrent.locks.LockSupport;

/** How a transfer waits for its sides, between two attempts of which the first has moved nothing, or less than it might have. */
final class Waiting {
    private static final long SHORTEST_PAUSE_NANOS = 1000;
    private static final int MOST_DOUBLINGS = 10;

    private final FdAccess access = FdAccess.get();
    private final TransferEnd from;
    private final TransferEnd to;

    Waiting(TransferEnd from, TransferEnd to) {
        this.from = from;
        this.to = to;
    }

    /** @param round how many attempts in a row moved nothing before */
    void awaitEither(int round) throws IOException {
        access.awaitEither(from.what, to.what, round);
    }

    /** @param round how many attempts in a row moved nothing before */
    void awaitSource(int round) throws IOException {
        if (!justYielded(round)) {
            if (access.isReady(from.what, false)) {
                pause(round);
            } else {
                access.await(from.what, to.what, Long.MAX_VALUE);
            }
        }
    }

    /** @param round how many attempts in a row moved nothing before */
    void awaitTarget(int round) throws IOException {
        if (!justYielded(round)) {
            if (access.isReady(to.what, true)) {
                pause(round);
            } else {
                access.await(null, to.what, Long.MAX_VALUE);
            }
        }
    }

    /**
     * A socket that took less than it was offered is full. It says that it is writable when a good part of it is free again; asked before
     * that, it takes whatever has become free, in many calls for little each.
     */
    void awaitRoom() throws IOException {
        if (to.kind == Kind.SOCKET) {
            access.await(null, to.what, Long.MAX_VALUE);
        }
    }

    // Often all that the other side needs, and a good deal cheaper than parking.
    @SuppressWarnings("ThreadPriorityCheck")
    private static boolean justYielded(int round) {
        if (round > 0 || !Thread.currentThread().isVirtual()) {
            return false;
        }
        Thread.yield();
        return true;
    }

    // Ready, and yet nothing moved: a state that passes. The pause keeps it from becoming a spin.
    private static void pause(int round) {
        LockSupport.parkNanos(SHORTEST_PAUSE_NANOS << Math.min(round, MOST_DOUBLINGS));
    }
}
