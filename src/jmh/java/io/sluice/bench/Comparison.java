package io.sluice.bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/**
 * What a command compared, sample by sample, in the form that the report reads. In each row contestants did the same work by turns: the
 * n-th samples of all are of one round, neighbours in time, and are compared with each other. The first contestant is the one that the
 * others are compared with, by the first unit.
 *
 * @param command its arguments
 * @param relation how contestants are compared
 * @param units of each sample's figures
 * @param rows by what was done, and then by who did it
 * @param skipped who did not take part, and why
 * @param notes what follows from the figures, or has to be known about them
 */
record Comparison(
        String name,
        String question,
        String command,
        String machine,
        Relation relation,
        List<String> units,
        Map<String, Map<String, Contestant>> rows,
        List<String> skipped,
        List<String> notes) {
    /** Fewer rounds than this prove nothing. */
    static final int ENOUGH = 5;

    /** Samples by unit, and what was promised of this one, or of the row's first beside it, if anything was. */
    record Contestant(Map<String, List<Double>> samples, Target target) {
        List<Double> of(String unit) {
            return samples.getOrDefault(unit, List.of());
        }
    }

    static Comparison of(String name, String question, String[] args, String... units) throws IOException {
        return of(name, question, args, Relation.RATIO, units);
    }

    static Comparison of(String name, String question, String[] args, Relation relation, String... units)
            throws IOException {
        return new Comparison(
                name,
                question,
                String.join(" ", args),
                Machine.describe(),
                relation,
                List.of(units),
                new LinkedHashMap<>(),
                new ArrayList<>(),
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

    /** Promises that the row's first contestant needs at most so many times what this one does, or so much more. */
    Comparison atMost(String row, String contestant, double bound) {
        return promise(row, contestant, new Target(Target.Kind.AT_MOST, bound, difference()));
    }

    /** Promises that the row's first contestant reaches at least so many times what this one does. */
    Comparison atLeast(String row, String contestant, double bound) {
        return promise(row, contestant, new Target(Target.Kind.AT_LEAST, bound, difference()));
    }

    /** Promises that this one's own figure is no more than that. */
    Comparison itselfAtMost(String row, String contestant, double bound, String unit) {
        return promise(row, contestant, new Target(Target.Kind.ITSELF_AT_MOST, bound, unit));
    }

    private String difference() {
        return relation == Relation.DIFFERENCE ? units.getFirst() : "";
    }

    private Comparison promise(String row, String contestant, Target target) {
        rows.getOrDefault(row, Map.of()).computeIfPresent(contestant, (name, c) -> new Contestant(c.samples, target));
        return this;
    }

    /** Says that somebody does not take part. */
    void skip(String who, String why) {
        skipped.add(who + ": " + why);
        System.out.println("SKIPPED " + who + ": " + why);
    }

    void note(String words) {
        notes.add(words);
    }

    /** Writes the samples down and prints the table. */
    void finish() throws IOException {
        Json.write(name, this);
        ComparisonTable table = new ComparisonTable(this);
        System.out.println("\n" + question + "\n\n" + table.table().text() + "\n"
                + notes.stream().map(note -> "- " + note + "\n").reduce("", String::concat)
                + table.caption() + "\nAll samples: " + Json.file(name));
    }

    /** How many samples there are of every contestant. */
    int rounds() {
        return rows.values().stream()
                .flatMap(row -> row.values().stream())
                .mapToInt(contestant -> contestant.of(units.getFirst()).size())
                .filter(samples -> samples > 0)
                .min()
                .orElse(0);
    }

    /** What a contestant measured by the first unit, in the middle; NaN where he did not take part. */
    double median(String row, String contestant) {
        Contestant of = rows.getOrDefault(row, Map.of()).get(contestant);
        return of == null || of.of(units.getFirst()).isEmpty()
                ? Double.NaN
                : Measurements.median(of.of(units.getFirst()));
    }

    List<Verdict> verdicts() {
        return rows.entrySet().stream()
                .flatMap(row -> row.getValue().entrySet().stream()
                        .flatMap(other -> verdict(row.getKey(), row.getValue(), other.getKey(), other.getValue())))
                .toList();
    }

    private Stream<Verdict> verdict(String words, Map<String, Contestant> row, String name, Contestant contestant) {
        Target target = contestant.target;
        if (target == null) {
            return Stream.empty();
        }
        boolean itself = target.kind() == Target.Kind.ITSELF_AT_MOST;
        List<Double> measured = itself ? contestant.of(target.unit()) : compared(row, contestant);
        return measured.isEmpty()
                ? Stream.empty()
                : Stream.of(
                        new Verdict(words, itself ? "–" : name, target, measured, itself ? "%.1f" : relation.format()));
    }

    /** The first contestant's samples beside this one's. */
    List<Double> compared(Map<String, Contestant> row, Contestant other) {
        List<Double> ofOwn = row.values().iterator().next().of(units.getFirst());
        List<Double> ofOther = other.of(units.getFirst());
        return IntStream.range(0, Math.min(ofOwn.size(), ofOther.size()))
                .mapToObj(i -> relation.of(ofOwn.get(i), ofOther.get(i)))
                .filter(Double::isFinite)
                .toList();
    }

    /** Of the contestants, in the order in which they first come. */
    List<String> contestants() {
        Set<String> names = new LinkedHashSet<>();
        rows.values().forEach(row -> names.addAll(row.keySet()));
        return List.copyOf(names);
    }

    /** So many bytes in words. */
    static String size(long bytes) {
        return bytes < 1 << 20
                ? (bytes >> 10) + " KiB"
                : bytes < 1 << 30 ? (bytes >> 20) + " MiB" : (bytes >> 30) + " GiB";
    }
}
