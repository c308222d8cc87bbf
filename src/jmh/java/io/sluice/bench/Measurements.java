package io.sluice.bench;

import java.util.List;
import java.util.Locale;

/** What several samples say. */
final class Measurements {
    private Measurements() {}

    /** Median (least–most). */
    static String range(List<Double> values, String format) {
        if (values.isEmpty()) {
            return "–";
        }
        List<Double> sorted = values.stream().sorted().toList();
        return String.format(
                        Locale.ROOT,
                        format + " (" + format + "–" + format + ")",
                        median(values),
                        sorted.getFirst(),
                        sorted.getLast())
                .replace('-', '−');
    }

    static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int half = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
    }
}
