package io.sluice.flow;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** Two connections with a relay's place between them: left — first … second — right. */
record Wires(SocketChannel left, SocketChannel first, SocketChannel second, SocketChannel right)
        implements AutoCloseable {
    private static final int PIECE = 64 << 10;

    /** What the connections are made of. */
    enum Over {
        TCP,
        UNIX;

        Wires open() throws IOException {
            if (this == TCP) {
                return connected(
                        StandardProtocolFamily.INET, new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            }
            Path folder = Files.createTempDirectory("sluice");
            Path name = folder.resolve("socket");
            try {
                return connected(StandardProtocolFamily.UNIX, UnixDomainSocketAddress.of(name));
            } finally {
                Files.deleteIfExists(name);
                Files.delete(folder);
            }
        }

        private static Wires connected(StandardProtocolFamily family, SocketAddress address) throws IOException {
            try (ServerSocketChannel server = ServerSocketChannel.open(family)) {
                server.bind(address);
                SocketChannel left = SocketChannel.open(server.getLocalAddress());
                SocketChannel first = server.accept();
                SocketChannel second = SocketChannel.open(server.getLocalAddress());
                return new Wires(left, first, second, server.accept());
            }
        }
    }

    static Wires tcp() throws IOException {
        return Over.TCP.open();
    }

    static Wires unix() throws IOException {
        return Over.UNIX.open();
    }

    /** Sends everything, waiting as necessary. */
    static void send(SocketChannel to, byte[] bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        while (buffer.hasRemaining()) {
            buffer.limit(Math.min(buffer.capacity(), buffer.position() + PIECE));
            to.write(buffer);
            buffer.limit(buffer.capacity());
        }
    }

    /** Sends everything and the end. */
    static void sendAndEnd(SocketChannel to, byte[] bytes) throws IOException {
        send(to, bytes);
        to.shutdownOutput();
    }

    /** Sends as much as is taken at once, of a content that begins anew when it is used up; returns how much. */
    static long flood(SocketChannel to, byte[] content) throws IOException {
        to.configureBlocking(false);
        long total = 0;
        for (int n = 1; n > 0; ) {
            int at = (int) (total % content.length);
            n = to.write(ByteBuffer.wrap(content, at, Math.min(PIECE, content.length - at)));
            total += n;
        }
        return total;
    }

    /** Receives so many bytes, or less if the stream ends. */
    static byte[] receive(SocketChannel from, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining() && from.read(buffer) >= 0) {}
        byte[] received = new byte[buffer.position()];
        buffer.get(0, received);
        return received;
    }

    /** Closes a TCP connection so that its peer gets a reset instead of an end. */
    static void reset(SocketChannel channel) throws IOException {
        channel.setOption(StandardSocketOptions.SO_LINGER, 0);
        channel.close();
    }

    @Override
    public void close() throws IOException {
        left.close();
        first.close();
        second.close();
        right.close();
    }
}
