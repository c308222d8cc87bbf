package io.sluice.bench;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToIntFunction;
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

    private static final String ROW = "%-33s %5s  %-20s  %-20s  %-20s  %-20s";
    private static final String DIFFERENCE = "  %-22s %5s";

    private final Map<Operation, Map<Caller, List<Round>>> rounds = new EnumMap<>(Operation.class);

    /** One round's samples: nanoseconds and, for Java, allocated bytes per operation. */
    void add(Operation operation, Caller caller, List<Double> nanos, List<Double> bytes) {
        rounds.computeIfAbsent(operation, o -> new EnumMap<>(Caller.class))
                .computeIfAbsent(caller, c -> new ArrayList<>())
                .add(new Round(nanos, bytes));
    }

    /** A line per operation, with what the API adds to each system call that C makes. */
    String perCall() {
        return table("API − C, per call", operation -> operation.calls, Caller.C);
    }

    /** A line per operation, with what the API adds to all of its system calls, made from Java and from C. */
    String perOperation() {
        return table("API − %s", operation -> 1, Caller.SYSCALL, Caller.C);
    }

    // Median (least – most) of all samples; the first of each pair of differences is taken within each round.
    private String table(String title, ToIntFunction<Operation> divisor, Caller... bases) {
        List<Object> head = new ArrayList<>(List.of("operation", "calls"));
        Arrays.stream(Caller.values()).forEach(caller -> head.add(caller.words));
        for (Caller base : bases) {
            head.addAll(List.of(title.formatted(base.words), "least"));
        }
        head.add("B/op");
        StringBuilder table = new StringBuilder(row(head, bases.length));
        rounds.forEach((operation, callers) -> {
            List<Object> cells = new ArrayList<>(List.of(operation.words, operation.calls));
            Arrays.stream(Caller.values()).forEach(caller -> cells.add(range(nanos(callers.get(caller)), "%.0f")));
            for (Caller base : bases) {
                cells.add(range(differences(callers, base, divisor.applyAsInt(operation)), "%+.0f"));
                cells.add(leastDifference(callers, base, divisor.applyAsInt(operation)));
            }
            List<Double> bytes = bytes(callers.get(Caller.API));
            // JMH itself allocates a few kilobytes per sample, which is a fraction of a byte per operation.
            cells.add(bytes.isEmpty() ? "–" : String.format(Locale.ROOT, "%.0f", median(bytes)));
            table.append(row(cells, bases.length));
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

    private static String row(List<Object> cells, int differences) {
        return String.format(Locale.ROOT, ROW + DIFFERENCE.repeat(differences) + " %8s%n", cells.toArray());
    }

    // What slows the machine down for a while slows both down, so only neighbours in time are compared.
    private static List<Double> differences(Map<Caller, List<Round>> callers, Caller base, int divisor) {
        List<Round> from = callers.getOrDefault(base, List.of());
        List<Round> api = callers.getOrDefault(Caller.API, List.of());
        return IntStream.range(0, Math.min(from.size(), api.size()))
                .mapToObj(i -> (median(api.get(i).nanos) - median(from.get(i).nanos)) / divisor)
                .toList();
    }

    private static String leastDifference(Map<Caller, List<Round>> callers, Caller base, int divisor) {
        List<Double> from = nanos(callers.get(base));
        List<Double> api = nanos(callers.get(Caller.API));
        return from.isEmpty() || api.isEmpty()
                ? "–"
                : String.format(Locale.ROOT, "%+.0f", (Collections.min(api) - Collections.min(from)) / divisor);
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
                sorted.getLast());
    }

    static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int half = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
    }
}
