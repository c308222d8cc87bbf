package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Pipe;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Both ends of something that moves bytes, each with a thread behind it: one that feeds the source, one that drains the target. */
final class Ends implements AutoCloseable {
    private static final int BLOCK = 64 << 10;

    private final Deque<Closeable> owned = new ArrayDeque<>();
    private final List<FutureTask<Long>> tasks = new ArrayList<>();

    <T extends Closeable> T own(T closeable) {
        owned.push(closeable);
        return closeable;
    }

    /** A pipe that a thread fills with so many bytes. */
    Pipe fedPipe(int capacity, long bytes) throws IOException {
        Pipe pipe = own(Pipe.open());
        pipe.capacity(capacity);
        feed(pipe.sink(), bytes);
        return pipe;
    }

    /** The same, with the end of the stream behind them. */
    Pipe endingPipe(int capacity, long bytes) throws IOException {
        Pipe pipe = own(Pipe.open());
        pipe.capacity(capacity);
        start(() -> {
            give(pipe.sink(), bytes);
            pipe.sink().close();
            return bytes;
        });
        return pipe;
    }

    Pipe drainedPipe(int capacity, long bytes) throws IOException {
        Pipe pipe = own(Pipe.open());
        pipe.capacity(capacity);
        drain(pipe.source(), bytes);
        return pipe;
    }

    java.nio.channels.Pipe.SourceChannel fedNioPipe(long bytes) throws IOException {
        java.nio.channels.Pipe pipe = java.nio.channels.Pipe.open();
        feed(own(pipe.sink()), bytes);
        return own(pipe.source());
    }

    java.nio.channels.Pipe.SinkChannel drainedNioPipe(long bytes) throws IOException {
        java.nio.channels.Pipe pipe = java.nio.channels.Pipe.open();
        drain(own(pipe.source()), bytes);
        return own(pipe.sink());
    }

    SocketChannel fedSocket(long bytes) throws IOException {
        SocketChannel[] pair = connected();
        feed(pair[1], bytes);
        return pair[0];
    }

    SocketChannel drainedSocket(long bytes) throws IOException {
        SocketChannel[] pair = connected();
        drain(pair[1], bytes);
        return pair[0];
    }

    Fd of(SocketChannel channel) throws IOException {
        return own(Fd.of(channel));
    }

    private SocketChannel[] connected() throws IOException {
        try (ServerSocketChannel server =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
            SocketChannel near = own(SocketChannel.open(server.getLocalAddress()));
            return new SocketChannel[] {near, own(server.accept())};
        }
    }

    private void feed(WritableByteChannel to, long bytes) {
        start(() -> {
            give(to, bytes);
            return bytes;
        });
    }

    private static void give(WritableByteChannel to, long bytes) throws IOException {
        ByteBuffer block = ByteBuffer.allocateDirect(BLOCK);
        for (long left = bytes; left > 0; ) {
            left -= to.write(block.clear().limit((int) Math.min(BLOCK, left)));
        }
    }

    private void drain(ReadableByteChannel from, long bytes) {
        start(() -> {
            ByteBuffer block = ByteBuffer.allocateDirect(BLOCK);
            long total = 0;
            for (int n; total < bytes && (n = from.read(block.clear())) >= 0; ) {
                total += n;
            }
            return total;
        });
    }

    private void start(Callable<Long> body) {
        FutureTask<Long> task = new FutureTask<>(body);
        tasks.add(task);
        Thread.ofPlatform().daemon().start(task);
    }

    /** Waits until all was fed and drained, which is when all was moved. */
    @Override
    public void close() throws IOException {
        try {
            for (FutureTask<Long> task : tasks) {
                task.get();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new InterruptedIOException("interrupted while the bytes were fed and drained");
        } catch (ExecutionException e) {
            throw new IOException("an end failed", e.getCause());
        } finally {
            while (!owned.isEmpty()) {
                owned.pop().close();
            }
        }
    }
}
