package io.sluice.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;

/**
 * Puts what comparisons have written down into {@code docs/benchmarks.md}: whatever stands between {@code <!-- figures: name -->} and {@code
 * <!-- end -->}, with a plot beside it, and nothing else. Of what was not measured, or in too few rounds, the old figures stay.
 *
 * <p>Arguments: {@code --report}, and then {@code --check} to change nothing but fail if something would change, or {@code --draft} to write
 * a page and plots into {@code target/benchmarks} instead, from however few rounds there are.
 */
final class Report {
    private static final Path DOCS = Path.of("docs");
    private static final String PAGE = "benchmarks.md";
    private static final Pattern PART =
            Pattern.compile("(<!-- figures: ([a-z-]+) -->\n)(.*?)(<!-- end -->\n)", Pattern.DOTALL);
    private static final List<String> HEAD = List.of("comparison", "work", "beside", "target", "measured", "verdict");

    /** Their few ratios say it all. */
    private static final Set<String> WITHOUT_PLOT = Set.of("transfer", "send");

    private final boolean draft;
    private final Path folder;
    private final List<Comparison> comparisons = new ArrayList<>();

    private Report(boolean draft) {
        this.draft = draft;
        this.folder = draft ? Json.FOLDER : DOCS;
    }

    static void run(String[] args) throws IOException {
        List<String> options = List.of(args).subList(1, args.length);
        if (!Set.of("--check", "--draft").containsAll(options)) {
            throw new IllegalArgumentException("--report takes --check or --draft and nothing else");
        }
        Report report = new Report(options.contains("--draft"));
        String old = Files.readString(DOCS.resolve(PAGE));
        String page = report.page(old);
        if (!options.contains("--check")) {
            report.write(page);
        } else if (!page.equals(old)) {
            System.err.println("docs/" + PAGE + " is not what the samples in " + Json.FOLDER + " say: run --report");
            System.exit(1);
        }
    }

    private String page(String old) throws IOException {
        StringBuilder page = new StringBuilder();
        int end = 0;
        List<MatchResult> parts = PART.matcher(old).results().toList();
        // The table of targets may stand before the parts that it is made of.
        List<String> figures = new ArrayList<>();
        for (MatchResult part : parts) {
            figures.add(part.group(2).equals("targets") ? "" : figures(part.group(2), part.group(3)));
        }
        for (int i = 0; i < parts.size(); i++) {
            MatchResult part = parts.get(i);
            page.append(old, end, part.end(1))
                    .append(part.group(2).equals("targets") ? targets(parts, part.group(3)) : figures.get(i))
                    .append(part.group(4));
            end = part.end();
        }
        return page.append(old.substring(end)).toString();
    }

    private void write(String page) throws IOException {
        for (Comparison comparison : comparisons) {
            if (!WITHOUT_PLOT.contains(comparison.name())) {
                Plots.draw(comparison, folder.resolve("plots"));
            }
        }
        Files.writeString(folder.resolve(PAGE), page);
        System.out.println("written: " + folder.resolve(PAGE));
    }

    /** What belongs into a part, or what stands there. */
    private String figures(String name, String old) throws IOException {
        try {
            return switch (name) {
                case "crossover" -> enough(name, Crossover.rounds()) ? "\n" + Crossover.markdown() + "\n" : old;
                case "overhead", "lending" -> calls(name, old);
                case "ladder" -> compared(Ladder.comparison(), old);
                default -> compared(Json.read(name, Comparison.class), old);
            };
        } catch (NoSuchFileException e) {
            System.out.println("SKIPPED " + name + ": there is no " + e.getFile() + "; its figures stay as they are");
            return old;
        }
    }

    private boolean enough(String name, int rounds) {
        if (rounds >= Comparison.ENOUGH || draft) {
            return true;
        }
        System.out.printf(
                "SKIPPED %s: rounds: %d, needed: %d; its figures stay as they are%n", name, rounds, Comparison.ENOUGH);
        return false;
    }

    private String compared(Comparison comparison, String old) {
        if (!enough(comparison.name(), comparison.rounds())) {
            return old;
        }
        comparisons.add(comparison);
        String plot = WITHOUT_PLOT.contains(comparison.name())
                ? ""
                : "![%s, %s](plots/%s.svg)\n\n"
                        .formatted(comparison.name(), comparison.units().getFirst(), comparison.name());
        return "\n" + comparison.table().markdown() + "\n" + comparison.caption() + "\n\n" + plot;
    }

    private String calls(String name, String old) throws IOException {
        Measurements measured = Measurements.read(name);
        if (!enough(name, measured.rounds())) {
            return old;
        }
        boolean lending = name.equals("lending");
        Table table = lending ? measured.perOperation() : measured.perCall();
        return "\n" + table.markdown()
                + "\nNanoseconds, median (least–most) of all samples; differences per %s. `--%s` on %s, rounds: %d.\n\n"
                        .formatted(
                                lending ? "operation" : "system call",
                                name,
                                Measurements.machine(name),
                                measured.rounds());
    }

    /** A line for each promise; those of comparisons that were not measured now stay. */
    private String targets(List<MatchResult> parts, String old) {
        StringBuilder lines = new StringBuilder();
        for (MatchResult part : parts) {
            String command = "`--" + part.group(2) + "`";
            Optional<Comparison> measured = comparisons.stream()
                    .filter(comparison -> comparison.name().equals(part.group(2)))
                    .findFirst();
            if (measured.isEmpty()) {
                old.lines()
                        .filter(line -> line.startsWith("| " + command + " |"))
                        .forEach(line -> lines.append(line).append('\n'));
                continue;
            }
            measured.get()
                    .verdicts()
                    .forEach(verdict -> lines.append(Table.markdown(List.of(
                            command,
                            verdict.row(),
                            verdict.against(),
                            verdict.target().toString(),
                            Measurements.range(verdict.ratios(), "%.2f"),
                            verdict.words()))));
        }
        return lines.isEmpty() ? old : "\n" + new Table(HEAD, List.of()).markdown() + lines + "\n";
    }
}
