package io.sluice.flow;

import io.sluice.Fd.Kind;
import io.sluice.flow.Transfer.Engine;
import io.sluice.flow.TransferException.Side;
import io.sluice.internal.FdAccess;
import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.ClosedChannelException;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/** One run of a transfer, in the thread that started it: the ways that it tries, what has been delivered, and how it ends. */
final class TransferRun {
    final TransferEnd from;
    final TransferEnd to;
    final Waiting waiting;
    final InTransit between = new InTransit();

    private final FdAccess access = FdAccess.get();
    private final Transfer.Length length;
    private final @Nullable LongConsumer progress;
    private final PipePool pool;
    private final AtomicLong total;

    private Engine engine = Engine.NONE;
    private long delivered;
    private boolean endIsDoubtful;

    TransferRun(
            TransferEnd from,
            TransferEnd to,
            Transfer.Length length,
            @Nullable LongConsumer progress,
            PipePool pool,
            AtomicLong total) {
        this.from = from;
        this.to = to;
        this.waiting = new Waiting(from, to);
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
            throw closed(e);
        }
        if (length.exact() && left() > 0) {
            throw failed(new EOFException("the source ended before all " + length.most() + " bytes came"), Side.SOURCE);
        }
        return new Transfer.Result(delivered, engine, from.kind, to.kind, access.copies(to.what));
    }

    private void requireOpen() throws ClosedChannelException {
        if (!from.isOpen() || !to.isOpen()) {
            throw new ClosedChannelException();
        }
    }

    private void move() throws IOException {
        for (Engine next : Route.between(from, to, length)) {
            if (endIsDoubtful && next != Engine.READ_WRITE) {
                continue;
            }
            engine = next;
            if (wayOf(next).move()) {
                return;
            }
        }
    }

    private TransferWay wayOf(Engine engine) {
        return switch (engine) {
            case COPY_FILE_RANGE ->
                new DirectWay(
                        this,
                        Call.COPY_FILE_RANGE,
                        most -> access.tryCopyRange(from.what, from.offset, to.what, to.offset, most));
            case SENDFILE ->
                new DirectWay(this, Call.SENDFILE, most -> access.trySendfile(from.what, from.offset, to.what, most));
            case SPLICE ->
                new DirectWay(
                        this, Call.SPLICE, most -> access.trySplice(from.what, from.offset, to.what, to.offset, most));
            case SPLICE_THROUGH_PIPE -> new PipeWay(this, pool);
            case READ_WRITE, NONE -> new CopyWay(this);
        };
    }

    /** What is being tried turns out to be done so. */
    void goOnBy(Engine other) {
        engine = other;
    }

    Engine engine() {
        return engine;
    }

    /** Bytes that are still to be delivered. */
    long left() {
        return length.most() - delivered;
    }

    /** Bytes that the target has. */
    long delivered() {
        return delivered;
    }

    void delivered(long n) {
        to.moved(n);
        delivered += n;
        total.addAndGet(n);
    }

    /** Whether somebody wants to hear of progress. */
    boolean isWatched() {
        return progress != null;
    }

    /** To be called when something has been delivered and nothing is on its way. */
    void tell() {
        if (progress != null) {
            progress.accept(delivered);
        }
    }

    /**
     * Whether the end that the source was found at is that of the job. A file of /proc, and many a file system in user space, says so of a
     * file that has bytes, unless it is read.
     */
    boolean isEnd() {
        endIsDoubtful = delivered == 0 && from.kind != Kind.SOCKET && from.kind != Kind.PIPE;
        return !endIsDoubtful;
    }

    void stopIfInterrupted() throws TransferException {
        if (Thread.currentThread().isInterrupted()) {
            throw failed(new InterruptedIOException("the thread was interrupted"), Side.UNKNOWN);
        }
    }

    /** To be called while what is between the two sides can still be had. */
    TransferException closed(ClosedChannelException cause) {
        return failed(cause, from.isOpen() ? to.isOpen() ? Side.UNKNOWN : Side.TARGET : Side.SOURCE);
    }

    /** The exception, which has whatever is between the two sides. */
    TransferException failed(IOException cause, Side side) {
        long undelivered = between.bytes();
        return new TransferException(from + " → " + to, cause, side, delivered, undelivered, between.remainder(cause));
    }
}
