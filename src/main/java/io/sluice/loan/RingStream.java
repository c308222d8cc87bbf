package io.sluice.loan;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** Fills the slots of a ring byte by byte. */
final class RingStream extends OutputStream {
    private final PageRing ring;
    private @Nullable MemorySegment slot;
    private long filled;

    RingStream(PageRing ring) {
        this.ring = ring;
    }

    @Override
    public void write(int b) throws IOException {
        room().set(JAVA_BYTE, filled++, (byte) b);
        publishIfFull();
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, bytes.length);
        MemorySegment from = MemorySegment.ofArray(bytes);
        int done = 0;
        while (done < length) {
            MemorySegment to = room();
            long n = Math.min(length - done, to.byteSize() - filled);
            MemorySegment.copy(from, offset + done, to, filled, n);
            filled += n;
            done += (int) n;
            publishIfFull();
        }
    }

    @Override
    public void flush() throws IOException {
        if (filled > 0) {
            long n = filled;
            filled = 0;
            slot = null;
            ring.publish(n);
        }
    }

    @Override
    public void close() throws IOException {
        flush();
    }

    private MemorySegment room() throws IOException {
        if (slot == null) {
            try {
                slot = ring.acquire();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw (IOException)
                        new InterruptedIOException("interrupted while waiting for a slot of the ring").initCause(e);
            }
        }
        return slot;
    }

    private void publishIfFull() throws IOException {
        if (slot != null && filled == slot.byteSize()) {
            flush();
        }
    }
}
