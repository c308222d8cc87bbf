package io.sluice.bench;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import com.sun.management.ThreadMXBean;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.Transfer;
import java.io.BufferedOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.management.ManagementFactory;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Scanner;

/**
 * Transfers beside the JDK's own way for the same two ends, in turn: {@code --transfer}, then {@code
 * --rounds <n>}, {@code --mib <n>} moved in each, {@code --only <part>} of a job's name.
 *
 * <p>CPU time is that of the thread that moves the bytes; who sends and who receives are other threads or processes, the same for both.
 */
final class TransferBenchmark {
    private static final ThreadMXBean THREADS = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final double GIB = 1 << 30;
    private static final int BLOCK = 256 << 10;
    private static final int WARM_UPS = 2;

    /** For a child that writes while the socket takes: what both use stays in a cache. */
    private static final int PIPE_OF_CHILD = 256 << 10;

    /** One way of doing a job once. */
    private interface Way {
        void run() throws Exception;
    }

    private record Job(String words, double most, String jdkWords, Way sluice, Way jdk) {}

    private record Sample(double seconds, double cpu) {}

    private final Path source;
    private final Path target;
    private final long size;
    private final ServerSocketChannel server;

    /** Where bytes are received over TCP, and over a Unix socket. */
    private final SocketAddress far;

    private final SocketAddress near;

