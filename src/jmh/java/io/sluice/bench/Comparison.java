package io.sluice.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;

/**
 * What a command compared, sample by sample, in the form that the report reads. In each row contestants did the same work by turns: the
 * n-th samples of all are of one round, neighbours in time, and ratios are taken of those. The first contestant is the one that the others
 * are compared with, by the first unit.
 *
 * @param command its arguments
 * @param units of each sample's figures
 * @param rows by what was done, and then by who did it
 * @param skipped who did not take part, and why
 */
record Comparison(
        String name,
        String question,
        String command,
        String machine,
        List<String> units,
        Map<String, Map<String, Contestant>> rows,
        List<String> skipped) {
    /** Fewer rounds than this prove nothing. */
    static final int ENOUGH = 5;

    private static final int MOST_COLUMNS = 5;

    /** Samples by unit, and what was promised of the ratio of the row's first contestant to this one, if anything was. */
    record Contestant(Map<String, List<Double>> samples, Target target) {}

    /** One of the two is null. */
    record Target(Double most, Double least) {
        boolean met(double ratio) {
            return most == null ? ratio >= least : ratio <= most;
        }

        @Override
        public String toString() {
            return most == null ? "≥ " + least : "≤ " + most;
        }
    }

    /** A promise, and what became of it. */
    record Verdict(String row, String against, Target target, List<Double> ratios) {
        String words() {
            return target.met(Measurements.median(ratios)) ? "met" : "**missed**";
        }
    }

    static Comparison of(String name, String question, String[] args, String... units) throws IOException {
        return new Comparison(
                name,
                question,
                String.join(" ", args),
                Machine.describe(),
                List.of(units),
                new LinkedHashMap<>(),
                new ArrayList<>());
    }

    /** One sample: a figure for each unit, or NaN where it has none. */
    Comparison add(String row, String contestant, double... figures) {
        Map<String, List<Double>> samples = rows.computeIfAbsent(row, r -> new LinkedHashMap<>())
                .computeIfAbsent(contestant, c -> new Contestant(new LinkedHashMap<>(), null))
                .samples;
        for (int i = 0; i < figures.length; i++) {
            if (Double.isFinite(figures[i])) {
                samples.computeIfAbsent(units.get(i), unit -> new ArrayList<>()).add(figures[i]);
            }
        }
        return this;
    }

    /** Promises that the row's first contestant needs at most so many times what this one does. */
    Comparison atMost(String row, String contestant, double ratio) {
        return promise(row, contestant, new Target(ratio, null));
    }

    /** Promises that the row's first contestant reaches at least so many times what this one does. */
    Comparison atLeast(String row, String contestant, double ratio) {
        return promise(row, contestant, new Target(null, ratio));
    }

    private Comparison promise(String row, String contestant, Target target) {
        rows.get(row).computeIfPresent(contestant, (name, c) -> new Contestant(c.samples, target));
        return this;
    }

    /** So many bytes in words. */
    static String size(long bytes) {
        return bytes < 1 << 20 ? (bytes >> 10) + " KiB" : (bytes >> 20) + " MiB";
    }

    /** Says that somebody does not take part. */
    void skip(String who, String why) {
        skipped.add(who + ": " + why);
        System.out.println("SKIPPED " + who + ": " + why);
    }

    /** Writes the samples down and prints the table. */
    void finish() throws IOException {
        Json.write(name, this);
        System.out.println(
                "\n" + question + "\n\n" + table().text() + "\n" + caption() + "\nAll samples: " + Json.file(name));
    }

    /** How many samples there are of every contestant. */
    int rounds() {
        return rows.values().stream()
                .flatMap(row -> row.values().stream())
                .mapToInt(contestant -> primary(contestant).length)
                .filter(samples -> samples > 0)
                .min()
                .orElse(0);
    }

    List<Verdict> verdicts() {
        return rows.entrySet().stream()
                .flatMap(row -> row.getValue().entrySet().stream()
                        .filter(other -> other.getValue().target != null)
                        .map(other -> new Verdict(
                                row.getKey(),
                                other.getKey(),
                                other.getValue().target,
                                ratios(row.getValue(), other.getValue()))))
                .filter(verdict -> !verdict.ratios.isEmpty())
                .toList();
    }

    /** Of the contestants, in the order in which they first come. */
    List<String> contestants() {
        Set<String> names = new LinkedHashSet<>();
        rows.values().forEach(row -> names.addAll(row.keySet()));
        return List.copyOf(names);
    }

    /** A line for each row with all contestants in it, or for each contestant in each row where those lines would be too long. */
    Table table() {
        return isLong() ? byContestant() : byRow();
    }

    boolean isLong() {
        return rows.size() == 1 || contestants().size() > MOST_COLUMNS;
    }

    private Table byContestant() {
        boolean promises = !verdicts().isEmpty();
        List<String> head = new ArrayList<>(rows.size() == 1 ? List.of("") : List.of("", ""));
        head.addAll(units);
        head.add(contestants().getFirst() + " / this");
        if (promises) {
            head.addAll(List.of("target", "verdict"));
        }
        List<List<String>> lines = new ArrayList<>();
        rows.forEach((words, row) -> row.forEach((name, contestant) -> {
            List<String> line = new ArrayList<>(rows.size() == 1 ? List.of() : List.of(words));
            line.add(name);
            units.forEach(unit -> line.add(range(contestant, unit)));
            line.add(contestant == own(row) ? "" : ratio(row, name));
            if (promises) {
                List<Verdict> of = verdicts(words, name);
                line.add(targets(of));
                line.add(outcomes(of));
            }
            lines.add(line);
        }));
        return new Table(head, lines);
    }

    /** Of a row, against one contestant, or all where the name is empty. */
    private List<Verdict> verdicts(String row, String against) {
        return verdicts().stream()
                .filter(verdict -> verdict.row.equals(row) && (against.isEmpty() || verdict.against.equals(against)))
                .toList();
    }

    private static String targets(List<Verdict> verdicts) {
        return String.join("; ", verdicts.stream().map(v -> v.target.toString()).toList());
    }

    private static String outcomes(List<Verdict> verdicts) {
        return String.join("; ", verdicts.stream().map(Verdict::words).toList());
    }

    private Table byRow() {
        List<String> names = contestants();
        boolean promises = !verdicts().isEmpty();
        List<String> head = new ArrayList<>(List.of(""));
        head.addAll(names);
        names.stream().skip(1).forEach(other -> head.add(names.getFirst() + " / " + other));
        if (promises) {
            head.addAll(List.of("target", "verdict"));
        }
        List<List<String>> lines = new ArrayList<>();
        rows.forEach((words, row) -> {
            List<String> line = new ArrayList<>(List.of(words));
            names.forEach(name -> line.add(cell(row.get(name))));
            names.stream().skip(1).forEach(other -> line.add(ratio(row, other)));
            if (promises) {
                List<Verdict> of = verdicts(words, "");
                line.add(targets(of));
                line.add(outcomes(of));
            }
            lines.add(line);
        });
        return new Table(head, lines);
    }

    /** What the table shows, where and with what. */
    String caption() {
        String figures = isLong()
                ? ""
                : units.getFirst()
                        + String.join(
                                "",
                                units.stream()
                                        .skip(1)
                                        .map(unit -> ", then " + unit)
                                        .toList())
                        + ". ";
        return figures + "Median (least–most), rounds: " + rounds() + ". Ratios are by " + units.getFirst()
                + ", each of two neighbours in time. `" + command + "` on " + machine + "."
                + (skipped.isEmpty() ? "" : " Skipped: " + String.join("; ", skipped) + ".");
    }

    private String cell(Contestant contestant) {
        return contestant == null
                ? "–"
                : range(contestant, units.getFirst())
                        + String.join(
                                "",
                                units.stream()
                                        .skip(1)
                                        .map(unit -> contestant.samples.getOrDefault(unit, List.of()))
                                        .filter(samples -> !samples.isEmpty())
                                        .map(Measurements::median)
                                        .map(median -> ", " + String.format(Locale.ROOT, format(median), median))
                                        .toList());
    }

    private static String range(Contestant contestant, String unit) {
        List<Double> samples = contestant.samples.getOrDefault(unit, List.of());
        return samples.isEmpty() ? "–" : Measurements.range(samples, format(Measurements.median(samples)));
    }

    /** Three digits that count. */
    private static String format(double value) {
        double size = Math.abs(value);
        return size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : size >= 1 ? "%.2f" : "%.3f";
    }

    private String ratio(Map<String, Contestant> row, String other) {
        return row.containsKey(other) ? Measurements.range(ratios(row, row.get(other)), "%.2f") : "–";
    }

    private List<Double> ratios(Map<String, Contestant> row, Contestant other) {
        double[] ofOwn = primary(own(row));
        double[] ofOther = primary(other);
        return IntStream.range(0, Math.min(ofOwn.length, ofOther.length))
                .mapToObj(i -> ofOwn[i] / ofOther[i])
                .filter(Double::isFinite)
                .toList();
    }

    private double[] primary(Contestant contestant) {
        return contestant.samples.getOrDefault(units.getFirst(), List.of()).stream()
                .mapToDouble(Double::doubleValue)
                .toArray();
    }

    private static Contestant own(Map<String, Contestant> row) {
        return row.values().iterator().next();
    }
}
