package io.sluice.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What was measured, round by round, and what it says. */
final class Measurements {
    /** Who made the calls. */
    enum Caller {
        C_ALONE("C, 1 thread"),
        C("C, 2 threads"),
        SYSCALL("Java, Syscalls"),
        API("Java, API");

        final String words;

        Caller(String words) {
            this.words = words;
        }
    }

    private record Round(List<Double> nanos, List<Double> bytes) {}

    private static final String ROW = "%-33s %5s  %-20s  %-20s  %-20s  %-20s  %-22s %5s %8s%n";

    private final Map<Operation, Map<Caller, List<Round>>> rounds = new EnumMap<>(Operation.class);

    /** One round's samples: nanoseconds and, for Java, allocated bytes per operation. */
    void add(Operation operation, Caller caller, List<Double> nanos, List<Double> bytes) {
        rounds.computeIfAbsent(operation, o -> new EnumMap<>(Caller.class))
                .computeIfAbsent(caller, c -> new ArrayList<>())
                .add(new Round(nanos, bytes));
    }

    /** A line per operation: median (least – most) of all samples; the first difference is taken within each round. */
    String table() {
        List<Object> head = new ArrayList<>(List.of("operation", "calls"));
        Arrays.stream(Caller.values()).forEach(caller -> head.add(caller.words));
        head.addAll(List.of("API − C, per call", "least", "B/op"));
        StringBuilder table = new StringBuilder(row(head));
        rounds.forEach((operation, callers) -> {
            List<Object> cells = new ArrayList<>(List.of(operation.words, operation.calls));
            Arrays.stream(Caller.values()).forEach(caller -> cells.add(range(nanos(callers.get(caller)), "%.0f")));
            cells.add(range(differences(operation, callers), "%+.0f"));
            cells.add(leastDifference(operation, callers));
            List<Double> bytes = bytes(callers.get(Caller.API));
            // JMH itself allocates a few kilobytes per sample, which is a fraction of a byte per operation.
            cells.add(bytes.isEmpty() ? "–" : String.format(Locale.ROOT, "%.0f", median(bytes)));
            table.append(row(cells));
        });
        return table.toString();
    }

    /** All samples. */
    String json() {
        return rounds.entrySet().stream()
                .map(operation -> "    \"" + operation.getKey().name + "\": {\n      \"calls\": "
                        + operation.getKey().calls
                        + operation.getValue().entrySet().stream()
                                .map(caller -> ",\n      \"" + caller.getKey() + "\": " + json(caller.getValue()))
                                .collect(Collectors.joining())
                        + "\n    }")
                .collect(Collectors.joining(",\n", "{\n", "\n  }"));
    }

    private static String json(List<Round> rounds) {
        return rounds.stream()
                .map(round ->
                        "{\"ns\": " + round.nanos + (round.bytes.isEmpty() ? "" : ", \"bytes\": " + round.bytes) + "}")
                .collect(Collectors.joining(", ", "[", "]"));
    }

    private static String row(List<Object> cells) {
        return String.format(Locale.ROOT, ROW, cells.toArray());
    }

    // What slows the machine down for a while slows both down, so only neighbours in time are compared.
    private static List<Double> differences(Operation operation, Map<Caller, List<Round>> callers) {
        List<Round> c = callers.getOrDefault(Caller.C, List.of());
        List<Round> api = callers.getOrDefault(Caller.API, List.of());
        return IntStream.range(0, Math.min(c.size(), api.size()))
                .mapToObj(i -> (median(api.get(i).nanos) - median(c.get(i).nanos)) / operation.calls)
                .toList();
    }

    private static String leastDifference(Operation operation, Map<Caller, List<Round>> callers) {
        List<Double> c = nanos(callers.get(Caller.C));
        List<Double> api = nanos(callers.get(Caller.API));
        return c.isEmpty() || api.isEmpty()
                ? "–"
                : String.format(Locale.ROOT, "%+.0f", (Collections.min(api) - Collections.min(c)) / operation.calls);
    }

    private static List<Double> nanos(List<Round> rounds) {
        return rounds == null
                ? List.of()
                : rounds.stream().map(Round::nanos).flatMap(Collection::stream).toList();
    }

    private static List<Double> bytes(List<Round> rounds) {
        return rounds == null
                ? List.of()
                : rounds.stream().map(Round::bytes).flatMap(Collection::stream).toList();
    }

    private static String range(List<Double> values, String format) {
        if (values.isEmpty()) {
            return "–";
        }
        List<Double> sorted = values.stream().sorted().toList();
        return String.format(
                Locale.ROOT,
                format + " (" + format + "–" + format + ")",
                median(values),
                sorted.getFirst(),
                sorted.getLast());
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int half = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
    }
}
