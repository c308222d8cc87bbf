package io.sluice.loan;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.Closeable;
import java.io.Flushable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Lines of text, encoded straight into the slots of a {@link PageRing} as UTF-8.
 *
 * {@snippet :
 * try (PageRing ring = PageRing.over(pipe.sink(), 64 << 10, 8);
 *         RingLog log = ring.log(RingLog.Flush.WHEN_FULL)) {
 *     log.line("started");
 * }
 * }
 *
 * <p>A line and its {@code \n} are published together, unless they are longer than a slot. A line costs no garbage: whatever there is falls to
 * the slot. Nothing is published until a slot is full, or {@link #flush} or {@link #close} is called, or the ring's; {@link
 * Flush#EVERY_LINE} publishes every line, which costs a system call each.
 *
 * <p>When the pipe's reader is slow, a line waits for him. When he is gone, that throws an {@code IOException}, and so does every later
 * attempt to publish; lines that were taken are kept for it, and are lost when the ring is closed.
 *
 * <p>To be used by the ring's thread. Several threads that log have a ring and a log each over the same sink, with {@link Flush#EVERY_LINE}:
 * then lines of up to PIPE_BUF (4096) bytes are never mixed. Or they hand their lines to the thread that has the ring.
 */
public final class RingLog implements Closeable, Flushable {
    /** When lines are published. */
    public enum Flush {
        /** When the next line does not fit into the slot: the most lines for a system call. */
        WHEN_FULL,
        /** At once, each. */
        EVERY_LINE
    }

    private final Filling filling;
    private final Flush flush;
    private long lines;

    /** A part of a line is taken and its end is not. */
    private boolean torn;

    private boolean closed;

    RingLog(Filling filling, Flush flush) {
        this.filling = filling;
        this.flush = flush;
    }

    /**
     * Adds a line. Line ends within the text are not looked at. A surrogate without its other half becomes {@code ?}.
     *
     * @param text the line, without its end
     * @throws java.io.InterruptedIOException if the thread is interrupted while it waits for a slot; the log is as it was
     * @throws IOException as {@link PageRing#publish}, or if the log is closed. The line may have been taken nevertheless, to be published
     *     later: {@link #lines} tells. Of a line longer than a slot the rest is then left out.
     * @throws IllegalStateException if the ring is closed
     * @throws WrongThreadException if this is not the ring's thread
     */
    public void line(CharSequence text) throws IOException {
        requireOpen();
        if (torn) {
            end();
        }
        long end = encode(text, filling.slot(), filling.filled());
        if (end < 0 && !filling.isEmpty()) {
            filling.flush();
            end = encode(text, filling.slot(), 0);
        }
        if (end < 0) {
            divide(text);
        } else {
            lines++;
            filling.advance(end - filling.filled());
        }
        if (flush == Flush.EVERY_LINE) {
            filling.flush();
        }
    }

    /** Puts the line into the slot; its end there, or −1 if it does not fit. */
    private static long encode(CharSequence text, MemorySegment slot, long start) {
        long room = slot.byteSize() - 1;
        long at = start;
        int length = text.length();
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (c < 0x80 && at < room) {
                slot.set(JAVA_BYTE, at++, (byte) c);
                continue;
            }
            int point = pointAt(text, i);
            int n = Utf8.length(point);
            if (at + n > room) {
                return -1;
            }
            Utf8.put(point, slot, at);
            at += n;
            i += Character.charCount(point) - 1;
        }
        slot.set(JAVA_BYTE, at, (byte) '\n');
        return at + 1;
    }

    /** Puts a line that is longer than a slot into as many as it takes. */
    private void divide(CharSequence text) throws IOException {
        torn = true;
        int length = text.length();
        for (int i = 0; i < length; ) {
            int point = pointAt(text, i);
            MemorySegment slot = filling.slot();
            if (filling.filled() + Utf8.length(point) > slot.byteSize()) {
                filling.flush();
                slot = filling.slot();
            }
            Utf8.put(point, slot, filling.filled());
            filling.advance(Utf8.length(point));
            i += Character.charCount(point);
        }
        lines++;
        end();
    }

    private void end() throws IOException {
        filling.slot().set(JAVA_BYTE, filling.filled(), (byte) '\n');
        torn = false;
        filling.advance(1);
    }

    private static int pointAt(CharSequence text, int index) {
        int point = Character.codePointAt(text, index);
        return point >= Character.MIN_SURROGATE && point <= Character.MAX_SURROGATE ? '?' : point;
    }

    /**
     * How many lines were taken: they were published, or will be.
     *
     * @return a count since the log was made
     */
    public long lines() {
        return lines;
    }

    /**
     * Publishes the lines that were not yet.
     *
     * @throws IOException as {@link PageRing#publish}, or if the log is closed; the lines are kept, and flushing again sends the rest of them
     * @throws IllegalStateException if the ring is closed
     * @throws WrongThreadException if this is not the ring's thread
     */
    @Override
    public void flush() throws IOException {
        requireOpen();
        filling.flush();
    }

    /**
     * Flushes, and takes no more lines. Leaves the ring open. Does nothing the second time.
     *
     * @throws IOException as {@link #flush}; the lines are kept in the ring, whose own flush sends them
     * @throws WrongThreadException if this is not the ring's thread
     */
    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            filling.flush();
        }
    }

    private void requireOpen() throws IOException {
        if (closed) {
            throw new IOException("the log is closed");
        }
    }
}
