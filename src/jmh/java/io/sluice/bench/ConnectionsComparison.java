package io.sluice.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * Relays with many connections, each a process of its own beside one that sends requests and answers them: {@code --connections [<how many>
 * …] [--seconds <n>] [--rounds <n>] [--bytes <of a request> …] [--only <part of a name>]}.
 *
 * <p>The loop is closed: of up to 1,000 connections each has a request under way at all times; where there are more, so many have, in turn,
 * and the others are idle.
 */
final class ConnectionsComparison {
    private static final int MOST_AT_ONCE = 1000;

    /** What a relay needs for a connection at most, which is what Sluice needs: two sockets, and a duplicate of each. */
    private static final int DESCRIPTORS = 4;

    /** Descriptors that neither process can spend on connections. */
    private static final int RESERVE = 500;

    /** Below this, what a JVM does for itself is more than what its connections need. */
    private static final int FEWEST_FOR_MEMORY = 100;

    private static final String ROW = "%-26s %-22s %-26s %-26s %-26s %-20s %5s %9s %6s%n";

    private interface Starter {
        RelayProcess start(int upstream, int connections) throws Exception;
    }

    private final List<Integer> counts = new ArrayList<>();
    private final List<Integer> sizes = new ArrayList<>();
    private final Map<String, Starter> starters = new LinkedHashMap<>();
    private final Figures figures = new Figures();
    private double seconds = 2;
    private int rounds = 5;
    private String only = "";

    private ConnectionsComparison(String[] args) {
        for (int i = 1; i < args.length; i++) {
            switch (args[i]) {
                case "--seconds" -> seconds = Double.parseDouble(args[++i]);
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--bytes" -> sizes.add(Integer.parseInt(args[++i]));
                case "--only" -> only = args[++i];
                default -> counts.add(Integer.parseInt(args[i]));
            }
        }
        if (counts.isEmpty()) {
            counts.addAll(List.of(1, 100, 1000, 10_000));
        }
        if (sizes.isEmpty()) {
            sizes.addAll(List.of(1 << 10, 64 << 10));
        }
        enter("Sluice, virtual threads", (u, n) -> contestant("sluice-virtual", u));
        enter("Sluice, selector, step()", (u, n) -> contestant("sluice-loop", u));
        enter("java.nio, virtual, 16 KiB", (u, n) -> contestant("nio-virtual", u, 16 << 10));
        enter("java.nio, virtual, 64 KiB", (u, n) -> contestant("nio-virtual", u, 64 << 10));
        enter("Netty epoll, copy, 64 KiB", (u, n) -> RelayProcess.java(RelayContestant.class, "netty-copy", 0, u));
        enter("HAProxy, tcp, splice-auto", RelayProcess::haproxy);
    }

    private void enter(String name, Starter starter) {
        if (name.contains(only)) {
            starters.put(name, starter);
        }
    }

    private static RelayProcess contestant(String way, int upstream, Object... more) throws IOException {
        List<Object> arguments = new ArrayList<>(List.of(way, upstream));
        arguments.addAll(List.of(more));
        return RelayProcess.java(ConnectionsContestant.class, arguments.toArray());
    }

    static void run(String[] args) throws Exception {
        ConnectionsComparison comparison = new ConnectionsComparison(args);
        if (Twin.compile("load", Json.FOLDER).isEmpty()) {
            throw new IOException("the requests come from a C program, which needs gcc");
        }
        System.out.println(Machine.describe());
        for (int count : comparison.counts) {
            int possible = possible(count);
            for (int size : comparison.sizes) {
                comparison.compare(possible, size);
            }
        }
        System.out.println("""
                Median (least–most) of the rounds, which alternate. Latency in microseconds, from a request's first byte to the answer's last;
                CPU is the relay's, in microseconds for a request and its answer; load: the part of a processor that the program took which
                sends and answers. Where it is near 1.00, it is what limits the speed. Memory: resident memory of the relay's process
                with the connections, less that before the first, divided; the same for descriptors, two of which are the connection's own.
                All rounds: %s""".formatted(comparison.figures.write("connections")));
    }

    // The program that sends and answers needs two for each connection, and has room for 65,536.
    private static int possible(int asked) throws IOException {
        int limit = Files.readAllLines(Path.of("/proc/self/limits")).stream()
                .filter(line -> line.startsWith("Max open files"))
                .map(line -> line.split(" +")[4])
                .mapToInt(hard -> hard.equals("unlimited") ? Integer.MAX_VALUE : Integer.parseInt(hard))
                .findFirst()
                .orElse(Integer.MAX_VALUE);
        int possible = (Math.min(limit, 1 << 16) - RESERVE) / DESCRIPTORS;
        if (asked > possible) {
            System.out.printf(
                    "REDUCED: %d connections instead of %d, because a process may have %d descriptors (ulimit -Hn)%n",
                    possible, asked, limit);
        }
        return Math.min(asked, possible);
    }

