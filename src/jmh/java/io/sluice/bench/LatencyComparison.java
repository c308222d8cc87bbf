package io.sluice.bench;

import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * How long a thread that waits for a byte goes on waiting when it is there, and what that takes: {@code --latency [--rounds <n>] [--trips
 * <n>] [--pause <µs>]}. The peer answers at once, or after a pause in which whoever waits falls asleep.
 */
final class LatencyComparison {
    private static final String ROW = "%-44s %-22s %-22s %-24s %-22s %-20s%n";
    private static final double MICRO = 1000;

    /** A trip with a pause takes some ten times as long. */
    private static final int PAUSED_PART = 10;

    private static final String C = "C, pipes, poll and read";

    private interface Opener {
        PingPong open() throws IOException;
    }

    private record Way(Opener opener, boolean virtual) {}

    private final Map<String, Way> ways = new LinkedHashMap<>();
    private final Figures figures = new Figures();
    private final Optional<Twin> twin;

    private LatencyComparison() throws IOException, InterruptedException {
        enter("Sluice PipeSource", PingPong::sluicePipes);
        enter("java.nio Pipe", PingPong::nioPipes);
        enter("java.nio SocketChannel", PingPong::nioSocket);
        twin = Twin.compile("pingpong", Json.FOLDER);
    }

    private void enter(String name, Opener opener) {
        ways.put(name + ", platform thread", new Way(opener, false));
        ways.put(name + ", virtual thread", new Way(opener, true));
    }

    static void run(String[] args) throws Exception {
        int rounds = 5;
        int trips = 20_000;
        long pause = 300;
        for (int i = 1; i < args.length; i++) {
            switch (args[i]) {
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--trips" -> trips = Integer.parseInt(args[++i]);
                case "--pause" -> pause = Long.parseLong(args[++i]);
                default -> throw new IllegalArgumentException("no argument of the latencies: " + args[i]);
            }
        }
        System.out.println(Machine.describe());
        LatencyComparison comparison = new LatencyComparison();
        comparison.measure(rounds, trips, 0);
        comparison.measure(rounds, Math.max(1, trips / PAUSED_PART), pause);
        System.out.println("""

                Microseconds, median (least–most) of the rounds, which alternate. Waking: from the peer's call that gives the byte to
                the return of the call that waited for it. Trip: there and back, without the pause. CPU: of all threads but the peer's,
                for a trip; for virtual threads that includes whoever polls for them. The peer spins: it never has to be woken to
                answer, and keeps one processor from sleeping.
                All rounds: %s""".formatted(comparison.figures.write("latency")));
    }

    private void measure(int rounds, int trips, long pauseMicros) throws Exception {
        String when = pauseMicros == 0 ? "at once" : "after " + pauseMicros + " µs";
        // A round before those that count, for the compilers.
        for (int round = 0; round <= rounds; round++) {
            for (Map.Entry<String, Way> way : ways.entrySet()) {
                double[] result = inJava(way.getValue(), trips, pauseMicros);
                if (round > 0) {
                    add(row(way.getKey(), when), result);
                }
            }
            if (twin.isPresent() && round > 0) {
                List<Double> printed = twin.get().run(trips, pauseMicros);
                add(
                        row(C, when),
                        printed.stream().mapToDouble(Double::doubleValue).toArray());
            }
        }
        System.out.printf("%nThe answer comes %s, %d trips in each of %d rounds%n", when, trips, rounds);
        System.out.printf(ROW, "", "waking, p50", "p99", "p99.9", "trip, p50", "CPU");
        for (String way : ways.keySet()) {
            print(way, when);
        }
        if (twin.isPresent()) {
            print(C, when);
        }
    }

    private static String row(String way, String when) {
        return way + ", " + when;
    }

    private void print(String way, String when) {
        String row = row(way, when);
        System.out.printf(
                Locale.ROOT,
                ROW,
                way,
                figures.range(row, "p50", "%.1f"),
                figures.range(row, "p99", "%.1f"),
                figures.range(row, "p99.9", "%.1f"),
                figures.range(row, "trip", "%.1f"),
                figures.range(row, "cpu", "%.1f"));
    }

    private void add(String row, double... result) {
        figures.add(row, "p50", result[0]);
        figures.add(row, "p99", result[1]);
        figures.add(row, "p99.9", result[2]);
        figures.add(row, "trip", result[3]);
        figures.add(row, "cpu", result[4]);
    }

    /** Percentiles of waking, the median trip, and processor time for one, all in microseconds. */
    private static double[] inJava(Way way, int trips, long pauseMicros) throws Exception {
        long[] waking = new long[trips];
        long[] trip = new long[trips];
        long pause = TimeUnit.MICROSECONDS.toNanos(pauseMicros);
        try (PingPong pingPong = way.opener.open()) {
            Answerer answerer = new Answerer(pingPong.peerReads, pingPong.peerWrites, trips, pause);
            Throwable[] failure = {null};
            long cpu = ProcessClock.nanos();
            answerer.start();
            Thread waiter = (way.virtual ? Thread.ofVirtual() : Thread.ofPlatform()).unstarted(() -> {
                try {
                    for (int i = 0; i < trips; i++) {
                        long start = System.nanoTime();
                        pingPong.trip.make();
                        long end = System.nanoTime();
                        waking[i] = end - answerer.answeredAt();
                        trip[i] = end - start - pause;
                    }
                } catch (Throwable t) {
                    failure[0] = t;
                }
            });
            waiter.start();
            waiter.join();
            if (failure[0] != null) {
                throw new IOException("a trip failed", failure[0]);
            }
            answerer.join();
            double own = ProcessClock.nanos() - cpu - answerer.cpuNanos();
            Arrays.sort(waking);
            Arrays.sort(trip);
            return new double[] {
                at(waking, 0.5), at(waking, 0.99), at(waking, 0.999), at(trip, 0.5), own / MICRO / trips
            };
        }
    }

    private static double at(long[] sorted, double part) {
        return sorted[Math.min(sorted.length - 1, (int) (sorted.length * part))] / MICRO;
    }
}
