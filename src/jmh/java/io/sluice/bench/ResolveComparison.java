package io.sluice.bench;

import java.util.LinkedHashMap;
import java.util.Locale;
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
    private static final String ROW = "%-46s %-26s %-12s %s%n";
    private static final int SAMPLES = 5;
    private static final int WARM_UPS = 5;

    /** So much longer than a sample: what resolves a channel runs through much of the library and of the JDK, which is compiled late. */
    private static final int WARM_UP_PART = 4;

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
        METHODS.put(DUPLICATE, "duplicate");
    }

    private ResolveComparison() {}

    static void run(String[] args) throws Exception {
        int rounds = 5;
        int millis = 100;
        for (int i = 1; i < args.length; i++) {
            switch (args[i]) {
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--millis" -> millis = Integer.parseInt(args[++i]);
                default -> throw new IllegalArgumentException("no argument of the resolution: " + args[i]);
            }
        }
        System.out.println(Machine.describe());
        Figures figures = new Figures();
        for (int round = 1; round <= rounds; round++) {
            System.out.print("round " + round + " of " + rounds + " ");
            for (Map.Entry<String, String> row : METHODS.entrySet()) {
                measure(row.getKey(), row.getValue(), millis, figures);
                System.out.print('.');
                System.out.flush();
            }
            System.out.println();
        }
        System.out.printf("%n" + ROW, "found and closed again", "ns", "− duplicate", "B/op");
        for (String row : METHODS.keySet()) {
            System.out.printf(
                    Locale.ROOT,
                    ROW,
                    row,
                    figures.range(row, "ns", "%.0f"),
                    String.format(Locale.ROOT, "%+.0f", figures.median(row, "ns") - figures.median(DUPLICATE, "ns")),
                    String.format(Locale.ROOT, "%.0f", figures.median(row, "bytes")));
        }
        System.out.println("""
                Median (least–most) of all samples of the rounds, which alternate; each has a JVM of its own. The socket and the pipe are
                the same throughout: a channel is registered with the library's selector, and taken out of it, every time.
                All samples: %s""".formatted(figures.write("resolve")));
    }

    private static void measure(String row, String method, int millis, Figures figures) throws Exception {
        for (RunResult run : new Runner(new OptionsBuilder()
                        .include("\\." + ResolveBenchmark.class.getSimpleName() + "\\." + method + "$")
                        .forks(1)
                        .warmupIterations(WARM_UPS)
                        .warmupTime(TimeValue.milliseconds((long) millis * WARM_UP_PART))
                        .measurementIterations(SAMPLES)
                        .measurementTime(TimeValue.milliseconds(millis))
                        .addProfiler(GCProfiler.class)
                        .shouldFailOnError(true)
                        .verbosity(VerboseMode.SILENT)
                        .build())
                .run()) {
            for (IterationResult iteration :
                    run.getBenchmarkResults().iterator().next().getIterationResults()) {
                figures.add(row, "ns", iteration.getPrimaryResult().getScore());
                figures.add(
                        row,
                        "bytes",
                        iteration
                                .getSecondaryResults()
                                .get("gc.alloc.rate.norm")
                                .getScore());
            }
        }
    }
}
