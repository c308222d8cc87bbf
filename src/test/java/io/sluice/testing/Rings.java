package io.sluice.testing;

import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.internal.Uring;
import io.sluice.internal.UringFailedException;
import io.sluice.internal.ffi.Linux;

/** Rings for tests, which are skipped where io_uring is denied or too old. */
public final class Rings {
    private Rings() {}

    /** A ring that can send without copying. */
    public static Uring open(int entries, int completions) {
        Uring ring;
        try {
            ring = Uring.open(entries, completions);
        } catch (UringFailedException e) {
            return abort("needs io_uring: " + e.getMessage());
        }
        if (!ring.register().knows(Linux.IORING_OP_SEND_ZC(), Linux.IORING_OP_SENDMSG_ZC())) {
            ring.close();
            abort("needs IORING_OP_SEND_ZC and IORING_OP_SENDMSG_ZC, which came with Linux 6.1");
        }
        return ring;
    }

    /** Skips the test where there is no such ring. */
    public static void assumeAllowed() {
        open(1, 2).close();
    }

    /** Hands over what was prepared, waits for so many completions, and takes the first. */
    public static int complete(Uring ring, int completions) {
        Results.gives(1, ring.submit(completions, Uring.FOREVER));
        return take(ring);
    }

    /** Takes the next completion, which must be there. */
    public static int take(Uring ring) {
        if (!ring.next()) {
            throw new AssertionError("no completion, with " + ring.inFlight() + " requests in flight");
        }
        return ring.result();
    }

    /** Takes the next completion, waiting for it. */
    public static int await(Uring ring) {
        while (!ring.next()) {
            int waited = ring.submit(1, Uring.FOREVER);
            if (waited < 0) {
                throw new AssertionError("io_uring_enter: " + Results.shown(waited));
            }
        }
        return ring.result();
    }
}
