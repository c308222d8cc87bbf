package io.sluice.loan.torture;

import io.sluice.loan.torture.Figures.Count;
import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BiFunction;

/** Lanes at work beside each other, until enough bytes were compared or the first is wrong. */
final class Run {
    /** So long without a byte that only a thread which waits in vain explains it. */
    private static final Duration PATIENCE = Duration.ofMinutes(2);

    private static final Duration LOOK = Duration.ofMillis(100);

    private final long seed;
    private final long bytes;
    private final Content content;
    private final Figures figures = new Figures();
    private final AtomicReference<AssertionError> failure = new AtomicReference<>();
    private volatile boolean abandoned;

    private Run(long seed, long bytes, Content content) {
        this.seed = seed;
        this.bytes = bytes;
        this.content = content;
    }

    /**
     * Runs lanes to the end.
     *
     * @param bytes how many to compare at least
     * @param lenders the memory of each lane's writer
     * @return what was done
     */
    static Figures of(long seed, long bytes, int lanes, BiFunction<Lane, SplittableRandom, Lender> lenders)
            throws IOException, InterruptedException {
        try (Content content = new Content(seed)) {
            Run run = new Run(seed, bytes, content);
            SplittableRandom random = new SplittableRandom(seed);
            List<Lane> all = new ArrayList<>();
            for (int i = 0; i < lanes; i++) {
                all.add(new Lane(run, i, i % 3 == 2, random.split(), lenders));
            }
            run.run(all);
            return run.figures;
        }
    }

    Content content() {
        return content;
    }

    Figures figures() {
        return figures;
    }

    boolean goesOn() {
        return !hasFailed() && !abandoned && figures.get(Count.BYTES_COMPARED) < bytes;
    }

    boolean hasFailed() {
        return failure.get() != null;
    }

    /** The first that is wrong is what the run fails with. */
    void failed(AssertionError error) {
        failure.compareAndSet(null, error);
    }

    private void run(List<Lane> lanes) throws InterruptedException {
        List<Thread> threads = lanes.stream().map(lane -> lane.thread(lane)).toList();
        threads.forEach(Thread::start);
        long progress = -1;
        long since = System.nanoTime();
        for (Thread thread : threads) {
            while (!thread.join(LOOK)) {
                long compared = figures.get(Count.BYTES_COMPARED);
                if (compared != progress) {
                    progress = compared;
                    since = System.nanoTime();
                } else if (System.nanoTime() - since > PATIENCE.toNanos()) {
                    throw stuck(lanes);
                }
            }
        }
        AssertionError first = failure.get();
        if (first != null) {
            throw new AssertionError("seed " + seed + ": " + first.getMessage(), first);
        }
    }

    private AssertionError stuck(List<Lane> lanes) {
        StringBuilder text =
                new StringBuilder("seed %d: no byte for %s, after %s%n".formatted(seed, PATIENCE, figures));
        lanes.forEach(lane -> text.append(lane).append('\n').append(lane.stacks()));
        AssertionError first = failure.get();
        abandoned = true;
        lanes.forEach(Lane::abandon);
        return new AssertionError(text.toString(), first);
    }
}
