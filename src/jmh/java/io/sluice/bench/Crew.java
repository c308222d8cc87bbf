package io.sluice.bench;

import io.sluice.Pipe;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BrokenBarrierException;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Threads that work on one pipe together: the first two on a processor each, any others where the kernel puts them. */
final class Crew {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    /** What one of them does: it makes ready, awaits the start, and works. */
    @FunctionalInterface
    interface Task {
        void run(Start start) throws Exception;
    }

    /** The common start of all of them. */
    @FunctionalInterface
    interface Start {
        void await() throws InterruptedException, BrokenBarrierException;
    }

    /**
     * What it took.
     *
     * @param seconds from the first start to the last end
     * @param cpu processor time of all of them, in seconds
     */
    record Effort(double seconds, double cpu) {
        Effort plus(Effort other) {
            return new Effort(seconds + other.seconds, cpu + other.cpu);
        }
    }

    // Taken by those who work: another thread may have to wait for a processor.
    private record Work(long begun, long ended, long cpu) {
        Work with(Work other) {
            return new Work(Math.min(begun, other.begun), Math.max(ended, other.ended), cpu + other.cpu);
        }
    }

    private Crew() {}

    // A pinned thread sees one processor, and how the library waits is settled by the first thread that moves
    // something.
    static {
        try (Pipe pipe = Pipe.open()) {
            pipe.source().tryRead(MemorySegment.ofArray(new byte[1]));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Effort run(int[] processors, Task... tasks) throws IOException, InterruptedException {
        CyclicBarrier start = new CyclicBarrier(tasks.length + 1);
        List<FutureTask<Work>> running = new ArrayList<>();
        for (int i = 0; i < tasks.length; i++) {
            int processor = i < 2 ? processors[i % processors.length] : -1;
            Task task = tasks[i];
            FutureTask<Work> run = new FutureTask<>(() -> {
                if (processor >= 0) {
                    Machine.pin(processor);
                }
                long[] begun = new long[2];
                try {
                    task.run(() -> {
                        start.await();
                        begun[0] = System.nanoTime();
                        begun[1] = THREADS.getCurrentThreadCpuTime();
                    });
                } finally {
                    start.reset(); // or the others would wait for one who failed
                }
                return new Work(begun[0], System.nanoTime(), THREADS.getCurrentThreadCpuTime() - begun[1]);
            });
            running.add(run);
            Thread.ofPlatform().daemon().start(run);
        }
        try {
            start.await();
            Work all = new Work(Long.MAX_VALUE, Long.MIN_VALUE, 0);
            for (FutureTask<Work> run : running) {
                all = all.with(run.get());
            }
            return new Effort((all.ended - all.begun) / 1e9, all.cpu / 1e9);
        } catch (ExecutionException | BrokenBarrierException e) {
            throw new IOException("a measurement failed", e.getCause() == null ? e : e.getCause());
        }
    }
}
