package io.sluice.bench;

import io.sluice.flow.MasterPipe;
import io.sluice.flow.PatternSender;
import io.sluice.flow.PipePool;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;

/**
 * Bodies of several sizes to a TCP socket, response after response, from master pipes that hold more or less, and from a direct buffer: {@code
 * --masterpipe [--rounds <n>] [--mib <n> in each]}.
 */
final class MasterPipeComparison {
    private static final long[] CAPACITIES = {
        MasterPipe.DEFAULT_CAPACITY, 64 << 10, 128 << 10, 256 << 10, 512 << 10, 1 << 20
    };
    private static final int[] BODIES = {64 << 10, 256 << 10, 1 << 20, 10 << 20};
    private static final int MOST_RESPONSES = 10_000;
    private static final int LINE = 64;
    private static final int BUFFER = 1 << 20;
    private static final double GIB = 1 << 30;
    private static final byte[] HEAD =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n".getBytes(StandardCharsets.ISO_8859_1);

    private MasterPipeComparison() {}

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--mib");
        long bytes = (long) options.number("--mib", 1024) << 20;
        int rounds = options.number("--rounds", 5);
        Comparison comparison = Comparison.of(
                "masterpipe",
                "What does a response cost from master pipes that hold more or less?",
                args,
                "CPU s/GiB",
                "GiB/s");
        try (Peers peers = new Peers(Json.FOLDER)) {
            for (int body : BODIES) {
                System.out.println(Comparison.size(body));
                compare(peers, body, (int) Math.min(MOST_RESPONSES, bytes / body), rounds, comparison);
            }
        }
        comparison.note(
                "The pipes that responses are teed into hold 1 MiB. Counted is the processor time of the JVM that sends.");
        comparison.finish();
    }

    private static void compare(Peers peers, int body, int responses, int rounds, Comparison comparison)
            throws Exception {
        Stopwatch watch = new Stopwatch();
        for (long capacity : CAPACITIES) {
            String name = "holds " + Comparison.size(capacity);
            if (!watch.ways().contains(name)) {
                watch.way(name, () -> send(peers, capacity, body, responses));
            }
        }
        watch.way("direct buffer, selector", () -> copy(peers, false, body, responses));
        watch.way("direct buffer, blocking", () -> copy(peers, true, body, responses));
        watch.measure(rounds);
        double gib = (double) body * responses / GIB;
        for (String way : watch.ways()) {
            for (int i = 0; i < rounds; i++) {
                comparison.add(
                        Comparison.size(body),
                        way,
                        watch.cpuSeconds(way).get(i) / gib,
                        gib / watch.seconds(way).get(i));
            }
        }
    }

    private static void send(Peers peers, long capacity, int body, int responses) throws Exception {
        MemorySegment head = Arena.ofAuto().allocate(HEAD.length).copyFrom(MemorySegment.ofArray(HEAD));
        try (SocketChannel socket = peers.reader();
                MasterPipe master = MasterPipe.of(Arena.ofAuto().allocate(LINE), capacity, PipePool.shared());
                PatternSender sender = master.to(socket)) {
            for (int i = 0; i < responses; i++) {
                sender.begin(head, 0, body);
                sender.finish();
            }
        }
    }

    private static void copy(Peers peers, boolean blocking, int body, int responses) throws Exception {
        ByteBuffer head = ByteBuffer.allocateDirect(HEAD.length).put(HEAD);
        ByteBuffer block = ByteBuffer.allocateDirect(BUFFER);
        try (SocketChannel socket = peers.reader();
                Selector selector = Selector.open()) {
            if (!blocking) {
                socket.configureBlocking(false).register(selector, SelectionKey.OP_WRITE);
            }
            for (int i = 0; i < responses; i++) {
                ByteBuffer[] both = {head.clear(), block.clear().limit(Math.min(body, BUFFER))};
                long left = HEAD.length + (long) body;
                while (left > 0) {
                    if (!both[1].hasRemaining()) {
                        both[1].clear().limit((int) Math.min(left, BUFFER));
                    }
                    long n = socket.write(both);
                    left -= n;
                    if (n == 0) {
                        selector.select();
                        selector.selectedKeys().clear();
                    }
                }
            }
        }
    }
}
