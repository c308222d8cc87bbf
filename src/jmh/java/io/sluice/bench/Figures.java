package io.sluice.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** What several rounds measured, by row of the table and by name of the figure. */
final class Figures {
    static final Path FOLDER = Path.of("target/benchmarks");

    private final Map<String, Map<String, List<Double>>> rows = new LinkedHashMap<>();

    void add(String row, String figure, double value) {
        rows.computeIfAbsent(row, r -> new LinkedHashMap<>())
                .computeIfAbsent(figure, f -> new ArrayList<>())
                .add(value);
    }

    List<Double> of(String row, String figure) {
        return rows.getOrDefault(row, Map.of()).getOrDefault(figure, List.of());
    }

    double median(String row, String figure) {
        List<Double> values = of(row, figure);
        return values.isEmpty() ? Double.NaN : Measurements.median(values);
    }

    /** Median (least–most). */
    String range(String row, String figure, String format) {
        return Measurements.range(of(row, figure), format);
    }

    /** Puts all of it, with what the machine is, where the other benchmarks put theirs. */
    Path write(String name) throws IOException {
        Files.createDirectories(FOLDER);
        String json = rows.entrySet().stream()
                .map(row -> "    \"" + row.getKey() + "\": {"
                        + row.getValue().entrySet().stream()
                                .map(figure -> "\"" + figure.getKey() + "\": " + numbers(figure.getValue()))
                                .collect(Collectors.joining(", "))
                        + "}")
                .collect(Collectors.joining(",\n", "  \"rows\": {\n", "\n  }\n"));
        return Files.writeString(
                FOLDER.resolve(name + ".json"), "{\n  \"machine\": \"" + Machine.describe() + "\",\n" + json + "}\n");
    }

    private static String numbers(List<Double> values) {
        return values.stream()
                .map(value -> Double.isFinite(value) ? String.format(Locale.ROOT, "%.6g", value) : "null")
                .collect(Collectors.joining(", ", "[", "]"));
    }
}
