package io.sluice.bench;

import static java.nio.file.StandardOpenOption.READ;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/**
 * What a transfer costs, from a kibibyte to a gibibyte, beside the JDK's way, and what a relay costs with pipes of several capacities:
 * {@code --scaling [--rounds <n>] [--most <MiB of the longest transfer>] [--only <bytes|capacity>]}.
 *
 * <p>The figure is the processor time of the thread that moves the bytes. Others feed and drain the ends meanwhile.
 */
final class ScalingBenchmark {
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final double KIB = 1 << 10;
    private static final double GIB = 1 << 30;
    private static final long SMALLEST = 1 << 10;

    /** How much one sample moves at least, and how often at most. */
    private static final long SAMPLE = 64 << 20;

    private static final long MOST_TIMES = 5000;
    private static final int[] CAPACITIES_KIB = {4, 8, 16, 32, 64, 128, 256, 512, 1024};
    private static final String ROW = "%-10s %-30s %-30s %s%n";

    private final Figures figures = new Figures();
    private final int rounds;
    private final long most;

    private ScalingBenchmark(int rounds, long most) {
        this.rounds = rounds;
        this.most = most;
    }

    static void run(String[] args) throws Exception {
        int rounds = 5;
        long most = 1024;
        String only = "";
        for (int i = 1; i < args.length; i++) {
            switch (args[i]) {
                case "--rounds" -> rounds = Integer.parseInt(args[++i]);
                case "--most" -> most = Long.parseLong(args[++i]);
                case "--only" -> only = args[++i];
                default -> throw new IllegalArgumentException("no argument of the scaling: " + args[i]);
            }
        }
        System.out.println(Machine.describe());
        ScalingBenchmark benchmark = new ScalingBenchmark(rounds, most << 20);
        Files.createDirectories(Json.FOLDER);
        Path file = Files.createTempFile(Json.FOLDER, "scaling", ".bin");
        try {
            if (!only.equals("capacity")) {
                extend(file, most << 20);
                benchmark.compare("pipe → pipe", ScalingJob::sluicePipes, "read, write 64 KiB", ScalingJob::nioPipes);
                try (FileChannel source = FileChannel.open(file, READ)) {
                    benchmark.compare(
                            "file → socket",
                            bytes -> ScalingJob.sluiceFile(file, bytes),
                            "transferTo",
                            bytes -> ScalingJob.nioFile(source, bytes));
                }
            }
            if (!only.equals("bytes")) {
                benchmark.capacities();
            }
        } finally {
            Files.delete(file);
        }
        System.out.println("\nAll samples: " + benchmark.figures.write("scaling"));
    }

