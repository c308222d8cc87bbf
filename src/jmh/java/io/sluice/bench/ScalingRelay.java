package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Pipe;
import java.io.IOException;

/** One way from a source through a pipe to a target, by splices that are counted; waits for an end are not. */
final class ScalingRelay implements AutoCloseable {
    /** What the pipes at both ends hold, so that it is the one between that matters. */
    private static final int OUTER = 1 << 20;

    private interface Move {
        long move(long most) throws IOException;
    }

    private final Ends ends;
    private final int capacity;
    private final Move fill;
    private final Move drain;
    private long calls;

    private ScalingRelay(Ends ends, int capacity, Move fill, Move drain) {
        this.ends = ends;
        this.capacity = capacity;
        this.fill = fill;
        this.drain = drain;
    }

    static ScalingRelay pipes(int capacity, long total) throws IOException {
        Ends ends = new Ends();
        Pipe between = between(ends, capacity);
        Pipe from = ends.fedPipe(OUTER, total);
        Pipe to = ends.drainedPipe(OUTER, total);
        return new ScalingRelay(
                ends,
                capacity,
                most -> from.source().spliceTo(between.sink(), most),
                most -> between.source().spliceTo(to.sink(), most));
    }

    static ScalingRelay sockets(int capacity, long total) throws IOException {
        Ends ends = new Ends();
        Pipe between = between(ends, capacity);
        Fd from = ends.of(ends.fedSocket(total));
        Fd to = ends.of(ends.drainedSocket(total));
        return new ScalingRelay(
                ends,
                capacity,
                most -> between.sink().spliceFrom(from, most),
                most -> between.source().spliceTo(to, most));
    }

    private static Pipe between(Ends ends, int capacity) throws IOException {
        Pipe pipe = ends.own(Pipe.open());
        pipe.capacity(capacity);
        return pipe;
    }

    void run(long bytes) throws IOException {
        for (long left = bytes; left > 0; ) {
            long held = fill.move(Math.min(left, capacity));
            calls++;
            if (held < 0) {
                throw new IOException("the source ended with " + left + " bytes to come");
            }
            left -= held;
            while (held > 0) {
                held -= drain.move(held);
                calls++;
            }
        }
    }

    /** Splices that returned bytes. */
    long calls() {
        return calls;
    }

    @Override
    public void close() throws IOException {
        ends.close();
    }
}
