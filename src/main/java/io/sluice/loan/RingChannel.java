package io.sluice.loan;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;

/** Fills the slots of a ring from buffers. A buffer's position says at any time what of it is in a slot. */
final class RingChannel implements WritableByteChannel {
    private final Filling filling;
    private volatile boolean open = true;

    RingChannel(Filling filling) {
        this.filling = filling;
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
        if (!open) {
            throw new ClosedChannelException();
        }
        int start = from.position();
        MemorySegment bytes = MemorySegment.ofBuffer(from);
        try {
            while (from.hasRemaining()) {
                MemorySegment to = filling.slot();
                long n = Math.min(from.remaining(), to.byteSize() - filling.filled());
                MemorySegment.copy(bytes, from.position() - start, to, filling.filled(), n);
                from.position(from.position() + (int) n);
                filling.advance(n);
            }
        } catch (InterruptedIOException e) {
            e.bytesTransferred = from.position() - start;
            throw e;
        }
        return from.position() - start;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void close() throws IOException {
        if (open) {
            open = false;
            filling.flush();
        }
    }
}
