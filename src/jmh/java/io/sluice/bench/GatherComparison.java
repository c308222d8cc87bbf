package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.flow.Gather;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;

/**
 * Header, file and trailer to a socket, response after response: {@link Gather} beside the JDK's way, {@code write}, {@code transferTo} and
 * {@code write}, and beside a copy, in which all three are put into one buffer that is written. Arguments: {@code --gather [rounds [MiB]]}.
 */
final class GatherComparison {
    private static final Path FOLDER = Path.of("target/benchmarks");
    private static final int[] SIZES = {1 << 10, 8 << 10, 64 << 10, 512 << 10, 4 << 20};
    private static final int MOST_RESPONSES = 50_000;
    private static final double MICROS = 1e-6;
    private static final byte[] HEADER = ("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                    + "Transfer-Encoding: chunked\r\nServer: bench\r\n\r\n100000\r\n")
            .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
    private static final byte[] TRAILER = "\r\n0\r\n\r\n".getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);

    private GatherComparison() {}

    static void run(String[] args) throws Exception {
        int rounds = args.length > 1 ? Integer.parseInt(args[1]) : 5;
        long bytes = (args.length > 2 ? Long.parseLong(args[2]) : 1024) << 20;
        System.out.println(
                "Header, file and trailer to a TCP socket. CPU µs per response of the JVM, median (least–most).\n");
        System.out.printf(
                Locale.ROOT,
                "%10s  %-26s %-26s %-26s %7s %7s%n",
                "file",
                "Gather",
                "write, transferTo, write",
                "read, one write",
                "/ JDK",
                "/ copy");
        try (Peers peers = new Peers(FOLDER)) {
            for (int size : SIZES) {
                Path file = Files.write(FOLDER.resolve("body"), new byte[size]);
                int responses = (int) Math.max(1, Math.min(MOST_RESPONSES, bytes / size));
                row(peers, file, size, responses, rounds);
                Files.delete(file);
            }
        }
    }

    private static void row(Peers peers, Path file, int size, int responses, int rounds) throws Exception {
        Stopwatch watch = new Stopwatch()
                .way("gather", () -> gather(peers, file, size, responses))
                .way("jdk", () -> jdk(peers, file, size, responses))
                .way("copy", () -> copy(peers, file, size, responses))
                .measure(rounds);
        double units = responses * MICROS;
        System.out.printf(
                Locale.ROOT,
                "%10d  %-26s %-26s %-26s %7.2f %7.2f%n",
                size,
                watch.cpu("gather", units),
                watch.cpu("jdk", units),
                watch.cpu("copy", units),
                watch.cpuSeconds("gather") / watch.cpuSeconds("jdk"),
                watch.cpuSeconds("gather") / watch.cpuSeconds("copy"));
    }

    private static void gather(Peers peers, Path file, int size, int responses) throws Exception {
        try (SocketChannel socket = peers.connection();
                Fd in = Fd.open(file);
                Gather gather = Gather.to(socket)) {
            for (int i = 0; i < responses; i++) {
                gather.clear().bytes(HEADER).file(in, 0, size).bytes(TRAILER).run();
            }
        }
    }

    private static void jdk(Peers peers, Path file, int size, int responses) throws Exception {
        try (SocketChannel socket = peers.connection();
                FileChannel in = FileChannel.open(file)) {
            for (int i = 0; i < responses; i++) {
                write(socket, ByteBuffer.wrap(HEADER));
                for (long at = 0; at < size; ) {
                    at += in.transferTo(at, size - at, socket);
                }
                write(socket, ByteBuffer.wrap(TRAILER));
            }
        }
    }

    private static void copy(Peers peers, Path file, int size, int responses) throws Exception {
        ByteBuffer buffer = ByteBuffer.allocateDirect(size + HEADER.length + TRAILER.length);
        try (SocketChannel socket = peers.connection();
                FileChannel in = FileChannel.open(file)) {
            for (int i = 0; i < responses; i++) {
                buffer.clear().put(HEADER).limit(HEADER.length + size);
                while (buffer.hasRemaining()) {
                    in.read(buffer, buffer.position() - HEADER.length);
                }
                write(socket, buffer.limit(buffer.capacity()).put(TRAILER).flip());
            }
        }
    }

    private static void write(SocketChannel socket, ByteBuffer bytes) throws Exception {
        while (bytes.hasRemaining()) {
            socket.write(bytes);
        }
    }
}
