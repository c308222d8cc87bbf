package io.sluice.flow;

import io.sluice.Pipe;
import io.sluice.PipeSource;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;

/** Sources and sinks for whole jobs; all of it is closed at the end. */
final class FlowScene implements AutoCloseable {
    private final Deque<Closeable> opened = new ArrayDeque<>();

    /** Two sockets connected to each other. */
    record Sockets(SocketChannel near, SocketChannel far) {}

    <T extends Closeable> T own(T resource) {
        opened.push(resource);
        return resource;
    }

    Pipe pipe() throws IOException {
        return own(Pipe.open());
    }

    /** A pipe that holds one page. */
    Pipe smallPipe() throws IOException {
        Pipe pipe = pipe();
        pipe.capacity(1);
        return pipe;
    }

    /** A pipe of its own that brings the content, and then the end. */
    PipeSource bringing(byte[] content) throws IOException {
        Pipe pipe = pipe();
        Aside.of(() -> {
            pipe.sink().write(ByteBuffer.wrap(content));
            pipe.sink().close();
        });
        return pipe.source();
    }

    /** Everything that comes, read by a thread of its own. */
    static Aside<byte[]> taking(ReadableByteChannel source) {
        return Aside.On.VIRTUAL.start(() -> Bytes.all(source));
    }

    static byte[] exactly(ReadableByteChannel source, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining() && source.read(buffer) >= 0) {}
        return buffer.flip().remaining() == length ? buffer.array() : Arrays.copyOf(buffer.array(), buffer.limit());
    }

    Sockets unix() throws IOException {
        Path folder = Files.createTempDirectory("sluice");
        Path name = folder.resolve("socket");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(name));
            SocketChannel near = own(SocketChannel.open(server.getLocalAddress()));
            return new Sockets(near, own(server.accept()));
        } finally {
            Files.deleteIfExists(name);
            Files.delete(folder);
        }
    }

    Sockets tcp() throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            SocketChannel near = own(SocketChannel.open(server.getLocalAddress()));
            return new Sockets(near, own(server.accept()));
        }
    }

    @Override
    public void close() throws IOException {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
    }
}
