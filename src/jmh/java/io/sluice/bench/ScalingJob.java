package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.Transfer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;

/** A way of moving bytes between two ends that stay, again and again. */
final class ScalingJob implements AutoCloseable {
    /** What the JDK's pipes hold, and the buffer of who copies. */
    private static final int BUFFER = 64 << 10;

    private interface Move {
        long move(long bytes) throws IOException;
    }

    private final Ends ends;
    private final Move move;

    private ScalingJob(Ends ends, Move move) {
        this.ends = ends;
        this.move = move;
    }

    static ScalingJob sluicePipes(long total) throws IOException {
        Ends ends = new Ends();
        Pipe from = ends.fedPipe(BUFFER, total);
        Pipe to = ends.drainedPipe(BUFFER, total);
        return new ScalingJob(
                ends,
                bytes -> Transfer.from(from.source())
                        .to(to.sink())
                        .exactly(bytes)
                        .run()
                        .bytes());
    }

    static ScalingJob nioPipes(long total) throws IOException {
        Ends ends = new Ends();
        ReadableByteChannel from = ends.fedNioPipe(total);
        WritableByteChannel to = ends.drainedNioPipe(total);
        ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
        return new ScalingJob(ends, bytes -> copy(from, to, buffer, bytes));
    }

    private static long copy(ReadableByteChannel from, WritableByteChannel to, ByteBuffer buffer, long bytes)
            throws IOException {
        long left = bytes;
        while (left > 0) {
            left -= from.read(buffer.clear().limit((int) Math.min(BUFFER, left)));
            buffer.flip();
            while (buffer.hasRemaining()) {
                to.write(buffer);
            }
        }
        return bytes;
    }

    static ScalingJob sluiceFile(Path file, long total) throws IOException {
        Ends ends = new Ends();
        Fd from = ends.own(Fd.open(file));
        Fd to = ends.of(ends.drainedSocket(total));
        return new ScalingJob(
                ends,
                bytes -> Transfer.from(from, 0).to(to).exactly(bytes).run().bytes());
    }

    static ScalingJob nioFile(FileChannel from, long total) throws IOException {
        Ends ends = new Ends();
        SocketChannel to = ends.drainedSocket(total);
        return new ScalingJob(ends, bytes -> {
            long at = 0;
            while (at < bytes) {
                at += from.transferTo(at, bytes - at, to);
            }
            return at;
        });
    }

    void move(long bytes) throws IOException {
        long moved = move.move(bytes);
        if (moved != bytes) {
            throw new IOException(moved + " of " + bytes + " bytes were moved");
        }
    }

    @Override
    public void close() throws IOException {
        ends.close();
    }
}
