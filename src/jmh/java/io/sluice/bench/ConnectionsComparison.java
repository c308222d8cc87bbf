package io.sluice.bench;

import io.sluice.bench.Load.Result;
import io.sluice.bench.RelayFleet.Starter;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Relays with 1, 100, 1,000 and 10,000 connections, each in processes of its own beside as many that send requests and answer them: {@code
 * --connections [--rounds <n>] [--seconds <n>] [--count <connections>] [--bytes <of a request>] [--only <part of a name>]}.
 *
 * <p>The loop is closed: of up to 1,000 connections each has a request under way at all times; where there are more, so many have, in turn,
 * and the others are idle. Where a process may not have the descriptors for all connections, they are divided over several relays of the
 * same kind, the same number for every contestant.
 */
final class ConnectionsComparison {
    private static final int[] COUNTS = {1, 100, 1000, 10_000};
    private static final int[] SIZES = {1 << 10, 64 << 10};
    private static final int MOST_AT_ONCE = 1000;

    /**
     * What a relay needs for a connection at most. That of C needs two sockets and two pipes, Sluice's two sockets, a duplicate of each, and a
     * pipe while there are bytes in it.
     */
    private static final int DESCRIPTORS = 6;

    /** Descriptors that a process cannot spend on connections. */
    private static final int RESERVE = 500;

    /** Below this, what a JVM does for itself is more than what its connections need. */
    private static final int FEWEST_FOR_MEMORY = 100;

    /** What the pipes of the relay in C should hold, as those of Sluice's do. */
    private static final int PIPE = 1 << 20;

    private static final double WARM_UP_SECONDS = 1;

    private final Map<String, Starter> starters = new LinkedHashMap<>();
    private final Comparison comparison;
    private final Options options;

    private ConnectionsComparison(String[] args, Options options) throws IOException {
        this.options = options;
        comparison = Comparison.of(
                options.named("connections", "--count", "--bytes", "--only"),
                "What do 1 to 10,000 connections through a relay cost?",
                args,
                "requests/s",
                "p50 µs",
                "p99",
                "p99.9",
                "CPU µs",
                "load",
                "KiB per connection",
                "descriptors");
        enter("Sluice, virtual threads", (u, n) -> java("sluice-virtual", u));
        enter("Sluice, selector, step()", (u, n) -> java("sluice-loop", u));
        enter("C, splice, threads", (u, n) -> RelayProcess.twin(u, PIPE));
        enter("java.nio, virtual, 16 KiB", (u, n) -> java("nio-virtual", u, 16 << 10));
        enter("java.nio, virtual, 64 KiB", (u, n) -> java("nio-virtual", u, 64 << 10));
        enter("Netty epoll, copy, 64 KiB", (u, n) -> RelayProcess.java(RelayContestant.class, "netty-copy", 0, u));
        enter("HAProxy, tcp, splice-auto", RelayProcess::haproxy);
    }

    private void enter(String name, Starter starter) {
        if (name.contains(options.text("--only", ""))) {
            starters.put(name, starter);
        }
    }

