package io.sluice.bench;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/**
 * Comparisons one after the other, each in a JVM of its own, and then the report: {@code --all}, then the names of those that are to run,
 * without which all do, and then options that each of them is given, such as {@code --rounds 9}. One that fails, or takes far longer than
 * any has taken, is named at the end, and the others go on; what it measured at another time stays.
 */
final class Suite {
    static final List<String> ALL = List.of(
            "overhead",
            "lending",
            "crossover",
            "latency",
            "resolve",
            "scaling",
            "capacity",
            "relay",
            "capacities",
            "pools",
            "transfer",
            "fanout",
            "gather",
            "httpterm",
            "masterpipe",
            "send",
            "connections",
            "ladder",
            "counts");

    private static final long PATIENCE_MINUTES = 20;

    private Suite() {}

    static void run(String[] args) throws IOException, InterruptedException {
        List<String> names = Arrays.stream(args)
                .skip(1)
                .takeWhile(arg -> !arg.startsWith("--"))
                .toList();
        List<String> options = List.of(args).subList(1 + names.size(), args.length);
        List<String> failed = new ArrayList<>();
        for (String name : names.isEmpty() ? ALL : names) {
            System.out.println("\n== " + name);
            long start = System.nanoTime();
            if (!isRun("--" + name, options)) {
                failed.add(name);
                System.out.println("FAILED: " + name);
            }
            System.out.println(
                    "== " + name + " took " + TimeUnit.NANOSECONDS.toSeconds(System.nanoTime() - start) + " s");
        }
        System.out.println("\n== report");
        if (!isRun("--report", List.of())) {
            failed.add("report");
        }
        if (!failed.isEmpty()) {
            System.err.println("FAILED: " + String.join(", ", failed));
            System.exit(1);
        }
    }

    private static boolean isRun(String name, List<String> options) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Benchmarks.class.getName(), name));
        command.addAll(options);
        Process process = new ProcessBuilder(command).inheritIO().start();
        if (process.waitFor(PATIENCE_MINUTES, TimeUnit.MINUTES)) {
            return process.exitValue() == 0;
        }
        System.out.println("ended after " + PATIENCE_MINUTES + " minutes: " + name);
        process.descendants().forEach(ProcessHandle::destroyForcibly);
        process.destroyForcibly().waitFor();
        return false;
    }
}
