package io.sluice;

import io.sluice.internal.Bounce;
import io.sluice.internal.Hold;
import io.sluice.internal.Ledger;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.nio.channels.ClosedChannelException;
import java.util.Objects;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Single attempts to move bytes, none of which waits for a pipe or a socket.
 *
 * <p>They say what Java's channels say: bytes, 0 for would block, −1 for the end of input. {@link #splice} alone returns what the system
 * call does, because it may be made on another thread; {@link #spliced} translates it.
 */
final class Moves {
    /** A side was closed before the call was made. */
    static final long CLOSED = Long.MIN_VALUE;

    private static final int FLAGS = Linux.SPLICE_F_NONBLOCK();
    private static final int SEND_MORE = Linux.MSG_DONTWAIT() | Linux.MSG_NOSIGNAL() | Linux.MSG_MORE();

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

    /** As {@link #write}, from native memory to a socket to which more follows; a socket that is denied send is written to. */
    static long writeMore(Side to, MemorySegment from) throws IOException {
        long n;
        if (!to.begin()) {
            throw new ClosedChannelException();
        }
        try {
            n = SocketCalls.send(to.number(), from.address(), from.byteSize(), SEND_MORE);
        } finally {
            to.end();
            Reference.reachabilityFence(from);
        }
        if (n >= 0 || notAnError(n)) {
            return Math.max(n, 0);
        } else if (n == -Linux.EPERM() || n == -Linux.ENOSYS()) {
            return write(to, from);
        }
        throw Failures.socket("send", to, from.byteSize() + " bytes, MSG_MORE", (int) -n);
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

    static long lend(Side to, long address, long length, Consumer<Hold> lent) throws IOException {
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
    static long lend(Side to, long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException {
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
}
