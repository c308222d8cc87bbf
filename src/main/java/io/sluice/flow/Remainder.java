package io.sluice.flow;

import io.sluice.PipeSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * Bytes that a job took and could not deliver: those that had left its pipe, then those in the pipe, which nobody fills any more, then those
 * that had not yet entered it.
 *
 * <p>Reading never waits, and so is not disturbed by the interrupt that may have stopped the job.
 */
final class Remainder implements ReadableByteChannel {
    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    private final ByteBuffer before;
    private final @Nullable PipeSource pipe;
    private final ByteBuffer after;
    private final boolean owns;
    private volatile boolean open = true;

    private Remainder(
            @Nullable ByteBuffer before, @Nullable PipeSource pipe, @Nullable ByteBuffer after, boolean owns) {
        this.before = before == null ? NOTHING : before;
        this.pipe = pipe;
        this.after = after == null ? NOTHING : after;
        this.owns = owns;
    }

    /** What stays the job's: closing it closes no pipe. */
    static Remainder of(@Nullable ByteBuffer before, @Nullable PipeSource pipe, @Nullable ByteBuffer after) {
        return new Remainder(before, pipe, after, false);
    }

    /** What is handed over, with the pipe. */
    static Remainder owning(byte[] before, @Nullable PipeSource pipe) {
        return new Remainder(ByteBuffer.wrap(before), pipe, null, true);
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        if (!open) {
            throw new ClosedChannelException();
        } else if (!into.hasRemaining()) {
            return 0;
        } else if (before.hasRemaining()) {
            return moved(before, into);
        }
        int n = pipe == null || !pipe.isOpen() ? -1 : pipe.tryRead(into);
        if (n > 0) {
            return n;
        }
        return after.hasRemaining() ? moved(after, into) : -1;
    }

    private static int moved(ByteBuffer from, ByteBuffer into) {
        int n = Math.min(from.remaining(), into.remaining());
        into.put(from.slice().limit(n));
        from.position(from.position() + n);
        return n;
    }

    /** What is left, if all of it is in a pipe. */
    @Nullable
    PipeSource pipe() {
        return before.hasRemaining() || after.hasRemaining() ? null : pipe;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void close() throws IOException {
        open = false;
        if (owns && pipe != null) {
            pipe.close();
        }
    }
}
