package io.sluice.bench;

import io.sluice.bench.Measurements.Caller;
import java.io.IOException;
import java.nio.file.Files;
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
 * <p>Arguments: {@code --rounds <n>}, 3 unless given, and {@code --virtual} to have virtual threads make the calls.
 */
final class Overhead {
    private static final Path FOLDER = Path.of("target/benchmarks");
    private static final int WARM_UPS = 3;
    private static final long WARM_UP_MILLIS = 150;

    /** Many and short, so that some are free of whatever else the machine does. */
    private static final int SAMPLES = 30;

    private static final long SAMPLE_MILLIS = 15;

    private Overhead() {}

    static void run(String[] args) throws IOException, InterruptedException, RunnerException {
        int rounds = 3;
        boolean virtual = false;
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--virtual" -> virtual = true;
                default -> throw new IllegalArgumentException("no argument of the comparison: " + args[i]);
            }
        }
        String machine = machine() + (virtual ? ", virtual threads" : "");
        System.out.println(machine);
        Optional<Twin> twin = Twin.compile(FOLDER);
        Measurements measured = new Measurements();
        for (int round = 1; round <= rounds; round++) {
            System.out.print("round " + round + " of " + rounds + " ");
            for (Operation operation : Operation.values()) {
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
        Path file = FOLDER.resolve(virtual ? "overhead-virtual.json" : "overhead.json");
        Files.writeString(
                file, "{\n  \"machine\": \"" + machine + "\",\n  \"operations\": " + measured.json() + "\n}\n");
        System.out.println();
        System.out.println(measured.table());
        System.out.println("""
                Median (least – most), in nanoseconds per operation. The differences are per system call: that of the medians,
                taken within each round, and that of the least. On a busy machine only the least mean something; nothing is
                pinned to a CPU. A JVM always has several threads. With a second one, idle as it may be, the kernel takes and
                drops a reference on every file of a call, which a process with one thread is spared; so Java is compared with
                C in two threads.
                All samples: %s""".formatted(file));
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

    private static String machine() throws IOException {
        String model = Files.readAllLines(Path.of("/proc/cpuinfo")).stream()
                .filter(line -> line.startsWith("model name"))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst()
                .orElse(System.getProperty("os.arch"));
        return String.join(
                ", ",
                "Linux " + System.getProperty("os.version"),
                Runtime.getRuntime().availableProcessors() + " × " + model,
                System.getProperty("java.vm.name") + " " + Runtime.version(),
                "load " + Files.readString(Path.of("/proc/loadavg")).split(" ")[0]);
    }
}
