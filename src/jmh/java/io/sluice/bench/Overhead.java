package io.sluice.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.BenchmarkResult;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.RunnerException;
import org.openjdk.jmh.runner.options.ChainedOptionsBuilder;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/**
 * What Java adds to a call: the benchmarks in turn with the same loops in C, several rounds of them. With {@code --lending} in the place of
 * {@code --overhead}: what the lifetime of lent memory adds to the calls that lend it and take it out.
 *
 * <p>Arguments: {@code --rounds <n>}, 5 unless given, and {@code --virtual} to have virtual threads make the calls.
 */
final class Overhead {
    private static final String API = "Java, API";
    private static final String SYSCALLS = "Java, system calls";
    private static final String C = "C, two threads";
    private static final String C_ALONE = "C, one thread";

    /** Nanoseconds that the API may take more than C does for a call, and those that a loan may more than its calls. */
    private static final double MOST_FOR_A_CALL = 30;

    private static final double MOST_FOR_A_LOAN = 150;
    private static final double MOST_BYTES_OF_A_LOAN = 256;
    private static final String BYTES = "B/op";

    /** So that the compilers are done: on a slow machine what lends takes a second and a half. */
    private static final int WARM_UPS = 12;

    private static final long WARM_UP_MILLIS = 150;

    /** Many and short, so that some are free of whatever else the machine does. */
    private static final int SAMPLES = 20;

    private static final long SAMPLE_MILLIS = 15;

    private final boolean lending;
    private final boolean virtual;
    private final Comparison comparison;

    private Overhead(String[] args, boolean virtual) throws IOException {
        this.lending = args[0].equals("--lending");
        this.virtual = virtual;
        String unit = lending ? "ns" : "ns per call";
        comparison = Comparison.of(
                args[0].substring(2) + (virtual ? "-virtual" : ""),
                lending ? "What does lending memory add to its calls?" : "What does a call cost in Java, and in C?",
                args,
                Relation.DIFFERENCE,
                unit,
                unit + " in the middle",
                BYTES);
    }

    static void run(String[] args) throws IOException, InterruptedException, RunnerException {
        Options options = Options.of(args, "--rounds", "--virtual");
        new Overhead(args, options.has("--virtual")).measure(options.number("--rounds", 5));
    }

    private void measure(int rounds) throws IOException, InterruptedException, RunnerException {
        Set<Operation> operations = lending ? Operation.LENDING : Operation.CALLS;
        Optional<Twin> twin = Twin.compile("twin", Json.FOLDER);
        for (int round = 1; round <= rounds; round++) {
            System.out.print("round " + round + " of " + rounds + " ");
            for (Operation operation : operations) {
                System.out.print('.');
                System.out.flush();
                inJava(operation, "Api", API);
                inJava(operation, "Syscall", SYSCALLS);
                if (twin.isPresent()) {
                    add(operation, C, inC(twin.get(), operation, 1), Double.NaN);
                    add(operation, C_ALONE, inC(twin.get(), operation, 0), Double.NaN);
                }
            }
            System.out.println();
        }
        operations.forEach(this::promise);
        comparison.note(
                "Of each round's %d samples of %d ms the least counts, because what else the machine does only ever adds; behind it"
                                .formatted(SAMPLES, SAMPLE_MILLIS)
                        + " the sample in the middle, and what JMH's gc profiler saw allocated.");
        comparison.finish();
    }

    private void promise(Operation operation) {
        String row = row(operation);
        if (lending) {
            comparison.atMost(row, SYSCALLS, MOST_FOR_A_LOAN);
            comparison.itselfAtMost(row, API, MOST_BYTES_OF_A_LOAN, BYTES);
        } else if (Operation.PROMISED.contains(operation)) {
            comparison.atMost(row, C, MOST_FOR_A_CALL);
            comparison.itselfAtMost(row, API, 0, BYTES);
        }
    }

    private String row(Operation operation) {
        return operation.words + (lending ? "" : " (calls: " + operation.calls + ")");
    }

    private void add(Operation operation, String contestant, List<Double> nanos, double bytes) {
        double part = lending ? 1 : operation.calls;
        comparison.add(
                row(operation), contestant, Collections.min(nanos) / part, Measurements.median(nanos) / part, bytes);
    }

    private static List<Double> inC(Twin twin, Operation operation, int idleThreads)
            throws IOException, InterruptedException {
        return twin.run(operation.name, idleThreads, SAMPLES, SAMPLE_MILLIS);
    }

    private void inJava(Operation operation, String variant, String contestant) throws RunnerException {
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
                    bytes.add(iteration
                            .getSecondaryResults()
                            .get("gc.alloc.rate.norm")
                            .getScore());
                }
            }
        }
        add(operation, contestant, nanos, Measurements.median(bytes));
    }
}
