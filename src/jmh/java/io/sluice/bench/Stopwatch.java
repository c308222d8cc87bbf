package io.sluice.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Ways of doing the same work, measured by turns: time, and processor time of this process, in which only they run. */
final class Stopwatch {
    private static final double NANOS = 1e9;

    /** One run. */
    @FunctionalInterface
    interface Work {
        void run() throws Exception;
    }

    private record Sample(double seconds, double cpuSeconds) {}

    private final Map<String, Work> ways = new LinkedHashMap<>();
    private final Map<String, List<Sample>> samples = new LinkedHashMap<>();

    Stopwatch way(String name, Work work) {
        ways.put(name, work);
        samples.put(name, new ArrayList<>());
        return this;
    }

    /** Runs every way in turn, so often, after one round that does not count. */
    Stopwatch measure(int rounds) throws Exception {
        for (int round = 0; round <= rounds; round++) {
            for (Map.Entry<String, Work> way : ways.entrySet()) {
                long cpu = Machine.cpuNanos();
                long start = System.nanoTime();
                way.getValue().run();
                double seconds = (System.nanoTime() - start) / NANOS;
                double cpuSeconds = (Machine.cpuNanos() - cpu) / NANOS;
                if (round > 0) {
                    samples.get(way.getKey()).add(new Sample(seconds, cpuSeconds));
                }
            }
        }
        return this;
    }

    Set<String> ways() {
        return ways.keySet();
    }

    /** Of each round. */
    List<Double> seconds(String way) {
        return samples.get(way).stream().map(Sample::seconds).toList();
    }

    /** Processor time of each round. */
    List<Double> cpuSeconds(String way) {
        return samples.get(way).stream().map(Sample::cpuSeconds).toList();
    }
}
