package io.sluice.flow;

import io.sluice.PipeSource;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * Bytes that a job took and could not deliver: first those in memory, then those in a pipe that nobody fills any more.
 *
 * <p>Reading never waits, and so is not disturbed by the interrupt that may have stopped the job.
 */
final class Remainder implements ReadableByteChannel {
    private final ByteBuffer memory;
    private final @Nullable PipeSource pipe;
    private volatile boolean open = true;

    Remainder(byte[] memory, @Nullable PipeSource pipe) {
        this.memory = ByteBuffer.wrap(memory);
        this.pipe = pipe;
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        if (!open) {
            throw new ClosedChannelException();
        } else if (!memory.hasRemaining()) {
            return pipe == null ? -1 : pipe.tryRead(into);
        }
        int n = Math.min(memory.remaining(), into.remaining());
        into.put(memory.slice(memory.position(), n));
        memory.position(memory.position() + n);
        return n;
    }

    /** What is left, if all of it is in a pipe. */
    @Nullable
    PipeSource pipe() {
        return memory.hasRemaining() ? null : pipe;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void close() throws IOException {
        open = false;
        if (pipe != null) {
            pipe.close();
        }
    }
}
