package io.sluice.bench;

import io.sluice.bench.Load.Result;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * A relay whose pool keeps more or fewer idle pipes, under requests on many connections, each of which needs a pipe for each way while there
 * are bytes in it: {@code --pools [--rounds <n>] [--seconds <n>]}.
 */
final class PoolsComparison {
    private static final int[] IDLE = {16, 0, 4, 64};

    /** Connections, all with a request under way, and bytes of it. */
    private static final int[][] ROWS = {{100, 1 << 10}, {100, 64 << 10}, {1000, 64 << 10}};

    private PoolsComparison() {}

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--seconds");
        if (Twin.compile("load", Json.FOLDER).isEmpty()) {
            throw new IOException("the requests come from a C program, which needs gcc");
        }
        Comparison comparison = Comparison.of(
                "pools",
                "What does a relay cost whose pool keeps so many idle pipes?",
                args,
                "CPU µs",
                "requests/s",
                "p99 µs");
        double seconds = Double.parseDouble(options.text("--seconds", "1"));
        for (int[] row : ROWS) {
            compare(comparison, row[0], row[1], options.number("--rounds", 5), seconds);
        }
        comparison.note(
                "CPU is the relay's, in microseconds for a request and its answer. Its threads are virtual, its pipes of 1 MiB.");
        comparison.finish();
    }

    private static void compare(Comparison comparison, int connections, int bytes, int rounds, double seconds)
            throws Exception {
        String row = connections + " × " + Comparison.size(bytes);
        System.out.print(row + " ");
        Map<Integer, RelayFleet> fleets = new LinkedHashMap<>();
        try {
            for (int idle : IDLE) {
                RelayFleet fleet = new RelayFleet(
                        (upstream, n) -> RelayProcess.java(ConnectionsContestant.class, "sluice-pool", upstream, idle),
                        1,
                        connections);
                fleets.put(idle, fleet);
                fleet.connect(connections, connections, bytes);
            }
            for (int round = 0; round <= rounds; round++) {
                for (Map.Entry<Integer, RelayFleet> fleet : fleets.entrySet()) {
                    double before = fleet.getValue().cpuSeconds();
                    Result result = fleet.getValue().run(bytes, seconds);
                    double cpu = fleet.getValue().cpuSeconds() - before;
                    // The first round is for the compilers.
                    if (round > 0) {
                        comparison.add(
                                row,
                                fleet.getKey() + " idle",
                                cpu * 1e6 / result.requests(),
                                result.requests() / result.seconds(),
                                result.percentile(0.99));
                    }
                }
                System.out.print('.');
                System.out.flush();
            }
            System.out.println();
        } finally {
            for (RelayFleet fleet : fleets.values()) {
                fleet.close();
            }
        }
    }
}
