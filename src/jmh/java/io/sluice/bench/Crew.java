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

    /** What one of them does. */
    @FunctionalInterface
    interface Task {
        void run() throws Exception;
    }

    /**
     * What it took.
     *
     * @param seconds from the common start to the end of the last
     * @param cpu processor time of all of them, in seconds
     */
    record Effort(double seconds, double cpu) {}

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
        List<FutureTask<Long>> running = new ArrayList<>();
        for (int i = 0; i < tasks.length; i++) {
            int processor = i < 2 ? processors[i % processors.length] : -1;
            Task task = tasks[i];
            FutureTask<Long> run = new FutureTask<>(() -> {
                if (processor >= 0) {
                    Machine.pin(processor);
                }
                start.await();
                long cpu = THREADS.getCurrentThreadCpuTime();
                task.run();
                return THREADS.getCurrentThreadCpuTime() - cpu;
            });
            running.add(run);
            Thread.ofPlatform().daemon().start(run);
        }
        try {
            start.await();
            long begun = System.nanoTime();
            long cpu = 0;
            for (FutureTask<Long> run : running) {
                cpu += run.get();
            }
            return new Effort((System.nanoTime() - begun) / 1e9, cpu / 1e9);
        } catch (ExecutionException | BrokenBarrierException e) {
            throw new IOException("a measurement failed", e.getCause() == null ? e : e.getCause());
        }
    }
}
