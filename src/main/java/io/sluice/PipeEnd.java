package io.sluice;

import io.sluice.internal.Descriptor;
import io.sluice.internal.FdAccess;
import io.sluice.internal.FileCalls;
import io.sluice.internal.Gate;
import io.sluice.internal.Ledger;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.Native;
import io.sluice.internal.Offload;
import io.sluice.internal.Proc;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.spi.AbstractInterruptibleChannel;
import java.util.function.IntUnaryOperator;
import org.jspecify.annotations.Nullable;

/** What both ends of a pipe have in common. */
abstract sealed class PipeEnd extends AbstractInterruptibleChannel permits PipeSource, PipeSink {
    private static final Cleaner CLEANER = Cleaner.create();

    static {
        // Also here, for a program that has pipes only.
        FdAccess.grant(new FdVerbs());
        Waits.countProcessors();
    }

    /** The largest power of two that {@code fcntl} can return. */
    private static final long LARGEST_CAPACITY = 1 << 30;

    final Side side;
    final Ledger ledger;
    private final Cleaner.Cleanable cleanable;

    PipeEnd(Descriptor descriptor, Ledger ledger, Runnable closed) {
        this.side = new Side(this, descriptor, Fd.Kind.PIPE, false, "pipe " + descriptor.number(), ledger);
        this.ledger = ledger;
        this.cleanable = CLEANER.register(this, () -> {
            ledger.closing();
            descriptor.close();
            closed.run();
        });
    }

    /** The ledger of a pipe of which the library has these ends. */
    static Ledger ledgerOf(@Nullable Descriptor sink, @Nullable Descriptor source) {
        return new Ledger(
                new PipeLevel(sink, source), sink != null ? sink : new Gate(), source != null ? source : new Gate());
    }

    /** Opens the pipe that {@code fd} is an end of once more, non-blocking, as a description that nobody else shares. */
    static Descriptor reopened(Fd fd, int accessMode) throws IOException {
        Native.require();
        if (fd.kind() != Fd.Kind.PIPE) {
            throw new IllegalArgumentException(
                    fd + " is not a pipe; one side of a splice must be: open a Pipe and splice through it");
        }
        Descriptor original = fd.side.descriptor();
        if (!original.enter()) {
            throw new ClosedChannelException();
        }
        int number;
        try {
            int flags = accessMode | Linux.O_NONBLOCK() | Linux.O_CLOEXEC();
            number = FileCalls.open(Proc.descriptor(original.number()).toString(), flags, 0);
        } finally {
            original.exit();
        }
        if (number < 0) {
            throw Failures.reopen(fd, -number);
        }
        return Descriptor.owned(number);
    }

    /**
     * The size of the pipe's buffer: {@code int fcntl(int fd, F_GETPIPE_SZ)}.
     *
     * @return bytes, a power of two of pages. What fits is counted in {@linkplain #slots slots}.
     * @throws ClosedChannelException if this end is closed
     * @throws ErrnoException if the kernel refuses
     */
    public final long capacity() throws IOException {
        return query("fcntl", "F_GETPIPE_SZ", Syscalls::pipeSize);
    }

    /**
     * Asks for another buffer size: {@code int fcntl(int fd, F_SETPIPE_SZ, int size)}. What is in the pipe stays in it. Larger is not better
     * without limit: 64 KiB to 1 MiB is where pipes have been seen to be fastest.
     *
     * @param bytes the size wanted; the kernel rounds it up to a power of two of pages, at least one page
     * @return the size granted, in bytes
     * @throws ErrnoException EPERM above {@code /proc/sys/fs/pipe-max-size}, or when this user's pipes are past {@code
     *     pipe-user-pages-soft}; EBUSY if what is in the pipe needs more slots (fcntl(2), F_SETPIPE_SZ)
     * @throws ClosedChannelException if this end is closed
     */
    public final long capacity(long bytes) throws IOException {
        if (bytes < 0) {
            throw new IllegalArgumentException("a capacity cannot be negative: " + bytes);
        }
        int size = (int) Math.min(bytes, LARGEST_CAPACITY);
        int number = enter();
        int granted;
        int current;
        try {
            granted = Syscalls.fcntl(number, Linux.F_SETPIPE_SZ(), size);
            current = granted >= 0 ? granted : Syscalls.pipeSize(number);
        } finally {
            side.descriptor().exit();
        }
        if (granted < 0) {
            throw Failures.capacity(-granted, bytes, current);
        }
        return granted;
    }

    /**
     * The number of slots: how many separate runs of bytes fit, whatever their length up to a page.
     *
     * @return capacity divided by the page size
     * @throws ClosedChannelException if this end is closed
     * @throws ErrnoException if the kernel refuses
     */
    public final int slots() throws IOException {
        return (int) (capacity() / MemoryCalls.pageSize());
    }

