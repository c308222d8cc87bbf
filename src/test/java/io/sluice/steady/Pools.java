package io.sluice.steady;

import io.sluice.flow.PipePool;
import java.io.IOException;

/** Pipes that are taken from a pool and given back, of which each is said to have moved a byte. */
final class Pools extends Turns {
    private final PipePool pool = own(PipePool.of(1, CHUNK));

    Pools() {}

    @Override
    long bytes() {
        return 1;
    }

    @Override
    boolean move() throws IOException {
        pool.giveBack(pool.take());
        return true;
    }

    @Override
    long taken() {
        return 1;
    }
}