    private void compare(int count, int size) throws Exception {
        int upstream = RelayProcess.freePort();
        Map<String, RelayProcess> relays = new LinkedHashMap<>();
        try {
            for (Map.Entry<String, Starter> starter : starters.entrySet()) {
                try {
                    relays.put(starter.getKey(), starter.getValue().start(upstream, count));
                } catch (IOException e) {
                    System.out.println("SKIPPED " + starter.getKey() + ": " + e.getMessage());
                }
            }
            // The first round does not count but for memory: the compilers do most of their work in it.
            for (int round = 0; round <= rounds; round++) {
                for (String name : List.copyOf(relays.keySet())) {
                    try {
                        load(row(name, count, size), relays.get(name), upstream, count, size, round == 0);
                    } catch (IOException e) {
                        System.out.println("SKIPPED " + name + ": " + e.getMessage());
                        relays.remove(name).close();
                    }
                }
            }
        } finally {
            for (RelayProcess relay : relays.values()) {
                relay.close();
            }
        }
        print(count, size);
    }

    private void load(String row, RelayProcess relay, int upstream, int count, int size, boolean first)
            throws IOException, InterruptedException {
        if (first) {
            // What a relay loads and keeps for its first connection is no cost of the others.
            visit(row, relay, upstream, 1, size, 0.2, false);
        }
        double resident = relay.residentKib();
        double descriptors = relay.descriptors();
        visit(row, relay, upstream, count, size, seconds, !first);
        if (first && count >= FEWEST_FOR_MEMORY) {
            figures.add(row, "KiB", (residentWith - resident) / count);
            figures.add(row, "descriptors", (descriptorsWith - descriptors) / count);
        }
    }

    private double residentWith;
    private double descriptorsWith;

    private void visit(
            String row, RelayProcess relay, int upstream, int count, int size, double duration, boolean counts)
            throws IOException, InterruptedException {
        Process load = new ProcessBuilder(
                        Json.FOLDER.resolve("load").toString(),
                        Integer.toString(upstream),
                        Integer.toString(relay.port),
                        Integer.toString(count),
                        Integer.toString(Math.min(count, MOST_AT_ONCE)),
                        Integer.toString(size),
                        Double.toString(duration))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader said = load.inputReader();
                Writer word = load.outputWriter()) {
            line(said, relay);
            double before = relay.cpuSeconds();
            word.append('\n').flush();
            String[] results = line(said, relay).split(" ");
            double cpu = relay.cpuSeconds() - before;
            residentWith = relay.residentKib();
            descriptorsWith = relay.descriptors();
            word.append('\n').flush();
            said.readLine(); // it ends when the relay has closed all
            double requests = Double.parseDouble(results[0]);
            double took = Double.parseDouble(results[1]);
            if (counts) {
                figures.add(row, "requests/s", requests / took);
                figures.add(row, "p50", Double.parseDouble(results[2]));
                figures.add(row, "p99", Double.parseDouble(results[3]));
                figures.add(row, "p99.9", Double.parseDouble(results[4]));
                figures.add(row, "cpu", cpu * 1e6 / requests);
                figures.add(row, "load", Double.parseDouble(results[6]) / took);
            }
        } finally {
            load.destroy();
            load.waitFor();
        }
    }

    private static String line(BufferedReader from, RelayProcess relay) throws IOException {
        String line = from.readLine();
        if (line == null) {
            throw new IOException(relay.isAlive() ? "the requests failed" : "it ended");
        }
        return line;
    }

    private static String row(String name, int count, int size) {
        return count + " × " + size + ", " + name;
    }

    private void print(int count, int size) {
        System.out.printf(
                "%n%d connections, %d requests of %d bytes at once, %d rounds of %.1f s%n",
                count, Math.min(count, MOST_AT_ONCE), size, rounds, seconds);
        System.out.printf(
                Locale.ROOT, ROW, "", "requests/s", "p50", "p99", "p99.9", "CPU", "load", "KiB/conn.", "fds/c.");
        for (String name : starters.keySet()) {
            String row = row(name, count, size);
            System.out.printf(
                    Locale.ROOT,
                    ROW,
                    name,
                    figures.range(row, "requests/s", "%.0f"),
                    figures.range(row, "p50", "%.0f"),
                    figures.range(row, "p99", "%.0f"),
                    figures.range(row, "p99.9", "%.0f"),
                    figures.range(row, "cpu", "%.1f"),
                    two(row, "load"),
                    two(row, "KiB"),
                    two(row, "descriptors"));
        }
    }

    private String two(String row, String figure) {
        double median = figures.median(row, figure);
        return Double.isNaN(median) ? "–" : String.format(Locale.ROOT, "%.2f", median);
    }
}
