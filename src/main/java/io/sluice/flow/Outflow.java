package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.PipeSource;
import io.sluice.internal.FdAccess;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The way from a pipe to a sink: spliced, or read and written where the sink cannot be spliced to, as a file opened for append or most
 * terminals. Which of the two is settled before the first byte.
 */
final class Outflow {
    private static final int COPIED_AT_ONCE = 64 << 10;

    private final PipeSource from;
    private final Closeable to;
    private boolean copies;
    private boolean begun;
    private @Nullable ByteBuffer buffer;

    Outflow(PipeSource from, Closeable to) {
        this.from = from;
        this.to = to;
        this.copies = Call.SPLICE.isDenied() || (to instanceof Fd fd && isOpenedForAppend(fd));
    }

    private static boolean isOpenedForAppend(Fd fd) {
        return fd.kind() == Fd.Kind.FILE && FdAccess.get().isOpenedForAppend(fd);
    }

    /**
     * Delivers what the sink takes at once.
     *
     * @param max the most to take from the pipe, with what is {@linkplain #held held}
     * @return bytes delivered; 0 if the sink has no room or the pipe is empty; −1 if nobody writes the pipe any more
     */
    long deliver(long max) throws IOException {
        if (!copies) {
            try {
                long n = Attempts.splice(from, to, max);
                begun |= n > 0;
                return n;
            } catch (ErrnoException e) {
                if (begun || !Call.SPLICE.isRefused(e)) {
                    throw e;
                }
                copies = true;
            }
        }
        return copy(max);
    }

    private long copy(long max) throws IOException {
        ByteBuffer bytes = buffer;
        if (bytes == null) {
            buffer = bytes = ByteBuffer.allocateDirect(COPIED_AT_ONCE).limit(0);
        }
        if (!bytes.hasRemaining()) {
            bytes.clear().limit((int) Math.min(max, COPIED_AT_ONCE));
            long n;
            try {
                n = from.tryRead(bytes);
            } finally {
                bytes.flip();
            }
            if (n <= 0) {
                return n;
            }
        }
        return Attempts.write(to, bytes);
    }

    /** What has left the pipe and is not delivered. */
    @Nullable
    ByteBuffer held() {
        return buffer;
    }

    boolean isHolding() {
        ByteBuffer bytes = buffer;
        return bytes != null && bytes.hasRemaining();
    }

    boolean copies() {
        return copies;
    }

    void await(Attempts waiting) throws IOException {
        waiting.await(null, to);
    }

    @Override
    public String toString() {
        return to.toString();
    }
}
