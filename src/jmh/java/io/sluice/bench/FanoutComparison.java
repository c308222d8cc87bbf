package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.Fanout;
import io.sluice.flow.PipePool;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/**
 * One stream of a child process to several sinks: {@link Fanout} beside a loop that reads it once into a direct buffer and writes it to each.
 * What counts is what one more branch costs. Arguments: {@code --fanout [rounds [MiB]]}.
 */
final class FanoutComparison {
    private static final Path FOLDER = Path.of("target/benchmarks");
    private static final int[] BRANCHES = {1, 2, 4, 8};
    private static final int STEP = 256 << 10;
    private static final double GIB = 1 << 30;

    /** Where the stream goes to, each in another process that throws it away. */
    private enum Sinks {
        PIPES,
        TCP
    }

    private final Peers peers;
    private final long bytes;

    private FanoutComparison(Peers peers, long bytes) {
        this.peers = peers;
        this.bytes = bytes;
    }

    static void run(String[] args) throws Exception {
        int rounds = args.length > 1 ? Integer.parseInt(args[1]) : 5;
        long bytes = (args.length > 2 ? Long.parseLong(args[2]) : 1024) << 20;
        try (Peers peers = new Peers(FOLDER)) {
            FanoutComparison comparison = new FanoutComparison(peers, bytes);
            System.out.println("""
                    A child's output to /dev/null and to so many branches. CPU s/GiB of the JVM, median (least–most); per branch: what
                    each branch more than none adds.
                    """);
            for (Sinks sinks : Sinks.values()) {
                comparison.table(sinks, rounds);
            }
        }
    }

    private void table(Sinks sinks, int rounds) throws Exception {
        Stopwatch watch = new Stopwatch().way("tee 0", () -> tee(sinks, 0)).way("write 0", () -> write(sinks, 0));
        for (int branches : BRANCHES) {
            watch.way("tee " + branches, () -> tee(sinks, branches));
            watch.way("write " + branches, () -> write(sinks, branches));
        }
        watch.measure(rounds);
        System.out.printf(
                Locale.ROOT,
                "%-5s %8s  %-22s %-22s %9s %9s  %10s %10s %6s%n",
                sinks,
                "branches",
                "tee, CPU s/GiB",
                "write, CPU s/GiB",
                "GiB/s",
                "GiB/s",
                "per branch",
                "per branch",
                "ratio");
        double units = bytes / GIB;
        row(watch, 0, units);
        for (int branches : BRANCHES) {
            row(watch, branches, units);
        }
        System.out.println();
    }

    private static void row(Stopwatch watch, int branches, double units) {
        String tee = "tee " + branches;
        String write = "write " + branches;
        double teeEach = (watch.cpuSeconds(tee) - watch.cpuSeconds("tee 0")) / units / branches;
        double writeEach = (watch.cpuSeconds(write) - watch.cpuSeconds("write 0")) / units / branches;
        System.out.printf(
                Locale.ROOT,
                "%5s %8d  %-22s %-22s %9.2f %9.2f  %10s %10s %6s%n",
                "",
                branches,
                watch.cpu(tee, units),
                watch.cpu(write, units),
                units / watch.seconds(tee),
                units / watch.seconds(write),
                branches == 0 ? "" : String.format(Locale.ROOT, "%.3f", teeEach),
                branches == 0 ? "" : String.format(Locale.ROOT, "%.3f", writeEach),
                branches == 0 ? "" : String.format(Locale.ROOT, "%.2f", teeEach / writeEach));
    }

    /** A sink, and what is to be closed for the process behind it to end. */
    private record Sink(Pipe pipe, WritableByteChannel channel, List<Closeable> toClose, Process process) {
        void end() throws Exception {
            for (Closeable closeable : toClose) {
                closeable.close();
            }
            if (process != null) {
                process.waitFor();
            }
        }
    }

    private Sink open(Sinks kind) throws IOException {
        if (kind == Sinks.TCP) {
            var channel = peers.connection();
            return new Sink(null, channel, List.of(channel), null);
        }
        Pipe pipe = sized();
        Process process = peers.discarding(pipe.source().redirect());
        pipe.source().close();
        return new Sink(pipe, pipe.sink(), List.of(pipe), process);
    }

    private static Pipe sized() throws IOException {
        Pipe pipe = Pipe.open();
        pipe.capacity(STEP);
        return pipe;
    }

    private void tee(Sinks kind, int branches) throws Exception {
        List<Sink> sinks = new ArrayList<>();
        try (Pipe source = sized();
                Fd primary = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
                Fanout fanout = Fanout.from(source.source(), PipePool.shared()).to(primary)) {
            for (int i = 0; i < branches; i++) {
                Sink sink = open(kind);
                sinks.add(sink);
                if (kind == Sinks.TCP) {
                    fanout.to((SocketChannel) sink.channel);
                } else {
                    fanout.to(sink.pipe.sink());
                }
            }
            start(source);
            moved(fanout.run());
        }
        for (Sink sink : sinks) {
            sink.end();
        }
    }

    private void write(Sinks kind, int branches) throws Exception {
        List<Sink> sinks = new ArrayList<>();
        try (Pipe source = sized();
                FileChannel primary = FileChannel.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined()) {
            for (int i = 0; i < branches; i++) {
                sinks.add(open(kind));
            }
            start(source);
            MemorySegment memory = arena.allocate(STEP, 4096);
            ByteBuffer buffer = memory.asByteBuffer();
            long total = 0;
            for (int n; (n = source.source().read(buffer.clear())) >= 0; total += n) {
                buffer.flip();
                primary.write(buffer.duplicate());
                for (Sink sink : sinks) {
                    ByteBuffer view = buffer.duplicate();
                    while (view.hasRemaining()) {
                        sink.channel.write(view);
                    }
                }
            }
            moved(total);
        }
        for (Sink sink : sinks) {
            sink.end();
        }
    }

    private void start(Pipe source) throws IOException {
        peers.sending(bytes, source.sink().redirect());
        source.sink().close();
    }

    private void moved(long n) {
        if (n != bytes) {
            throw new IllegalStateException(n + " of " + bytes + " bytes");
        }
    }
}
