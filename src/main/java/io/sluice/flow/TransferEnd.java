package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.PipeSource;
import io.sluice.internal.FdAccess;
import io.sluice.internal.FileCalls;
import io.sluice.internal.Proc;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.FileChannel;
import java.nio.channels.SelectableChannel;
import org.jspecify.annotations.Nullable;

/** One end of a transfer that runs: what the kernel is given, and where it reads or writes next. */
final class TransferEnd implements Closeable {
    /** An {@link Fd}, an end of a pipe, or a {@link Remainder}. */
    final Closeable what;

    final Fd.Kind kind;

    /** Where the next byte is, or {@link Transfer#NO_OFFSET} for the descriptor's own position. */
    long offset;

    private final boolean owned;
    private final @Nullable FileChannel follower;

    private TransferEnd(Closeable what, Fd.Kind kind, long offset, boolean owned, @Nullable FileChannel follower) {
        this.what = what;
        this.kind = kind;
        this.offset = offset;
        this.owned = owned;
        this.follower = follower;
    }

    static TransferEnd source(Transfer.End end) throws IOException {
        if (end.what() instanceof Remainder remainder) {
            PipeSource pipe = remainder.pipe();
            return pipe == null
                    ? new TransferEnd(remainder, Fd.Kind.OTHER, end.offset(), false, null)
                    : new TransferEnd(pipe, Fd.Kind.PIPE, end.offset(), false, null);
        } else if (end.what() instanceof FileChannel file) {
            return file(Ends.reading(file), file, end.offset());
        }
        return other(end);
    }

    static TransferEnd target(Transfer.End end) throws IOException {
        return end.what() instanceof FileChannel file ? file(Ends.writing(file), file, end.offset()) : other(end);
    }

    private static TransferEnd file(Fd fd, FileChannel file, long offset) throws IOException {
        try {
            if (offset >= 0) {
                return new TransferEnd(fd, fd.kind(), offset, true, null);
            } else if (FdAccess.get().isOpenedForAppend(fd)) {
                return new TransferEnd(fd, fd.kind(), Transfer.NO_OFFSET, true, null);
            }
            return new TransferEnd(fd, fd.kind(), file.position(), true, file);
        } catch (IOException e) {
            fd.close();
            throw e;
        }
    }

    private static TransferEnd other(Transfer.End end) throws IOException {
        if (end.what() instanceof Fd fd) {
            return new TransferEnd(fd, fd.kind(), end.offset(), false, null);
        } else if (end.what() instanceof SelectableChannel channel) {
            Fd fd = Ends.of(channel);
            return new TransferEnd(fd, fd.kind(), end.offset(), true, null);
        }
        return new TransferEnd(end.what(), Fd.Kind.PIPE, end.offset(), false, null);
    }

    boolean isOpen() {
        return what instanceof Fd fd ? fd.isOpen() : ((Channel) what).isOpen();
    }

    /** Whether every call would fail that writes to a place instead of to the end. */
    boolean isForAppend() {
        return kind != Fd.Kind.SOCKET && kind != Fd.Kind.PIPE && FdAccess.get().isOpenedForAppend(what);
    }

    /** Whether a read or write of it waits in the kernel, whatever is done about it, if it is not ready. */
    boolean mayBlock() {
        return what instanceof Fd && (kind == Fd.Kind.PIPE || kind == Fd.Kind.OTHER);
    }

    /** How much a file has from here to its end; 0 if that cannot be found out. */
    long remaining() throws IOException {
        int number = ((Fd) what).number();
        FileCalls.Status[] status = new FileCalls.Status[1];
        if (FileCalls.status(number, status) < 0) {
            return 0;
        }
        long size = status[0].size();
        return size - (offset >= 0 ? offset : Proc.position(number).orElse(size));
    }

    void moved(long n) {
        if (offset >= 0) {
            offset += n;
        }
    }

    @Override
    public void close() throws IOException {
        if (owned) {
            what.close();
        }
        if (follower != null && follower.isOpen()) {
            follower.position(offset);
        }
    }

    @Override
    public String toString() {
        return what instanceof Remainder ? "what a transfer left" : what.toString();
    }
}
