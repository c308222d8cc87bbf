package io.sluice.bench;

import java.util.Arrays;
import java.util.List;
import org.openjdk.jmh.Main;

/**
 * What {@code mvn -Pbench} runs: {@link Crossover} or {@link Ladder} if {@code --crossover} or {@code --ladder} is among the arguments;
 * without arguments, or with those of {@link Overhead} alone, the comparison with C; with any other, JMH's own command line.
 */
public final class Benchmarks {
    private Benchmarks() {}

    public static void main(String[] args) throws Exception {
        List<String> arguments = Arrays.asList(args);
        if (arguments.contains("--crossover")) {
            Crossover.run(args);
        } else if (arguments.contains("--ladder")) {
            Ladder.run(args);
        } else if (args.length == 0 || args[0].startsWith("--")) {
            Overhead.run(args);
        } else {
            Main.main(args);
        }
    }
}
