package io.sluice.flow;

import io.sluice.Pipe;
import io.sluice.PipeSink;
import java.io.Closeable;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The pipe through which lent pages go to the sink; taken from the pool when it is first needed. */
final class GatherPipe implements Closeable {
    private final PipePool pool;
    private final Closeable sink;
    private @Nullable Pipe pipe;
    private @Nullable Outflow outflow;

    /** Bytes in the pipe, or read from it to be written. */
    private long inside;

    GatherPipe(PipePool pool, Closeable sink) {
        this.pool = pool;
        this.sink = sink;
    }

    PipeSink sink() throws IOException {
        Pipe open = pipe;
        if (open == null) {
            pipe = open = pool.take();
            outflow = new Outflow(open.source(), sink);
        }
        return open.sink();
    }

    boolean isEmpty() {
        return inside == 0;
    }

    long filled(long n) {
        inside += n;
        return n;
    }

    /** Delivers what the sink takes at once of what is in the pipe. */
    long drain() throws IOException {
        Outflow out = outflow;
        if (out == null || inside == 0) {
            return 0;
        }
        long n = Math.max(0, out.deliver(inside));
        inside -= n;
        return n;
    }

    /** Gives the pipe back, or closes it if something was left in it. */
    @Override
    public void close() throws IOException {
        Pipe open = pipe;
        pipe = null;
        outflow = null;
        inside = 0;
        if (open != null) {
            pool.giveBack(open);
        }
    }
}
