package io.sluice.flow;

import io.sluice.Pipe;
import io.sluice.PipeSink;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.PosixFilePermissions;

/**
 * A queue of bytes in a file without a name, for a branch that is behind.
 *
 * <p>Bytes come out by copy, not by splice: pages spliced from a file are the file's own, so that using its beginning again would show in
 * what a receiver has not read yet.
 *
 * <p>One thread appends and another takes; both hold the branch's lock, except {@link #read}, which changes nothing.
 */
final class Spill implements Closeable {
    private static final int COPIED_AT_ONCE = 64 << 10;

    private final Path folder;
    private final FileChannel file;
    private final Pipe pipe;
    private final ByteBuffer in = ByteBuffer.allocateDirect(COPIED_AT_ONCE);
    private final ByteBuffer out = ByteBuffer.allocateDirect(COPIED_AT_ONCE);
    private long written;
    private long taken;

    /** @param pipe one that is empty, and can hold all that is ever appended at once; to be closed with this */
    Spill(Path folder, Pipe pipe) throws IOException {
        this.folder = folder;
        this.pipe = pipe;
        Path path = Files.createTempFile(
                folder,
                "sluice",
                ".spill",
                PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
        try {
            file = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE);
        } finally {
            Files.delete(path);
        }
    }

    boolean isEmpty() {
        return written == taken;
    }

    long length() {
        return written - taken;
    }

    /** Appends what {@code step} puts into a pipe. */
    void append(Step step, long n) throws IOException {
        step.into(pipe.sink());
        Attempts attempts = new Attempts();
        // Invariant: written counts what is in the file; a step that fails half-way is never seen, because it ends the
        // branch.
        for (long done = 0; done < n; ) {
            in.clear().limit((int) Math.min(COPIED_AT_ONCE, n - done));
            if (pipe.source().tryRead(in) == 0) {
                attempts.await(pipe.source(), null);
                continue;
            }
            attempts.moved();
            in.flip();
            done += in.remaining();
            while (in.hasRemaining()) {
                written += Attempts.aside(this::write);
            }
        }
    }

    private long write() throws IOException {
        try {
            return file.write(in, written);
        } catch (ClosedChannelException e) {
            throw e;
        } catch (IOException e) {
            throw new IOException(
                    "write(spill file in " + folder + ", " + in.remaining() + " bytes at " + written + "): "
                            + e.getMessage() + "; let branches spill less, or to a folder with more room",
                    e);
        }
    }

    /** Reads the next bytes, at most so many, without taking them. */
    ByteBuffer read(long max) throws IOException {
        out.clear().limit((int) Math.min(Math.min(COPIED_AT_ONCE, max), length()));
        while (out.hasRemaining()) {
            if (Attempts.aside(() -> file.read(out, taken + out.position())) < 0) {
                throw new IOException("the spill file ends at byte " + (taken + out.position()) + " of " + written);
            }
        }
        return out.flip();
    }

    /** What was read is in the branch's pipe. A file that has been emptied begins anew. */
    void take(long n) throws IOException {
        taken += n;
        if (isEmpty()) {
            file.truncate(0);
            taken = written = 0;
        }
    }

    /** Puts one step, all of it, into a pipe that is empty. */
    @FunctionalInterface
    interface Step {
        void into(PipeSink sink) throws IOException;
    }

    @Override
    public void close() throws IOException {
        pipe.close();
        file.close();
    }
}
