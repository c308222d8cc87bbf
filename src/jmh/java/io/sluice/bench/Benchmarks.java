package io.sluice.bench;

import org.openjdk.jmh.Main;

/**
 * What {@code mvn -Pbench} runs: without arguments, or with those of {@link Overhead} alone, the comparison with C; with any other, JMH's
 * own command line.
 */
public final class Benchmarks {
    private Benchmarks() {}

    public static void main(String[] args) throws Exception {
        if (args.length == 0 || args[0].startsWith("--")) {
            Overhead.run(args);
        } else {
            Main.main(args);
        }
    }
}
