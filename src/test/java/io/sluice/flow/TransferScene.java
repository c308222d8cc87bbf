package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.testing.Await;
import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/** What one test of transfers opens; all of it is closed at the end, the last opened first. */
final class TransferScene implements AutoCloseable {
    private static final int PATIENCE_SECONDS = 60;

    private final Deque<Closeable> opened = new ArrayDeque<>();
    private final Path folder;
    private int files;

    TransferScene(Path folder) throws IOException {
        this.folder = folder;
        // From here on it keeps no pipes, which would be taken for leaks.
        PipePool.shared().close();
    }

    /** Two ends of a TCP connection. */
    record Connection(SocketChannel near, SocketChannel far) {
        /** Sends everything on another thread, and the end after it. */
        Started<Void> send(byte[] content) {
            return Started.on(false, () -> {
                ByteBuffer buffer = ByteBuffer.wrap(content);
                while (buffer.hasRemaining()) {
                    near.write(buffer);
                }
                near.shutdownOutput();
                return null;
            });
        }

        /** Takes everything up to the end on another thread. */
        Started<byte[]> receive() {
            return Started.on(false, () -> Bytes.all(far));
        }
    }

    /** A call on a thread of its own. */
    record Started<T>(Thread thread, FutureTask<T> task) {
        static <T> Started<T> on(boolean virtual, Callable<T> body) {
            FutureTask<T> task = new FutureTask<>(body);
            Thread thread = virtual
                    ? Thread.ofVirtual().start(task)
                    : Thread.ofPlatform().daemon().start(task);
            return new Started<>(thread, task);
        }

        /** Returns once the thread waits for a descriptor. */
        Started<T> waiting() throws Exception {
            return waiting(Set.of("awaitSource", "awaitTarget", "awaitEither", "awaitRoom"));
        }

        /** Returns once the thread waits for the target to have room. */
        Started<T> waitingForTarget() throws Exception {
            return waiting(Set.of("awaitTarget", "awaitRoom"));
        }

        private Started<T> waiting(Set<String> methods) throws Exception {
            Await.until(() -> task.isDone() || isWaiting(methods), "a thread that waits");
            return this;
        }

        private boolean isWaiting(Set<String> methods) {
            List<StackTraceElement> stack = List.of(thread.getStackTrace());
            return stack.stream().anyMatch(frame -> frame.getClassName().equals("io.sluice.internal.Waiter"))
                    && stack.stream().anyMatch(frame -> methods.contains(frame.getMethodName()));
        }

        T result() throws Exception {
            try {
                return task.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            } catch (ExecutionException e) {
                throw e.getCause() instanceof Exception cause ? cause : e;
            }
        }

        TransferException failure() throws Exception {
            try {
                throw new AssertionError("it should have failed, and gave " + result());
            } catch (TransferException e) {
                return e;
            }
        }
    }

    <T extends Closeable> T own(T resource) {
        opened.push(resource);
        return resource;
    }

    Connection tcp() throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            SocketChannel near = own(SocketChannel.open(server.getLocalAddress()));
            return new Connection(near, own(server.accept()));
        }
    }

    Pipe pipe() throws IOException {
        return own(Pipe.open());
    }

    /** A pipe that holds the content, and is at its end after it. */
    Pipe pipeOf(byte[] content) throws IOException {
        Pipe pipe = pipe();
        pipe.capacity(Math.max(content.length, pipe.capacity()));
        if (pipe.sink().tryWrite(ByteBuffer.wrap(content)) != content.length) {
            ByteBuffer rest = ByteBuffer.wrap(content);
            rest.position(pipe.available());
            while (rest.hasRemaining()) {
                pipe.sink().write(rest);
            }
        }
        pipe.sink().close();
        return pipe;
    }

    Fd open(Path path, OpenOption... options) throws IOException {
        return own(Fd.open(path, options));
    }

    Path file(byte[] content) throws IOException {
        return Files.write(folder.resolve("file" + files++), content);
    }

    Path emptyFile() throws IOException {
        return file(new byte[0]);
    }

    @Override
    public void close() throws IOException {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
    }
}
