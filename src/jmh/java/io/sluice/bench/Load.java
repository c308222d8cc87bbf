package io.sluice.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.util.SortedMap;
import java.util.TreeMap;

/** A process that sends requests through a relay over many connections and answers them at the other side: {@code load.c}. */
final class Load implements AutoCloseable {
    private final Process process;
    private final BufferedReader said;
    private final Writer word;

    /** What a run came to: requests that took so many microseconds, processor time of the process in seconds. */
    record Result(double seconds, double cpuSeconds, SortedMap<Double, Long> latencies) {
        long requests() {
            return latencies.values().stream().mapToLong(Long::longValue).sum();
        }

        /** Of two processes at the same time. */
        Result with(Result other) {
            SortedMap<Double, Long> all = new TreeMap<>(latencies);
            other.latencies.forEach((micros, count) -> all.merge(micros, count, Long::sum));
            return new Result(Math.max(seconds, other.seconds), cpuSeconds + other.cpuSeconds, all);
        }

        /** In microseconds. */
        double percentile(double part) {
            long rank = (long) (requests() * part);
            for (SortedMap.Entry<Double, Long> entry : latencies.entrySet()) {
                rank -= entry.getValue();
                if (rank < 0) {
                    return entry.getKey();
                }
            }
            return latencies.isEmpty() ? Double.NaN : latencies.lastKey();
        }
    }

    /** Begins to open the connections; {@link #awaitConnected} waits until they lead to the other side. */
    Load(int upstream, int relay, int connections, int atOnce) throws IOException {
        process = new ProcessBuilder(
                        Json.FOLDER.resolve("load").toString(),
                        Integer.toString(upstream),
                        Integer.toString(relay),
                        Integer.toString(connections),
                        Integer.toString(atOnce))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        said = process.inputReader();
        word = process.outputWriter();
    }

    void awaitConnected() throws IOException {
        line();
    }

    /** Has it send and answer requests of one size for so long; {@link #result} waits for what came of it. */
    void begin(int bytes, double seconds) throws IOException {
        word.append(bytes + " " + seconds + "\n").flush();
    }

    Result result() throws IOException {
        String[] numbers = line().split(" ");
        SortedMap<Double, Long> latencies = new TreeMap<>();
        for (String bucket : line().strip().split(" ")) {
            int colon = bucket.indexOf(':');
            if (colon > 0) {
                latencies.put(
                        Double.parseDouble(bucket.substring(0, colon)), Long.parseLong(bucket.substring(colon + 1)));
            }
        }
        return new Result(Double.parseDouble(numbers[1]), Double.parseDouble(numbers[2]), latencies);
    }

    private String line() throws IOException {
        String line = said.readLine();
        if (line == null) {
            throw new IOException("the requests failed");
        }
        return line;
    }

    /** Ends the streams, and waits until the relay has handed on all ends. */
    @Override
    public void close() throws IOException {
        try {
            word.close();
            while (said.readLine() != null) {}
        } finally {
            process.destroyForcibly().onExit().join();
        }
    }
}
