package io.sluice.loan;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.util.Objects;

/** Fills the slots of a ring byte by byte. */
final class RingStream extends OutputStream {
    private final Filling filling;
    private boolean closed;

    RingStream(Filling filling) {
        this.filling = filling;
    }

    @Override
    public void write(int b) throws IOException {
        requireOpen();
        filling.slot().set(JAVA_BYTE, filling.filled(), (byte) b);
        filling.advance(1);
    }

    @Override
    public void write(byte[] bytes, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, bytes.length);
        requireOpen();
        for (int done = 0; done < length; ) {
            MemorySegment to = filling.slot();
            int n = (int) Math.min(length - done, to.byteSize() - filling.filled());
            MemorySegment.copy(bytes, offset + done, to, JAVA_BYTE, filling.filled(), n);
            done += n;
            filling.advance(n);
        }
    }

    @Override
    public void flush() throws IOException {
        requireOpen();
        filling.flush();
    }

    @Override
    public void close() throws IOException {
        if (!closed) {
            closed = true;
            filling.flush();
        }
    }

    private void requireOpen() throws IOException {
        if (closed) {
            throw new IOException("the stream is closed");
        }
    }
}
