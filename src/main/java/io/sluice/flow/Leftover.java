package io.sluice.flow;

import io.sluice.Pipe;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import org.jspecify.annotations.Nullable;

/** What was read and not delivered: what had left the pipe, then the pipe, then what had not yet entered it. */
final class Leftover implements ReadableByteChannel {
    private final @Nullable ByteBuffer after;
    private final @Nullable ByteBuffer before;
    private final @Nullable Pipe pipe;
    private boolean closed;

    Leftover(@Nullable ByteBuffer after, @Nullable Pipe pipe, @Nullable ByteBuffer before) {
        this.after = after;
        this.pipe = pipe;
        this.before = before;
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        } else if (!into.hasRemaining()) {
            return 0;
        } else if (after != null && after.hasRemaining()) {
            return moved(after, into);
        }
        int n = pipe == null || !pipe.isOpen() ? -1 : pipe.source().tryRead(into);
        if (n > 0) {
            return n;
        }
        return before != null && before.hasRemaining() ? moved(before, into) : -1;
    }

    private static int moved(ByteBuffer from, ByteBuffer into) {
        int n = Math.min(from.remaining(), into.remaining());
        into.put(from.slice().limit(n));
        from.position(from.position() + n);
        return n;
    }

    @Override
    public boolean isOpen() {
        return !closed;
    }

    @Override
    public void close() {
        closed = true;
    }
}
