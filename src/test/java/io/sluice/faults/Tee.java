package io.sluice.faults;

import io.sluice.Pipe;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Duplicates the content into a second pipe, a piece at a time, and takes each piece out of both. */
final class Tee extends Job {
    private final Pipe first = pipe();
    private final Pipe second = pipe();
    private final ByteArrayOutputStream original = new ByteArrayOutputStream();
    private final ByteArrayOutputStream copy = new ByteArrayOutputStream();
    private final boolean waiting;
    private long nothingMoved;

    Tee(boolean waiting) throws IOException {
        this.waiting = waiting;
        first.sink().write(ByteBuffer.wrap(content()));
        first.sink().close();
    }

    @Override
    void run() throws IOException {
        for (long n = 0; n >= 0; ) {
            if (copy.size() > original.size()) {
                take(first, original, copy.size() - original.size());
            }
            n = waiting
                    ? first.source().teeTo(second.sink(), Pump.PIECE)
                    : first.source().tryTeeTo(second.sink(), Pump.PIECE);
            if (n > 0) {
                take(second, copy, (int) n);
            }
            nothingMoved += n == 0 ? 1 : 0;
        }
    }

    @Override
    byte[] expected() {
        return twice(content(), content());
    }

    // Both branches: what is only in the first pipe is still to come in both.
    @Override
    long accounted() throws IOException {
        int behind = copy.size() - original.size();
        return 2L * first.available() - behind + second.available() + original.size() + copy.size();
    }

    @Override
    byte[] delivered() {
        return twice(original.toByteArray(), copy.toByteArray());
    }

    @Override
    long remarkable() {
        return nothingMoved;
    }

    private static void take(Pipe pipe, ByteArrayOutputStream into, int length) throws IOException {
        byte[] piece = new byte[length];
        int n = pipe.source().read(ByteBuffer.wrap(piece));
        into.write(piece, 0, n);
    }

    private static byte[] twice(byte[] one, byte[] other) {
        return ByteBuffer.allocate(one.length + other.length)
                .put(one)
                .put(other)
                .array();
    }
}