    private TransferBenchmark(Path folder, long size, ServerSocketChannel server, Peers peers) throws IOException {
        this.size = size;
        this.server = server;
        this.far = peers.receiver();
        this.near = peers.receiver(folder.resolve("socket"));
        this.source = folder.resolve("source");
        this.target = folder.resolve("target");
        try (OutputStream out = new BufferedOutputStream(Files.newOutputStream(source), BLOCK)) {
            byte[] block = new byte[BLOCK];
            new java.util.Random(1).nextBytes(block);
            for (long left = size; left > 0; left -= BLOCK) {
                out.write(block, 0, (int) Math.min(left, BLOCK));
            }
        }
    }

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--mib", "--only");
        long size = (long) options.number("--mib", 512) << 20;
        Path folder = Files.createTempDirectory("sluice-bench");
        try (ServerSocketChannel server = ServerSocketChannel.open();
                Peers peers = new Peers(Json.FOLDER)) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            TransferBenchmark benchmark = new TransferBenchmark(folder, size, server, peers);
            Comparison comparison = Comparison.of(
                    options.named("transfer", "--only"),
                    "What does a transfer cost beside the JDK's own way?",
                    args,
                    "CPU s/GiB",
                    "GiB/s");
            for (Job job : benchmark.jobs()) {
                if (job.words.contains(options.text("--only", ""))) {
                    System.out.println(job.words);
                    benchmark.compare(job, options.number("--rounds", 15), comparison);
                }
            }
            comparison.finish();
        } finally {
            Files.deleteIfExists(folder.resolve("socket"));
            Files.deleteIfExists(folder.resolve("source"));
            Files.deleteIfExists(folder.resolve("target"));
            Files.delete(folder);
        }
    }

    private List<Job> jobs() {
        return List.of(
                new Job("socket → file", 0.7, "FileChannel.transferFrom", this::socketToFile, this::transferFrom),
                new Job(
                        "process → TCP",
                        0.5,
                        "InputStream.transferTo",
                        () -> childTo(new Receiver()),
                        () -> streamTo(new Receiver())),
                new Job(
                        "process → AF_UNIX",
                        0.5,
                        "InputStream.transferTo",
                        () -> childTo(new Receiver(near)),
                        () -> streamTo(new Receiver(near))),
                new Job("file → file", 1.05, "FileChannel.transferTo", this::fileToFile, this::channelToFile),
                new Job("file → socket", 1.05, "FileChannel.transferTo", this::fileToSocket, this::channelToSocket));
    }

    private void compare(Job job, int rounds, Comparison comparison) throws Exception {
        String row = job.words + " (" + job.jdkWords + ")";
        double gib = size / GIB;
        for (int round = -WARM_UPS; round < rounds; round++) {
            // In turn, and who is first alternates too.
            boolean first = (round & 1) == 0;
            Sample one = measured(first ? job.sluice : job.jdk);
            Sample other = measured(first ? job.jdk : job.sluice);
            Sample sluice = first ? one : other;
            Sample jdk = first ? other : one;
            if (round >= 0) {
                comparison.add(row, "Sluice", sluice.cpu / gib, gib / sluice.seconds);
                comparison.add(row, "JDK", jdk.cpu / gib, gib / jdk.seconds);
            }
        }
        comparison.atMost(row, "JDK", job.most);
    }

    private double cpuOfRun;

    private Sample measured(Way way) throws Exception {
        long start = System.nanoTime();
        way.run();
        return new Sample((System.nanoTime() - start) / 1e9, cpuOfRun);
    }

    /** The part of a way whose processor time counts. */
    private void timed(Way body) throws Exception {
        long before = THREADS.getCurrentThreadCpuTime();
        body.run();
        cpuOfRun = (THREADS.getCurrentThreadCpuTime() - before) / 1e9;
    }

    private void socketToFile() throws Exception {
        try (SocketChannel from = sender();
                Fd to = Fd.open(target, WRITE, CREATE, TRUNCATE_EXISTING)) {
            timed(() -> all(Transfer.from(from).to(to).run().bytes()));
        }
    }

    private void transferFrom() throws Exception {
        try (SocketChannel from = sender();
                FileChannel to = FileChannel.open(target, WRITE, CREATE, TRUNCATE_EXISTING)) {
            timed(() -> {
                long at = 0;
                for (long n; (n = to.transferFrom(from, at, Long.MAX_VALUE - at)) > 0; ) {
                    at += n;
                }
                all(at);
            });
        }
    }

    private void childTo(Receiver receiver) throws Exception {
        try (Receiver to = receiver;
                Pipe pipe = Pipe.open()) {
            pipe.capacity(PIPE_OF_CHILD);
            Process child = cat().redirectOutput(pipe.sink().redirect()).start();
            pipe.sink().close();
            timed(() -> all(Transfer.from(pipe.source()).to(to.channel).run().bytes()));
            to.finish();
            child.waitFor();
        }
    }

    private void streamTo(Receiver receiver) throws Exception {
        try (Receiver to = receiver) {
            Process child = cat().start();
            try (InputStream in = child.getInputStream()) {
                timed(() -> all(in.transferTo(Channels.newOutputStream(to.channel))));
            }
            to.finish();
            child.waitFor();
        }
    }

    private void fileToFile() throws Exception {
        try (Fd from = Fd.open(source);
                Fd to = Fd.open(target, WRITE, CREATE, TRUNCATE_EXISTING)) {
            timed(() -> all(Transfer.from(from).to(to).run().bytes()));
        }
    }

    private void channelToFile() throws Exception {
        try (FileChannel from = FileChannel.open(source, READ);
                FileChannel to = FileChannel.open(target, WRITE, CREATE, TRUNCATE_EXISTING)) {
            timed(() -> transferTo(from, to));
        }
    }

    private void fileToSocket() throws Exception {
        try (Receiver to = new Receiver();
                Fd from = Fd.open(source)) {
            timed(() -> all(Transfer.from(from).to(to.channel).run().bytes()));
            to.finish();
        }
    }

    private void channelToSocket() throws Exception {
        try (Receiver to = new Receiver();
                FileChannel from = FileChannel.open(source, READ)) {
            timed(() -> transferTo(from, to.channel));
            to.finish();
        }
    }

    private void transferTo(FileChannel from, java.nio.channels.WritableByteChannel to) throws IOException {
        long at = 0;
        for (long n; at < size && (n = from.transferTo(at, size - at, to)) > 0; ) {
            at += n;
        }
        all(at);
    }

    private ProcessBuilder cat() {
        return new ProcessBuilder("cat", source.toString());
    }

    private void all(long bytes) throws IOException {
        if (bytes != size) {
            throw new IOException(bytes + " of " + size + " bytes were moved");
        }
    }

    /** A connection on which another thread sends the source, and the end after it. */
    private SocketChannel sender() throws IOException {
        SocketChannel near = SocketChannel.open(server.getLocalAddress());
        SocketChannel far = server.accept();
        Thread.ofPlatform().daemon().start(() -> {
            try (near;
                    FileChannel file = FileChannel.open(source)) {
                for (long at = 0; at < size; ) {
                    at += file.transferTo(at, size - at, near);
                }
            } catch (IOException e) {
                e.printStackTrace(); // the other side counts what came
            }
        });
        return far;
    }

    /** A connection to a process that reads what comes, and says in the end how much it was. */
    private final class Receiver implements AutoCloseable {
        final SocketChannel channel;

        Receiver() throws IOException {
            this(far);
        }

        Receiver(SocketAddress at) throws IOException {
            channel = SocketChannel.open(at);
        }

        void finish() throws IOException {
            channel.shutdownOutput();
            try (Scanner answer = new Scanner(channel, StandardCharsets.US_ASCII)) {
                all(answer.nextLong());
            }
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }
}
