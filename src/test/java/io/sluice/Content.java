package io.sluice;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.Random;

/** Bytes that go into pipes, and those that are found in them. */
final class Content {
    private static final int SEED = 4711;

    private Content() {}

    /** Bytes of which no page is like another; the same each time. */
    static byte[] bytes(int length) {
        byte[] bytes = new byte[length];
        new Random(SEED).nextBytes(bytes);
        return bytes;
    }

    static void put(Pipe pipe, String text) throws IOException {
        put(pipe, ascii(text));
    }

    /** Puts bytes into a pipe that has room for them. */
    static void put(Pipe pipe, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            if (pipe.sink().tryWrite(buffer) == 0) {
                throw new AssertionError("the pipe has no room for " + buffer.remaining() + " more bytes");
            }
        }
    }

    /** Fills a pipe to the last slot, and says with how much. */
    static int fill(PipeSink sink) throws IOException {
        ByteBuffer page = ByteBuffer.allocateDirect(Kernel.observed().pageSize());
        int total = 0;
        for (int n; (n = sink.tryWrite(page.clear())) > 0; ) {
            total += n;
        }
        return total;
    }

    static String takeText(Pipe pipe) throws IOException {
        return new String(take(pipe.source()), StandardCharsets.US_ASCII);
    }

    /** Everything that is in a pipe at the moment. */
    static byte[] take(PipeSource source) throws IOException {
        ByteArrayOutputStream taken = new ByteArrayOutputStream();
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        for (int n; (n = source.tryRead(buffer.clear())) > 0; ) {
            taken.write(buffer.array(), 0, n);
        }
        return taken.toByteArray();
    }

    /** Everything up to the end of the stream. */
    static byte[] takeAll(ReadableByteChannel source) throws IOException {
        ByteArrayOutputStream taken = new ByteArrayOutputStream();
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        for (int n; (n = source.read(buffer.clear())) >= 0; ) {
            taken.write(buffer.array(), 0, n);
        }
        return taken.toByteArray();
    }

    static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
