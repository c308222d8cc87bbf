package io.sluice.bench;

import io.sluice.bench.Measurements.Caller;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.Result;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * What Java adds to a call: the benchmarks in turn with the same loops in C, several rounds of them, in one table.
 *
 * <p>Arguments: {@code --rounds <n>}, 5 unless given; {@code --virtual} to have virtual threads make the calls; and {@code --lending} to
 * compare lending memory instead, where what the API adds is not calls but the lifetime of what is lent.
 */
final class Overhead {
    private static final Path FOLDER = Json.FOLDER;
    private static final int WARM_UPS = 3;
    private static final long WARM_UP_MILLIS = 150;

    /** Many and short, so that some are free of whatever else the machine does. */
    private static final int SAMPLES = 30;

    private static final long SAMPLE_MILLIS = 15;

    private Overhead() {}

    static void run(String[] args) throws IOException, InterruptedException, RunnerException {
        int rounds = 5;
        boolean virtual = false;
        boolean lending = false;
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--overhead" -> {}
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--virtual" -> virtual = true;
                case "--lending" -> lending = true;
                default -> throw new IllegalArgumentException("no argument of the comparison: " + args[i]);
            }
        }
        String machine = Machine.describe() + (virtual ? ", virtual threads" : "");
        System.out.println(machine);
        Optional<Twin> twin = Twin.compile("twin", FOLDER);
        Measurements measured = new Measurements();
        for (int round = 1; round <= rounds; round++) {
            System.out.print("round " + round + " of " + rounds + " ");
            for (Operation operation : lending ? Operation.LENDING : Operation.CALLS) {
                System.out.print('.');
                System.out.flush();
                if (twin.isPresent()) {
                    measured.add(operation, Caller.C_ALONE, inC(twin.get(), operation, 0), List.of());
                    measured.add(operation, Caller.C, inC(twin.get(), operation, 1), List.of());
                }
                inJava(operation, "Syscall", virtual, measured, Caller.SYSCALL);
                inJava(operation, "Api", virtual, measured, Caller.API);
            }
            System.out.println();
        }
        String name = (lending ? "lending" : "overhead") + (virtual ? "-virtual" : "");
        measured.write(name, machine);
        System.out.println();
        System.out.println(
                lending ? measured.perOperation().text() : measured.perCall().text());
        System.out.println("""
                Median (least – most), in nanoseconds per operation. The differences are per %s: that of the medians,
                taken within each round, and that of the least. On a busy machine only the least mean something; nothing is
                pinned to a CPU. A JVM always has several threads. With a second one, idle as it may be, the kernel takes and
                drops a reference on every file of a call, which a process with one thread is spared; so Java is compared with
                C in two threads.
                All samples: %s""".formatted(lending ? "operation" : "system call", Json.file(name)));
    }

    private static List<Double> inC(Twin twin, Operation operation, int idleThreads)
            throws IOException, InterruptedException {
        return twin.run(operation.name, idleThreads, SAMPLES, SAMPLE_MILLIS);
    }

    private static void inJava(
            Operation operation, String variant, boolean virtual, Measurements measured, Caller caller)
            throws RunnerException {
        ChainedOptionsBuilder options = new OptionsBuilder()
                .include(operation.pattern(variant))
                .forks(1)
                .warmupIterations(WARM_UPS)
                .warmupTime(TimeValue.milliseconds(WARM_UP_MILLIS))
                .measurementIterations(SAMPLES)
                .measurementTime(TimeValue.milliseconds(SAMPLE_MILLIS))
                .addProfiler(GCProfiler.class)
                .shouldFailOnError(true)
                .verbosity(VerboseMode.SILENT);
        if (virtual) {
            options.jvmArgsAppend("-Djmh.executor=VIRTUAL");
        }
        List<Double> nanos = new ArrayList<>();
        List<Double> bytes = new ArrayList<>();
        for (RunResult run : new Runner(options.build()).run()) {
            for (BenchmarkResult fork : run.getBenchmarkResults()) {
                for (IterationResult iteration : fork.getIterationResults()) {
                    nanos.add(iteration.getPrimaryResult().getScore());
                    Result<?> allocated = iteration.getSecondaryResults().get("gc.alloc.rate.norm");
                    if (allocated != null) {
                        bytes.add(allocated.getScore());
                    }
                }
            }
        }
        measured.add(operation, caller, nanos, bytes);
    }
}
