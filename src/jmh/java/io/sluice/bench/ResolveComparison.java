package io.sluice.bench;

import java.util.ArrayList;
import java.util.EnumMap;
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

    /** What is done too, and is not the finding. */
    private enum Beside {
        DUPLICATE("fcntl(F_DUPFD_CLOEXEC), close", "duplicate"),
        NEW_CHANNEL("DatagramChannel.open, close", "newChannel");

        final String words;
        final String method;

        Beside(String words, String method) {
            this.words = words;
            this.method = method;
        }
    }

    /** The benchmark's method, and what it is compared with. */
    private record Row(String words, String method, Beside beside) {}

    private static final List<Row> ROWS = List.of(
            new Row("Fd.of(a new channel), non-blocking", "nonBlockingNewChannel", Beside.NEW_CHANNEL),
            new Row("Fd.of(a new channel), blocking", "blockingNewChannel", Beside.NEW_CHANNEL),
            new Row("Fd.of(SocketChannel), again", "socketChannel", Beside.DUPLICATE),
            new Row("Fd.of(Pipe.SourceChannel), again", "pipeSource", Beside.DUPLICATE),
            new Row("Fd.of(DatagramChannel), again", "datagramChannel", Beside.DUPLICATE),
            new Row("Fd.of(FileDescriptor), a device", "fileDescriptor", Beside.DUPLICATE),
            new Row("Fd.borrow(number), a socket", "borrow", Beside.DUPLICATE));

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
            Map<Beside, double[]> beside = new EnumMap<>(Beside.class);
            for (Beside other : Beside.values()) {
                beside.put(other, measure(other.method, millis));
            }
            for (Row row : ROWS) {
                comparison.add(row.words, "found and closed", measure(row.method, millis));
                comparison.add(row.words, row.beside.words, beside.get(row.beside));
                System.out.print('.');
                System.out.flush();
            }
            System.out.println();
        }
        comparison.note(
                "A new channel is registered with the library's selector, and taken out of it; one that was found before is only"
                        + " duplicated.");
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
