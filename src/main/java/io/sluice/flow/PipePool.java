package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Pipe;
import io.sluice.internal.PipeAccess;
import io.sluice.internal.ffi.Linux;
import java.io.Closeable;
import java.io.IOException;
import java.util.concurrent.atomic.AtomicReferenceArray;
import org.jspecify.annotations.Nullable;

/**
 * Pipes that wait to be used again, because opening one costs more than moving a page through it.
 *
 * <p>A pipe comes back into the pool only if it is <b>proven empty</b>: both ends open, nothing in it by the kernel's own count, and no end
 * ever given to anybody else. Any other is closed: what was left in it must not reach the next user's peer.
 *
 * <p>A pipe's size is asked for once, when it is opened. Where the user's pipes are past {@code /proc/sys/fs/pipe-user-pages-soft} the kernel
 * grants less; the pool halves what it asks for until it is granted, and goes on with what there is. Such a pipe is not kept for the next
 * job, but closed, which gives its pages back.
 *
 * <p>Safe for use by several threads, none of which ever waits for another.
 */
public final class PipePool implements Closeable {
    /** Below this, asking again would cost more than it brings. */
    private static final long SMALLEST = 8 << 10;

    private static final int SHARED_IDLE = 16;
    private static final long SHARED_CAPACITY = 1 << 20;

    private static final class Shared {
        static final PipePool POOL = new PipePool(SHARED_IDLE, SHARED_CAPACITY);
    }

    /** Where idle pipes are; a thread begins to look in a place of its own. */
    private final AtomicReferenceArray<@Nullable Pipe> places;

    private final long capacity;
    private volatile boolean closed;

    /** Whether the last pipe was granted less than was asked for, so that those which come back may be too small. */
    private volatile boolean squeezed;

    private PipePool(int mostIdle, long capacity) {
        this.places = new AtomicReferenceArray<>(mostIdle);
        this.capacity = capacity;
    }

    /**
     * A pool of its own.
     *
     * @param mostIdle how many pipes may wait in it; each holds two descriptors
     * @param capacity what its pipes should hold, in bytes
     * @return a pool, to be closed
     * @throws IllegalArgumentException if either is not positive
     */
    public static PipePool of(int mostIdle, long capacity) {
        if (mostIdle <= 0 || capacity <= 0) {
            throw new IllegalArgumentException(
                    "a pool keeps at least one pipe of at least one byte: " + mostIdle + " of " + capacity);
        }
        return new PipePool(mostIdle, capacity);
    }

    /**
     * The pool that jobs use which were given none: up to 16 idle pipes of 1 MiB.
     *
     * @return the pool; closing it closes its idle pipes, and it stays usable without keeping any
     */
    public static PipePool shared() {
        return Shared.POOL;
    }

    /**
     * An empty pipe that nobody else uses.
     *
     * @return a pipe to {@link #giveBack}, or to close
     * @throws ErrnoException EMFILE or ENFILE if no descriptor is left
     */
    public Pipe take() throws IOException {
        int start = start();
        for (int i = 0; i < places.length(); i++) {
            int place = (start + i) % places.length();
            Pipe pipe = places.get(place);
            if (pipe != null && places.compareAndSet(place, pipe, null)) {
                return pipe;
            }
        }
        return open();
    }

    private Pipe open() throws IOException {
        Pipe pipe = Pipe.open();
        try {
            resize(pipe);
            return pipe;
        } catch (IOException | RuntimeException | Error e) {
            pipe.close();
            throw e;
        }
    }

    // A new pipe of two pages says that there is no more for this user, so asking would only take time.
    private void resize(Pipe pipe) throws IOException {
        long now = pipe.capacity();
        long wanted = now <= SMALLEST ? Math.min(capacity, now) : capacity;
        while (wanted != now && !granted(pipe, wanted) && wanted > SMALLEST) {
            wanted /= 2;
        }
        squeezed = wanted < capacity;
    }

    private static boolean granted(Pipe pipe, long wanted) throws IOException {
        try {
            pipe.capacity(wanted);
            return true;
        } catch (ErrnoException e) {
            if (e.errno() != Linux.EPERM()) {
                throw e;
            }
            return false;
        }
    }

    /**
     * Takes a pipe back, or closes it if it is not proven empty, there is no place for it, or the pool is closed.
     *
     * @param pipe one that {@link #take} gave out; it must not be used afterwards
     * @throws IllegalStateException if it waits in the pool already
     * @throws IOException if the pipe cannot be closed
     */
    public void giveBack(Pipe pipe) throws IOException {
        for (int i = 0; i < places.length(); i++) {
            if (places.get(i) == pipe) {
                throw new IllegalStateException("given back twice, so that two users would share it: " + pipe);
            }
        }
        if (closed || !isProvenEmpty(pipe) || !isLargeEnough(pipe) || !isPlaced(pipe)) {
            pipe.close();
        } else if (closed) {
            close();
        }
    }

    private boolean isPlaced(Pipe pipe) {
        int start = start();
        for (int i = 0; i < places.length(); i++) {
            if (places.compareAndSet((start + i) % places.length(), null, pipe)) {
                return true;
            }
        }
        return false;
    }

    // One that was granted less is not kept: closed, it leaves its pages to others, and the next may be granted more.
    private boolean isLargeEnough(Pipe pipe) {
        try {
            return !squeezed || pipe.capacity() >= capacity;
        } catch (IOException e) {
            return false;
        }
    }

    private static boolean isProvenEmpty(Pipe pipe) {
        try {
            return pipe.source().isOpen()
                    && pipe.sink().isOpen()
                    && !PipeAccess.get().ledger(pipe.sink()).isShared()
                    && pipe.source().available() == 0;
        } catch (IOException e) {
            return false;
        }
    }

    private int start() {
        return (int) (Thread.currentThread().threadId() % places.length());
    }

    /**
     * How many pipes wait.
     *
     * @return idle pipes, at this moment
     */
    public int idle() {
        int idle = 0;
        for (int i = 0; i < places.length(); i++) {
            idle += places.get(i) == null ? 0 : 1;
        }
        return idle;
    }

    /**
     * What its pipes should hold.
     *
     * @return bytes; a pipe may have been granted less
     */
    public long capacity() {
        return capacity;
    }

    /** Closes the idle pipes; those in use are closed when they are given back. */
    @Override
    public void close() throws IOException {
        closed = true;
        for (int i = 0; i < places.length(); i++) {
            Pipe pipe = places.getAndSet(i, null);
            if (pipe != null) {
                pipe.close();
            }
        }
    }
}
