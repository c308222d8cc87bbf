package io.sluice.loan;

import io.sluice.PipeSink;
import io.sluice.internal.MemoryCalls;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * A ring of lent pages: a writer fills one slot while the reader still has the others.
 *
 * {@snippet :
 * try (PageRing ring = PageRing.over(pipe.sink(), 64 << 10, 8)) {
 *     MemorySegment slot = ring.acquire();
 *     long n = encode(event, slot);
 *     ring.publish(n);                       // slot is closed to Java from here on
 * }
 * }
 *
 * <p>A slot is used again in place when the ledger proves that its reader copied it. Where the reader passes pages on, fresh pages take
 * their place, which costs page faults; as long as that goes on, and for little data anyway, the ring copies with {@code write(2)} instead,
 * because that is cheaper.
 *
 * <p>To be used by the thread that made it.
 */
public final class PageRing implements Closeable {
    /** How many slots in a row are copied to a reader who passes pages on, before he is tried again. */
    private static final int COPIES_BEFORE_NEXT_TRY = 64;

    private final PageArena arena;
    private final PipeSink sink;
    private final MemorySegment[] segments;
    private final @Nullable Loan[] loans;
    private final long copyBelow;
    private int current;
    private boolean acquired;
    private int copiesLeft;

    private PageRing(PageArena arena, PipeSink sink, long slotSize, int slots) {
        this.arena = arena;
        this.sink = sink;
        this.copyBelow = MemoryCalls.pageSize();
        this.segments = new MemorySegment[slots];
        this.loans = new Loan[slots];
        for (int i = 0; i < slots; i++) {
            segments[i] = arena.allocate(slotSize, 1);
        }
    }

    /**
     * A ring in front of a pipe.
     *
     * @param sink the pipe; the ring does not close it
     * @param slotSize bytes in a slot, at least a page
     * @param slots how many there are, at least two; enough for what the pipe holds and one more keeps the writer from waiting
     * @param options how the memory is made
     * @return a ring, to be closed
     * @throws IllegalArgumentException if a slot is smaller than a page, or there are less than two
     * @throws OutOfMemoryError if the kernel has no memory
     */
    public static PageRing over(PipeSink sink, long slotSize, int slots, PageArena.Option... options) {
        if (slotSize < MemoryCalls.pageSize()) {
            throw new IllegalArgumentException(
                    "a slot has at least one page of " + MemoryCalls.pageSize() + " bytes: " + slotSize);
        }
        if (slots < 2) {
            throw new IllegalArgumentException("a ring has at least two slots: " + slots);
        }
        return new PageRing(PageArena.open(options), sink, slotSize, slots);
    }

    /**
     * The next slot, for writing. Its content is not defined. Waits until the reader has taken what was in it before.
     *
     * @return a segment of the slot's size, open until {@link #publish}; the same again if nothing was published since
     * @throws InterruptedException if the thread is interrupted while it waits; the ring is as it was
     * @throws IllegalStateException if the ring is closed
     * @throws WrongThreadException if this is not the ring's thread
     */
    public MemorySegment acquire() throws InterruptedException {
        arena.requireUsable();
        Loan loan = loans[current];
        if (loan != null) {
            if (loan.await() == Loan.State.FORWARDED) {
                copiesLeft = COPIES_BEFORE_NEXT_TRY;
            }
            segments[current] = loan.reclaim();
            loans[current] = null;
        }
        acquired = true;
        return segments[current];
    }

    /**
     * Sends the first bytes of the slot that was acquired, and closes the slot to Java. Waits until all are in the pipe.
     *
     * @param bytes how many, from the slot's start; 0 sends nothing and leaves the slot acquired
     * @throws IllegalStateException if no slot is acquired, or the ring is closed
     * @throws IndexOutOfBoundsException if the slot is smaller
     * @throws IOException if the sink fails; how much went in before is not known
     * @throws WrongThreadException if this is not the ring's thread
     */
    public void publish(long bytes) throws IOException {
        arena.requireUsable();
        if (!acquired) {
            throw new IllegalStateException("no slot is acquired: acquire() one, fill it, publish() it");
        }
        MemorySegment filled = segments[current].asSlice(0, bytes);
        if (bytes == 0) {
            return;
        }
        if (bytes <= copyBelow || copiesLeft > 0) {
            copiesLeft = Math.max(0, copiesLeft - 1);
            sink.write(filled);
            return;
        }
        Loan loan = arena.lend(filled, sink);
        loans[current] = loan;
        current = (current + 1) % segments.length;
        acquired = false;
        if (loan.accepted() < bytes) {
            throw new IOException("only " + loan.accepted() + " of " + bytes + " bytes went into " + sink
                    + ": it was closed, or its reader is gone");
        }
    }

    /**
     * A stream that fills slots and publishes them when they are full or flushed.
     *
     * @return a stream; closing it publishes what is left and leaves the ring open
     */
    public OutputStream outputStream() {
        return new RingStream(this);
    }

    /**
     * Unmaps the ring's memory, at once and safely: what is in flight keeps its pages. Does nothing the second time.
     *
     * @throws WrongThreadException if this is not the ring's thread
     */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }
}
