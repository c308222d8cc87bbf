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
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * From which size on lending pays, by who takes the bytes: each size written and lent in turn, several rounds.
 *
 * <p>Arguments: {@code --rounds <n>}, 5 unless given; {@code --millis <n>} that a sample takes, 400; {@code --consumer <name>}, all; {@code
 * --folder <path>} of the file that is spliced to, target/benchmarks.
 */
final class Crossover {
    private static final Path FOLDER = Json.FOLDER;
    private static final int[] SIZES = IntStream.of(1, 2, 4, 8, 16, 32, 64, 256, 1024)
            .map(kib -> kib << 10)
            .toArray();
    private static final int WARM_UPS = 3;
    private static final String ROW = "%-9s  %-20s  %-20s  %7s   %-22s  %-22s  %7s%n";

    /** What was measured of one way. */
    private record Way(List<Double> gibPerSecond, List<Double> cpuSecondsPerGib) {
        Way() {
            this(new ArrayList<>(), new ArrayList<>());
        }

        void add(Delivery delivery, Effort effort) {
            double gib = delivery.bytes() / (double) (1 << 30);
            gibPerSecond.add(gib / effort.seconds());
            cpuSecondsPerGib.add(effort.cpu() / gib);
        }

        double speed() {
            return Measurements.median(gibPerSecond);
        }

        double cost() {
            return Measurements.median(cpuSecondsPerGib);
        }
    }

    private record Row(Consumer consumer, int size, Way write, Way lend) {}

    /** As written down. */
    private record Form(String machine, List<Row> rows) {}

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
                    sample(consumer, size, false, row.write, processors);
                    sample(consumer, size, true, row.lend, processors);
                }
                rows.add(row);
            }
            System.out.println();
        }
        // The report takes all consumers.
        String name = consumers.size() == Consumer.values().length ? "crossover" : "crossover-part";
        Json.write(name, new Form(machine, rows));
        consumers.forEach(consumer -> System.out.println(table(consumer)));
        System.out.println("""

                Median (least – most) of %d samples in turn. Each piece is filled before it is sent. The processor time is that of the
                writer, the reader and, of TCP, its peer; writer and reader have a processor each where there are two. The pipe holds 256
                KiB. All samples: %s""".formatted(rounds, Json.file(name)));
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
                    Measurements.range(row.write.gibPerSecond, "%.2f"),
                    Measurements.range(row.lend.gibPerSecond, "%.2f"),
                    String.format(Locale.ROOT, "%.2f ×", row.lend.speed() / row.write.speed()),
                    Measurements.range(row.write.cpuSecondsPerGib, "%.3f"),
                    Measurements.range(row.lend.cpuSecondsPerGib, "%.3f"),
                    String.format(Locale.ROOT, "%.2f ×", row.lend.cost() / row.write.cost())));
        }
        return table + "Lending is faster " + from(of, true) + ", and takes less processor time " + from(of, false)
                + ".";
    }

    /** What was written down: by whom from which size on lending pays, and where it was measured. */
    static String markdown() throws IOException {
        Form form = Json.read("crossover", Form.class);
        List<List<String>> lines = Stream.of(Consumer.values())
                .map(consumer -> form.rows.stream()
                        .filter(row -> row.consumer == consumer)
                        .toList())
                .filter(of -> !of.isEmpty())
                .map(of -> List.of(
                        of.getFirst().consumer.words, of.getFirst().consumer.fate, from(of, true), from(of, false)))
                .toList();
        List<String> head = List.of("consumer", "lent pages are", "lending is faster", "and takes less processor time");
        return new Table(head, lines).markdown() + "\n`--crossover` on " + form.machine + ", medians, rounds: "
                + rounds(form) + ".\n";
    }

    static int rounds() throws IOException {
        return rounds(Json.read("crossover", Form.class));
    }

    private static int rounds(Form form) {
        return form.rows.stream()
                .mapToInt(row -> row.lend.gibPerSecond.size())
                .min()
                .orElse(0);
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
        return speed ? row.lend.speed() > row.write.speed() : row.lend.cost() < row.write.cost();
    }

    private static String row(Object... cells) {
        return String.format(Locale.ROOT, ROW, cells);
    }
}
