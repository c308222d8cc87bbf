package io.sluice.send;

import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** Sends whose notifications are due, each at a place of its own, whose number is its tag. Not safe for use by several threads. */
final class UringPlaces {
    private static final int INITIAL = 16;

    private @Nullable SentHold[] holds = new SentHold[INITIAL];

    /** Places without a send, as a stack. */
    private int[] free = new int[INITIAL];

    private int freeCount;

    UringPlaces() {
        free(0, INITIAL);
    }

    private void free(int from, int to) {
        for (int place = to - 1; place >= from; place--) {
            free[freeCount++] = place;
        }
    }

    int occupy(SentHold hold) {
        if (freeCount == 0) {
            int before = holds.length;
            holds = Arrays.copyOf(holds, 2 * before);
            free = new int[2 * before];
            free(before, 2 * before);
        }
        int place = free[--freeCount];
        holds[place] = hold;
        return place;
    }

    /** The send that was there; null if there was none. */
    @Nullable
    SentHold vacate(int place) {
        SentHold hold = holds[place];
        if (hold != null) {
            holds[place] = null;
            free[freeCount++] = place;
        }
        return hold;
    }

    /** Nobody will look after these any more. */
    void retire() {
        for (SentHold hold : holds) {
            if (hold != null) {
                hold.retired();
            }
        }
    }
}
