package io.sluice.flow;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.sluice.ErrnoException;
import io.sluice.Fd.Kind;
import io.sluice.Pipe;
import io.sluice.flow.Transfer.Engine;
import io.sluice.flow.TransferException.Side;
import io.sluice.internal.Bounce;
import io.sluice.internal.FdAccess;
import io.sluice.internal.ffi.Linux;
import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * One run of a transfer, in the thread that started it.
 *
 * <p>Each way of moving bytes returns whether it came to the end of the job; if not, nothing has been delivered, or what was taken from the
 * source has been, and the next way goes on from there.
 */
final class TransferRun {
    /** How much one call is asked for where somebody wants to hear of progress. */
    private static final long STEP = 16 << 20;

    /** What a pipe takes without waiting whenever poll(2) says that there is room. */
    private static final long PIPE_BUF = 4096;

    private static final long SHORTEST_PAUSE_NANOS = 1000;
    private static final int MOST_DOUBLINGS = 10;

    private final FdAccess access = FdAccess.get();
    private final TransferEnd from;
    private final TransferEnd to;
    private final Transfer.Length length;
    private final @Nullable LongConsumer progress;
    private final PipePool pool;
    private final AtomicLong total;

    private Engine engine = Engine.NONE;
    private long delivered;
    private boolean endIsDoubtful;

    /** How long the source was when the target was first full; negative before. */
    private long knownLength = -1;

    /** What has left the source and not reached the target: in this pipe, and in memory between two places. */
    private @Nullable Pipe pipe;

    private long inPipe;
    private @Nullable MemorySegment memory;
    private long memoryFrom;
    private long memoryTo;

    TransferRun(
            TransferEnd from,
            TransferEnd to,
            Transfer.Length length,
            @Nullable LongConsumer progress,
            PipePool pool,
            AtomicLong total) {
        this.from = from;
        this.to = to;
        this.length = length;
        this.progress = progress;
        this.pool = pool;
        this.total = total;
    }

    Transfer.Result run() throws IOException {
        try {
            requireOpen();
            if (left() > 0) {
                move();
            }
        } catch (ClosedChannelException e) {
            throw failed(e, from.isOpen() ? to.isOpen() ? Side.UNKNOWN : Side.TARGET : Side.SOURCE);
        }
        if (length.exact() && left() > 0) {
            throw failed(new EOFException("the source ended before all " + length.most() + " bytes came"), Side.SOURCE);
        }
        return new Transfer.Result(delivered, engine, from.kind, to.kind, access.copies(to.what));
    }

    long delivered() {
        return delivered;
    }

    Engine engine() {
        return engine;
    }

    private void requireOpen() throws ClosedChannelException {
        if (!from.isOpen() || !to.isOpen()) {
            throw new ClosedChannelException();
        }
    }

    private void move() throws IOException {
        for (Engine way : Route.between(from, to, length)) {
            if (endIsDoubtful && way != Engine.READ_WRITE) {
                continue;
            }
            engine = way;
            boolean done = switch (way) {
                case COPY_FILE_RANGE -> directly(Mover.COPY_FILE_RANGE);
                case SENDFILE -> directly(Mover.SENDFILE);
                case SPLICE -> directly(Mover.SPLICE);
                case SPLICE_THROUGH_PIPE -> throughPipe();
                case READ_WRITE, NONE -> readAndWrite();
            };
            if (done) {
                return;
            }
        }
    }

    /** One call takes bytes from one side and gives them to the other: none are ever in between. */
    private boolean directly(Mover mover) throws IOException {
        if (mover.isDenied()) {
            return false;
        }
        for (int round = 0; left() > 0; ) {
            stopIfInterrupted();
            long most = progress == null ? left() : Math.min(left(), STEP);
            long n;
            try {
                n = once(mover, most);
            } catch (ErrnoException e) {
                if (delivered == 0 && mover.isRefused(e) && !isTheSamePipe(e)) {
                    return false;
                }
                throw failed(e, Route.culprit(e, from.kind, to.kind));
            }
            if (n < 0) {
                return isEnd();
            } else if (n == 0) {
                awaitEither(mover, round++);
            } else {
                round = 0;
                from.moved(n);
                delivered(n);
                tell();
                if (n < most && mover == Mover.SENDFILE && hasMore()) {
                    awaitRoom();
                }
            }
        }
        return true;
    }

