package io.sluice.loan;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;

/** Code points as bytes. */
final class Utf8 {
    private static final int ONE_BYTE = 0x80;
    private static final int TWO_BYTES = 0x800;
    private static final int THREE_BYTES = 0x10000;

    private Utf8() {}

    /** How many bytes the code point has. */
    static int length(int point) {
        if (point < ONE_BYTE) {
            return 1;
        } else if (point < TWO_BYTES) {
            return 2;
        }
        return point < THREE_BYTES ? 3 : 4;
    }

    /** Stores all of them. */
    static void put(int point, MemorySegment into, long at) {
        int more = length(point) - 1;
        if (more == 0) {
            into.set(JAVA_BYTE, at, (byte) point);
            return;
        }
        // The first byte has as many leading ones as there are bytes; the others begin with 10 and have six bits each.
        into.set(JAVA_BYTE, at, (byte) ((-0x80 >> more) | (point >> (6 * more))));
        for (int i = 1; i <= more; i++) {
            into.set(JAVA_BYTE, at + i, (byte) (0x80 | ((point >> (6 * (more - i))) & 0x3F)));
        }
    }
}
