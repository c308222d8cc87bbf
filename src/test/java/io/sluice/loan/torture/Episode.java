package io.sluice.loan.torture;

import io.sluice.ErrnoException;
import io.sluice.Pipe;
import io.sluice.internal.FileCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Results;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.TreeMap;
import java.util.concurrent.locks.ReentrantLock;

/** The life of one pipe: who else has an end of it, how much passes through it, how it ends, and what its reader really did. */
final class Episode {
    private static final int NONE = -1;
    private static final int LARGEST = 48 << 20;

    /** Who has an end of the pipe besides the library. */
    enum Others {
        NOBODY,
        A_WRITER,
        A_READER_WHO_COPIES,
        A_READER;

        boolean read() {
            return this == A_READER_WHO_COPIES || this == A_READER;
        }
    }

    enum Ending {
        END_OF_STREAM,
        READER_CLOSES,
        READER_CLOSES_BOTH,
        WRITER_CLOSES_BOTH,
        WRITER_IS_INTERRUPTED,
        READER_IS_INTERRUPTED
    }

    /** One side could not go on because the other one, or a third party, had closed the pipe. */
    static final class CutShort extends Exception {
        private static final long serialVersionUID = 1L;

        CutShort(Exception cause) {
            super(cause);
        }
    }

    final Pipe pipe;
    final long start;
    final long end;
    final Others others;
    final Ending ending;

    /** Where the one who ends it early does so. */
    final long cut;

    /** From which position of the one whose end they share the others have theirs. */
    final long shareAt;

    /** No byte from here on has left the pipe. */
    volatile long limit;

    /** Every byte before this has left, and {@link #forwarded} knows how. */
    volatile long taken;

    /** Somebody closes an end before the stream's end, or is about to. */
    volatile boolean closing;

    /** The others have their ends, or are about to. */
    volatile boolean shared;

    volatile Thread writer = Thread.currentThread();
    volatile Thread reader;

    /** What the writer knows to be in the pipe, and what may be. */
    volatile long written;

    volatile long writtenAtMost;

    private final ReentrantLock lock = new ReentrantLock();
    private final TreeMap<Long, Long> forwarded = new TreeMap<>();
    private volatile int foreignSource = NONE;
    private volatile int foreignSink = NONE;

    Episode(SplittableRandom random, long start) throws IOException {
        this.start = start;
        this.end = start + (1L << random.nextInt(12, 26)) + random.nextInt(LARGEST >> random.nextInt(12));
        this.cut = random.nextLong(start, end);
        this.others = random.nextInt(5) == 0 ? Others.values()[random.nextInt(Others.values().length)] : Others.NOBODY;
        this.ending =
                random.nextInt(3) == 0 ? Ending.values()[random.nextInt(Ending.values().length)] : Ending.END_OF_STREAM;
        // Otherwise an end might be opened again while the other side closes it, and its number be a stranger's.
        boolean atOnce = ending == Ending.READER_CLOSES_BOTH || ending == Ending.WRITER_CLOSES_BOTH;
        this.shareAt = atOnce || random.nextBoolean() ? start : random.nextLong(start, end);
        this.limit = start;
        this.taken = start;
        this.written = start;
        this.writtenAtMost = start;
        this.pipe = Pipe.open();
        resize(random);
        if (shareAt == start) {
            share();
        }
    }

    /** Asks for another capacity, which the kernel may refuse. */
    void resize(SplittableRandom random) throws IOException {
        try {
            pipe.capacity(4096L << random.nextInt(9));
        } catch (ErrnoException e) {
            if (!e.name().equals("EBUSY") && !e.name().equals("EPERM")) {
                throw e;
            }
        }
    }

    /** Lets the others have their ends, and opens them as they would. */
    void share() throws IOException {
        shared = true;
        try {
            openForOthers();
        } catch (ClosedChannelException e) {
            // The end was closed meanwhile, so that others cannot have it.
        }
    }

    private void openForOthers() throws IOException {
        switch (others) {
            case NOBODY -> {}
            case A_WRITER -> foreignSink = reopen(pipe.sink().redirect().file().getPath(), Linux.O_WRONLY());
            case A_READER_WHO_COPIES -> {
                pipe.sink().promiseReadersCopy();
                foreignSource = reopen("/proc/self/fd/" + pipe.source().number(), Linux.O_RDONLY());
            }
            case A_READER ->
                foreignSource = reopen(pipe.source().redirect().file().getPath(), Linux.O_RDONLY());
        }
    }

    /** The other reader's descriptor, or negative. For the reader's thread, who also closes it. */
    int foreignSource() {
        return foreignSource;
    }

    /** The other writer's descriptor, or negative. For the writer's thread, who also closes it. */
    int foreignSink() {
        return foreignSink;
    }

    void closeForeignSource() {
        foreignSource = closed(foreignSource);
    }

    void closeForeignSink() {
        foreignSink = closed(foreignSink);
    }

    /** What to throw for an exception at either side: the same, unless somebody closes the pipe. */
    Exception explained(Exception e) {
        boolean closed = e instanceof IOException || e instanceof InterruptedException;
        return closed && closing ? new CutShort(e) : e;
    }

    /** The reader passed these on by reference, or duplicated them. */
    void forwarded(long from, long to) {
        lock.lock();
        try {
            Map.Entry<Long, Long> before = forwarded.floorEntry(from);
            if (before != null && before.getValue() >= from) {
                forwarded.put(before.getKey(), Math.max(before.getValue(), to));
            } else {
                forwarded.put(from, to);
            }
        } finally {
            lock.unlock();
        }
    }

    /** Whether the reader passed on anything of this range. */
    boolean wasForwarded(long from, long to) {
        lock.lock();
        try {
            Map.Entry<Long, Long> last = forwarded.lowerEntry(to);
            return last != null && last.getValue() > from;
        } finally {
            lock.unlock();
        }
    }

    @Override
    public String toString() {
        return "pipe for %d to %d, others: %s from %d, ending: %s at %d, limit %d, taken %d, written %d%s"
                .formatted(start, end, others, shareAt, ending, cut, limit, taken, written, closing ? ", closing" : "");
    }

    private static int closed(int descriptor) {
        if (descriptor >= 0) {
            Results.gives(0, Syscalls.close(descriptor));
        }
        return NONE;
    }

    private static int reopen(String path, int access) throws IOException {
        int descriptor = FileCalls.open(path, access | Linux.O_NONBLOCK() | Linux.O_CLOEXEC(), 0);
        if (descriptor < 0) {
            throw new IOException(path + ": " + Results.shown(descriptor));
        }
        return descriptor;
    }
}
