package io.sluice;

import io.sluice.internal.Bounce;
import io.sluice.internal.Ledger;
import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.WaitFailedException;
import io.sluice.internal.Waiter;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.Objects;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Single attempts to move bytes, none of which waits for a pipe or a socket, and the waiting in between.
 *
 * <p>They say what Java's channels say: bytes, 0 for would block, −1 for the end of input. {@link #splice} alone returns what the system
 * call does, because it may be made on another thread; {@link #spliced} translates it.
 */
final class Moves {
    /** A side was closed before the call was made. */
    static final long CLOSED = Long.MIN_VALUE;

    private static final int FLAGS = Linux.SPLICE_F_NONBLOCK();
    private static final long LONGEST_PAUSE_NANOS = 1_000_000;

    /** Attempts that a platform thread makes within some 5 µs before it sleeps, where that is less than being woken takes. */
    private static final int BRIEF_ROUNDS = Runtime.getRuntime().availableProcessors() > 1 ? 4 : 0;

    private static final int SHORTEST_SPIN = 16;
    private static final int ROUNDS_BEFORE_PAUSE = BRIEF_ROUNDS + 3;

    /** An attempt that returns bytes, 0 for would block, −1 for the end of input. */
    @FunctionalInterface
    interface Attempt {
        long make() throws IOException;
    }

    private Moves() {}

    static long splice(Side from, long fromOffset, Side to, long toOffset, long max) {
        return splice(from, fromOffset, to, toOffset, max, FLAGS);
    }

    static long spliceMore(Side from, Side to, long max) {
        return splice(from, -1, to, -1, max, FLAGS | Linux.SPLICE_F_MORE());
    }

    private static long splice(Side from, long fromOffset, Side to, long toOffset, long max, int flags) {
        if (!from.begin()) {
            return CLOSED;
        }
        try {
            if (!to.begin()) {
                return CLOSED;
            }
            try {
                long enteredBefore = from.entered();
                long n = Syscalls.splice(from.number(), fromOffset, to.number(), toOffset, max, flags);
                if (to.kind() == Fd.Kind.NULL) {
                    from.taken(n, max, enteredBefore);
                } else if (n > 0) {
                    to.entered(n);
                    from.left(n, !to.copies());
                }
                return n;
            } finally {
                to.end();
            }
        } finally {
            from.end();
        }
    }

    static long spliced(long n, Side from, long fromOffset, Side to, long toOffset, long max) throws IOException {
        if (n > 0) {
            return n;
        }
        if (notAnError(n)) {
            return endOrNothing(n, from);
        }
        throw Failures.splice((int) -n, from, fromOffset, to, toOffset, max);
    }

    static long tee(Side from, Side to, long max) throws IOException {
        long n = teeOnce(from, to, max);
        if (n > 0) {
            return n;
        }
        if (notAnError(n)) {
            return endOrNothing(n, from);
        }
        throw Failures.tee((int) -n, from, to, max);
    }

    private static long teeOnce(Side from, Side to, long max) {
        if (!from.begin()) {
            return CLOSED;
        }
        try {
            if (!to.begin()) {
                return CLOSED;
            }
            try {
                long n = Syscalls.tee(from.number(), to.number(), max, FLAGS);
                if (n > 0) {
                    to.entered(n);
                    from.duplicated(n);
                }
                return n;
            } finally {
                to.end();
            }
        } finally {
            from.end();
        }
    }

    static long read(Side from, MemorySegment into) throws IOException {
        long n;
        if (!from.begin()) {
            throw new ClosedChannelException();
        }
        try {
            long asked = into.isNative() ? into.byteSize() : Math.min(into.byteSize(), Bounce.SIZE);
            long enteredBefore = from.entered();
            n = into.isNative() ? Syscalls.read(from.number(), into, asked) : readArray(from.number(), into, asked);
            from.taken(n, asked, enteredBefore);
        } finally {
            from.end();
        }
        if (n > 0) {
            return n;
        }
        if (notAnError(n)) {
            return endOrNothing(n, from);
        }
        throw Failures.read((int) -n, from, into.byteSize());
    }

    static long write(Side to, MemorySegment from) throws IOException {
        long n;
        if (!to.begin()) {
            throw new ClosedChannelException();
        }
        try {
            n = from.isNative() ? Syscalls.write(to.number(), from, from.byteSize()) : writeArray(to.number(), from);
            if (n > 0) {
                to.entered(n);
            }
        } finally {
            to.end();
        }
        if (n >= 0 || notAnError(n)) {
            return Math.max(n, 0);
        }
        throw Failures.write((int) -n, to, from.byteSize());
    }

    static long lend(Side to, long address, long length, Consumer<Ledger.Entry> lent) throws IOException {
        Ledger ledger = Objects.requireNonNull(to.ledger());
        long n;
        if (!to.begin()) {
            throw new ClosedChannelException();
        }
        try {
            Ledger.Entry entry = ledger.lend(0, Math.min(length, Syscalls.MAX_LENGTH));
            n = Syscalls.vmsplice(to.number(), address, length, FLAGS);
            ledger.lent(entry, Math.max(n, 0));
            if (n > 0) {
                lent.accept(entry);
            }
        } finally {
            to.end();
        }
        return lent(n, to, length);
    }

    /** As {@link #lend(Side, long, long, Consumer)} with several ranges; {@code lent[i]} is set if anything of range i was lent. */
    static long lend(Side to, long[] addresses, long[] lengths, Ledger.@Nullable Entry[] lent) throws IOException {
        Ledger ledger = Objects.requireNonNull(to.ledger());
        long ahead = 0;
        long n;
        if (!to.begin()) {
            throw new ClosedChannelException();
        }
        try {
            Ledger.Entry[] registered = new Ledger.Entry[lengths.length];
            for (int i = 0; i < lengths.length; i++) {
                registered[i] = ledger.lend(ahead, lengths[i]);
                ahead += lengths[i];
            }
            n = Syscalls.vmsplice(to.number(), addresses, lengths, FLAGS);
            long rest = Math.max(n, 0);
            for (int i = 0; i < lengths.length; i++) {
                long of = Math.min(rest, lengths[i]);
                ledger.lent(registered[i], of);
                lent[i] = of > 0 ? registered[i] : null;
                rest -= of;
            }
        } finally {
            to.end();
        }
        return lent(n, to, ahead);
    }

    private static long lent(long n, Side to, long length) throws IOException {
        if (n >= 0 || notAnError(n)) {
            return Math.max(n, 0);
        }
        throw Failures.vmsplice((int) -n, to, length);
    }

    private static long readArray(int fd, MemorySegment into, long length) {
        MemorySegment bounce = Bounce.take();
        try {
            long n = Syscalls.read(fd, bounce, length);
            if (n > 0) {
                MemorySegment.copy(bounce, 0, into, 0, n);
            }
            return n;
        } finally {
            Bounce.giveBack(bounce);
        }
    }

    private static long writeArray(int fd, MemorySegment from) {
        MemorySegment bounce = Bounce.take();
        try {
            long length = Math.min(from.byteSize(), Bounce.SIZE);
            MemorySegment.copy(from, 0, bounce, 0, length);
            return Syscalls.write(fd, bounce, length);
        } finally {
            Bounce.giveBack(bounce);
        }
    }

    // The end may have come of closing both ends of the pipe during the call: that is not the end of the stream.
    private static long endOrNothing(long n, Side from) throws ClosedChannelException {
        if (n == 0 && !from.descriptor().isOpen()) {
            throw new ClosedChannelException();
        }
        return n == 0 ? -1 : 0;
    }

    /** What {@code n}, which is not an error, means to a caller: bytes, 0 for would block, −1 for the end. */
    static long said(long n, Side from) throws ClosedChannelException {
        return n > 0 ? n : endOrNothing(n, from);
    }

    static boolean notAnError(long n) throws ClosedChannelException {
        if (n == CLOSED) {
            throw new ClosedChannelException();
        }
        return n == 0 || n == -Linux.EAGAIN();
    }

    /**
     * Waits for the side that held up the attempt before: the source if it has nothing, else the target if it has no room.
     *
     * <p>A virtual thread first lets others run once, which is often all that the other side needs. A platform thread whose pipe has memory,
     * a pipe or the null device at its other side spins for a few microseconds: who fills or drains it may work at memory's speed, and
     * being woken takes longer. Where both sides say that they are ready although nothing moved, what was missing has come meanwhile. Where
     * they go on saying so, a descriptor reports an error for good; a growing pause keeps that from becoming a spin.
     *
     * @param from the source, or null if it is memory
     * @param to the target, or null if it is memory
     * @param round how many attempts moved nothing before this wait, less one
     */
    @SuppressWarnings("ThreadPriorityCheck") // the yield is a measured saving, not what correctness rests on
    static void await(@Nullable Side from, @Nullable Side to, int round) throws ErrnoException {
        if (round == 0 && Thread.currentThread().isVirtual()) {
            Thread.yield();
        } else if (round < BRIEF_ROUNDS && !Thread.currentThread().isVirtual() && isFast(from) && isFast(to)) {
            for (int i = 0; i < SHORTEST_SPIN << round; i++) {
                Thread.onSpinWait();
            }
        } else if (from != null && to != null) {
            awaitEither(from, to, round);
        } else if (from != null) {
            awaitReady(from, Linux.POLLIN(), from, Long.MAX_VALUE);
        } else if (to != null) {
            awaitReady(to, Linux.POLLOUT(), to, Long.MAX_VALUE);
        }
    }

    private static boolean isFast(@Nullable Side side) {
        return side == null || side.isPipe() || side.kind() == Fd.Kind.NULL;
    }

    private static void awaitEither(Side from, Side to, int round) throws ErrnoException {
        if (to.kind() == Fd.Kind.NULL && round < ROUNDS_BEFORE_PAUSE) {
            awaitReady(from, Linux.POLLIN(), to, Long.MAX_VALUE); // nothing else can have been missing
            return;
        }
        int ready = ready(from, to);
        if ((ready & 1) == 0) {
            awaitReady(from, Linux.POLLIN(), to, Long.MAX_VALUE);
        } else if ((ready & 2) == 0) {
            awaitReady(to, Linux.POLLOUT(), from, Long.MAX_VALUE);
        } else if (round >= ROUNDS_BEFORE_PAUSE) {
            LockSupport.parkNanos(Math.min(1000L << Math.min(round - ROUNDS_BEFORE_PAUSE, 10), LONGEST_PAUSE_NANOS));
        }
    }

    /** Waits until the pipe at one side of a transfer has bytes or a free slot, before a thread is spent on the other side's disk. */
    static void awaitPipe(Side from, Side to) throws ErrnoException {
        int ready = ready(from, to);
        if (from.isPipe() && (ready & 1) == 0) {
            awaitReady(from, Linux.POLLIN(), to, Long.MAX_VALUE);
        } else if (to.isPipe() && (ready & 2) == 0) {
            awaitReady(to, Linux.POLLOUT(), from, Long.MAX_VALUE);
        }
    }

    private static int ready(Side from, Side to) throws ErrnoException {
        int in = from.descriptor().number();
        int out = to.descriptor().number();
        int ready = WaitCalls.poll(in, Linux.POLLIN(), out, Linux.POLLOUT(), 0);
        if (ready >= 0) {
            return ready;
        } else if (ready == -Linux.EINTR() || ready == -Linux.EAGAIN()) {
            return 3;
        }
        throw Failures.query("poll", "POLLIN, and " + to.words() + ", POLLOUT", -ready, from);
    }

    static void awaitReady(Side side, int events, Side other, long nanos) throws ErrnoException {
        try {
            Waiter.await(side.descriptor(), events, other.descriptor(), nanos);
        } catch (WaitFailedException e) {
            throw Failures.waiting(e, side);
        }
    }
}
