package io.sluice.bench;

import io.sluice.bench.SendNetwork.Sink;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * {@code --send}: the ways of sending memory over a connection, in turn, several rounds of them, with the same in C, in one table.
 *
 * <p>Arguments: {@code --rounds <n>}, 5 unless given, {@code --bytes <n>} for one size only, and {@code --millis <n>} that each sample sends, 300 unless given. The receiver is
 * another process, which reads. CPU seconds are those of the sending thread.
 */
final class SendBenchmark {
    private static final Path FOLDER = Path.of("target/benchmarks");
    private static final int[] SIZES = {4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20};
    private static final double GIB = 1 << 30;

    /** One sample: speed, cost, and how much of what was lent the kernel copied. */
    record Sample(double bytes, double seconds, double cpu, double copied) {
        double speed() {
            return bytes / GIB / seconds;
        }

        double cost() {
            return cpu / (bytes / GIB);
        }
    }

    private record Row(String network, int size, String way) {}

    private final Map<Row, List<Sample>> samples = new LinkedHashMap<>();
    private final int[] sizes;
    private final int rounds;
    private final long millis;
    private final Path program;

    private SendBenchmark(int rounds, long millis, int bytes, Path program) {
        this.sizes = bytes == 0 ? SIZES : new int[] {bytes};
        this.rounds = rounds;
        this.millis = millis;
        this.program = program;
    }

    static void run(String[] args) throws IOException, InterruptedException {
        int rounds = 5;
        long millis = 300;
        int bytes = 0;
        for (int i = 1; i < args.length; i++) {
            switch (args[i]) {
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--bytes" -> bytes = Integer.parseInt(args[++i]);
                case "--millis" -> millis = Long.parseLong(args[++i]);
                default -> throw new IllegalArgumentException("no argument of --send: " + args[i]);
            }
        }
        SendBenchmark benchmark = new SendBenchmark(rounds, millis, bytes, SendNetwork.compile(FOLDER));
        benchmark.measure();
        String table = benchmark.table();
        Files.writeString(FOLDER.resolve("send.txt"), table);
        System.out.println(table);
    }

    private void measure() throws IOException, InterruptedException {
        for (SendNetwork network : SendNetwork.values()) {
            try (Sink sink = network.open(program)) {
                // The first round is thrown away: it compiles.
                for (int round = 0; round <= rounds; round++) {
                    System.out.print(network.words + ", round " + round + " of " + rounds + " ");
                    for (int size : sizes) {
                        System.out.print('.');
                        System.out.flush();
                        measure(network, sink, size, round > 0);
                    }
                    System.out.println();
                }
            } catch (SendNetwork.MissingException e) {
                System.out.println("SKIPPED " + network.words + ": " + e.getMessage());
            }
        }
    }

    private void measure(SendNetwork network, Sink sink, int size, boolean kept)
            throws IOException, InterruptedException {
        for (SendWay way : SendWay.values()) {
            try {
                add(new Row(network.words, size, way.words), sample(sink, way, size), kept);
            } catch (UnsupportedOperationException e) {
                samples.putIfAbsent(new Row(network.words, size, way.words), new ArrayList<>());
            }
            if (way.twin != null) {
                add(new Row(network.words, size, way.words + ", C"), sink.twin(way.twin, size, millis), kept);
            }
        }
    }

    private void add(Row row, Sample sample, boolean kept) {
        List<Sample> all = samples.computeIfAbsent(row, r -> new ArrayList<>());
        if (kept) {
            all.add(sample);
        }
    }

    private Sample sample(Sink sink, SendWay way, int size) throws IOException, InterruptedException {
        try (SocketChannel channel = SocketChannel.open(new InetSocketAddress(sink.address(), sink.port()))) {
            double bytes = 0;
            double copied;
            long start;
            long cpu;
            try (SendWay.Course course = way.begin(channel, size)) {
                start = System.nanoTime();
                cpu = cpuNanos();
                while (System.nanoTime() - start < millis * 1_000_000) {
                    course.send();
                    bytes += size;
                }
                course.finish();
                cpu = cpuNanos() - cpu;
                copied = course.copiedShare();
            }
            channel.shutdownOutput();
            channel.configureBlocking(true);
            if (channel.read(ByteBuffer.allocate(1)) != 1) {
                throw new IOException("the sink did not answer");
            }
            return new Sample(bytes, (System.nanoTime() - start) / 1e9, cpu / 1e9, copied);
        }
    }

    private static long cpuNanos() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }

    private String table() {
        StringBuilder table = new StringBuilder();
        String line = "%-9s %8s  %-32s %18s  %18s  %7s  %9s  %7s%n";
        table.append(line.formatted("network", "bytes", "way", "GiB/s", "CPU s/GiB", "copied", "speed / C", "CPU / C"));
        samples.forEach((row, all) -> table.append(line.formatted(
                row.network,
                row.size,
                row.way,
                range(all.stream().map(Sample::speed).toList()),
                range(all.stream().map(Sample::cost).toList()),
                all.isEmpty() ? "–" : "%.0f %%".formatted(100 * all.getLast().copied),
                toTwin(row, all, Sample::speed),
                toTwin(row, all, Sample::cost))));
        table.append(
                "Median (least – most); ratios: the median of those of each round. A way without figures does not work"
                        + " here.\n");
        return table.toString();
    }

    /** What it is of the same in C, of neighbours in time. */
    private String toTwin(Row row, List<Sample> all, ToDoubleFunction<Sample> figure) {
        List<Sample> inC = samples.getOrDefault(new Row(row.network, row.size, row.way + ", C"), List.of());
        List<Double> ratios = IntStream.range(0, Math.min(all.size(), inC.size()))
                .mapToObj(i -> figure.applyAsDouble(all.get(i)) / figure.applyAsDouble(inC.get(i)))
                .sorted()
                .toList();
        return ratios.isEmpty() ? "" : String.format(Locale.ROOT, "%.2f", ratios.get(ratios.size() / 2));
    }

    private static String range(List<Double> values) {
        if (values.isEmpty()) {
            return "–";
        }
        List<Double> sorted = new ArrayList<>(values);
        Collections.sort(sorted);
        return String.format(
                Locale.ROOT, "%.2f (%.2f–%.2f)", sorted.get(sorted.size() / 2), sorted.getFirst(), sorted.getLast());
    }
}
