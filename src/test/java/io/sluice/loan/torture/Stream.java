package io.sluice.loan.torture;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.lang.foreign.MemorySegment;
import java.util.HexFormat;

/**
 * What one lane carries: a byte for every position, and the same one whenever it is asked for.
 *
 * @param start where in the content the lane's first byte is
 */
record Stream(Content content, int start) {
    /** What freed memory is filled with at once, for a reader who still has it to find. */
    static final byte HOSTILE = (byte) 0xEE;

    /** The most bytes that are written or compared at a time. */
    static final int LONGEST = 1 << 20;

    private static final int SHOWN = 16;

    /** Where the byte for this position is in {@link Content#frozen} and {@link Content#file}. */
    long placeOf(long position) {
        return (start + position) % Content.PERIOD;
    }

    void fill(MemorySegment memory, long position) {
        memory.copyFrom(expected(position, memory.byteSize()));
    }

    /** Fails unless this is what the stream has from this position on. */
    void check(MemorySegment got, long position, String where) {
        long wrong = got.mismatch(expected(position, got.byteSize()));
        if (wrong >= 0) {
            throw new Corruption(describe(got.asSlice(wrong), position + wrong, where));
        }
    }

    private MemorySegment expected(long position, long length) {
        return content.frozen().segment().asSlice(placeOf(position), length);
    }

    private String describe(MemorySegment got, long position, String where) {
        long shown = Math.min(SHOWN, got.byteSize());
        MemorySegment some = got.asSlice(0, shown);
        MemorySegment right = expected(position, got.byteSize());
        long length = 1;
        while (length < got.byteSize() && got.get(JAVA_BYTE, length) != right.get(JAVA_BYTE, length)) {
            length++;
        }
        return "%s: byte %d of the stream and %d after it are wrong. Found %s (%s), should be %s"
                .formatted(
                        where, position, length - 1, hex(some), origin(some, position), hex(right.asSlice(0, shown)));
    }

    private String origin(MemorySegment some, long position) {
        byte first = some.get(JAVA_BYTE, 0);
        boolean uniform = true;
        for (long i = 1; i < some.byteSize(); i++) {
            uniform &= some.get(JAVA_BYTE, i) == first;
        }
        if (uniform && first == HOSTILE) {
            return "memory that was taken back and overwritten";
        } else if (uniform && first == 0) {
            return "fresh pages";
        } else if (some.byteSize() < Long.BYTES) {
            return "too short to say where it is from";
        }
        long place = content.find(some);
        if (place < 0) {
            return "not from any stream";
        }
        long distance = Math.floorMod(place - placeOf(position), (long) Content.PERIOD);
        return "from " + distance + " bytes ahead or " + (Content.PERIOD - distance) + " behind, if it is of this lane";
    }

    private static String hex(MemorySegment memory) {
        return HexFormat.of().formatHex(memory.toArray(JAVA_BYTE));
    }
}