    private long once(Mover mover, long most) throws IOException {
        return switch (mover) {
            case COPY_FILE_RANGE -> access.tryCopyRange(from.what, from.offset, to.what, to.offset, most);
            case SENDFILE -> access.trySendfile(from.what, from.offset, to.what, most);
            case SPLICE -> access.trySplice(from.what, from.offset, to.what, to.offset, most);
        };
    }

    // Copying a pipe into itself would never end.
    private boolean isTheSamePipe(ErrnoException e) {
        return e.errno() == Linux.EINVAL() && from.kind == Kind.PIPE && to.kind == Kind.PIPE;
    }

    private boolean throughPipe() throws IOException {
        Pipe between = Mover.SPLICE.isDenied() ? null : pipeIfThereIsOne();
        if (between == null) {
            return false;
        }
        pipe = between;
        try {
            return pump(between);
        } finally {
            if (pipe != null) {
                pipe = null;
                pool.giveBack(between);
            }
        }
    }

    // No descriptor may be left, or pipes may be denied: neither is needed to read and write.
    private @Nullable Pipe pipeIfThereIsOne() throws IOException {
        try {
            return pool.take();
        } catch (ErrnoException e) {
            return null;
        }
    }

    private boolean pump(Pipe between) throws IOException {
        long capacity = between.capacity();
        // Invariant: the pipe is empty here, so a fill that moves nothing can only have met a source that has nothing.
        for (int round = 0; left() > 0; ) {
            stopIfInterrupted();
            long n;
            try {
                n = access.trySplice(from.what, from.offset, between.sink(), -1, Math.min(left(), capacity));
            } catch (ErrnoException e) {
                if (delivered == 0 && Mover.SPLICE.isRefused(e)) {
                    return false;
                }
                throw failed(e, Side.SOURCE);
            }
            if (n < 0) {
                return isEnd();
            } else if (n == 0) {
                awaitSource(round++);
            } else {
                round = 0;
                from.moved(n);
                inPipe = n;
                if (!drain(between)) {
                    unload(between);
                    tell();
                    return false;
                }
                tell();
            }
        }
        return true;
    }

    /** Empties the pipe; false if its target turns out not to be one that can be spliced to, and has taken nothing. */
    private boolean drain(Pipe between) throws IOException {
        // Invariant: the next inPipe bytes of the stream are in the pipe, so moving nothing can only be the target's
        // doing.
        for (int round = 0; inPipe > 0; ) {
            stopIfInterrupted();
            long n;
            try {
                n = access.trySplice(between.source(), -1, to.what, to.offset, inPipe);
            } catch (ErrnoException e) {
                if (delivered == 0 && Mover.SPLICE.isRefused(e)) {
                    return false;
                }
                throw failed(e, Side.TARGET);
            }
            if (n > 0) {
                round = 0;
                inPipe -= n;
                delivered(n);
                if (inPipe > 0) {
                    awaitRoom();
                }
            } else {
                awaitTarget(round++);
            }
        }
        return true;
    }

    private void unload(Pipe between) throws IOException {
        engine = Engine.READ_WRITE;
        MemorySegment buffer = Bounce.take();
        try {
            while (inPipe > 0) {
                long n = between.source().tryRead(buffer);
                inPipe -= n;
                deliver(buffer, n);
            }
        } finally {
            Bounce.giveBack(buffer);
        }
    }

    private boolean readAndWrite() throws IOException {
        MemorySegment buffer = Bounce.take();
        try {
            // Invariant: nothing is between the two sides here.
            for (int round = 0; left() > 0; ) {
                stopIfInterrupted();
                long n;
                try {
                    n = read(buffer.asSlice(0, Math.min(left(), Bounce.SIZE)));
                } catch (ErrnoException e) {
                    throw failed(e, Side.SOURCE);
                }
                if (n < 0) {
                    return true;
                } else if (n == 0) {
                    awaitSource(round++);
                } else {
                    round = 0;
                    from.moved(n);
                    deliver(buffer, n);
                    tell();
                }
            }
            return true;
        } finally {
            Bounce.giveBack(buffer);
        }
    }

    private long read(MemorySegment into) throws IOException {
        if (from.what instanceof Remainder remainder) {
            return remainder.read(into.asByteBuffer());
        }
        return from.mayBlock() && !access.isReady(from.what, false) ? 0 : access.tryRead(from.what, from.offset, into);
    }

