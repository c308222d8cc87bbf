package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import io.sluice.internal.FdAccess;
import io.sluice.internal.Offload;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * Single attempts to move bytes to or from an end, which is an {@link Fd} or the end of a pipe, and the waiting in between. They never wait
 * for a pipe or a socket; where an end may wait for its disk, a virtual thread has them made by another.
 */
final class Attempts {
    private static final long LONGEST_PAUSE_NANOS = 1_000_000;

    private static final int MOST_EAGER_ROUNDS = 3;

    /** An attempt that returns bytes, 0 for would block, −1 for the end of input. */
    @FunctionalInterface
    interface Attempt {
        long make() throws IOException;
    }

    private int round;

    static long splice(Closeable from, PipeSink into, long max) throws IOException {
        if (from instanceof PipeSource source) {
            return source.trySpliceTo(into, max);
        }
        Fd fd = (Fd) from;
        return mayWait(fd) ? aside(() -> into.trySpliceFrom(fd, max)) : into.trySpliceFrom(fd, max);
    }

    static long splice(PipeSource from, Closeable to, long max) throws IOException {
        if (to instanceof PipeSink sink) {
            return from.trySpliceTo(sink, max);
        }
        Fd fd = (Fd) to;
        return mayWait(fd) ? aside(() -> from.trySpliceTo(fd, max)) : from.trySpliceTo(fd, max);
    }

    /** Reads into what remains of the buffer, and advances its position. */
    static long read(Closeable from, ByteBuffer into) throws IOException {
        MemorySegment memory = MemorySegment.ofBuffer(into);
        long n = mayWait(from)
                ? aside(() -> FdAccess.get().tryRead(from, memory))
                : FdAccess.get().tryRead(from, memory);
        into.position(into.position() + (int) Math.max(n, 0));
        return n;
    }

    static long write(Closeable to, MemorySegment from) throws IOException {
        return mayWait(to)
                ? aside(() -> FdAccess.get().tryWrite(to, from))
                : FdAccess.get().tryWrite(to, from);
    }

    /** Writes what remains in the buffer, and advances its position. */
    static long write(Closeable to, ByteBuffer from) throws IOException {
        long n = write(to, MemorySegment.ofBuffer(from));
        from.position(from.position() + (int) n);
        return n;
    }

    /** Makes the attempt on a platform thread if this one is virtual. */
    static long aside(Attempt attempt) throws IOException {
        if (!Thread.currentThread().isVirtual()) {
            return attempt.make();
        }
        IOException[] failure = new IOException[1];
        long n = Offload.call(() -> {
            try {
                return attempt.make();
            } catch (IOException e) {
                failure[0] = e;
                return 0;
            }
        });
        if (failure[0] != null) {
            throw failure[0];
        }
        return n;
    }

    static boolean mayWait(Closeable end) {
        return end instanceof Fd fd && (fd.kind() == Fd.Kind.FILE || fd.kind() == Fd.Kind.OTHER);
    }

    private static boolean isAlwaysReady(Closeable end) {
        return end instanceof Fd fd && (fd.kind() == Fd.Kind.FILE || fd.kind() == Fd.Kind.NULL);
    }

    /** Something has moved: the next wait is the first of its kind. */
    void moved() {
        round = 0;
    }

    /**
     * Waits for the side that held up an attempt: for {@code readable} to have something or, if that is null, for {@code writable} to have
     * room; or until that end is closed or the thread interrupted. Returns early now and then.
     *
     * <p>Where an end says that it is ready and yet nothing moves, the state is one that passes; a growing pause keeps that from becoming a
     * spin. A virtual thread first lets others run once, which is often all that the other side needs.
     */
    @SuppressWarnings("ThreadPriorityCheck") // the yield is a saving, not what correctness rests on
    void await(@Nullable Closeable readable, @Nullable Closeable writable) throws IOException {
        Closeable end = readable != null ? readable : writable;
        int rounds = round++;
        if (rounds == 0 && Thread.currentThread().isVirtual()) {
            Thread.yield();
            return;
        }
        boolean alwaysReady = end == null || isAlwaysReady(end);
        if (alwaysReady || rounds > MOST_EAGER_ROUNDS) {
            LockSupport.parkNanos(this, Math.min(1000L << Math.min(rounds, 10), LONGEST_PAUSE_NANOS));
        }
        if (!alwaysReady) {
            FdAccess.get().await(readable, writable, Long.MAX_VALUE);
        }
    }
}
