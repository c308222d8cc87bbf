package io.sluice.send;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Sends of one socket that the kernel has not reported yet, by the numbers that it gives them: 32 bits, one more for each, beginning again
 * after the last. Not safe for use by several threads.
 */
final class Outstanding {
    private static final int INITIAL = 16;

    /** What the send with number n is held by, at n modulo the length, which is a power of two. */
    private @Nullable SentHold[] holds = new SentHold[INITIAL];

    /** Every number before this was reported, or given to nobody here. */
    private int oldest;

    /** What the kernel calls the next send. */
    private int next;

    private boolean strangers;

    Outstanding(int next) {
        this.oldest = next;
        this.next = next;
    }

    /** A send was made. */
    void add(SentHold hold) {
        if (next - oldest == holds.length) {
            grow();
        }
        holds[next & holds.length - 1] = hold;
        next++;
    }

    private void grow() {
        @Nullable SentHold[] more = new SentHold[2 * holds.length];
        for (int n = oldest; n != next; n++) {
            more[n & more.length - 1] = holds[n & holds.length - 1];
        }
        holds = more;
    }

    /**
     * The kernel reports sends, in whatever order, from {@code first} to {@code last} inclusive. Numbers that are not out any more, or were
     * never ours, are passed over.
     *
     * @return how many were settled
     */
    int settle(int first, int last, boolean copied) {
        if (last - next >= 0) {
            // Somebody else sends on this socket with notification, so that numbers mean nothing.
            strangers = true;
            return retire();
        }
        int settled = 0;
        // Differences and not values are compared, because numbers begin again.
        for (int n = first - oldest < 0 ? oldest : first; n - last <= 0 && n != next; n++) {
            int at = n & holds.length - 1;
            SentHold hold = holds[at];
            if (hold != null) {
                holds[at] = null;
                hold.released(copied);
                settled++;
            }
        }
        while (oldest != next && holds[oldest & holds.length - 1] == null) {
            oldest++;
        }
        return settled;
    }

    /** Nobody will look after these any more; returns how many there were. */
    int retire() {
        int retired = 0;
        for (SentHold hold : holds) {
            if (hold != null) {
                hold.retired();
                retired++;
            }
        }
        Arrays.fill(holds, null);
        oldest = next;
        return retired;
    }

    /** Retires what one engine has sent. */
    int retire(Engine of) {
        int retired = 0;
        for (int i = 0; i < holds.length; i++) {
            SentHold hold = holds[i];
            if (hold != null && hold.isOf(of)) {
                hold.retired();
                holds[i] = null;
                retired++;
            }
        }
        return retired;
    }

    /** Whether the kernel reported a send that was not made here. */
    boolean hasStrangers() {
        return strangers;
    }

    int next() {
        return next;
    }
}