    // A file without blocks: what is read of it is in the page cache, as the pages of any file are, and no disk takes
    // part.
    private static void extend(Path file, long bytes) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), bytes - 1);
        }
    }

    private interface Opener {
        /** @param bytes that will be moved through it in all */
        ScalingJob open(long bytes) throws Exception;
    }

    private void compare(String words, Opener sluice, String jdkWords, Opener jdk) throws Exception {
        Map<String, Opener> ways = new LinkedHashMap<>();
        ways.put("Sluice", sluice);
        ways.put(jdkWords, jdk);
        List<Long> sizes = new ArrayList<>();
        for (long size = SMALLEST; size <= most; size *= 4) {
            sizes.add(size);
        }
        System.out.printf("%n%s, processor time of a transfer in microseconds%n", words);
        System.out.printf(ROW, "bytes", "Sluice", "JDK: " + jdkWords, "Sluice/JDK");
        // The first round is for the compilers.
        for (int round = 0; round <= rounds; round++) {
            for (long size : sizes) {
                for (Map.Entry<String, Opener> way : ways.entrySet()) {
                    double micros = sample(way.getValue(), size);
                    if (round > 0) {
                        figures.add(row(words, size), way.getKey(), micros);
                    }
                }
            }
        }
        for (long size : sizes) {
            String row = row(words, size);
            System.out.printf(
                    Locale.ROOT,
                    ROW,
                    size(size),
                    figures.range(row, "Sluice", "%.2f"),
                    figures.range(row, jdkWords, "%.2f"),
                    String.format(Locale.ROOT, "%.2f", figures.median(row, "Sluice") / figures.median(row, jdkWords)));
        }
        ways.keySet().forEach(way -> printLine(words, sizes, way));
    }

    private static double sample(Opener opener, long size) throws Exception {
        long times = Math.max(1, Math.min(MOST_TIMES, SAMPLE / size));
        try (ScalingJob job = opener.open(times * size)) {
            long before = THREADS.getCurrentThreadCpuTime();
            for (long i = 0; i < times; i++) {
                job.move(size);
            }
            return (THREADS.getCurrentThreadCpuTime() - before) / 1e3 / times;
        }
    }

    // Least squares of the relative errors, or the longest transfers would say everything.
    private void printLine(String words, List<Long> sizes, String way) {
        double w = 0, x = 0, y = 0, xx = 0, xy = 0;
        for (long size : sizes) {
            double kib = size / KIB;
            double micros = figures.median(row(words, size), way);
            double weight = 1 / (micros * micros);
            w += weight;
            x += weight * kib;
            y += weight * micros;
            xx += weight * kib * kib;
            xy += weight * kib * micros;
        }
        double perKib = (w * xy - x * y) / (w * xx - x * x);
        double fixed = (y - perKib * x) / w;
        figures.add(words + ", " + way, "fixed ns", fixed * 1e3);
        figures.add(words + ", " + way, "ns/KiB", perKib * 1e3);
        System.out.printf(Locale.ROOT, "%s: %.0f ns + %.1f ns/KiB%n", way, fixed * 1e3, perKib * 1e3);
    }

    private static String row(String words, long size) {
        return words + ", " + size;
    }

    private static String size(long bytes) {
        return bytes >= 1 << 30
                ? (bytes >> 30) + " GiB"
                : bytes >= 1 << 20 ? (bytes >> 20) + " MiB" : (bytes >> 10) + " KiB";
    }

    private void capacities() throws Exception {
        for (String words : List.of("pipe → pipe → pipe", "socket → pipe → socket")) {
            for (int round = 0; round <= rounds; round++) {
                for (int kib : CAPACITIES_KIB) {
                    capacity(words, kib, round > 0);
                }
            }
            System.out.printf("%n%s, by the capacity of the pipe between%n", words);
            System.out.printf(ROW, "capacity", "CPU s/GiB", "system calls per MiB", "GiB/s");
            for (int kib : CAPACITIES_KIB) {
                String row = words + ", " + kib + " KiB";
                System.out.printf(
                        Locale.ROOT,
                        ROW,
                        kib + " KiB",
                        figures.range(row, "CPU s/GiB", "%.3f"),
                        figures.range(row, "calls/MiB", "%.1f"),
                        String.format(Locale.ROOT, "%.2f", figures.median(row, "GiB/s")));
            }
        }
    }

    private void capacity(String words, int kib, boolean counts) throws Exception {
        long bytes = Math.min(most, 4 * SAMPLE);
        try (ScalingRelay relay = words.startsWith("pipe")
                ? ScalingRelay.pipes(kib << 10, bytes)
                : ScalingRelay.sockets(kib << 10, bytes)) {
            long cpu = THREADS.getCurrentThreadCpuTime();
            long start = System.nanoTime();
            relay.run(bytes);
            double seconds = (System.nanoTime() - start) / 1e9;
            double spent = (THREADS.getCurrentThreadCpuTime() - cpu) / 1e9;
            if (counts) {
                String row = words + ", " + kib + " KiB";
                figures.add(row, "CPU s/GiB", spent * GIB / bytes);
                figures.add(row, "calls/MiB", relay.calls() / (bytes / (KIB * KIB)));
                figures.add(row, "GiB/s", bytes / GIB / seconds);
            }
        }
    }
}
