package io.sluice.bench;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.EnumMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToIntFunction;
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

    private record Round(List<Double> ns, List<Double> bytes) {}

    private final Map<Operation, Map<Caller, List<Round>>> rounds = new EnumMap<>(Operation.class);

    /** One round's samples: nanoseconds and, for Java, allocated bytes per operation. */
    void add(Operation operation, Caller caller, List<Double> nanos, List<Double> bytes) {
        rounds.computeIfAbsent(operation, o -> new EnumMap<>(Caller.class))
                .computeIfAbsent(caller, c -> new ArrayList<>())
                .add(new Round(nanos, bytes));
    }

    /** A line per operation, with what the API adds to each system call that C makes. */
    Table perCall() {
        return table("API − C, per call", operation -> operation.calls, Caller.C);
    }

    /** A line per operation, with what the API adds to all of its system calls, made from Java and from C. */
    Table perOperation() {
        return table("API − %s", operation -> 1, Caller.SYSCALL, Caller.C);
    }

    // Median (least – most) of all samples; the first of each pair of differences is taken within each round.
    private Table table(String title, ToIntFunction<Operation> divisor, Caller... bases) {
        List<String> head = new ArrayList<>(List.of("operation", "calls"));
        Arrays.stream(Caller.values()).forEach(caller -> head.add(caller.words));
        for (Caller base : bases) {
            head.addAll(List.of(title.formatted(base.words), "least"));
        }
        head.add("B/op");
        List<List<String>> lines = new ArrayList<>();
        rounds.forEach((operation, callers) -> {
            List<String> cells = new ArrayList<>(List.of(operation.words, Integer.toString(operation.calls)));
            Arrays.stream(Caller.values()).forEach(caller -> cells.add(range(nanos(callers.get(caller)), "%.0f")));
            for (Caller base : bases) {
                cells.add(range(differences(callers, base, divisor.applyAsInt(operation)), "%+.0f"));
                cells.add(leastDifference(callers, base, divisor.applyAsInt(operation)));
            }
            List<Double> bytes = bytes(callers.get(Caller.API));
            // JMH itself allocates a few kilobytes per sample, which is a fraction of a byte per operation.
            cells.add(bytes.isEmpty() ? "–" : String.format(Locale.ROOT, "%.1f", median(bytes)));
            lines.add(cells);
        });
        return new Table(head, lines);
    }

    /** How many rounds there are of every operation and caller. */
    int rounds() {
        return rounds.values().stream()
                .flatMap(callers -> callers.values().stream())
                .mapToInt(List::size)
                .min()
                .orElse(0);
    }

    /** All samples. */
    void write(String name, String machine) throws IOException {
        Map<String, Object> operations = new LinkedHashMap<>();
        rounds.forEach((operation, callers) -> {
            Map<String, Object> form = new LinkedHashMap<>();
            form.put("calls", operation.calls);
            callers.forEach((caller, of) -> form.put(caller.name(), of));
            operations.put(operation.name, form);
        });
        Map<String, Object> form = new LinkedHashMap<>();
        form.put("machine", machine);
        form.put("operations", operations);
        Json.write(name, form);
    }

    /** What was written down. */
    static Measurements read(String name) throws IOException {
        Measurements measured = new Measurements();
        JsonObject operations = Json.read(name, JsonObject.class).getAsJsonObject("operations");
        for (Operation operation : Operation.values()) {
            JsonObject form = operations.getAsJsonObject(operation.name);
            for (Caller caller : Caller.values()) {
                if (form != null && form.has(caller.name())) {
                    for (JsonElement round : form.getAsJsonArray(caller.name())) {
                        measured.add(operation, caller, numbers(round, "ns"), numbers(round, "bytes"));
                    }
                }
            }
        }
        return measured;
    }

    static String machine(String name) throws IOException {
        return Json.read(name, JsonObject.class).get("machine").getAsString();
    }

    private static List<Double> numbers(JsonElement round, String name) {
        JsonElement numbers = round.getAsJsonObject().get(name);
        return numbers == null
                ? List.of()
                : numbers.getAsJsonArray().asList().stream()
                        .map(JsonElement::getAsDouble)
                        .toList();
    }

    // What slows the machine down for a while slows both down, so only neighbours in time are compared.
    private static List<Double> differences(Map<Caller, List<Round>> callers, Caller base, int divisor) {
        List<Round> from = callers.getOrDefault(base, List.of());
        List<Round> api = callers.getOrDefault(Caller.API, List.of());
        return IntStream.range(0, Math.min(from.size(), api.size()))
                .mapToObj(i -> (median(api.get(i).ns) - median(from.get(i).ns)) / divisor)
                .toList();
    }

    private static String leastDifference(Map<Caller, List<Round>> callers, Caller base, int divisor) {
        List<Double> from = nanos(callers.get(base));
        List<Double> api = nanos(callers.get(Caller.API));
        return from.isEmpty() || api.isEmpty()
                ? "–"
                : String.format(Locale.ROOT, "%+.0f", (Collections.min(api) - Collections.min(from)) / divisor)
                        .replace('-', '−');
    }

    private static List<Double> nanos(List<Round> rounds) {
        return rounds == null
                ? List.of()
                : rounds.stream().map(Round::ns).flatMap(Collection::stream).toList();
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
                        sorted.getLast())
                .replace('-', '−');
    }

    static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int half = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
    }
}
