package io.sluice.bench;

import io.sluice.bench.Comparison.Contestant;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A comparison as a table: a line for each row with all contestants in it, or for each contestant where that would be too long. */
record ComparisonTable(Comparison comparison) {
    private static final int MOST_COLUMNS = 4;
    private static final int MOST_FIGURES = 3;

    Table table() {
        return isLong() ? byContestant() : byRow();
    }

    boolean isLong() {
        return comparison.rows().size() == 1
                || comparison.contestants().size() > MOST_COLUMNS
                || comparison.units().size() > MOST_FIGURES;
    }

    private Table byContestant() {
        List<String> head = new ArrayList<>(isOneRow() ? List.of("") : List.of("", ""));
        head.addAll(comparison.units());
        if (isCompared()) {
            head.add(comparison
                    .relation()
                    .title
                    .formatted(comparison.contestants().getFirst(), "this"));
        }
        List<List<String>> lines = new ArrayList<>();
        comparison
                .rows()
                .forEach((words, row) -> row.forEach((name, contestant) -> {
                    List<String> line = new ArrayList<>(isOneRow() ? List.of(name) : List.of(words, name));
                    comparison.units().forEach(unit -> line.add(range(contestant.of(unit))));
                    if (isCompared()) {
                        line.add(contestant == row.values().iterator().next() ? "" : compared(row, name));
                    }
                    promise(line, verdicts(words, name));
                    lines.add(line);
                }));
        return finished(head, lines);
    }

    private Table byRow() {
        List<String> names = comparison.contestants();
        List<String> head = new ArrayList<>(List.of(""));
        head.addAll(names);
        if (isCompared()) {
            names.stream()
                    .skip(1)
                    .forEach(other -> head.add(comparison.relation().title.formatted(names.getFirst(), other)));
        }
        List<List<String>> lines = new ArrayList<>();
        comparison.rows().forEach((words, row) -> {
            List<String> line = new ArrayList<>(List.of(words));
            names.forEach(name -> line.add(cell(row.get(name))));
            if (isCompared()) {
                names.stream().skip(1).forEach(other -> line.add(compared(row, other)));
            }
            promise(line, verdicts(words, null));
            lines.add(line);
        });
        return finished(head, lines);
    }

    private Table finished(List<String> head, List<List<String>> lines) {
        if (promises()) {
            head.addAll(List.of("target", "verdict"));
        }
        return new Table(head, lines);
    }

    private void promise(List<String> line, List<Verdict> verdicts) {
        if (promises()) {
            line.add(String.join(
                    "; ", verdicts.stream().map(v -> v.target().toString()).toList()));
            line.add(String.join("; ", verdicts.stream().map(Verdict::words).toList()));
        }
    }

    private boolean promises() {
        return !comparison.verdicts().isEmpty();
    }

    /** Of a row, against one contestant, or all. */
    private List<Verdict> verdicts(String row, String name) {
        Map<String, Contestant> of = comparison.rows().get(row);
        return comparison.verdicts().stream()
                .filter(verdict -> verdict.row().equals(row))
                .filter(verdict ->
                        name == null || verdict.target() == of.get(name).target())
                .toList();
    }

    private boolean isOneRow() {
        return comparison.rows().size() == 1;
    }

    private boolean isCompared() {
        return comparison.relation() != Relation.NONE
                && comparison.contestants().size() > 1;
    }

    /** What the table shows, where and with what. */
    String caption() {
        String first = comparison.units().getFirst();
        List<String> more = comparison.units().stream()
                .skip(1)
                .map(unit -> ", then " + unit)
                .toList();
        return (isLong() ? "" : first + String.join("", more) + ". ")
                + "Median (least–most), rounds: " + comparison.rounds() + ". "
                + (isCompared() ? comparison.relation().words.formatted(first) : "")
                + "`" + comparison.command() + "` on " + comparison.machine() + "."
                + (comparison.skipped().isEmpty() ? "" : " Skipped: " + String.join("; ", comparison.skipped()) + ".");
    }

    private String cell(Contestant contestant) {
        if (contestant == null) {
            return "–";
        }
        List<String> figures =
                new ArrayList<>(List.of(range(contestant.of(comparison.units().getFirst()))));
        comparison.units().stream()
                .skip(1)
                .map(contestant::of)
                .filter(samples -> !samples.isEmpty())
                .map(Measurements::median)
                .forEach(median -> figures.add(String.format(Locale.ROOT, format(median), median)));
        return String.join(", ", figures);
    }

    private static String range(List<Double> samples) {
        return samples.isEmpty() ? "–" : Measurements.range(samples, format(Measurements.median(samples)));
    }

    /** Three digits that count. */
    private static String format(double value) {
        double size = Math.abs(value);
        return size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : size >= 1 ? "%.2f" : "%.3f";
    }

    private String compared(Map<String, Contestant> row, String other) {
        return row.containsKey(other)
                ? Measurements.range(
                        comparison.compared(row, row.get(other)),
                        comparison.relation().format())
                : "–";
    }
}
