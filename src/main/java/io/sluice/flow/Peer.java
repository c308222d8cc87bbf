package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import io.sluice.internal.FdAccess;
import java.io.Closeable;
import java.io.IOException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** One side of a relay: an {@link Fd} or the end of a pipe. */
final class Peer {
    private static final long ALL = Long.MAX_VALUE;

    /** What is waited for, and named in messages. */
    final Closeable end;

    /** What is read or written where splice is refused, once that is known. */
    private @Nullable Closeable copied;

    private Peer(Closeable end) {
        this.end = end;
    }

    static Peer source(PipeSource end) {
        return new Peer(Objects.requireNonNull(end));
    }

    static Peer sink(PipeSink end) {
        return new Peer(Objects.requireNonNull(end));
    }

    static Peer source(Fd end) {
        return switch (end.kind()) {
            case SOCKET, PIPE -> new Peer(end);
            case FILE, NULL, OTHER -> throw refused(end);
        };
    }

    static Peer sink(Fd end) {
        return switch (end.kind()) {
            case SOCKET, PIPE, NULL -> new Peer(end);
            case FILE, OTHER -> throw refused(end);
        };
    }

    static Peer bothWays(Fd end) {
        if (end.kind() != Fd.Kind.SOCKET) {
            throw new IllegalArgumentException(end + " has one direction: only sockets are relayed both ways");
        }
        return new Peer(end);
    }

    private static IllegalArgumentException refused(Fd end) {
        return new IllegalArgumentException(
                end + " is no stream that can be waited for: relay sockets and pipes, and use Transfer for files");
    }

    long fill(Pipe pipe) throws IOException {
        return end instanceof Fd fd
                ? pipe.sink().trySpliceFrom(fd, ALL)
                : ((PipeSource) end).trySpliceTo(pipe.sink(), ALL);
    }

    // SPLICE_F_MORE is never passed: a relay does not know that more is coming, and the peer would wait for it.
    long drain(Pipe pipe, long max) throws IOException {
        return end instanceof Fd fd
                ? pipe.source().trySpliceTo(fd, max)
                : pipe.source().trySpliceTo((PipeSink) end, max);
    }

    /** What to read from. A pipe that somebody else opened may make its reader wait, so it is opened once more. */
    Closeable readable() throws IOException {
        if (copied == null) {
            copied = end instanceof Fd fd && fd.kind() == Fd.Kind.PIPE ? PipeSource.of(fd) : end;
        }
        return copied;
    }

    /** What to write to; as {@link #readable}. */
    Closeable writable() throws IOException {
        if (copied == null) {
            copied = end instanceof Fd fd && fd.kind() == Fd.Kind.PIPE ? PipeSink.of(fd) : end;
        }
        return copied;
    }

    /** Tells this peer that no more comes: half-closes a socket, closes a pipe. */
    void passEnd() throws IOException {
        release();
        if (!(end instanceof Fd fd) || fd.kind() == Fd.Kind.PIPE) {
            end.close();
        } else if (fd.kind() == Fd.Kind.SOCKET) {
            FdAccess.get().shutdownOutput(fd);
        }
    }

    void release() throws IOException {
        if (copied != null && !copied.equals(end)) {
            copied.close();
        }
        copied = null;
    }

    @Override
    public String toString() {
        return end.toString();
    }
}
