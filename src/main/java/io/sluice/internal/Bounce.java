package io.sluice.internal;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicReferenceArray;

/** Native memory through which arrays are read and written, borrowed for the length of one call. */
public final class Bounce {
    /** Bytes that one borrowed segment has. */
    public static final int SIZE = 64 << 10;

    private static final int SHELVES = 16;
    private static final AtomicReferenceArray<MemorySegment> SHELF = new AtomicReferenceArray<>(SHELVES);

    private Bounce() {}

    /** A segment of {@link #SIZE} bytes that no other thread has. */
    public static MemorySegment take() {
        MemorySegment memory = SHELF.getAndSet(shelf(), null);
        return memory == null ? Arena.ofAuto().allocate(SIZE, 64) : memory;
    }

    /** Gives a segment back. */
    public static void giveBack(MemorySegment memory) {
        SHELF.setRelease(shelf(), memory);
    }

    private static int shelf() {
        return (int) Thread.currentThread().threadId() & SHELVES - 1;
    }
}
