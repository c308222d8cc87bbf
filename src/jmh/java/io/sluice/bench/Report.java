package io.sluice.bench;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * Puts what comparisons have written down into the pages of {@code docs}: whatever stands between {@code <!-- figures: name -->} and {@code
 * <!-- end -->}, with a plot beside it, and nothing else. Of what was not measured, or in too few rounds, the old figures stay.
 *
 * <p>Arguments: {@code --report}, and then {@code --check} to change nothing but fail if something would change, or {@code --draft} to write
 * pages and plots into {@code target/benchmarks} instead, from however few rounds there are.
 */
final class Report {
    private static final Path DOCS = Path.of("docs");
    private static final String TARGETS = "targets";
    private static final Pattern PART =
            Pattern.compile("(<!-- figures: ([a-z-]+) -->\n)(.*?)(<!-- end -->\n)", Pattern.DOTALL);
    private static final List<String> HEAD = List.of("comparison", "work", "beside", "target", "measured", "verdict");

    private final boolean draft;
    private final boolean check;
    private final Path folder;

    /** Of all pages, in the order of their parts; empty where the old figures stay. */
    private final Map<String, Optional<Comparison>> comparisons = new LinkedHashMap<>();

    private Report(boolean draft, boolean check) {
        this.draft = draft;
        this.check = check;
        this.folder = draft ? Json.FOLDER : DOCS;
    }

    static void run(String[] args) throws IOException {
        Options options = Options.of(args, "--check", "--draft");
        new Report(options.has("--draft"), options.has("--check")).report();
    }

    private void report() throws IOException {
        Map<Path, String> pages = new TreeMap<>();
        try (Stream<Path> files = Files.list(DOCS)) {
            for (Path file :
                    files.filter(file -> file.toString().endsWith(".md")).toList()) {
                String page = Files.readString(file);
                if (PART.matcher(page).find()) {
                    pages.put(file, page);
                }
            }
        }
        for (String page : pages.values()) {
            for (MatchResult part : PART.matcher(page).results().toList()) {
                if (!part.group(2).equals(TARGETS)) {
                    comparisons.put(part.group(2), measured(part.group(2)));
                }
            }
        }
        List<String> stale = new ArrayList<>();
        for (Map.Entry<Path, String> page : pages.entrySet()) {
            String fresh = PART.matcher(page.getValue())
                    .replaceAll(part -> Matcher.quoteReplacement(part.group(1) + contents(part) + part.group(4)));
            if (!check) {
                Path file =
                        Files.createDirectories(folder).resolve(page.getKey().getFileName());
                Files.writeString(file, fresh);
                System.out.println("written: " + file);
            } else if (!fresh.equals(page.getValue())) {
                stale.add(page.getKey().toString());
            }
        }
        if (!check) {
            for (Optional<Comparison> comparison : comparisons.values()) {
                if (comparison.isPresent() && Plots.has(comparison.get())) {
                    Plots.draw(comparison.get(), folder.resolve("plots"));
                }
            }
        } else if (!stale.isEmpty()) {
            System.err.println(
                    String.join(", ", stale) + " is not what the samples in " + Json.FOLDER + " say: run --report");
            System.exit(1);
        }
    }

    private Optional<Comparison> measured(String name) throws IOException {
        try {
            Comparison comparison = Json.read(name, Comparison.class);
            if (comparison.rounds() >= Comparison.ENOUGH || draft) {
                return Optional.of(comparison);
            }
            System.out.printf(
                    "SKIPPED %s: rounds: %d, needed: %d; its figures stay as they are%n",
                    name, comparison.rounds(), Comparison.ENOUGH);
        } catch (NoSuchFileException e) {
            System.out.println("SKIPPED " + name + ": there is no " + e.getFile() + "; its figures stay as they are");
        }
        return Optional.empty();
    }

    /** What belongs into a part, or what stands there. */
    private String contents(MatchResult part) {
        return part.group(2).equals(TARGETS)
                ? targets(part.group(3))
                : comparisons.get(part.group(2)).map(Report::figures).orElse(part.group(3));
    }

    private static String figures(Comparison comparison) {
        ComparisonTable table = new ComparisonTable(comparison);
        StringBuilder text = new StringBuilder("\n" + table.table().markdown() + "\n");
        if (!comparison.notes().isEmpty()) {
            comparison.notes().forEach(note -> text.append("- ").append(note).append('\n'));
            text.append('\n');
        }
        text.append(table.caption()).append("\n\n");
        if (Plots.has(comparison)) {
            text.append("![%s, %s](plots/%s.svg)\n\n"
                    .formatted(comparison.name(), comparison.units().getFirst(), comparison.name()));
        }
        return text.toString();
    }

    /** A line for each promise; those of comparisons that were not measured now stay. */
    private String targets(String old) {
        StringBuilder lines = new StringBuilder();
        comparisons.forEach((name, measured) -> {
            String command = "`--" + name + "`";
            if (measured.isPresent()) {
                measured.get()
                        .verdicts()
                        .forEach(verdict -> lines.append(Table.markdown(List.of(
                                command,
                                verdict.row(),
                                verdict.against(),
                                verdict.target().toString(),
                                verdict.range(),
                                verdict.words()))));
            } else {
                old.lines()
                        .filter(line -> line.startsWith("| " + command + " |"))
                        .forEach(line -> lines.append(line).append('\n'));
            }
        });
        return "\n" + new Table(HEAD, List.of()).markdown() + lines + "\n";
    }
}
