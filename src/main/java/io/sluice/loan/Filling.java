package io.sluice.loan;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * The slot that a ring's streams, channels and logs fill one after the other, and how far it is filled.
 *
 * <p>What was filled stays until it was published with success, however often that fails, so no byte of it is lost, or sent twice.
 */
final class Filling {
    private final PageRing ring;
    private @Nullable MemorySegment slot;
    private long filled;

    /** Whether a publish of what is filled was begun; until it is made again with success, nothing can be added. */
    private boolean owed;

    Filling(PageRing ring) {
        this.ring = ring;
    }

    boolean isEmpty() {
        return filled == 0;
    }

    /** Where the next byte goes. */
    long filled() {
        return filled;
    }

    /** A slot with room for one byte at least, at {@link #filled}. */
    MemorySegment slot() throws IOException {
        if (owed) {
            flush();
        }
        if (slot == null) {
            slot = next();
        }
        return slot;
    }

    private MemorySegment next() throws IOException {
        try {
            return ring.take();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException)
                    new InterruptedIOException("interrupted while waiting for a slot of the ring").initCause(e);
        }
    }

    /** Bytes were stored from {@link #filled} on: a slot that is full now is published. */
    void advance(long bytes) throws IOException {
        filled += bytes;
        if (slot != null && filled == slot.byteSize()) {
            flush();
        }
    }

    void flush() throws IOException {
        if (filled > 0) {
            owed = true;
            ring.send(filled);
            owed = false;
            filled = 0;
            slot = null;
        }
    }
}
