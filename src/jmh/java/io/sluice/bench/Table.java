package io.sluice.bench;

import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** A table for the terminal and for a page. */
record Table(List<String> head, List<List<String>> rows) {
    /** With columns one below the other. */
    String text() {
        List<Integer> widths = IntStream.range(0, head.size())
                .mapToObj(column -> Math.max(
                        head.get(column).length(),
                        rows.stream()
                                .mapToInt(row -> row.get(column).length())
                                .max()
                                .orElse(0)))
                .toList();
        return text(head, widths) + rows.stream().map(row -> text(row, widths)).collect(Collectors.joining());
    }

    private static String text(List<String> cells, List<Integer> widths) {
        return IntStream.range(0, cells.size())
                        .mapToObj(column ->
                                String.format(Locale.ROOT, "%-" + widths.get(column) + "s", cells.get(column)))
                        .collect(Collectors.joining("  "))
                        .stripTrailing()
                + "\n";
    }

    String markdown() {
        return markdown(head)
                + "|" + "---|".repeat(head.size()) + "\n"
                + rows.stream().map(Table::markdown).collect(Collectors.joining());
    }

    static String markdown(List<String> cells) {
        return cells.stream().collect(Collectors.joining(" | ", "| ", " |\n"));
    }
}
