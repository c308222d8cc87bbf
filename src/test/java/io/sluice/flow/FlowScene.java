package io.sluice.flow;

import io.sluice.Pipe;
import io.sluice.PipeSource;
import java.io.ByteArrayOutputStream;
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
import java.util.Deque;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/** Sources and sinks for whole jobs; all of it is closed at the end. */
final class FlowScene implements AutoCloseable {
    private static final int PATIENCE_SECONDS = 60;

    private final Deque<Closeable> opened = new ArrayDeque<>();

    enum On {
        PLATFORM,
        VIRTUAL
    }

    /** Something that runs on a thread of its own. */
    record Running<T>(Thread thread, FutureTask<T> task) {
        T result() throws Exception {
            return task.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }

        boolean waits() {
            Thread.State state = thread.getState();
            return state == Thread.State.WAITING || state == Thread.State.TIMED_WAITING;
        }
    }

    /** Two sockets connected to each other. */
    record Sockets(SocketChannel near, SocketChannel far) {}

    static byte[] content(int length) {
        byte[] content = new byte[length];
        new Random(length).nextBytes(content);
        return content;
    }

    static <T> Running<T> start(On on, Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread thread = on == On.VIRTUAL
                ? Thread.ofVirtual().start(task)
                : Thread.ofPlatform().daemon().start(task);
        return new Running<>(thread, task);
    }

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
        start(On.VIRTUAL, () -> {
            pipe.sink().write(ByteBuffer.wrap(content));
            pipe.sink().close();
            return null;
        });
        return pipe.source();
    }

    /** Everything that comes, read by a thread of its own. */
    static Running<byte[]> taking(ReadableByteChannel source) {
        return start(On.VIRTUAL, () -> all(source));
    }

    static byte[] all(ReadableByteChannel source) throws IOException {
        ByteArrayOutputStream taken = new ByteArrayOutputStream();
        ByteBuffer buffer = ByteBuffer.allocate(1 << 16);
        while (source.read(buffer.clear()) >= 0) {
            taken.write(buffer.array(), 0, buffer.position());
        }
        return taken.toByteArray();
    }

    static byte[] exactly(ReadableByteChannel source, int length) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(length);
        while (buffer.hasRemaining() && source.read(buffer) >= 0) {}
        return buffer.flip().remaining() == length
                ? buffer.array()
                : java.util.Arrays.copyOf(buffer.array(), buffer.limit());
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
