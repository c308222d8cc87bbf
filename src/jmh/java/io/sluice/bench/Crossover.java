package io.sluice.bench;

import io.sluice.bench.Crew.Effort;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/**
 * From which size on lending pays, by who takes the bytes: each size written and lent in turn, several rounds.
 *
 * <p>Arguments: {@code --rounds <n>}, 5 unless given; {@code --millis <n>} that a sample takes, 400; {@code --consumer <name>}, all; {@code
 * --folder <path>} of the file that is spliced to, target/benchmarks.
 */
final class Crossover {
    private static final Path FOLDER = Path.of("target/benchmarks");
    private static final int[] SIZES = IntStream.of(1, 2, 4, 8, 16, 32, 64, 256, 1024)
            .map(kib -> kib << 10)
            .toArray();
    private static final int WARM_UPS = 3;
    private static final String ROW = "%-9s  %-20s  %-20s  %7s   %-22s  %-22s  %7s%n";

    /** What was measured of one way. */
    private record Way(List<Double> speeds, List<Double> costs) {
        Way() {
            this(new ArrayList<>(), new ArrayList<>());
        }

        void add(Delivery delivery, Effort effort) {
            double gib = delivery.bytes() / (double) (1 << 30);
            speeds.add(gib / effort.seconds());
            costs.add(effort.cpu() / gib);
        }

        double speed() {
            return Measurements.median(speeds);
        }

        double cost() {
            return Measurements.median(costs);
        }
    }

    private record Row(Consumer consumer, int size, Way written, Way lent) {
        String json() {
            return "    {\"consumer\": \"" + consumer + "\", \"size\": " + size + ", \"write\": {\"gibPerSecond\": "
                    + written.speeds + ", \"cpuSecondsPerGib\": " + written.costs + "}, \"lend\": {\"gibPerSecond\": "
                    + lent.speeds
                    + ", \"cpuSecondsPerGib\": " + lent.costs + "}}";
        }
    }

    private final List<Row> rows = new ArrayList<>();
    private Set<Consumer> consumers = EnumSet.allOf(Consumer.class);
    private Path folder = FOLDER;
    private int rounds = 5;
    private long millis = 400;

    private Crossover() {}

    static void run(String[] args) throws IOException, InterruptedException {
        Crossover crossover = new Crossover();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--crossover" -> {}
                case "--rounds" -> crossover.rounds = Integer.parseInt(args[++i]);
                case "--millis" -> crossover.millis = Long.parseLong(args[++i]);
                case "--consumer" -> crossover.consumers = EnumSet.of(Consumer.valueOf(args[++i]));
                case "--folder" -> crossover.folder = Path.of(args[++i]);
                default -> throw new IllegalArgumentException("no argument of the crossover: " + args[i]);
            }
        }
        crossover.measure();
    }

    private void measure() throws IOException, InterruptedException {
        String machine = Machine.describe();
        System.out.println(machine);
        Files.createDirectories(FOLDER);
        int[] processors = Machine.processors();
        for (Consumer consumer : consumers) {
            System.out.print(consumer.words + " ");
            warmUp(consumer, processors);
            for (int size : SIZES) {
                System.out.print('.');
                System.out.flush();
                Row row = new Row(consumer, size, new Way(), new Way());
                for (int round = 0; round < rounds; round++) {
                    sample(consumer, size, false, row.written, processors);
                    sample(consumer, size, true, row.lent, processors);
                }
                rows.add(row);
            }
            System.out.println();
        }
        Path file = FOLDER.resolve("crossover.json");
        Files.writeString(
                file,
                rows.stream()
                        .map(Row::json)
                        .collect(Collectors.joining(
                                ",\n", "{\n  \"machine\": \"" + machine + "\",\n  \"rows\": [\n", "\n  ]\n}\n")));
        consumers.forEach(consumer -> System.out.println(table(consumer)));
        System.out.println("""

                Median (least – most) of %d samples in turn. Each piece is filled before it is sent. The processor time is that of the
                writer, the reader and, of TCP, its peer; writer and reader have a processor each where there are two. The pipe holds 256
                KiB. All samples: %s""".formatted(rounds, file));
    }

    private void warmUp(Consumer consumer, int[] processors) throws IOException, InterruptedException {
        Way unused = new Way();
        for (int i = 0; i < WARM_UPS; i++) {
            for (int size : new int[] {SIZES[2], SIZES[6]}) {
                sample(consumer, size, false, unused, processors);
                sample(consumer, size, true, unused, processors);
            }
        }
    }

    private void sample(Consumer consumer, int size, boolean lends, Way way, int[] processors)
            throws IOException, InterruptedException {
        Delivery delivery = new Delivery(consumer, size, lends, millis * 1_000_000);
        way.add(delivery, delivery.run(folder, processors));
    }

    private String table(Consumer consumer) {
        List<Row> of = rows.stream().filter(row -> row.consumer == consumer).toList();
        StringBuilder table = new StringBuilder("\n" + consumer.words + ": lent pages are " + consumer.fate + "\n");
        table.append(
                row("size", "write, GiB/s", "lend, GiB/s", "ratio", "write, CPU s/GiB", "lend, CPU s/GiB", "ratio"));
        for (Row row : of) {
            table.append(row(
                    (row.size >> 10) + " KiB",
                    Measurements.range(row.written.speeds, "%.2f"),
                    Measurements.range(row.lent.speeds, "%.2f"),
                    String.format(Locale.ROOT, "%.2f ×", row.lent.speed() / row.written.speed()),
                    Measurements.range(row.written.costs, "%.3f"),
                    Measurements.range(row.lent.costs, "%.3f"),
                    String.format(Locale.ROOT, "%.2f ×", row.lent.cost() / row.written.cost())));
        }
        return table + "Lending is faster " + from(of, true) + ", and takes less processor time " + from(of, false)
                + ".";
    }

    /** The least size of which, and of all larger ones, it is true. */
    private static String from(List<Row> rows, boolean speed) {
        int from = rows.size();
        while (from > 0 && wins(rows.get(from - 1), speed)) {
            from--;
        }
        return from == rows.size() ? "at no size up to the largest" : "from " + (rows.get(from).size >> 10) + " KiB";
    }

    private static boolean wins(Row row, boolean speed) {
        return speed ? row.lent.speed() > row.written.speed() : row.lent.cost() < row.written.cost();
    }

    private static String row(Object... cells) {
        return String.format(Locale.ROOT, ROW, cells);
    }
}
