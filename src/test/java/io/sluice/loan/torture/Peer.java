package io.sluice.loan.torture;

import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.torture.Connection.Ending;
import io.sluice.loan.torture.Figures.Count;
import io.sluice.testing.Libc;
import io.sluice.testing.Results;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.SplittableRandom;
import java.util.concurrent.locks.LockSupport;

/** Reads one connection after the other at a pace of his own, and compares what comes. */
final class Peer {
    private static final long LONGEST_REST_NANOS = 3_000_000;

    private final Stream stream;
    private final SplittableRandom random;
    private final Figures figures;
    private final MemorySegment memory = Arena.ofAuto().allocate(256 << 10, 64);

    Peer(Stream stream, SplittableRandom random, Figures figures) {
        this.stream = stream;
        this.random = random;
        this.figures = figures;
    }

    void read(Connection connection) {
        long position = connection.start;
        int far = connection.far();
        boolean slow = random.nextInt(3) == 0;
        boolean halfClosed = false;
        while (true) {
            if (position >= connection.cut && connection.ending == Ending.PEER_RESETS) {
                connection.closeFar();
                return;
            } else if (position >= connection.cut && connection.ending == Ending.PEER_HALF_CLOSES && !halfClosed) {
                halfClosed = true;
                Results.gives(0, Libc.shutdown(far, Linux.SHUT_WR()));
            }
            if (slow && random.nextInt(4) == 0) {
                LockSupport.parkNanos(random.nextLong(LONGEST_REST_NANOS));
            }
            int most = slow ? Sizes.small(random) : Sizes.some(random);
            long n = Syscalls.read(far, memory, most);
            if (n <= 0) {
                connection.ended(position, n);
                return;
            }
            stream.check(memory.asSlice(0, n), position, "connection");
            figures.add(Count.BYTES_COMPARED, n);
            position += n;
        }
    }
}
