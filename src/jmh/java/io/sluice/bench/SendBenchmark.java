package io.sluice.bench;

import io.sluice.Kernel;
import io.sluice.bench.SendNetwork.Sink;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

/**
 * {@code --send}: the ways of sending memory over a connection, beside the same in C and beside {@code write}, over loopback and between two
 * network namespaces.
 *
 * <p>Arguments: {@code --rounds <n>}, 5 unless given; {@code --millis <n>} that each slice sends, 150 unless given; {@code --bytes <n>} for one
 * size and {@code --only <way>} for one way beside {@code write}. A round has two slices of each; Java and C take turns to be first. The
 * sender is on one processor and the receiver, a process that reads, on another. CPU seconds are those of the sending thread.
 */
final class SendBenchmark {
    private static final int[] SIZES = {4 << 10, 16 << 10, 64 << 10, 256 << 10, 1 << 20, 4 << 20};
    private static final int SLICES = 2;
    private static final long WARM_MILLIS = 1500;
    private static final double GIB = 1 << 30;
    private static final double ENOUGH = 0.95;
    private static final String JAVA = "Java";
    private static final String C = "C";
    private static final String WRITE = "Java, write";

    /** One slice, and how much of what was lent in it the kernel copied; NaN if nothing was. */
    record Sample(double bytes, double seconds, double cpu, double copied) {
        double[] figures() {
            return new double[] {bytes / GIB / seconds, cpu / (bytes / GIB), copied};
        }
    }

    private final Comparison comparison;
    private final int[] sizes;
    private final List<SendWay> ways;
    private final int rounds;
    private final long millis;

    private SendBenchmark(Options options, Comparison comparison) {
        int bytes = options.number("--bytes", 0);
        String only = options.text("--only", "");
        this.comparison = comparison;
        this.sizes = bytes == 0 ? SIZES : new int[] {bytes};
        this.ways = Arrays.stream(SendWay.values())
                .filter(way ->
                        way == SendWay.WRITE || only.isEmpty() || way.name().equals(only))
                .collect(Collectors.toCollection(ArrayList::new));
        this.rounds = options.number("--rounds", 5);
        this.millis = options.number("--millis", 150);
    }

    static void run(String[] args) throws IOException, InterruptedException {
        Options options = Options.of(args, "--rounds", "--bytes", "--millis", "--only");
        String leftOut = options.text("--only", "").isEmpty() ? "--bytes" : "--only";
        Comparison comparison = Comparison.of(
                options.named("send", leftOut),
                "What is the cheapest way to send memory?",
                args,
                "GiB/s",
                "CPU s/GiB",
                "share that was copied");
        // How the library waits is settled by how many processors it sees, and a pinned thread sees one.
        Kernel.observed();
        SendBenchmark benchmark = new SendBenchmark(options, comparison);
        Path program = SendNetwork.compile(Json.FOLDER);
        for (SendNetwork network : SendNetwork.values()) {
            benchmark.measure(network, program);
        }
        comparison.finish();
    }

    private void measure(SendNetwork network, Path program) throws IOException, InterruptedException {
        int[] processors = Machine.processors();
        // A process that this thread starts stays where the thread is.
        Machine.pin(processors[processors.length - 1]);
        try (Sink sink = network.open(program)) {
            Machine.pin(processors[0]);
            warmUp(sink);
            for (int round = 1; round <= rounds; round++) {
                System.out.print(network.words + ", round " + round + " of " + rounds + " ");
                for (int size : sizes) {
                    System.out.print('.');
                    System.out.flush();
                    for (int slice = 0; slice < SLICES; slice++) {
                        measure(network, sink, size, slice % 2 == 0);
                    }
                }
                System.out.println();
            }
            promise(network);
        } catch (SendNetwork.MissingException e) {
            comparison.skip(network.words, e.getMessage());
        }
    }

    // Small sends, so that what makes them is called often and compiled at once; every network has its own regime of
    // waiting. Then all of them, because what a way has compiled for it is compiled anew once others were seen.
    private void warmUp(Sink sink) throws IOException, InterruptedException {
        for (SendWay way : List.copyOf(ways)) {
            try {
                sample(sink, way, SIZES[0], WARM_MILLIS);
            } catch (UnsupportedOperationException e) {
                comparison.skip(way.words, e.getMessage());
                ways.remove(way);
            }
        }
        for (int size : sizes) {
            for (SendWay way : ways) {
                sample(sink, way, size, millis);
            }
        }
    }

    private void promise(SendNetwork network) {
        for (int size : sizes) {
            for (SendWay way : ways) {
                if (way.lends()) {
                    comparison.atLeast(row(network, size, way), C, ENOUGH);
                }
            }
        }
    }

    private static String row(SendNetwork network, int size, SendWay way) {
        return network.words + ", " + Comparison.size(size) + ", " + way.words;
    }

    private void measure(SendNetwork network, Sink sink, int size, boolean javaFirst)
            throws IOException, InterruptedException {
        double[] written = null;
        for (SendWay way : ways) {
            Sample inC = way.twin != null && !javaFirst ? sink.twin(way.twin, size, millis) : null;
            Sample inJava = sample(sink, way, size, millis);
            if (way.twin != null && javaFirst) {
                inC = sink.twin(way.twin, size, millis);
            }
            String row = row(network, size, way);
            comparison.add(row, JAVA, inJava.figures());
            if (inC != null) {
                comparison.add(row, C, inC.figures());
            }
            if (written != null) {
                comparison.add(row, WRITE, written);
            } else {
                written = inJava.figures();
            }
        }
    }

    private static Sample sample(Sink sink, SendWay way, int size, long millis)
            throws IOException, InterruptedException {
        try (SocketChannel channel = SocketChannel.open(new InetSocketAddress(sink.address(), sink.port()))) {
            try (SendWay.Course course = way.begin(channel, size)) {
                double bytes = 0;
                long start = System.nanoTime();
                long cpu = cpuNanos();
                while (System.nanoTime() - start < millis * 1_000_000) {
                    course.send();
                    bytes += size;
                }
                course.finish();
                cpu = cpuNanos() - cpu;
                channel.shutdownOutput();
                channel.configureBlocking(true);
                if (channel.read(ByteBuffer.allocate(1)) != 1) {
                    throw new IOException("the sink did not answer");
                }
                double seconds = (System.nanoTime() - start) / 1e9;
                return new Sample(bytes, seconds, cpu / 1e9, course.copiedShare());
            }
        }
    }

    private static long cpuNanos() {
        return ManagementFactory.getThreadMXBean().getCurrentThreadCpuTime();
    }
}
