package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.flow.Gather;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Header, file and trailer to a socket, response after response: {@link Gather} beside the JDK's way, {@code write}, {@code transferTo} and
 * {@code write}, and beside a copy, in which all three are put into one buffer that is written. Arguments: {@code --gather}, then {@code
 * --rounds <n>} and {@code --mib <n>} of files in each.
 */
final class GatherComparison {
    private static final Path FOLDER = Json.FOLDER;
    private static final int[] SIZES = {1 << 10, 8 << 10, 64 << 10, 512 << 10, 4 << 20};
    private static final int MOST_RESPONSES = 50_000;
    private static final double MICROS = 1e-6;
    private static final double GIB = 1 << 30;
    private static final byte[] HEADER = ("HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n"
                    + "Transfer-Encoding: chunked\r\nServer: bench\r\n\r\n100000\r\n")
            .getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);
    private static final byte[] TRAILER = "\r\n0\r\n\r\n".getBytes(java.nio.charset.StandardCharsets.ISO_8859_1);

    private GatherComparison() {}

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--mib");
        long bytes = (long) options.number("--mib", 1024) << 20;
        Comparison comparison = Comparison.of(
                "gather",
                "What does a response of header, file and trailer to a TCP socket cost?",
                args,
                "CPU µs per response",
                "GiB/s");
        try (Peers peers = new Peers(FOLDER)) {
            for (int size : SIZES) {
                System.out.println(Comparison.size(size));
                Path file = Files.write(FOLDER.resolve("body"), new byte[size]);
                int responses = (int) Math.max(1, Math.min(MOST_RESPONSES, bytes / size));
                compare(peers, file, size, responses, options.number("--rounds", 5), comparison);
                Files.delete(file);
            }
        }
        comparison.finish();
    }

    private static void compare(Peers peers, Path file, int size, int responses, int rounds, Comparison comparison)
            throws Exception {
        Stopwatch watch = new Stopwatch()
                .way("Gather", () -> gather(peers, file, size, responses))
                .way("write, transferTo, write", () -> jdk(peers, file, size, responses))
                .way("read, one write", () -> copy(peers, file, size, responses))
                .measure(rounds);
        for (String way : watch.ways()) {
            for (int i = 0; i < rounds; i++) {
                comparison.add(
                        Comparison.size(size),
                        way,
                        watch.cpuSeconds(way).get(i) / responses / MICROS,
                        (double) size * responses / GIB / watch.seconds(way).get(i));
            }
        }
    }

    private static void gather(Peers peers, Path file, int size, int responses) throws Exception {
        try (SocketChannel socket = peers.reader();
                Fd in = Fd.open(file);
                Gather gather = Gather.to(socket)) {
            for (int i = 0; i < responses; i++) {
                gather.clear().bytes(HEADER).file(in, 0, size).bytes(TRAILER).run();
            }
        }
    }

    private static void jdk(Peers peers, Path file, int size, int responses) throws Exception {
        try (SocketChannel socket = peers.reader();
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
        try (SocketChannel socket = peers.reader();
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
