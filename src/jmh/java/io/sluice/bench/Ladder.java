package io.sluice.bench;

import io.sluice.bench.Crew.Effort;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;

/**
 * How fast a pipe is, rung by rung, in C and through the API, in turn: a writer and a reader on a processor each, buffers of 256 KiB and a
 * pipe that holds one of them.
 *
 * <p>Arguments: {@code --gib <n>} that a fast rung moves, the first rung a tenth of it, 100 unless given; {@code --rounds <n>}, 5; {@code
 * --buffers <n>}, 8; {@code --rung <name>}, all; {@code --fill} to have the writer touch every page before it sends it; {@code
 * --wait <poll|block>} to have C wait in poll at once or within its calls, instead of as Java does, in poll after a few microseconds.
 */
final class Ladder {
    private static final Path FOLDER = Json.FOLDER;
    private static final double ENOUGH = 0.95;
    private static final int SLICES = 10;
    private static final int BUFFERS = 8;
    private static final String BRIEFLY = "brief";
    private static final String ROW = "%-32s %6s  %-22s  %-22s  %8s  %-10s  %7s %7s%n";

    private final Map<Rung, List<Effort>> c = new EnumMap<>(Rung.class);
    private final Map<Rung, List<Effort>> java = new EnumMap<>(Rung.class);
    private Set<Rung> rungs = EnumSet.allOf(Rung.class);
    private long gib = 100;
    private int rounds = 5;
    private int buffers = BUFFERS;
    private boolean fills;
    private String wait = BRIEFLY;

    private Ladder() {}

    static void run(String[] args) throws IOException, InterruptedException {
        Ladder ladder = new Ladder();
        for (int i = 0; i < args.length; i++) {
            switch (args[i]) {
                case "--ladder" -> {}
                case "--gib" -> ladder.gib = Long.parseLong(args[++i]);
                case "--rounds" -> ladder.rounds = Integer.parseInt(args[++i]);
                case "--buffers" -> ladder.buffers = Integer.parseInt(args[++i]);
                case "--rung" -> ladder.rungs = EnumSet.of(Rung.valueOf(args[++i]));
                case "--fill" -> ladder.fills = true;
                case "--wait" -> ladder.wait = args[++i];
                default -> throw new IllegalArgumentException("no argument of the ladder: " + args[i]);
            }
        }
        ladder.climb();
    }

    private void climb() throws IOException, InterruptedException {
        int[] processors = Machine.processors();
        int writer = processors[0];
        int reader = processors[1 % processors.length];
        String machine = Machine.describe();
        System.out.println(machine);
        System.out.printf(
                "%d buffers of 256 KiB, %s; C waits as \"%s\"; writer on processor %d, reader on %d%n",
                buffers, fills ? "every page touched before it is sent" : "filled once", wait, writer, reader);
        Optional<Twin> twin = Twin.compile("ladder", FOLDER);
        for (Rung rung : rungs) {
            System.out.print(rung.words + " ");
            // A whole run: both processors are taken, and the compiler has to find time beside them.
            for (int i = 0; i < SLICES; i++) {
                new Climb(rung, bytes(rung) / SLICES, buffers, fills).run(writer, reader);
            }
            for (int round = 0; round < rounds; round++) {
                System.out.print('.');
                System.out.flush();
                // A machine that others share is slower for seconds at a time, and where memory lies matters: a run
                // takes turns within it.
                for (int slice = 0; slice < SLICES; slice++) {
                    if (twin.isPresent()) {
                        c.computeIfAbsent(rung, r -> new ArrayList<>()).add(inC(twin.get(), rung, writer, reader));
                    }
                    java.computeIfAbsent(rung, r -> new ArrayList<>())
                            .add(new Climb(rung, bytes(rung) / SLICES, buffers, fills).run(writer, reader));
                }
            }
            System.out.println();
        }
        Json.write(name(), form(machine));
        System.out.println();
        System.out.println(table());
        System.out.println("""
                Speeds: median (least – most) of %d runs, each in %d slices that take turns with the other side's; Java / C: median of the
                ratios of all those pairs. Both sides have two threads, non-blocking ends and the same pipe, buffers and processors. C takes
                it that a buffer is free when the next one is in the pipe; the ring has it proven. All slices: %s""".formatted(rounds, SLICES, Json.file(name())));
    }

    private long bytes(Rung rung) {
        return whole((rung == Rung.WRITE_READ ? (gib << 30) / 10 : gib << 30) / SLICES) * SLICES;
    }

    private static long whole(long bytes) {
        return Math.max(1, bytes / Climb.BUFFER) * Climb.BUFFER;
    }

