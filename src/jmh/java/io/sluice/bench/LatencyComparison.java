package io.sluice.bench;

import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.TimeUnit;

/**
 * How long a thread that waits for a byte goes on waiting when it is there, and what that takes: {@code --latency [--rounds <n>] [--trips
 * <n>] [--pause <µs>]}. The peer answers at once, or after a pause in which whoever waits falls asleep.
 */
final class LatencyComparison {
    private static final double MICRO = 1000;

    /** A trip with a pause takes some ten times as long. */
    private static final int PAUSED_PART = 10;

    private static final String C = "C, pipes: poll, read";

    private interface Opener {
        PingPong open() throws IOException;
    }

    private record Way(Opener opener, boolean virtual) {}

    private final Map<String, Way> ways = new LinkedHashMap<>();
    private final Comparison comparison;
    private final Optional<Twin> twin;

    private LatencyComparison(Comparison comparison) throws IOException, InterruptedException {
        this.comparison = comparison;
        ways.put("Sluice, virtual thread: yields, parks", new Way(PingPong::sluicePipes, true));
        ways.put("virtual thread: parks at once", new Way(PingPong::sluicePipesAtOnce, true));
        ways.put("virtual thread: polls, holding its carrier", new Way(PingPong::sluicePipesPolled, true));
        ways.put("Sluice, platform thread: spins, polls", new Way(PingPong::sluicePipes, false));
        ways.put("platform thread: polls at once", new Way(PingPong::sluicePipesAtOnce, false));
        enter("java.nio Pipe", PingPong::nioPipes);
        enter("java.nio SocketChannel", PingPong::nioSocket);
        twin = Twin.compile("pingpong", Json.FOLDER);
    }

    private void enter(String name, Opener opener) {
        ways.put(name + ", virtual thread", new Way(opener, true));
        ways.put(name + ", platform thread", new Way(opener, false));
    }

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--trips", "--pause");
        int rounds = options.number("--rounds", 5);
        int trips = options.number("--trips", 20_000);
        Comparison comparison = Comparison.of(
                "latency",
                "How soon does a thread that waits for a byte have it, and what does waiting take?",
                args,
                "waking, p50 µs",
                "p99",
                "p99.9",
                "trip, p50",
                "CPU µs");
        LatencyComparison latency = new LatencyComparison(comparison);
        latency.measure(rounds, trips, 0);
        latency.measure(rounds, Math.max(1, trips / PAUSED_PART), options.number("--pause", 300));
        comparison.note(
                "Waking: from the peer's call that gives the byte to the return of the call that waited for it. Trip: there and back,"
                        + " without the pause. CPU: of all threads but the peer's, for a trip; for virtual threads that includes whoever polls for"
                        + " them. The peer spins: it never has to be woken to answer, and keeps one processor from sleeping.");
        comparison.finish();
    }

    private void measure(int rounds, int trips, long pauseMicros) throws Exception {
        String row = pauseMicros == 0 ? "the answer comes at once" : "after " + pauseMicros + " µs";
        System.out.print(row + " ");
        // A round before those that count, for the compilers.
        for (int round = 0; round <= rounds; round++) {
            for (Map.Entry<String, Way> way : ways.entrySet()) {
                double[] result = inJava(way.getValue(), trips, pauseMicros);
                if (round > 0) {
                    comparison.add(row, way.getKey(), result);
                }
            }
            if (twin.isPresent() && round > 0) {
                List<Double> printed = twin.get().run(trips, pauseMicros);
                comparison.add(
                        row,
                        C,
                        printed.stream().mapToDouble(Double::doubleValue).toArray());
            }
            System.out.print('.');
            System.out.flush();
        }
        System.out.println();
    }

    /** Percentiles of waking, the median trip, and processor time for one, all in microseconds. */
    private static double[] inJava(Way way, int trips, long pauseMicros) throws Exception {
        long[] waking = new long[trips];
        long[] trip = new long[trips];
        long pause = TimeUnit.MICROSECONDS.toNanos(pauseMicros);
        try (PingPong pingPong = way.opener.open()) {
            Answerer answerer = new Answerer(pingPong.peerReads, pingPong.peerWrites, trips, pause);
            Throwable[] failure = {null};
            long cpu = Machine.cpuNanos();
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
            double own = Machine.cpuNanos() - cpu - answerer.cpuNanos();
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
