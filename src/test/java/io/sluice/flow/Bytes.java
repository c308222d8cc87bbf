package io.sluice.flow;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.util.Random;

/** Bytes that are sent, and those that arrive. */
final class Bytes {
    private Bytes() {}

    /** Bytes of which no page is like another; the same each time. */
    static byte[] bytes(int length) {
        return bytes(length, length);
    }

    /** Others for each seed. */
    static byte[] bytes(int length, long seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    /** Everything up to the end. */
    static byte[] all(ReadableByteChannel source) throws IOException {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        while (source.read(buffer.clear()) >= 0) {
            all.write(buffer.array(), 0, buffer.position());
        }
        return all.toByteArray();
    }
}