    /**
     * How much is in the pipe: {@code int ioctl(int fd, FIONREAD, int *)}. After 0 with no writer active, everything that was read has been
     * copied out completely; what was spliced out may still be on its way elsewhere.
     *
     * @return bytes
     * @throws ClosedChannelException if this end is closed
     * @throws ErrnoException if the kernel refuses
     */
    public final int available() throws IOException {
        // Not by query(): so deep within a job's step, the call would be compiled so that it allocates.
        int number = enter();
        int answer;
        try {
            answer = Syscalls.available(number);
        } finally {
            side.descriptor().exit();
        }
        if (answer < 0) {
            throw Failures.query("ioctl", "FIONREAD", -answer, side);
        }
        return answer;
    }

    /**
     * The descriptor's number, for native code of one's own. It is non-blocking, and must not be used after this is closed. Whoever has it
     * may read the pipe, so from here on the pipe has a reader of whom nothing is known, and memory lent to it counts as passed on.
     *
     * @return the number
     * @throws ClosedChannelException if this end is closed
     */
    public final int number() throws ClosedChannelException {
        if (!isOpen()) {
            throw new ClosedChannelException();
        }
        ledger.shareSource();
        ledger.shareSink();
        return side.number();
    }

    /**
     * What this is.
     *
     * @return such as {@code pipe 7}, the number being the descriptor's
     */
    @Override
    public final String toString() {
        return side.words();
    }

    /** Gives the descriptor back, and wakes all who wait on it. */
    @Override
    protected final void implCloseChannel() {
        cleanable.clean();
    }

    final long spliceNow(Side from, long fromOffset, Side to, long toOffset, long max) throws IOException {
        if (nothingToMove(max)) {
            return 0;
        }
        return Moves.spliced(Moves.splice(from, fromOffset, to, toOffset, max), from, fromOffset, to, toOffset, max);
    }

    final long spliceWaiting(Side from, long fromOffset, Side to, long toOffset, long max) throws IOException {
        if (nothingToMove(max)) {
            return 0;
        }
        if (Thread.currentThread().isVirtual() && (from.mayWait() || to.mayWait())) {
            return untilMoved(from, to, () -> {
                Waits.awaitPipe(from, to);
                long n = Offload.call(() -> Moves.splice(from, fromOffset, to, toOffset, max));
                return Moves.spliced(n, from, fromOffset, to, toOffset, max);
            });
        }
        if (!Thread.currentThread().isInterrupted()) {
            long n = spliceNow(from, fromOffset, to, toOffset, max);
            return n != 0 ? n : afterWaiting(from, to, () -> spliceNow(from, fromOffset, to, toOffset, max));
        }
        return untilMoved(from, to, () -> spliceNow(from, fromOffset, to, toOffset, max));
    }

    static long checkOffset(long offset) {
        if (offset < 0) {
            throw new IllegalArgumentException("an offset cannot be negative: " + offset);
        }
        return offset;
    }

    /** Whether {@code max} is 0, for which the kernel would report the end of input. */
    final boolean nothingToMove(long max) throws ClosedChannelException {
        if (max < 0) {
            throw new IllegalArgumentException("cannot move a negative number of bytes: " + max);
        }
        if (max == 0 && !isOpen()) {
            throw new ClosedChannelException();
        }
        return max == 0;
    }

    /**
     * Repeats {@code attempt} until it moves something or meets the end, waiting in between. Interruptible and asynchronously closeable as
     * the channels of java.nio are, except that bytes which did move are always reported.
     */
    final long untilMoved(@Nullable Side from, @Nullable Side to, Moves.Attempt attempt) throws IOException {
        return untilMoved(from, to, attempt, false);
    }

    /** As {@link #untilMoved}, after an attempt that moved nothing: begins by waiting. */
    final long afterWaiting(@Nullable Side from, @Nullable Side to, Moves.Attempt attempt) throws IOException {
        return untilMoved(from, to, attempt, true);
    }

    private long untilMoved(@Nullable Side from, @Nullable Side to, Moves.Attempt attempt, boolean attempted)
            throws IOException {
        if ((from != null && !from.descriptor().isOpen())
                || (to != null && !to.descriptor().isOpen())) {
            throw new ClosedChannelException();
        }
        long n = 0;
        begin();
        try {
            for (int round = 0; n == 0; round++) {
                if (round > 0 || !attempted) {
                    n = attempt.make();
                }
                if (n == 0) {
                    Waits.await(from, to, round);
                }
            }
        } catch (ClosedChannelException e) {
            end(false);
            throw new AsynchronousCloseException();
        } catch (IOException | RuntimeException | Error e) {
            end(true);
            throw e;
        }
        try {
            end(true);
        } catch (ClosedByInterruptException e) {
            // The thread finds its interrupt status set and this end closed; the bytes were moved all the same.
            return n;
        }
        return n;
    }

    private int enter() throws ClosedChannelException {
        if (!side.descriptor().enter()) {
            throw new ClosedChannelException();
        }
        return side.descriptor().number();
    }

    private int query(String call, String operation, IntUnaryOperator question) throws IOException {
        int number = enter();
        int answer;
        try {
            answer = question.applyAsInt(number);
        } finally {
            side.descriptor().exit();
        }
        if (answer < 0) {
            throw Failures.query(call, operation, -answer, side);
        }
        return answer;
    }
}
