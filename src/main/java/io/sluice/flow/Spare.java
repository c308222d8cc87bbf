package io.sluice.flow;

import io.sluice.Pipe;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** The pipe that the lanes of one relay pass to each other during a step, so that the pool is asked once and not for each of them. */
final class Spare {
    private final PipePool pool;
    private @Nullable Pipe pipe;

    Spare(PipePool pool) {
        this.pool = pool;
    }

    Pipe take() throws IOException {
        Pipe kept = pipe;
        pipe = null;
        return kept != null ? kept : pool.take();
    }

    /** Takes a pipe from which everything was delivered. */
    void keep(Pipe empty) throws IOException {
        if (pipe == null) {
            pipe = empty;
        } else {
            pool.giveBack(empty);
        }
    }

    /** Gives the pipe to the pool, which looks for itself whether it is empty. */
    void giveBack() throws IOException {
        Pipe kept = pipe;
        if (kept != null) {
            pipe = null;
            pool.giveBack(kept);
        }
    }
}