    private Effort inC(Twin twin, Rung rung, int writer, int reader) throws IOException, InterruptedException {
        List<Object> arguments = new ArrayList<>(rung.arguments(wait));
        arguments.addAll(List.of(bytes(rung) / SLICES, buffers, fills ? "fill" : "leave", writer, reader));
        List<Double> printed = twin.run(arguments.toArray());
        return new Effort(printed.get(0), printed.get(1));
    }

    private String table() {
        StringBuilder table = new StringBuilder(
                row("rung", "GiB", "C, GiB/s", "Java, GiB/s", "Java / C", "≥ " + ENOUGH, "C", "Java"));
        table.append(row("", "", "", "", "", "", "CPU", "s/GiB"));
        for (Rung rung : rungs) {
            List<Effort> inC = c.getOrDefault(rung, List.of());
            double ratio = inC.isEmpty() ? Double.NaN : Measurements.median(ratios(inC, java.get(rung)));
            table.append(row(
                    rung.words,
                    String.format(Locale.ROOT, "%.3g", gib(rung)),
                    speeds(rung, inC),
                    speeds(rung, java.get(rung)),
                    String.format(Locale.ROOT, "%.2f ×", ratio),
                    Double.isNaN(ratio) ? "–" : ratio >= ENOUGH ? "yes" : "NO",
                    cpu(rung, inC),
                    cpu(rung, java.get(rung))));
        }
        return table.toString();
    }

    private static String row(Object... cells) {
        return String.format(Locale.ROOT, ROW, cells);
    }

    private double gib(Rung rung) {
        return bytes(rung) / (double) (1 << 30);
    }

    /** How much faster each slice in Java was than the slice in C before it. */
    private static List<Double> ratios(List<Effort> inC, List<Effort> inJava) {
        return IntStream.range(0, inC.size())
                .mapToObj(i -> inC.get(i).seconds() / inJava.get(i).seconds())
                .toList();
    }

    private String speeds(Rung rung, List<Effort> slices) {
        return Measurements.range(each(slices, effort -> gib(rung) / effort.seconds()), "%.2f");
    }

    private String cpu(Rung rung, List<Effort> slices) {
        return slices.isEmpty()
                ? "–"
                : String.format(
                        Locale.ROOT, "%.3f", Measurements.median(each(slices, effort -> effort.cpu() / gib(rung))));
    }

    /** The slices of each run taken together. */
    private static List<Double> each(List<Effort> slices, ToDoubleFunction<Effort> figure) {
        return IntStream.range(0, slices.size() / SLICES)
                .mapToObj(run -> slices.subList(run * SLICES, (run + 1) * SLICES).stream()
                        .reduce(new Effort(0, 0), Effort::plus))
                .map(figure::applyAsDouble)
                .toList();
    }

    /** The report takes the whole ladder alone, climbed in the usual way. */
    private String name() {
        boolean usual = rungs.size() == Rung.values().length && buffers == BUFFERS && !fills && wait.equals(BRIEFLY);
        return usual ? "ladder" : "ladder-part";
    }

    /** As written down. */
    private record Form(String machine, int buffers, boolean fill, String c, Map<Rung, Slices> rungs) {}

    private record Slices(long bytes, int slices, List<Effort> c, List<Effort> java) {}

    private Form form(String machine) {
        Map<Rung, Slices> climbed = new EnumMap<>(Rung.class);
        rungs.forEach(rung ->
                climbed.put(rung, new Slices(bytes(rung), SLICES, c.getOrDefault(rung, List.of()), java.get(rung))));
        return new Form(machine, buffers, fills, wait, climbed);
    }

    /** What was written down, slice by slice. */
    static Comparison comparison() throws IOException {
        Form form = Json.read("ladder", Form.class);
        Comparison comparison = new Comparison(
                "ladder",
                "How fast is a pipe, in Java and in C?",
                "--ladder",
                form.machine,
                List.of("GiB/s", "CPU s/GiB"),
                new LinkedHashMap<>(),
                new ArrayList<>());
        form.rungs.forEach((rung, slices) -> {
            double gib = (double) slices.bytes / slices.slices / (1 << 30);
            slices.java.forEach(slice -> comparison.add(rung.words, "Java", gib / slice.seconds(), slice.cpu() / gib));
            slices.c.forEach(slice -> comparison.add(rung.words, "C", gib / slice.seconds(), slice.cpu() / gib));
            comparison.atLeast(rung.words, "C", ENOUGH);
        });
        return comparison;
    }
}
