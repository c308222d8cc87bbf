package io.sluice.bench;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What several rounds measured, by row of the table and by name of the figure. */
final class Figures {
    private final Map<String, Map<String, List<Double>>> rows = new LinkedHashMap<>();

    /** What is not a number was not measured. */
    void add(String row, String figure, double value) {
        if (!Double.isFinite(value)) {
            return;
        }
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
        Json.write(name, new Samples(Machine.describe(), rows));
        return Json.file(name);
    }

    private record Samples(String machine, Map<String, Map<String, List<Double>>> rows) {}
}
