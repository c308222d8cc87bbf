package io.sluice.bench;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import io.sluice.loan.PageArena;
import io.sluice.loan.PageRing;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** One run of one rung through the API: what {@code ladder.c} does, with the ring's proof in the place of its rule. */
final class Climb {
    static final int BUFFER = 256 << 10;
    private static final int PAGE = 4096;

    private final Rung rung;
    private final long bytes;
    private final int buffers;
    private final boolean fills;

    Climb(Rung rung, long bytes, int buffers, boolean fills) {
        this.rung = rung;
        this.bytes = bytes;
        this.buffers = buffers;
        this.fills = fills;
    }

    Crew.Effort run(int... processors) throws IOException, InterruptedException {
        try (Pipe pipe = Pipe.open();
                Fd nullDevice = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            if (pipe.sink().capacity(BUFFER) != BUFFER) {
                throw new IllegalStateException(
                        "no pipe of " + BUFFER + " bytes but of " + pipe.sink().capacity());
            }
            return Crew.run(
                    processors,
                    start -> {
                        try (PipeSink sink = pipe.sink()) {
                            if (rung.lends) {
                                lend(sink, start);
                            } else {
                                write(sink, start);
                            }
                        }
                    },
                    start -> requireAll(
                            rung.splices ? splice(pipe.source(), nullDevice, start) : read(pipe.source(), start)));
        }
    }

    private void write(PipeSink sink, Crew.Start start) throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment[] memory = new MemorySegment[buffers];
            for (int i = 0; i < buffers; i++) {
                memory[i] = arena.allocate(BUFFER, PAGE).fill((byte) 'X');
            }
            start.await();
            int next = 0;
            for (long left = bytes; left > 0; left -= BUFFER) {
                MemorySegment buffer = memory[next];
                next = next + 1 == buffers ? 0 : next + 1;
                touch(buffer, left);
                sink.write(buffer);
            }
        }
    }

    private void lend(PipeSink sink, Crew.Start start) throws Exception {
        try (PageRing ring = ring(sink)) {
            start.await();
            if (rung.spins) {
                lendSpinning(ring);
            } else {
                lend(ring);
            }
        }
    }

    private void lend(PageRing ring) throws IOException, InterruptedException {
        for (long left = bytes; left > 0; left -= BUFFER) {
            prepare(ring.acquire(), left);
            ring.publish(BUFFER);
        }
    }

    private void lendSpinning(PageRing ring) throws IOException {
        for (long left = bytes; left > 0; left -= BUFFER) {
            MemorySegment slot;
            while ((slot = ring.tryAcquire().orElse(null)) == null) {}
            prepare(slot, left);
            while (!ring.tryPublish(BUFFER)) {}
        }
    }

    private PageRing ring(PipeSink sink) {
        return rung.huge
                ? PageRing.over(sink, BUFFER, buffers, PageArena.Option.HUGE_PAGES)
                : PageRing.over(sink, BUFFER, buffers);
    }

    // Pages that were never written are the kernel's page of zeros, so each slot is filled in the first lap.
    private void prepare(MemorySegment slot, long left) {
        if (bytes - left < (long) buffers * BUFFER) {
            slot.fill((byte) 'X');
        }
        touch(slot, left);
    }

    private void touch(MemorySegment buffer, long left) {
        if (fills) {
            for (int i = 0; i < BUFFER; i += PAGE) {
                buffer.set(JAVA_BYTE, i, (byte) left);
            }
        }
    }

    private static long read(PipeSource source, Crew.Start start) throws Exception {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment into = arena.allocate(BUFFER, PAGE);
            start.await();
            long done = 0;
            for (long n; (n = source.read(into)) >= 0; ) {
                done += n;
            }
            return done;
        }
    }

    private long splice(PipeSource source, Fd nullDevice, Crew.Start start) throws Exception {
        start.await();
        long done = 0;
        for (long n; (n = spliceOnce(source, nullDevice)) >= 0; ) {
            done += n;
        }
        return done;
    }

    private long spliceOnce(PipeSource source, Fd nullDevice) throws IOException {
        return rung.spins ? source.trySpliceTo(nullDevice, BUFFER) : source.spliceTo(nullDevice, BUFFER);
    }

    private void requireAll(long done) {
        if (done != bytes) {
            throw new IllegalStateException("not " + bytes + " bytes but " + done);
        }
    }
}
