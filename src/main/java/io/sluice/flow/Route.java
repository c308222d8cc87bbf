package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Fd.Kind;
import io.sluice.flow.Transfer.Engine;
import io.sluice.flow.TransferException.Side;
import io.sluice.internal.Proc;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.nio.file.Files;
import java.util.List;
import java.util.Set;

/** Which calls suit which pair of descriptors, and which of the two an error is about. */
final class Route {
    private static final Set<Integer> OF_A_TARGET =
            Set.of(Linux.EPIPE(), Linux.ENOSPC(), Linux.EDQUOT(), Linux.EFBIG(), Linux.EROFS(), Linux.ETXTBSY());

    private static final Set<Integer> OF_A_SOCKET = Set.of(
            Linux.ECONNRESET(),
            Linux.ECONNABORTED(),
            Linux.ECONNREFUSED(),
            Linux.ETIMEDOUT(),
            Linux.ENOTCONN(),
            Linux.ESHUTDOWN(),
            Linux.EHOSTUNREACH(),
            Linux.ENETUNREACH(),
            Linux.ENETDOWN(),
            Linux.ENOBUFS());

    /** The same on both architectures. */
    private static final int EXDEV = 18;

    private Route() {}

    /**
     * What to try, in this order.
     *
     * <p>From file to file a pipe would be a detour: two calls and a bound on each, where one call does it, by reference if the file system
     * can.
     *
     * @throws IllegalArgumentException if bytes would be read that this transfer has written
     */
    static List<Engine> between(TransferEnd from, TransferEnd to, Transfer.Length length) throws IOException {
        if (from.kind == Kind.FILE && to.kind == Kind.FILE) {
            requireApart(from, to, length.most());
        }
        if (from.what instanceof Remainder || to.isForAppend()) {
            return List.of(Engine.READ_WRITE);
        } else if (from.kind == Kind.PIPE || to.kind == Kind.PIPE) {
            return List.of(Engine.SPLICE, Engine.READ_WRITE);
        } else if (from.kind == Kind.FILE && to.kind == Kind.FILE) {
            return to.offset < 0
                    ? List.of(Engine.COPY_FILE_RANGE, Engine.SENDFILE, Engine.READ_WRITE)
                    : List.of(Engine.COPY_FILE_RANGE, Engine.READ_WRITE);
        } else if (from.kind == Kind.FILE && to.offset < 0) {
            return List.of(Engine.SENDFILE, Engine.SPLICE_THROUGH_PIPE, Engine.READ_WRITE);
        }
        return List.of(Engine.SPLICE_THROUGH_PIPE, Engine.READ_WRITE);
    }

    private static void requireApart(TransferEnd from, TransferEnd to, long most) throws IOException {
        int source = ((Fd) from.what).number();
        int target = ((Fd) to.what).number();
        if (!Files.isSameFile(Proc.descriptor(source), Proc.descriptor(target))) {
            return;
        }
        boolean known = from.offset >= 0 && to.offset >= 0 && most != Transfer.NO_LIMIT;
        if (!known || Math.abs(from.offset - to.offset) < most) {
            throw new IllegalArgumentException("source and target are the same file, " + from
                    + ", and the transfer would read what it writes: give two offsets and a length between them");
        }
    }

    /**
     * Whether a way is barred to this pair of descriptors, or to every pair, so that the next is to be tried; to be asked before the first
     * byte has moved. EBADF, EISDIR and the like are told by the read or write that follows, which also says for which side.
     */
    static boolean isBarred(Call call, ErrnoException e) {
        return call.isRefused(e) || e.errno() == EXDEV || e.errno() == Linux.EBADF() || e.errno() == Linux.EISDIR();
    }

    /** The side that an error of a call on both is about. */
    static Side culprit(ErrnoException e, Kind from, Kind to) {
        if (OF_A_TARGET.contains(e.errno())) {
            return Side.TARGET;
        } else if (OF_A_SOCKET.contains(e.errno()) && (from == Kind.SOCKET) != (to == Kind.SOCKET)) {
            return from == Kind.SOCKET ? Side.SOURCE : Side.TARGET;
        } else if ((from == Kind.PIPE) != (to == Kind.PIPE)) {
            // A pipe between the kernel and itself has nothing to say but that nobody reads it.
            return from == Kind.PIPE ? Side.TARGET : Side.SOURCE;
        }
        return Side.UNKNOWN;
    }
}