    private void deliver(MemorySegment buffer, long n) throws IOException {
        memory = buffer;
        memoryFrom = 0;
        memoryTo = n;
        // Invariant: of the buffer, everything from memoryFrom to memoryTo was taken from the source and is not
        // delivered.
        for (int round = 0; memoryFrom < memoryTo; ) {
            stopIfInterrupted();
            long w;
            try {
                w = write(buffer.asSlice(memoryFrom, memoryTo - memoryFrom));
            } catch (ErrnoException e) {
                throw failed(e, Side.TARGET);
            }
            if (w > 0) {
                round = 0;
                memoryFrom += w;
                delivered(w);
                if (memoryFrom < memoryTo) {
                    awaitRoom();
                }
            } else {
                awaitTarget(round++);
            }
        }
        memory = null;
    }

    private long write(MemorySegment data) throws IOException {
        if (!to.mayBlock()) {
            return access.tryWrite(to.what, to.offset, data);
        } else if (!access.isReady(to.what, true)) {
            return 0;
        }
        return access.tryWrite(to.what, to.offset, data.asSlice(0, Math.min(data.byteSize(), PIPE_BUF)));
    }

    private long left() {
        return length.most() - delivered;
    }

    private void delivered(long n) {
        to.moved(n);
        delivered += n;
        total.addAndGet(n);
    }

    private void tell() {
        if (progress != null) {
            progress.accept(delivered);
        }
    }

    // A file of /proc, and many a file system in user space, says this of a file that has bytes, unless it is read.
    private boolean isEnd() {
        endIsDoubtful = delivered == 0 && from.kind != Kind.SOCKET && from.kind != Kind.PIPE;
        return !endIsDoubtful;
    }

    private void awaitEither(Mover mover, int round) throws IOException {
        if (mover == Mover.SPLICE) {
            access.awaitEither(from.what, to.what, round);
        } else {
            awaitTarget(round);
        }
    }

    private void awaitSource(int round) throws IOException {
        if (!justYielded(round)) {
            if (access.isReady(from.what, false)) {
                pause(round);
            } else {
                access.await(from.what, to.what, Long.MAX_VALUE);
            }
        }
    }

    private void awaitTarget(int round) throws IOException {
        if (!justYielded(round)) {
            if (access.isReady(to.what, true)) {
                pause(round);
            } else {
                access.await(null, to.what, Long.MAX_VALUE);
            }
        }
    }

    // A socket that took less than it was offered is full. It says that it is writable when a good part of it is free
    // again; asked before that, it takes whatever has become free, in many calls for little each.
    private void awaitRoom() throws IOException {
        if (to.kind == Kind.SOCKET) {
            access.await(null, to.what, Long.MAX_VALUE);
        }
    }

    // At the end of the source it must not be waited for room that nobody needs.
    private boolean hasMore() throws IOException {
        if (to.kind == Kind.SOCKET && knownLength < 0) {
            knownLength = delivered + from.remaining();
        }
        return delivered < knownLength;
    }

    // Often all that the other side needs, and a good deal cheaper than parking.
    @SuppressWarnings("ThreadPriorityCheck")
    private static boolean justYielded(int round) {
        if (round > 0 || !Thread.currentThread().isVirtual()) {
            return false;
        }
        Thread.yield();
        return true;
    }

    // Ready, and yet nothing moved: a state that passes. The pause keeps it from becoming a spin.
    private static void pause(int round) {
        LockSupport.parkNanos(SHORTEST_PAUSE_NANOS << Math.min(round, MOST_DOUBLINGS));
    }

    private void stopIfInterrupted() throws TransferException {
        if (Thread.currentThread().isInterrupted()) {
            throw failed(new InterruptedIOException("the thread was interrupted"), Side.UNKNOWN);
        }
    }

    /** The exception, which has whatever is between the two sides. */
    private TransferException failed(IOException cause, Side side) {
        Pipe left = inPipe > 0 ? pipe : null;
        if (left != null) {
            pipe = null;
            try {
                left.sink().close();
            } catch (IOException e) {
                cause.addSuppressed(e);
            }
        }
        MemorySegment buffer = memory;
        byte[] bytes = buffer == null
                ? new byte[0]
                : buffer.asSlice(memoryFrom, memoryTo - memoryFrom).toArray(JAVA_BYTE);
        return new TransferException(
                from + " → " + to,
                cause,
                side,
                delivered,
                inPipe + bytes.length,
                new Remainder(bytes, left == null ? null : left.source()));
    }
}
