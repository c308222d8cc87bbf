package io.sluice.bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** Ways of doing the same work, measured by turns: time, and processor time of this process, in which only they run. */
final class Stopwatch {
    private static final OperatingSystemMXBean PROCESS =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
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
                long cpu = PROCESS.getProcessCpuTime();
                long start = System.nanoTime();
                way.getValue().run();
                double seconds = (System.nanoTime() - start) / NANOS;
                double cpuSeconds = (PROCESS.getProcessCpuTime() - cpu) / NANOS;
                if (round > 0) {
                    samples.get(way.getKey()).add(new Sample(seconds, cpuSeconds));
                }
            }
        }
        return this;
    }

    double seconds(String way) {
        return median(samples.get(way).stream().map(Sample::seconds).toList());
    }

    double cpuSeconds(String way) {
        return median(samples.get(way).stream().map(Sample::cpuSeconds).toList());
    }

    /** Median, least and most processor time, per so many units. */
    String cpu(String way, double units) {
        List<Double> values = samples.get(way).stream().map(Sample::cpuSeconds).toList();
        return String.format(
                Locale.ROOT,
                "%.3f (%.3f–%.3f)",
                median(values) / units,
                Collections.min(values) / units,
                Collections.max(values) / units);
    }

    private static double median(List<Double> values) {
        List<Double> sorted = values.stream().sorted().toList();
        int half = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
    }
}
