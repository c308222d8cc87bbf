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

/**
 * One stream of a child process to several sinks: {@link Fanout} beside a loop that reads it once into a direct buffer and writes it to each.
 * What counts is what one more branch costs. Arguments: {@code --fanout}, then {@code --rounds <n>}, {@code --mib <n>}, and {@code
 * --step <n>} for what the child's pipe and the writer's buffer hold in KiB, 1024 unless given, as a fan-out's own pipes do.
 */
final class FanoutComparison {
    private static final Path FOLDER = Json.FOLDER;
    private static final int[] BRANCHES = {0, 1, 2, 4, 8};

    /** With these, what a write costs is told best from what reading costs. */
    private static final int MOST = 8;

    private static final int SINK = 256 << 10;
    private static final double GIB = 1 << 30;

    /** Where the stream goes to, each in another process. */
    private enum Sinks {
        /** Spliced on to the null device. */
        PIPES("pipes", true),
        /** Read, as a program reads what it is sent. */
        TCP("TCP", true),
        /** Thrown away by the receiver's kernel, uncopied: nobody ever looks at it. */
        TCP_UNREAD("TCP, unread", false);

        final String words;
        final boolean hasTarget;

        Sinks(String words, boolean hasTarget) {
            this.words = words;
            this.hasTarget = hasTarget;
        }
    }

    private final Peers peers;
    private final long bytes;
    private final int step;

    private FanoutComparison(Peers peers, long bytes, int step) {
        this.peers = peers;
        this.bytes = bytes;
        this.step = step;
    }

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--mib", "--step");
        long bytes = (long) options.number("--mib", 1024) << 20;
        try (Peers peers = new Peers(FOLDER)) {
            FanoutComparison fanout = new FanoutComparison(peers, bytes, options.number("--step", 1024) << 10);
            Comparison comparison = Comparison.of(
                    options.named("fanout", "--step"),
                    "What does each branch more than none cost that a child's output goes to, beside /dev/null?",
                    args,
                    "CPU s/GiB per branch",
                    "CPU s/GiB",
                    "GiB/s");
            for (Sinks sinks : Sinks.values()) {
                System.out.println(sinks.words);
                fanout.measure(sinks, options.number("--rounds", 5), comparison);
            }
            comparison.finish();
        }
    }

    private void measure(Sinks sinks, int rounds, Comparison comparison) throws Exception {
        Stopwatch watch = new Stopwatch();
        for (int branches : BRANCHES) {
            watch.way("tee " + branches, () -> tee(sinks, branches));
            watch.way("write " + branches, () -> write(sinks, branches));
        }
        watch.measure(rounds);
        for (int branches : BRANCHES) {
            String row = sinks.words + " × " + branches;
            add(watch, branches, "tee ", row, "Fanout", comparison);
            add(watch, branches, "write ", row, "read, write to each", comparison);
            if (branches > 1) {
                add(watch, MOST, "write ", row, "a write, of eight", comparison);
                if (sinks.hasTarget) {
                    comparison.atMost(row, "a write, of eight", 0.5);
                }
            }
        }
    }

    private void add(Stopwatch watch, int branches, String way, String row, String contestant, Comparison comparison) {
        double units = bytes / GIB;
        List<Double> cpu = watch.cpuSeconds(way + branches);
        List<Double> without = watch.cpuSeconds(way + 0);
        List<Double> seconds = watch.seconds(way + branches);
        for (int i = 0; i < cpu.size(); i++) {
            comparison.add(
                    row,
                    contestant,
                    (cpu.get(i) - without.get(i)) / units / branches,
                    cpu.get(i) / units,
                    units / seconds.get(i));
        }
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
        if (kind != Sinks.PIPES) {
            var channel = kind == Sinks.TCP ? peers.reader() : peers.connection();
            return new Sink(null, channel, List.of(channel), null);
        }
        Pipe pipe = sized(SINK);
        Process process = peers.discarding(pipe.source().redirect());
        pipe.source().close();
        return new Sink(pipe, pipe.sink(), List.of(pipe), process);
    }

    private static Pipe sized(int capacity) throws IOException {
        Pipe pipe = Pipe.open();
        pipe.capacity(capacity);
        return pipe;
    }

    private void tee(Sinks kind, int branches) throws Exception {
        List<Sink> sinks = new ArrayList<>();
        try (Pipe source = sized(step);
                Fd primary = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
                Fanout fanout = Fanout.from(source.source(), PipePool.shared()).to(primary)) {
            for (int i = 0; i < branches; i++) {
                Sink sink = open(kind);
                sinks.add(sink);
                if (sink.channel instanceof SocketChannel socket) {
                    fanout.to(socket);
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
        try (Pipe source = sized(step);
                FileChannel primary = FileChannel.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
                Arena arena = Arena.ofConfined()) {
            for (int i = 0; i < branches; i++) {
                sinks.add(open(kind));
            }
            start(source);
            MemorySegment memory = arena.allocate(step, 4096);
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
