package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Pipe;
import io.sluice.flow.Transfer.Engine;
import io.sluice.flow.TransferException.Side;
import io.sluice.internal.Bounce;
import io.sluice.internal.FdAccess;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import org.jspecify.annotations.Nullable;

/** Spliced from the source into a pipe, and from there to the target. */
final class PipeWay implements TransferWay {
    private final FdAccess access = FdAccess.get();
    private final TransferRun run;
    private final PipePool pool;
    private final InTransit between;

    PipeWay(TransferRun run, PipePool pool) {
        this.run = run;
        this.pool = pool;
        this.between = run.between;
    }

    @Override
    public boolean move() throws IOException {
        Pipe pipe = Call.SPLICE.isDenied() ? null : pipeIfThereIsOne();
        if (pipe == null) {
            return false;
        }
        between.enter(pipe);
        try {
            return pump(pipe);
        } catch (ClosedChannelException e) {
            throw run.closed(e);
        } finally {
            Pipe used = between.leave();
            if (used != null) {
                pool.giveBack(used);
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

    private boolean pump(Pipe pipe) throws IOException {
        long capacity = pipe.capacity();
        // Invariant: the pipe is empty here, so a fill that moves nothing can only have met a source that has nothing.
        for (int round = 0; run.left() > 0; ) {
            run.stopIfInterrupted();
            long n;
            try {
                n = access.trySplice(
                        run.from.what,
                        run.from.offset,
                        pipe.sink(),
                        Transfer.NO_OFFSET,
                        Math.min(run.left(), capacity));
            } catch (ErrnoException e) {
                if (run.delivered() == 0 && Route.isBarred(Call.SPLICE, e)) {
                    return false;
                }
                throw run.failed(e, Side.SOURCE);
            }
            if (n < 0) {
                return run.isEnd();
            } else if (n == 0) {
                run.waiting.awaitSource(round++);
            } else {
                round = 0;
                run.from.moved(n);
                between.filled(n);
                if (!drain(pipe)) {
                    unload(pipe);
                    run.tell();
                    return false;
                }
                run.tell();
            }
        }
        return true;
    }

    /** Empties the pipe; false if its target turns out not to be one that can be spliced to, and has taken nothing. */
    private boolean drain(Pipe pipe) throws IOException {
        // Invariant: the next inPipe bytes of the stream are in the pipe, so moving nothing can only be the target's
        // doing.
        for (int round = 0; between.inPipe() > 0; ) {
            run.stopIfInterrupted();
            long n;
            try {
                n = access.trySplice(pipe.source(), Transfer.NO_OFFSET, run.to.what, run.to.offset, between.inPipe());
            } catch (ErrnoException e) {
                if (run.delivered() == 0 && Route.isBarred(Call.SPLICE, e)) {
                    return false;
                }
                throw run.failed(e, Side.TARGET);
            }
            if (n > 0) {
                round = 0;
                between.drained(n);
                run.delivered(n);
                if (between.inPipe() > 0) {
                    run.waiting.awaitRoom();
                }
            } else {
                run.waiting.awaitTarget(round++);
            }
        }
        return true;
    }

    private void unload(Pipe pipe) throws IOException {
        run.goOnBy(Engine.READ_WRITE);
        CopyWay copying = new CopyWay(run);
        MemorySegment buffer = Bounce.take();
        try {
            while (between.inPipe() > 0) {
                long n = pipe.source().tryRead(buffer);
                between.drained(n);
                copying.deliver(buffer, n);
            }
        } catch (ClosedChannelException e) {
            throw run.closed(e);
        } finally {
            Bounce.giveBack(buffer);
        }
    }
}
