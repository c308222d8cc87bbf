package io.sluice.loan.torture;

import io.sluice.loan.torture.Figures.Count;
import io.sluice.testing.Await;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Where the readers of one lane put what they do not read at once. Bytes may stay here longer than the pipe they came from. */
final class Outlets implements AutoCloseable {
    private static final int LONGEST_REST = 200;
    private static final int PIPES = 3;

    private interface Maker {
        Outlet make() throws IOException;
    }

    private final SplittableRandom random;
    private final Figures figures;
    private final MemorySegment buffer = Arena.ofAuto().allocate(256 << 10, 64);
    private final List<Maker> makers;
    private final List<Outlet> outlets = new ArrayList<>();

    Outlets(Stream stream, SplittableRandom random, Figures figures) throws IOException {
        this.random = random;
        this.figures = figures;
        this.makers = List.of(
                () -> new PipeOutlet("second pipe", stream, figures),
                () -> new PipeOutlet("third pipe", stream, figures),
                () -> new PipeOutlet("fourth pipe", stream, figures),
                () -> SocketOutlet.tcp(stream, figures),
                () -> SocketOutlet.unix(stream, figures),
                () -> FileOutlet.disk(stream, figures),
                () -> FileOutlet.memory(stream, figures));
        try {
            for (Maker maker : makers) {
                outlets.add(maker.make());
            }
        } catch (IOException | RuntimeException | Error e) {
            close();
            throw e;
        }
    }

    PipeOutlet pipe() {
        return (PipeOutlet) outlets.get(random.nextInt(PIPES));
    }

    Outlet socket() {
        return outlets.get(PIPES + random.nextInt(2));
    }

    Outlet file() {
        return outlets.get(PIPES + 2 + random.nextInt(2));
    }

    /** Lets a step pass, and takes something out of what has rested. */
    void step() throws IOException {
        for (Outlet outlet : outlets) {
            if (outlet.pending() > 0 && --outlet.rest < 0) {
                drainSome(outlet);
                if (random.nextInt(4) == 0) {
                    outlet.rest = random.nextInt(LONGEST_REST);
                }
            }
        }
    }

    /** Makes room in one that is full. */
    void drainSome(Outlet outlet) throws IOException {
        if (random.nextInt(6) == 0) {
            Outlet next = random.nextBoolean() ? socket() : random.nextBoolean() ? file() : pipe();
            if (next != outlet) {
                outlet.drainTo(next, Sizes.some(random));
            }
        } else {
            outlet.drain(buffer, Sizes.some(random));
        }
    }

    /** Takes everything out, and waits for what is under way. */
    void drainAll() throws Exception {
        for (Outlet outlet : outlets) {
            Await.until(
                    () -> {
                        while (outlet.drain(buffer, buffer.byteSize()) > 0) {}
                        return outlet.pending() == 0;
                    },
                    "the rest of " + outlet);
            outlet.requireEmpty(buffer);
        }
    }

    /** Closes one now and then, although it may have something in it, which nobody will see. */
    void replace() throws IOException {
        if (random.nextInt(8) > 0) {
            return;
        }
        int i = random.nextInt(outlets.size());
        Outlet old = outlets.get(i);
        figures.add(Count.BYTES_ABANDONED, old.pending());
        outlets.set(i, makers.get(i).make());
        old.close();
    }

    @Override
    public void close() throws IOException {
        for (Outlet outlet : outlets) {
            outlet.close();
        }
    }
}
