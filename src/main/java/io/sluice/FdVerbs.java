package io.sluice;

import io.sluice.internal.CopyCalls;
import io.sluice.internal.FdAccess;
import io.sluice.internal.Offload;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.ffi.Linux;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.channels.ClosedChannelException;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/** Single attempts on descriptors, for the jobs that are made of them. */
final class FdVerbs extends FdAccess {
    @Override
    public long tryRead(Closeable from, MemorySegment into) throws IOException {
        return Moves.read(side(from), into);
    }

    @Override
    public long tryWrite(Closeable to, MemorySegment from) throws IOException {
        return Moves.write(side(to), from);
    }

    @Override
    public long trySendfile(Closeable from, long offset, Closeable to, long max) throws IOException {
        Side in = side(from);
        Side out = side(to);
        long n = offDisk(in, out, () -> CopyCalls.sendfile(out.number(), in.number(), offset, max));
        return n > 0 || Moves.notAnError(n) ? Moves.said(n, in) : failed("sendfile", n, in, offset, out, -1, max);
    }

    @Override
    public long tryCopyRange(Closeable from, long fromOffset, Closeable to, long toOffset, long max)
            throws IOException {
        Side in = side(from);
        Side out = side(to);
        long n = offDisk(in, out, () -> CopyCalls.copyFileRange(in.number(), fromOffset, out.number(), toOffset, max));
        return n > 0 || Moves.notAnError(n)
                ? Moves.said(n, in)
                : failed("copy_file_range", n, in, fromOffset, out, toOffset, max);
    }

    @Override
    public long trySpliceMore(Closeable source, Closeable to, long max) throws IOException {
        Side in = side(source);
        Side out = side(to);
        return Moves.spliced(Moves.spliceMore(in, out, max), in, -1, out, -1, max);
    }

    @Override
    public void await(@Nullable Closeable readable, @Nullable Closeable writable, long nanos) throws IOException {
        if (readable != null) {
            Side in = side(readable);
            Waits.awaitReady(in, Linux.POLLIN(), writable == null ? in : side(writable), nanos);
        } else if (writable != null) {
            Side out = side(writable);
            Waits.awaitReady(out, Linux.POLLOUT(), out, nanos);
        }
    }

    @Override
    public void shutdownOutput(Closeable socket) throws IOException {
        Side side = side(socket);
        int result = (int) inside(side, () -> SocketCalls.shutdown(side.number(), Linux.SHUT_WR()));
        if (result < 0) {
            throw Failures.query("shutdown", "SHUT_WR", -result, side);
        }
    }

    @Override
    public boolean cork(Closeable socket, boolean on) {
        Side side = side(socket);
        if (side.kind() != Fd.Kind.SOCKET || !side.descriptor().enter()) {
            return false;
        }
        try {
            return SocketCalls.setOption(side.number(), Linux.IPPROTO_TCP(), Linux.TCP_CORK(), on ? 1 : 0) == 0;
        } finally {
            side.descriptor().exit();
        }
    }

    @Override
    public boolean isOpenedForAppend(Closeable file) {
        return side(file).isOpenedForAppend();
    }

    private static Side side(Closeable end) {
        return end instanceof Fd fd ? fd.side : ((PipeEnd) end).side;
    }

    private static long offDisk(Side from, Side to, LongSupplier call) throws IOException {
        LongSupplier inside = () -> {
            if (!from.begin()) {
                return Moves.CLOSED;
            }
            try {
                if (!to.begin()) {
                    return Moves.CLOSED;
                }
                try {
                    return call.getAsLong();
                } finally {
                    to.end();
                }
            } finally {
                from.end();
            }
        };
        return Thread.currentThread().isVirtual() && (from.mayWait() || to.mayWait())
                ? Offload.call(inside)
                : inside.getAsLong();
    }

    private static long inside(Side side, LongSupplier call) throws ClosedChannelException {
        if (!side.descriptor().enter()) {
            throw new ClosedChannelException();
        }
        try {
            return call.getAsLong();
        } finally {
            side.descriptor().exit();
            Reference.reachabilityFence(side.owner());
        }
    }

    private static long failed(String call, long n, Side from, long fromOffset, Side to, long toOffset, long max)
            throws ErrnoException {
        throw Failures.copy(call, (int) -n, from, fromOffset, to, toOffset, max);
    }
}
