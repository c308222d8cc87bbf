package io.sluice.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.openjdk.jmh.profile.GCProfiler;
import org.openjdk.jmh.results.IterationResult;
import org.openjdk.jmh.results.RunResult;
import org.openjdk.jmh.runner.Runner;
import org.openjdk.jmh.runner.options.OptionsBuilder;
import org.openjdk.jmh.runner.options.TimeValue;
import org.openjdk.jmh.runner.options.VerboseMode;

/** What it costs to find the descriptor behind a channel, beside a bare duplicate: {@code --resolve [--rounds <n>] [--millis <n>]}. */
final class ResolveComparison {
    private static final int SAMPLES = 5;

    /** Long beside a sample: what resolves a channel runs through much of the library and of the JDK, which is compiled late. */
    private static final int WARM_UP_MILLIS = 700;

    private static final String DUPLICATE = "fcntl(F_DUPFD_CLOEXEC), close";

    /** The row's words and the benchmark's method. */
    private static final Map<String, String> METHODS = new LinkedHashMap<>();

    static {
        METHODS.put("Fd.of(SocketChannel), non-blocking", "socketChannel");
        METHODS.put("Fd.of(SocketChannel), blocking", "blockingSocketChannel");
        METHODS.put("Fd.of(Pipe.SourceChannel), non-blocking", "pipeSource");
        METHODS.put("Fd.of(Pipe.SourceChannel), blocking", "blockingPipeSource");
        METHODS.put("Fd.of(DatagramChannel), non-blocking", "datagramChannel");
        METHODS.put("Fd.of(DatagramChannel), blocking", "blockingDatagramChannel");
        METHODS.put("Fd.of(FileDescriptor), a device", "fileDescriptor");
        METHODS.put("Fd.borrow(number), a socket", "borrow");
    }

    private ResolveComparison() {}

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--millis");
        int rounds = options.number("--rounds", 5);
        int millis = options.number("--millis", 20);
        Comparison comparison = Comparison.of(
                "resolve",
                "What does it cost to find the descriptor behind a channel?",
                args,
                Relation.DIFFERENCE,
                "ns",
                "B/op");
        for (int round = 1; round <= rounds; round++) {
            System.out.print("round " + round + " of " + rounds + " ");
            double[] duplicate = measure("duplicate", millis);
            for (Map.Entry<String, String> row : METHODS.entrySet()) {
                comparison.add(row.getKey(), "found and closed", measure(row.getValue(), millis));
                comparison.add(row.getKey(), DUPLICATE, duplicate);
                System.out.print('.');
                System.out.flush();
            }
            System.out.println();
        }
        comparison.note(
                "The socket and the pipe are the same throughout: a channel is registered with the library's selector, and taken out"
                        + " of it, every time.");
        comparison.finish();
    }

    /** Nanoseconds and bytes of an operation, in a JVM of its own. */
    private static double[] measure(String method, int millis) throws Exception {
        RunResult run = new Runner(new OptionsBuilder()
                        .include("\\." + ResolveBenchmark.class.getSimpleName() + "\\." + method + "$")
                        .forks(1)
                        .warmupIterations(1)
                        .warmupTime(TimeValue.milliseconds(WARM_UP_MILLIS))
                        .measurementIterations(SAMPLES)
                        .measurementTime(TimeValue.milliseconds(millis))
                        .addProfiler(GCProfiler.class)
                        .shouldFailOnError(true)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .runSingle();
        List<Double> nanos = new ArrayList<>();
        List<Double> bytes = new ArrayList<>();
        for (IterationResult iteration :
                run.getBenchmarkResults().iterator().next().getIterationResults()) {
            nanos.add(iteration.getPrimaryResult().getScore());
            bytes.add(iteration.getSecondaryResults().get("gc.alloc.rate.norm").getScore());
        }
        return new double[] {Measurements.median(nanos), Measurements.median(bytes)};
    }
}
