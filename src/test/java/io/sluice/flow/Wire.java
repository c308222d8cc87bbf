package io.sluice.flow;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** A TCP connection whose near side sends a repeated pattern, and what its far side must get. */
record Wire(SocketChannel near, SocketChannel far) implements AutoCloseable {
    private static final int SMALL = 16 << 10;

    static Wire open() throws IOException {
        return open(0);
    }

    /** One that holds little, so that it is soon full. */
    static Wire narrow() throws IOException {
        return open(SMALL);
    }

    private static Wire open(int buffers) throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            if (buffers > 0) {
                server.setOption(StandardSocketOptions.SO_RCVBUF, buffers);
            }
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            SocketChannel far = SocketChannel.open(server.getLocalAddress());
            SocketChannel near = server.accept();
            if (buffers > 0) {
                near.setOption(StandardSocketOptions.SO_SNDBUF, buffers);
            }
            return new Wire(near, far);
        }
    }

    /** A pattern of which no part is like another. */
    static byte[] pattern(int length) {
        return Bytes.bytes(length);
    }

    /** What stands in the repeated pattern from an offset on. */
    static byte[] repeated(byte[] pattern, long offset, int length) {
        byte[] all = new byte[length];
        for (int i = 0; i < length; i++) {
            all[i] = pattern[(int) ((offset + i) % pattern.length)];
        }
        return all;
    }

    static MemorySegment segment(byte[] bytes) {
        return MemorySegment.ofArray(bytes);
    }

    /** Reads so many bytes from the far side, in reads of up to {@code piece}. */
    byte[] receive(int length, int piece) throws IOException {
        ByteArrayOutputStream received = new ByteArrayOutputStream(length);
        ByteBuffer buffer = ByteBuffer.allocate(piece);
        while (received.size() < length) {
            buffer.clear().limit(Math.min(piece, length - received.size()));
            if (far.read(buffer) < 0) {
                throw new AssertionError("the end after " + received.size() + " of " + length + " bytes");
            }
            received.write(buffer.array(), 0, buffer.position());
        }
        return received.toByteArray();
    }

    /** Whatever else has arrived: nothing, where all was received. */
    int surplus() throws IOException {
        near.shutdownOutput();
        return Math.max(0, far.read(ByteBuffer.allocate(1)));
    }

    static byte[] content(MemorySegment segment) {
        return segment.toArray(JAVA_BYTE);
    }

    @Override
    public void close() throws IOException {
        near.close();
        far.close();
    }
}
