package io.sluice.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Comparisons one after the other, each in a JVM of its own, and then the report: {@code --all}, then the names of those that are to run,
 * without which all of whole jobs do, and then options that each of them is given, such as {@code --rounds 9}.
 */
final class Suite {
    private static final List<String> WHOLE_JOBS =
            List.of("relay", "capacities", "transfer", "fanout", "gather", "httpterm");

    private Suite() {}

    static void run(String[] args) throws IOException, InterruptedException {
        List<String> names = Arrays.stream(args)
                .skip(1)
                .takeWhile(arg -> !arg.startsWith("--"))
                .toList();
        List<String> options = List.of(args).subList(1 + names.size(), args.length);
        List<String> failed = new ArrayList<>();
        for (String name : names.isEmpty() ? WHOLE_JOBS : names) {
            System.out.println("\n== " + name);
            if (status("--" + name, options) != 0) {
                failed.add(name);
            }
        }
        System.out.println("\n== report");
        if (status("--report", List.of()) != 0) {
            failed.add("report");
        }
        if (!failed.isEmpty()) {
            System.err.println("FAILED: " + String.join(", ", failed));
            System.exit(1);
        }
    }

    private static int status(String name, List<String> options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Benchmarks.class.getName(), name));
        command.addAll(options);
        return new ProcessBuilder(command).inheritIO().start().waitFor();
    }
}
