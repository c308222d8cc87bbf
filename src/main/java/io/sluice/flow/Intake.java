package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.PipeSink;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The way from a source into a pipe that is empty: spliced, or read and written where the source cannot be spliced from. */
final class Intake {
    private static final int COPIED_AT_ONCE = 64 << 10;

    private final Closeable source;
    private final Attempts attempts = new Attempts();
    private boolean copies;
    private boolean begun;
    private @Nullable ByteBuffer buffer;

    Intake(Closeable source, boolean copies) {
        this.source = source;
        this.copies = copies;
    }

    /**
     * Moves what is there into the pipe.
     *
     * @param into a pipe that is empty
     * @param room the pipe's capacity
     * @return bytes; 0 if the source has nothing yet; −1 at its end
     */
    long fill(PipeSink into, long room) throws IOException {
        if (copies) {
            return copy(into, room);
        }
        try {
            long n = Attempts.splice(source, into, Integer.MAX_VALUE);
            begun |= n > 0;
            // A file of /proc may say that it is empty to splice, and have content for read.
            if (n >= 0 || begun || !Attempts.mayWait(source)) {
                return n;
            }
        } catch (ErrnoException e) {
            if (begun || !Call.SPLICE.isRefused(e)) {
                throw e;
            }
        }
        copies = true;
        return copy(into, room);
    }

    // What was read is in the buffer until it is in the pipe, which was empty and so has room for it.
    private long copy(PipeSink into, long room) throws IOException {
        ByteBuffer held = buffer;
        if (held == null) {
            buffer = held = ByteBuffer.allocateDirect(COPIED_AT_ONCE).limit(0);
        }
        if (!held.hasRemaining()) {
            held.clear().limit((int) Math.min(room, COPIED_AT_ONCE));
            long n = Attempts.read(source, held);
            held.flip();
            if (n <= 0) {
                return n;
            }
        }
        int length = held.remaining();
        while (held.hasRemaining()) {
            if (into.tryWrite(held) == 0) {
                attempts.await(null, into);
            }
        }
        attempts.moved();
        return length;
    }

    /** What the last {@link #fill} copied, where it did. */
    ByteBuffer copied() {
        ByteBuffer held = buffer;
        return held == null ? ByteBuffer.allocate(0) : held.duplicate().flip();
    }

    /** What remains in it was read from the source and is not in the pipe. */
    @Nullable
    ByteBuffer buffer() {
        return buffer;
    }

    int held() {
        ByteBuffer held = buffer;
        return held == null ? 0 : held.remaining();
    }

    void await(Attempts waiting) throws IOException {
        waiting.await(source, null);
    }

    @Override
    public String toString() {
        return source.toString();
    }
}
