package io.sluice.bench;

import org.openjdk.jmh.Main;

/**
 * What {@code mvn -Pbench} runs, by its first argument: a comparison of its own, such as {@code --ladder}; without arguments, or with those
 * of {@link Overhead} alone, what a call costs; with any other, JMH's own command line.
 */
public final class Benchmarks {
    private Benchmarks() {}

    public static void main(String[] args) throws Exception {
        String first = args.length == 0 ? "--overhead" : args[0];
        switch (first) {
            case "--all" -> Suite.run(args);
            case "--connections" -> ConnectionsComparison.run(args);
            case "--crossover" -> Crossover.run(args);
            case "--fanout" -> FanoutComparison.run(args);
            case "--gather" -> GatherComparison.run(args);
            case "--httpterm" -> HttpTermBenchmark.run(args);
            case "--ladder" -> Ladder.run(args);
            case "--latency" -> LatencyComparison.run(args);
            case "--relay", "--capacities" -> RelayComparison.run(args);
            case "--report" -> Report.run(args);
            case "--resolve" -> ResolveComparison.run(args);
            case "--scaling" -> ScalingBenchmark.run(args);
            case "--send" -> SendBenchmark.run(args);
            case "--transfer" -> TransferBenchmark.run(args);
            default -> {
                if (first.startsWith("--")) {
                    Overhead.run(args);
                } else {
                    Main.main(args);
                }
            }
        }
    }
}
