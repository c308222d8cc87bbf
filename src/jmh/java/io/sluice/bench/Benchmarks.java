package io.sluice.bench;

import org.openjdk.jmh.Main;

/**
 * What {@code mvn -Pbench} runs, by its first argument: a comparison of its own, such as {@code --ladder}; without arguments what a
 * call costs; with any others, JMH's own command line.
 */
public final class Benchmarks {
    private Benchmarks() {}

    public static void main(String[] args) throws Exception {
        if (args.length == 0) {
            Overhead.run(new String[] {"--overhead"});
            return;
        }
        switch (args[0]) {
            case "--all" -> Suite.run(args);
            case "--connections" -> ConnectionsComparison.run(args);
            case "--counts" -> CountsComparison.run(args);
            case "--crossover" -> Crossover.run(args);
            case "--fanout" -> FanoutComparison.run(args);
            case "--gather" -> GatherComparison.run(args);
            case "--httpterm" -> HttpTermBenchmark.run(args);
            case "--ladder" -> Ladder.run(args);
            case "--latency" -> LatencyComparison.run(args);
            case "--masterpipe" -> MasterPipeComparison.run(args);
            case "--overhead", "--lending" -> Overhead.run(args);
            case "--pools" -> PoolsComparison.run(args);
            case "--relay", "--capacities" -> RelayComparison.run(args);
            case "--report" -> Report.run(args);
            case "--resolve" -> ResolveComparison.run(args);
            case "--scaling", "--capacity" -> ScalingBenchmark.run(args);
            case "--send" -> SendBenchmark.run(args);
            case "--transfer" -> TransferBenchmark.run(args);
            default -> Main.main(args);
        }
    }
}