    private static RelayProcess java(Object... arguments) throws IOException {
        return RelayProcess.java(ConnectionsContestant.class, arguments);
    }

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--seconds", "--count", "--bytes", "--only");
        if (Twin.compile("load", Json.FOLDER).isEmpty()) {
            throw new IOException("the requests come from a C program, which needs gcc");
        }
        new ConnectionsComparison(args, options).measure();
    }

    private void measure() throws Exception {
        for (int count : COUNTS) {
            if (options.number("--count", count) == count) {
                compare(count);
            }
        }
        if (options.has("--count") && comparison.rows().isEmpty()) {
            compare(options.number("--count", 0));
        }
        comparison.note(
                "Latency in microseconds, from a request's first byte to the answer's last. CPU is the relay's, in microseconds for a"
                        + " request and its answer. Load: the part of a processor that those took who send and answer; beside one relay it is"
                        + " what limits the speed where it is near 1.");
        comparison.note(
                "Memory: resident memory of the relay's processes with the connections, less that before, divided; the same for"
                        + " descriptors, two of which are the connection's own. The kernel's memory for pipes and sockets is not in it.");
        comparison.finish();
    }

    private static int processes(int count) throws IOException {
        int limit = Files.readAllLines(Path.of("/proc/self/limits")).stream()
                .filter(line -> line.startsWith("Max open files"))
                .map(line -> line.split(" +")[4])
                .mapToInt(hard -> hard.equals("unlimited") ? Integer.MAX_VALUE : Integer.parseInt(hard))
                .findFirst()
                .orElse(Integer.MAX_VALUE);
        // The program that sends and answers has room for 65,536.
        return Math.ceilDiv(count, (Math.min(limit, 1 << 16) - RESERVE) / DESCRIPTORS);
    }

    private void compare(int count) throws Exception {
        int processes = processes(count);
        int each = Math.ceilDiv(count, processes);
        int atOnce = Math.ceilDiv(Math.min(count, MOST_AT_ONCE), processes);
        System.out.println(count + " connections");
        if (processes > 1) {
            comparison.note(
                    "%,d connections are divided over %d relays of the same kind, and as many processes that send and answer: %,d for"
                                    .formatted(processes * each, processes, each)
                            + " each, of which %d have a request under way. One process may not have the descriptors for all."
                                    .formatted(atOnce));
        }
        Map<String, RelayFleet> fleets = new LinkedHashMap<>();
        try {
            for (Map.Entry<String, Starter> starter : starters.entrySet()) {
                start(starter.getKey(), starter.getValue(), fleets, count, processes, each, atOnce);
            }
            for (int size : SIZES) {
                if (options.number("--bytes", size) == size) {
                    compare(fleets, count, size);
                }
            }
        } finally {
            for (RelayFleet fleet : fleets.values()) {
                fleet.close();
            }
        }
    }

    private void start(
            String name,
            Starter starter,
            Map<String, RelayFleet> fleets,
            int count,
            int processes,
            int each,
            int atOnce)
            throws IOException {
        RelayFleet fleet = null;
        try {
            fleet = new RelayFleet(starter, processes, each);
            fleet.connect(each, atOnce, SIZES[0]);
            fleets.put(name, fleet);
        } catch (Exception e) {
            skip(name, count, e);
            if (fleet != null) {
                fleet.close();
            }
        }
    }

    private void skip(String name, int count, Exception e) {
        comparison.skip(name + " with " + count + " connections", e.getMessage());
    }

    private void compare(Map<String, RelayFleet> fleets, int count, int size) throws IOException {
        String row = String.format("%,d × %s", count, Comparison.size(size));
        Map<String, double[]> kept = new LinkedHashMap<>();
        // The first round does not count but for memory: the compilers do most of their work in it.
        for (int round = 0; round <= options.number("--rounds", 5); round++) {
            for (String name : List.copyOf(fleets.keySet())) {
                RelayFleet fleet = fleets.get(name);
                try {
                    if (round == 0) {
                        fleet.run(size, WARM_UP_SECONDS);
                        kept.put(name, kept(fleet, count));
                    } else {
                        sample(row, name, fleet, size, round == 1 ? kept.get(name) : new double[0]);
                    }
                } catch (IOException e) {
                    skip(name, count, e);
                    fleets.remove(name).close();
                }
                System.out.print('.');
                System.out.flush();
            }
        }
        System.out.println(" " + row);
    }

    /** Memory in KiB, and descriptors, of each connection. */
    private static double[] kept(RelayFleet fleet, int count) throws IOException {
        return count < FEWEST_FOR_MEMORY
                ? new double[0]
                : new double[] {fleet.residentKibMore() / count, fleet.descriptorsMore() / count};
    }

    private void sample(String row, String name, RelayFleet fleet, int size, double... kept) throws IOException {
        double before = fleet.cpuSeconds();
        Result result = fleet.run(size, Double.parseDouble(options.text("--seconds", "1")));
        double cpu = fleet.cpuSeconds() - before;
        List<Double> figures = new ArrayList<>(List.of(
                result.requests() / result.seconds(),
                result.percentile(0.5),
                result.percentile(0.99),
                result.percentile(0.999),
                cpu * 1e6 / result.requests(),
                result.cpuSeconds() / result.seconds()));
        for (double figure : kept) {
            figures.add(figure);
        }
        comparison.add(
                row, name, figures.stream().mapToDouble(Double::doubleValue).toArray());
    }
}
