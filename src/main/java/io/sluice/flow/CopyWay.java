package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.flow.TransferException.Side;
import io.sluice.internal.Bounce;
import io.sluice.internal.FdAccess;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;

/** Read from the source into memory, and written to the target. */
final class CopyWay implements TransferWay {
    /** What a pipe takes without waiting whenever poll(2) says that there is room. */
    private static final long PIPE_BUF = 4096;

    private final FdAccess access = FdAccess.get();
    private final TransferRun run;
    private final TransferEnd from;
    private final TransferEnd to;
    private final InTransit between;

    CopyWay(TransferRun run) {
        this.run = run;
        this.from = run.from;
        this.to = run.to;
        this.between = run.between;
    }

    @Override
    public boolean move() throws IOException {
        MemorySegment buffer = Bounce.take();
        try {
            // Invariant: nothing is between the two sides here.
            for (int round = 0; run.left() > 0; ) {
                run.stopIfInterrupted();
                long n;
                try {
                    n = read(buffer.asSlice(0, Math.min(run.left(), Bounce.SIZE)));
                } catch (ErrnoException e) {
                    throw run.failed(e, Side.SOURCE);
                }
                if (n < 0) {
                    return true;
                } else if (n == 0) {
                    run.waiting.awaitSource(round++);
                } else {
                    round = 0;
                    from.moved(n);
                    deliver(buffer, n);
                    run.tell();
                }
            }
            return true;
        } catch (ClosedChannelException e) {
            throw run.closed(e);
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

    /** Writes the first {@code n} bytes of what was read. */
    void deliver(MemorySegment buffer, long n) throws IOException {
        between.hold(buffer, n);
        // Invariant: what is held was taken from the source and is not delivered.
        for (int round = 0; between.isHolding(); ) {
            run.stopIfInterrupted();
            long w;
            try {
                w = write(between.held());
            } catch (ErrnoException e) {
                throw run.failed(e, Side.TARGET);
            }
            if (w > 0) {
                round = 0;
                between.written(w);
                run.delivered(w);
                if (between.isHolding()) {
                    run.waiting.awaitRoom();
                }
            } else {
                run.waiting.awaitTarget(round++);
            }
        }
    }

    private long write(MemorySegment data) throws IOException {
        if (!to.mayBlock()) {
            return access.tryWrite(to.what, to.offset, data);
        } else if (!access.isReady(to.what, true)) {
            return 0;
        }
        return access.tryWrite(to.what, to.offset, data.asSlice(0, Math.min(data.byteSize(), PIPE_BUF)));
    }
}
