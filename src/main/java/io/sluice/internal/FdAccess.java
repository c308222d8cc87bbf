package io.sluice.internal;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * What the packages above may do with an {@code Fd} or the end of a pipe, and programs outside may not. The descriptor's class grants it.
 *
 * <p>The attempts never wait for a pipe or a socket, and say what the root's verbs say: bytes, 0 for would block, −1 for the end of input.
 */
public abstract class FdAccess {
    private static volatile @Nullable FdAccess granted;

    /** To be called once, by the descriptor's class when it is initialised. */
    public static void grant(FdAccess access) {
        granted = access;
    }

    /** The access, which is there as soon as there is a descriptor. */
    public static FdAccess get() {
        return Objects.requireNonNull(granted);
    }

    /** One {@code read}. */
    public abstract long tryRead(Closeable from, MemorySegment into) throws IOException;

    /** One {@code write}. */
    public abstract long tryWrite(Closeable to, MemorySegment from) throws IOException;

    /** As {@link #tryWrite(Closeable, MemorySegment)}, where more follows: with {@code MSG_MORE} if it is a socket. */
    public abstract long tryWriteMore(Closeable to, MemorySegment from) throws IOException;

    /** One {@code read}, or {@code pread} for an offset that is not negative; on a virtual thread made by another if it may wait for a disk. */
    public abstract long tryRead(Closeable from, long offset, MemorySegment into) throws IOException;

    /** One {@code write}, or {@code pwrite} for an offset that is not negative; on a virtual thread made by another if it may wait for a disk. */
    public abstract long tryWrite(Closeable to, long offset, MemorySegment from) throws IOException;

    /** One {@code splice}, one side of which is a pipe; on a virtual thread made by another if it may wait for a disk. A negative offset is none. */
    public abstract long trySplice(Closeable from, long fromOffset, Closeable to, long toOffset, long max)
            throws IOException;

    /** One {@code sendfile}; on a virtual thread it is made by another, because it may wait for a disk. A negative offset is none. */
    public abstract long trySendfile(Closeable from, long offset, Closeable to, long max) throws IOException;

    /** One {@code copy_file_range}; on a virtual thread it is made by another. A negative offset is none. */
    public abstract long tryCopyRange(Closeable from, long fromOffset, Closeable to, long toOffset, long max)
            throws IOException;

    /** One {@code splice} from a pipe with SPLICE_F_MORE: the sink may wait for what follows before it sends. */
    public abstract long trySpliceMore(Closeable source, Closeable to, long max) throws IOException;

    /**
     * Waits until {@code readable} has something to read or, if that is null, until {@code writable} has room; or until either is closed, the
     * thread is interrupted or the time is over. Returns early now and then.
     *
     * @param nanos the most to wait; {@link Long#MAX_VALUE} for no limit
     */
    public abstract void await(@Nullable Closeable readable, @Nullable Closeable writable, long nanos)
            throws IOException;

    /**
     * Waits for the side that held up an attempt: the source if it has nothing, else the target if it has no room. Where both say that they
     * are ready, pauses for a moment that grows with {@code round}. Ends as {@link #await} does.
     *
     * @param round how many attempts in a row moved nothing before, less one
     */
    public abstract void awaitEither(Closeable from, Closeable to, int round) throws IOException;

    /** Whether a read of it, or a write of up to PIPE_BUF bytes to it, would find something at once, be it an error or the end. */
    public abstract boolean isReady(Closeable end, boolean forWriting) throws IOException;

    /** Whether what is spliced to it was seen to be copied before the call returns, so that nobody refers to its pages afterwards. */
    public abstract boolean copies(Closeable to);

    /**
     * Waits until one of two is ready, or is closed, or the thread is interrupted or the time is over. Returns early now and then. A virtual
     * thread holds no carrier.
     *
     * @param firstOps what to wait for: OP_READ and OP_WRITE of {@link java.nio.channels.SelectionKey}, or 0 for closing alone
     * @param secondOps the same for the other
     * @param nanos the most to wait; {@link Long#MAX_VALUE} for no limit
     * @return which has something to report: {@link Waiter#FIRST}, {@link Waiter#SECOND}, or {@link Waiter#EITHER} where both have or it is
     *     not known
     */
    public abstract int awaitEither(Closeable first, int firstOps, Closeable second, int secondOps, long nanos)
            throws IOException;

    /** {@code shutdown(fd, SHUT_WR)} for a socket: what was sent before still arrives, and then the end. */
    public abstract void shutdownOutput(Closeable socket) throws IOException;

    /** {@code setsockopt(fd, IPPROTO_TCP, TCP_CORK)}: while on, only full segments are sent. False if it is no TCP socket. */
    public abstract boolean cork(Closeable socket, boolean on);

    /** Whether it was opened with O_APPEND. */
    public abstract boolean isOpenedForAppend(Closeable file);

    /**
     * Begins a call on the descriptor, which until {@link #exit} cannot be given back under it.
     *
     * @return the number
     * @throws java.nio.channels.ClosedChannelException if it is closed; then there is nothing to exit from
     */
    public abstract int enter(Closeable descriptor) throws IOException;

    /** Ends a call that {@link #enter} began. */
    public abstract void exit(Closeable descriptor);

    /** The exception for a call on a socket that failed: {@code call(words of the socket, arguments): errno …}. */
    public abstract IOException failure(String call, Closeable socket, String arguments, int errno);

    /**
     * Waits until the descriptor has an error or an entry of its error queue to report, which is POLLERR, or until it is closed or {@linkplain
     * #wake woken}, the thread is interrupted or the time is over. Returns early now and then.
     *
     * @param unless looked at when the thread can already be woken: true if there is no need to wait
     */
    public abstract void awaitError(Closeable descriptor, BooleanSupplier unless, long nanos) throws IOException;

    /** Has all who wait for the descriptor look again. */
    public abstract void wake(Closeable descriptor);

    /**
     * Calls {@code handler} soon after the error queue of a socket got a further entry, and again some milliseconds later while it returns
     * false, on a thread of the library's that must not be kept; until the descriptor is closed or {@link #unwatchErrors}. Does nothing
     * where the kernel refuses.
     */
    public abstract void watchErrors(Closeable socket, BooleanSupplier handler);

    /** Ends what {@link #watchErrors} began. */
    public abstract void unwatchErrors(Closeable socket, BooleanSupplier handler);
}
