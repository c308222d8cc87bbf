package io.sluice.bench;

import io.sluice.Pipe;
import io.sluice.PipeSink;
import io.sluice.bench.Crew.Effort;
import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** One sample of the crossover: pieces of one size, filled, and written or lent to a pipe that a consumer drains meanwhile. */
final class Delivery {
    private static final int PAGE = 4096;

    private final Consumer consumer;
    private final int size;
    private final boolean lends;
    private final long nanos;
    private long bytes;

    Delivery(Consumer consumer, int size, boolean lends, long nanos) {
        this.consumer = consumer;
        this.size = size;
        this.lends = lends;
        this.nanos = nanos;
    }

    /** Bytes that were delivered, once it has run. */
    long bytes() {
        return bytes;
    }

    Effort run(Path folder, int... processors) throws IOException, InterruptedException {
        try (Pipe pipe = Pipe.open();
                Drain drain = consumer.open(folder)) {
            pipe.sink().capacity(Drain.AT_ONCE);
            return Crew.run(
                    processors,
                    start -> {
                        start.await();
                        try (PipeSink sink = pipe.sink();
                                PageArena arena = PageArena.open()) {
                            bytes = lends ? lend(arena, sink) : write(arena, sink);
                        }
                    },
                    start -> {
                        start.await();
                        while (drain.take(pipe.source()) >= 0) {}
                        drain.end();
                    },
                    start -> {
                        start.await();
                        drain.peer();
                    });
        }
    }

    // One buffer is enough, and the best for the caches.
    private long write(PageArena arena, PipeSink sink) throws IOException {
        MemorySegment buffer = arena.allocate(size);
        long end = System.nanoTime() + nanos;
        long done = 0;
        for (; System.nanoTime() < end; done += size) {
            buffer.fill((byte) done);
            sink.write(buffer);
        }
        return done;
    }

    // As many slots as the pipe can hold and one more: a piece takes at least one of the pipe's.
    private long lend(PageArena arena, PipeSink sink) throws IOException, InterruptedException {
        MemorySegment[] slots = new MemorySegment[Math.max(1, Drain.AT_ONCE / Math.max(size, PAGE)) + 1];
        Loan[] loans = new Loan[slots.length];
        for (int i = 0; i < slots.length; i++) {
            slots[i] = arena.allocate(Math.max(size, PAGE));
        }
        long end = System.nanoTime() + nanos;
        long done = 0;
        for (int i = 0; System.nanoTime() < end; i = i + 1 == slots.length ? 0 : i + 1, done += size) {
            if (loans[i] != null) {
                loans[i].await();
                slots[i] = loans[i].reclaim();
            }
            MemorySegment piece = slots[i].asSlice(0, size).fill((byte) done);
            loans[i] = arena.lend(piece, sink);
        }
        return done;
    }
}
