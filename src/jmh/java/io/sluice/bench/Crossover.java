package io.sluice.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * From which size on lending pays, by who takes the bytes: each size written and lent in turn, several rounds.
 *
 * <p>Arguments: {@code --crossover}, then {@code --rounds <n>}, 5 unless given; {@code --millis <n>} that a sample takes, 250; {@code
 * --consumer <name>}, all; {@code --folder <path>} of the file that is spliced to, target/benchmarks.
 */
final class Crossover {
    private static final int[] SIZES = IntStream.of(1, 2, 4, 8, 16, 32, 64, 256, 1024)
            .map(kib -> kib << 10)
            .toArray();
    private static final int WARM_UPS = 3;
    private static final String LENT = "lent";
    private static final String WRITTEN = "written";

    private final Comparison comparison;
    private final Set<Consumer> consumers;
    private final Path folder;
    private final int rounds;
    private final long millis;

    private Crossover(String[] args, Options options) throws IOException {
        comparison = Comparison.of(
                options.named("crossover", "--consumer"),
                "From which size on does lending beat writing?",
                args,
                "CPU s/GiB",
                "GiB/s");
        consumers = options.has("--consumer")
                ? EnumSet.of(Consumer.valueOf(options.text("--consumer", "")))
                : EnumSet.allOf(Consumer.class);
        folder = Path.of(options.text("--folder", Json.FOLDER.toString()));
        rounds = options.number("--rounds", 5);
        millis = options.number("--millis", 250);
    }

    static void run(String[] args) throws IOException, InterruptedException {
        new Crossover(args, Options.of(args, "--rounds", "--millis", "--consumer", "--folder")).measure();
    }

    private void measure() throws IOException, InterruptedException {
        Files.createDirectories(Json.FOLDER);
        int[] processors = Machine.processors();
        for (Consumer consumer : consumers) {
            System.out.print(consumer.words + " ");
            for (int i = 0; i < WARM_UPS; i++) {
                for (int size : new int[] {SIZES[2], SIZES[6]}) {
                    sample(consumer, size, false, false, processors);
                    sample(consumer, size, true, false, processors);
                }
            }
            for (int size : SIZES) {
                System.out.print('.');
                System.out.flush();
                for (int round = 0; round < rounds; round++) {
                    sample(consumer, size, true, true, processors);
                    sample(consumer, size, false, true, processors);
                }
            }
            System.out.println();
            comparison.note("%s: lent pages are %s, and lending takes less processor time %s."
                    .formatted(consumer.words, consumer.fate, from(consumer)));
        }
        comparison.finish();
    }

    private void sample(Consumer consumer, int size, boolean lends, boolean counts, int[] processors)
            throws IOException, InterruptedException {
        Delivery delivery = new Delivery(consumer, size, lends, millis * 1_000_000);
        Crew.Effort effort = delivery.run(folder, processors);
        if (counts) {
            double gib = delivery.bytes() / (double) (1 << 30);
            comparison.add(row(consumer, size), lends ? LENT : WRITTEN, effort.cpu() / gib, gib / effort.seconds());
        }
    }

    /** The least size of which, and of all larger ones, it is true. */
    private String from(Consumer consumer) {
        int from = SIZES.length;
        while (from > 0 && lendingWins(consumer, SIZES[from - 1])) {
            from--;
        }
        return from == SIZES.length ? "at no size up to the largest" : "from " + Comparison.size(SIZES[from]) + " on";
    }

    private boolean lendingWins(Consumer consumer, int size) {
        String row = row(consumer, size);
        return comparison.median(row, LENT) < comparison.median(row, WRITTEN);
    }

    private static String row(Consumer consumer, int size) {
        return consumer.words + ", " + Comparison.size(size);
    }
}
