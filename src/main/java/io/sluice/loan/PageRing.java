package io.sluice.loan;

import io.sluice.PipeSink;
import io.sluice.internal.Lending;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.PipeAccess;
import java.io.Closeable;
import java.io.Flushable;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.channels.WritableByteChannel;
import java.util.Optional;

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
 * <p>Or let {@link #outputStream}, {@link #channel} or {@link #log} fill the slots. They fill the same one in turn, so they may be mixed, and
 * what one of them left can be sent by {@link #flush} of any.
 *
 * <p>A slot is used again in place when the ledger proves that its reader copied it. Where the reader passes pages on, fresh pages take
 * their place, which costs page faults; as long as that goes on, and for less than 16 KiB anyway, the ring copies with {@code write(2)}
 * instead, because that is cheaper.
 *
 * <p>To be used by the thread that made it, and so are its stream, channel and log. Several threads that write to one pipe have a ring each
 * over the same sink: a publish of up to PIPE_BUF (4096) bytes then stays together, a longer one may be divided where the pipe was full.
 */
public final class PageRing implements Closeable, Flushable {
    /** How many slots in a row are copied to a reader who passes pages on, before he is tried again. */
    private static final int COPIES_BEFORE_NEXT_TRY = 64;

    private final PageArena arena;
    private final Lending to;
    private final Slot[] slots;
    private final Filling filling = new Filling(this);
    private int current;
    private boolean acquired;
    private int copiesLeft;

    private PageRing(PageArena arena, Lending to, long slotSize, int slots) {
        this.arena = arena;
        this.to = to;
        this.slots = new Slot[slots];
        for (int i = 0; i < slots; i++) {
            this.slots[i] = new Slot(arena.allocate(slotSize, 1));
        }
    }

    /**
     * A ring in front of a pipe. A slot that is larger than the pipe is sent in pieces, as the reader makes room.
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
        return over(PipeAccess.get().lending(sink), slotSize, slots, options);
    }

    /**
     * A ring in front of something else than a pipe, such as a socket.
     *
     * @param taker what takes the memory; the ring does not close it
     * @param slotSize bytes in a slot, at least a page
     * @param slots how many there are, at least two; enough for what is under way and one more keeps the writer from waiting
     * @param options how the memory is made
     * @return a ring, to be closed
     * @throws IllegalArgumentException if a slot is smaller than a page, or there are less than two
     * @throws OutOfMemoryError if the kernel has no memory
     */
    public static PageRing over(Taker taker, long slotSize, int slots, PageArena.Option... options) {
        return over(taker.lending, slotSize, slots, options);
    }

    private static PageRing over(Lending to, long slotSize, int slots, PageArena.Option... options) {
        if (slotSize < MemoryCalls.pageSize()) {
            throw new IllegalArgumentException(
                    "a slot has at least one page of " + MemoryCalls.pageSize() + " bytes: " + slotSize);
        }
        if (slots < 2) {
            throw new IllegalArgumentException("a ring has at least two slots: " + slots);
        }
        PageArena arena = PageArena.open(options);
        try {
            return new PageRing(arena, to, slotSize, slots);
        } catch (RuntimeException | Error e) {
            arena.close();
            throw e;
        }
    }

    /**
     * The next slot, for writing. Its content is not defined. Waits until the reader has taken what was in it before.
     *
     * @return a segment of the slot's size, open until {@link #publish}; the same again if nothing was published since. Writing to the ring's
     *     stream, channel or log gives it up.
     * @throws InterruptedException if the thread is interrupted while it waits; the ring is as it was
     * @throws IllegalStateException if a publish failed midway and was not made again, if the stream, the channel or the log has bytes in
     *     the slot that are to be flushed, or if the ring is closed
     * @throws WrongThreadException if this is not the ring's thread
     */
    public MemorySegment acquire() throws InterruptedException {
        requireFlushed();
        return take();
    }

    /**
     * As {@link #acquire}, without waiting.
     *
     * @return the slot; empty, which costs no garbage, if the reader has not taken what was in it before
     * @throws IllegalStateException as {@link #acquire}
     * @throws WrongThreadException if this is not the ring's thread
     */
    public Optional<MemorySegment> tryAcquire() {
        requireFlushed();
        requireSent();
        if (slots[current].isInPipe()) {
            return Optional.empty();
        }
        return Optional.of(taken(slots[current].openNow()));
    }

    /** The next slot, also for those who fill it in turn. */
    MemorySegment take() throws InterruptedException {
        requireSent();
        return taken(slots[current].open());
    }

    private MemorySegment taken(boolean wasPassedOn) {
        if (wasPassedOn) {
            copiesLeft = COPIES_BEFORE_NEXT_TRY;
        }
        acquired = true;
        return slots[current].segment();
    }

    private void requireFlushed() {
        arena.requireUsable();
        if (!filling.isEmpty()) {
            throw new IllegalStateException(
                    "the slot holds bytes of the ring's stream, channel or log: flush() them first");
        }
    }

    private void requireSent() {
        arena.requireUsable();
        long sent = slots[current].sent();
        if (sent > 0) {
            long wanted = slots[current].wanted();
            throw new IllegalStateException("the slot is partly published, " + sent + " of " + wanted
                    + " bytes: publish(" + wanted + ") sends the rest, publish(" + sent + ") gives it up");
        }
    }

    /**
     * Sends the first bytes of the slot that was acquired, and closes the slot to Java. Waits until all were taken.
     *
     * <p><b>If this throws an {@code IOException}</b>, the first {@link #sent} bytes are in the pipe, and no others. Call it again with the
     * same number to send the rest, and only the rest: whatever kept it from going in may have passed, such as a lack of descriptors. To
     * give the rest up, publish as many as were sent, which needs no pipe; {@link #unsent} has a copy of it. Interrupting the thread closes
     * the sink, and a reader that is gone seldom comes back; then {@link #close} the ring.
     *
     * @param bytes how many, from the slot's start; 0 sends nothing and leaves the slot acquired
     * @throws IllegalStateException if no slot is acquired, if the stream, the channel or the log has bytes in it, or if the ring is closed
     * @throws IndexOutOfBoundsException if the slot is smaller, or more were sent already; nothing is sent
     * @throws io.sluice.ErrnoException EPIPE if no source of the pipe is open
     * @throws java.nio.channels.ClosedChannelException if the sink is closed, or was while this waited
     * @throws WrongThreadException if this is not the ring's thread
     */
    public void publish(long bytes) throws IOException {
        requireFlushed();
        send(bytes);
    }

    /** Publishes, also what was filled in turn. */
    void send(long bytes) throws IOException {
        slotToSend().send(bytes, arena, to, isLent(bytes));
        sent(bytes);
    }

    /**
     * As {@link #publish}, without waiting: sends as much as there is room for.
     *
     * @param bytes how many, from the slot's start; the same again until all are sent
     * @return true if all of them are in the pipe; false if some are not, {@link #sent} says how many are, and this is to be called again, or
     *     {@link #publish}, before the next slot is acquired
     * @throws IllegalArgumentException if the slot is partly published and was to be with another number of bytes
     * @throws IllegalStateException as {@link #publish}
     * @throws IndexOutOfBoundsException as {@link #publish}
     * @throws IOException as {@link #publish}
     * @throws WrongThreadException if this is not the ring's thread
     */
    public boolean tryPublish(long bytes) throws IOException {
        requireFlushed();
        if (!slotToSend().trySend(bytes, arena, to, isLent(bytes))) {
            return false;
        }
        sent(bytes);
        return true;
    }

    private Slot slotToSend() {
        arena.requireUsable();
        if (!acquired) {
            throw new IllegalStateException("no slot is acquired: acquire() one, fill it, publish() it");
        }
        return slots[current];
    }

    private boolean isLent(long bytes) {
        return bytes > to.copyUpTo() && copiesLeft == 0;
    }

    private void sent(long bytes) {
        Slot slot = slots[current];
        if (slot.isLent()) {
            slot.forgetLoanIfOpen();
            current = (current + 1) % slots.length;
            acquired = false;
        } else if (bytes > 0) {
            copiesLeft = Math.max(0, copiesLeft - 1);
        }
    }

    /**
     * How much of the slot is in the pipe although {@link #publish} failed.
     *
     * @return bytes, from the slot's start; 0 if the last publish went well or had sent nothing
     */
    public long sent() {
        return slots[current].sent();
    }

    /**
     * What a {@link #publish} that failed did not send.
     *
     * @return a copy, read-only, for any thread and beyond the ring's life; empty if the last publish went well
     * @throws IllegalStateException if the ring is closed
     * @throws WrongThreadException if this is not the ring's thread
     */
    public MemorySegment unsent() {
        arena.requireUsable();
        return slots[current].unsent();
    }

    /**
     * A stream that fills slots and publishes them when they are full or flushed. After an {@code IOException} what it had taken is kept, and
     * sent by the next flush; which bytes of the write that failed are among them is not known.
     *
     * @return a stream; closing it publishes what is left and leaves the ring open
     */
    public OutputStream outputStream() {
        return new RingStream(filling);
    }

    /**
     * A channel that copies into slots and publishes those that are full, such as for {@link java.nio.channels.Channels#newWriter}. A write
     * takes all that the buffer has, heap or direct, waiting for slots. What fills no slot stays in one until {@link #flush} or the
     * channel is closed.
     *
     * <p>After an {@code IOException} the buffer's position says what was taken, which is kept and sent by the next flush. Waiting for a slot
     * throws {@link java.io.InterruptedIOException} if the thread is interrupted, and leaves the channel open; waiting for room in the
     * pipe closes the sink as {@link #publish} does.
     *
     * @return a channel; closing it publishes what is left and leaves the ring open
     */
    public WritableByteChannel channel() {
        return new RingChannel(filling);
    }

    /**
     * A log of lines.
     *
     * @param flush when lines are published
     * @return a log; closing it publishes what is left and leaves the ring open
     */
    public RingLog log(RingLog.Flush flush) {
        return new RingLog(filling, flush);
    }

    /**
     * Publishes what the ring's stream, channel and log have written and not published. Does nothing to a slot that was acquired.
     *
     * @throws IOException as {@link #publish}; what was not sent is kept, and flushing again sends it
     * @throws IllegalStateException if the ring is closed
     * @throws WrongThreadException if this is not the ring's thread
     */
    @Override
    public void flush() throws IOException {
        arena.requireUsable();
        filling.flush();
    }

    /**
     * Flushes, and unmaps the ring's memory, at once and safely: what is in flight keeps its pages. A slot that was acquired and not published
     * is dropped. Does nothing the second time.
     *
     * @throws IOException as {@link #flush}; the ring is closed all the same, and what was not sent is lost
     * @throws WrongThreadException if this is not the ring's thread
     */
    @Override
    public void close() throws IOException {
        if (arena.scope().isAlive()) {
            try (PageArena closing = arena) {
                closing.requireUsable();
                filling.flush();
            }
        }
    }

    /**
     * The slots, and where they are sent.
     *
     * @return such as {@code ring of 8 slots of 65536 bytes → pipe 7}
     */
    @Override
    public String toString() {
        return "ring of " + slots.length + " slots of " + slots[0].segment().byteSize() + " bytes → " + to;
    }
}
