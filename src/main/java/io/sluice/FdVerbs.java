package io.sluice;

import io.sluice.internal.CopyCalls;
import io.sluice.internal.ErrorWatch;
import io.sluice.internal.FdAccess;
import io.sluice.internal.Offload;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.WaitFailedException;
import io.sluice.internal.Waiter;
import io.sluice.internal.ffi.Linux;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectionKey;
import java.util.function.BooleanSupplier;
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
    public long tryRead(Closeable from, long offset, MemorySegment into) throws IOException {
        Side in = side(from);
        if (offset < 0 && !in.mayWait()) {
            return Moves.read(in, into);
        }
        long size = into.byteSize();
        long n = offDisk(
                in,
                null,
                () -> offset < 0
                        ? Syscalls.read(in.number(), into, size)
                        : Syscalls.pread(in.number(), into, size, offset));
        if (n > 0 || Moves.notAnError(n)) {
            return Moves.said(n, in);
        }
        throw Failures.read((int) -n, in, size);
    }

    @Override
    public long tryWrite(Closeable to, long offset, MemorySegment from) throws IOException {
        Side out = side(to);
        if (offset < 0 && !out.mayWait()) {
            return Moves.write(out, from);
        }
        long size = from.byteSize();
        long n = offDisk(
                out,
                null,
                () -> offset < 0
                        ? Syscalls.write(out.number(), from, size)
                        : Syscalls.pwrite(out.number(), from, size, offset));
        if (n > 0 || Moves.notAnError(n)) {
            return Math.max(n, 0);
        }
        throw Failures.write((int) -n, out, size);
    }

    @Override
    public long trySplice(Closeable from, long fromOffset, Closeable to, long toOffset, long max) throws IOException {
        Side in = side(from);
        Side out = side(to);
        long n = Thread.currentThread().isVirtual() && (in.mayWait() || out.mayWait())
                ? Offload.call(() -> Moves.splice(in, fromOffset, out, toOffset, max))
                : Moves.splice(in, fromOffset, out, toOffset, max);
        return Moves.spliced(n, in, fromOffset, out, toOffset, max);
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
    public long tryWriteMore(Closeable to, MemorySegment from) throws IOException {
        Side out = side(to);
        return out.kind() == Fd.Kind.SOCKET && from.isNative() ? Moves.writeMore(out, from) : tryWrite(to, from);
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
            await(side(readable), Linux.POLLIN(), side(writable == null ? readable : writable), 0, nanos);
        } else if (writable != null) {
            await(side(writable), Linux.POLLOUT(), side(writable), 0, nanos);
        }
    }

    @Override
    public int awaitEither(Closeable first, int firstOps, Closeable second, int secondOps, long nanos)
            throws IOException {
        return await(side(first), events(firstOps), side(second), events(secondOps), nanos);
    }

    private static int await(Side first, int firstEvents, Side second, int secondEvents, long nanos)
            throws ErrnoException {
        try {
            return Waiter.awaitEither(first.descriptor(), firstEvents, second.descriptor(), secondEvents, nanos);
        } catch (WaitFailedException e) {
            throw Failures.waiting(e, firstEvents != 0 ? first : second);
        }
    }

    private static int events(int ops) {
        return ((ops & SelectionKey.OP_READ) != 0 ? Linux.POLLIN() : 0)
                | ((ops & SelectionKey.OP_WRITE) != 0 ? Linux.POLLOUT() : 0);
    }

    @Override
    @SuppressWarnings("ThreadPriorityCheck") // as in Moves.await
    public void awaitEither(Closeable from, Closeable to, int round) throws IOException {
        Side in = side(from);
        Side out = side(to);
        if (round == 0 && Thread.currentThread().isVirtual()) {
            Thread.yield();
            return;
        }
        int ready = Waits.ready(in, out);
        if ((ready & 1) == 0) {
            await(in, Linux.POLLIN(), out, 0, Long.MAX_VALUE);
        } else if ((ready & 2) == 0) {
            await(out, Linux.POLLOUT(), in, 0, Long.MAX_VALUE);
        } else {
            Waits.pause(round);
        }
    }

    @Override
    public boolean isReady(Closeable end, boolean forWriting) throws IOException {
        Side side = side(end);
        return inside(side, () -> WaitCalls.poll(side.number(), forWriting ? Linux.POLLOUT() : Linux.POLLIN(), 0)) != 0;
    }

    @Override
    public boolean copies(Closeable to) {
        return side(to).copies();
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

    @Override
    public int enter(Closeable descriptor) throws ClosedChannelException {
        Side side = side(descriptor);
        if (!side.descriptor().enter()) {
            throw new ClosedChannelException();
        }
        return side.number();
    }

    @Override
    @SuppressWarnings("ReachabilityFenceUsage") // called from a finally
    public void exit(Closeable descriptor) {
        side(descriptor).descriptor().exit();
        Reference.reachabilityFence(descriptor);
    }

    @Override
    public IOException failure(String call, Closeable socket, String arguments, int errno) {
        return Failures.socket(call, side(socket), arguments, errno);
    }

    @Override
    public void awaitError(Closeable descriptor, BooleanSupplier unless, long nanos) throws IOException {
        Side side = side(descriptor);
        try {
            Waiter.await(side.descriptor(), 0, side.descriptor(), unless, nanos);
        } catch (WaitFailedException e) {
            throw Failures.waiting(e, side);
        } finally {
            Reference.reachabilityFence(descriptor);
        }
    }

    @Override
    public void wake(Closeable descriptor) {
        side(descriptor).descriptor().wake();
    }

    @Override
    public void watchErrors(Closeable socket, BooleanSupplier handler) {
        ErrorWatch.add(side(socket).descriptor(), handler);
    }

    @Override
    public void unwatchErrors(Closeable socket, BooleanSupplier handler) {
        ErrorWatch.remove(side(socket).descriptor(), handler);
    }

    private static Side side(Closeable end) {
        return end instanceof Fd fd ? fd.side : ((PipeEnd) end).side;
    }

    private static long offDisk(Side from, @Nullable Side to, LongSupplier call) throws IOException {
        LongSupplier inside = () -> {
            if (!from.begin()) {
                return Moves.CLOSED;
            }
            try {
                if (to == null) {
                    return call.getAsLong();
                } else if (!to.begin()) {
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
        return Thread.currentThread().isVirtual() && (from.mayWait() || (to != null && to.mayWait()))
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
