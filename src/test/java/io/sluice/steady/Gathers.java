package io.sluice.steady;

import io.sluice.Fd;
import io.sluice.flow.Gather;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** A header, a range of a file and a trailer, to a socket. */
final class Gathers extends Turns {
    private static final int AROUND = 200;
    private static final int RANGE = CHUNK - 2 * AROUND;

    private final int[] sockets = sockets();
    private final MemorySegment around = Arena.global().allocate(AROUND);
    private final Fd file = own(Fd.borrow(file(CHUNK)));
    private final Gather gather = own(Gather.to(own(Fd.borrow(sockets[0]))));

    Gathers() throws IOException {}

    @Override
    long bytes() {
        return CHUNK;
    }

    @Override
    boolean move() throws IOException {
        gather.clear().bytes(around).file(file, 0, RANGE).bytes(around).run();
        return true;
    }

    @Override
    long taken() throws IOException {
        return take(sockets[1]);
    }
}
