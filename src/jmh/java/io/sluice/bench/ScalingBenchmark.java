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
import java.util.List;
import java.util.Locale;

/**
 * What a transfer costs, from a kibibyte to a gibibyte, beside the JDK's way: {@code --scaling [--rounds <n>] [--most <MiB of the longest
 * transfer>]}; and what one through a pipe between costs with pipes of several capacities: {@code --capacity}, with the same options.
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
    private static final String SLUICE = "Sluice";
    private static final String JDK = "JDK";

    private final Comparison comparison;
    private final int rounds;
    private final long most;

    private ScalingBenchmark(Comparison comparison, int rounds, long most) {
        this.comparison = comparison;
        this.rounds = rounds;
        this.most = most;
    }

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--most");
        boolean bytes = args[0].equals("--scaling");
        Comparison comparison = bytes
                ? Comparison.of(
                        options.named("scaling", "--most"),
                        "How does the cost of a transfer grow with its bytes?",
                        args,
                        "CPU µs")
                : Comparison.of(
                        options.named("capacity", "--most"),
                        "How does cost fall with the capacity of the pipe between?",
                        args,
                        Relation.NONE,
                        "CPU s/GiB",
                        "system calls per MiB",
                        "GiB/s");
        ScalingBenchmark benchmark = new ScalingBenchmark(
                comparison, options.number("--rounds", 5), (long) options.number("--most", 1024) << 20);
        if (bytes) {
            benchmark.bytes();
        } else {
            benchmark.capacities();
        }
        comparison.finish();
    }

    private void bytes() throws Exception {
        Files.createDirectories(Json.FOLDER);
        Path file = Files.createTempFile(Json.FOLDER, "scaling", ".bin");
        try {
            extend(file, most);
            compare("pipe → pipe", ScalingJob::sluicePipes, ScalingJob::nioPipes);
            try (FileChannel source = FileChannel.open(file, READ)) {
                compare(
                        "file → socket",
                        bytes -> ScalingJob.sluiceFile(file, bytes),
                        bytes -> ScalingJob.nioFile(source, bytes));
            }
        } finally {
            Files.delete(file);
        }
        comparison.note(
                "The JDK's ways: pipe → pipe by reading and writing 64 KiB, file → socket by FileChannel.transferTo.");
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

    private void compare(String words, Opener sluice, Opener jdk) throws Exception {
        List<Long> sizes = new ArrayList<>();
        for (long size = SMALLEST; size <= most; size *= 4) {
            sizes.add(size);
        }
        System.out.print(words + " ");
        // The first round is for the compilers.
        for (int round = 0; round <= rounds; round++) {
            for (long size : sizes) {
                double ofSluice = sample(sluice, size);
                double ofJdk = sample(jdk, size);
                if (round > 0) {
                    comparison.add(row(words, size), SLUICE, ofSluice);
                    comparison.add(row(words, size), JDK, ofJdk);
                }
            }
            System.out.print('.');
            System.out.flush();
        }
        System.out.println();
        comparison.note("%s takes %s with Sluice, and %s with the JDK."
                .formatted(words, line(words, sizes, SLUICE), line(words, sizes, JDK)));
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

    /** A fixed part and a part per KiB, by least squares of the relative errors, or the longest transfers would say everything. */
    private String line(String words, List<Long> sizes, String way) {
        double w = 0, x = 0, y = 0, xx = 0, xy = 0;
        for (long size : sizes) {
            double kib = size / KIB;
            double micros = comparison.median(row(words, size), way);
            double weight = 1 / (micros * micros);
            w += weight;
            x += weight * kib;
            y += weight * micros;
            xx += weight * kib * kib;
            xy += weight * kib * micros;
        }
        double perKib = (w * xy - x * y) / (w * xx - x * x);
        return String.format(Locale.ROOT, "%.1f µs + %.2f µs/KiB", (y - perKib * x) / w, perKib);
    }

    private static String row(String words, long size) {
        return words + ", " + Comparison.size(size);
    }

    private void capacities() throws Exception {
        for (String words : List.of("pipe → pipe → pipe", "socket → pipe → socket")) {
            System.out.print(words + " ");
            for (int round = 0; round <= rounds; round++) {
                for (int kib : CAPACITIES_KIB) {
                    capacity(words, kib, round > 0);
                }
                System.out.print('.');
                System.out.flush();
            }
            System.out.println();
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
                comparison.add(
                        Comparison.size(kib << 10),
                        words,
                        spent * GIB / bytes,
                        relay.calls() / (bytes / (KIB * KIB)),
                        bytes / GIB / seconds);
            }
        }
    }
}
