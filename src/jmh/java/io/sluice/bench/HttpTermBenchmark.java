package io.sluice.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;

/**
 * What a response costs its sender: HttpTerm from a master pipe, the same server from a direct buffer, and the same in C both ways, each in
 * a process of its own with one event loop, by turns, with the same clients.
 *
 * <p>Counted is the processor time of the thread that sends, as the scheduler accounts it: {@code /proc/<pid>/task/<tid>/schedstat}.
 *
 * <p>Arguments: {@code --httpterm}, then {@code --rounds <n>}, 7 unless given, {@code --least <n>} for the smallest
 * body in bytes, {@code --millis <n>} for one sample, 1000 unless given, and {@code --clients <n>}, 16 unless given.
 */
final class HttpTermBenchmark {
    private static final Path FOLDER = Json.FOLDER;
    private static final Path SOURCE = Path.of("src/jmh/java/io/sluice/bench/httpterm.c");
    private static final Path PROGRAM = Path.of("docs/examples/HttpTerm.java");
    private static final long[] SIZES = {1 << 10, 4 << 10, 16 << 10, 32 << 10, 64 << 10, 256 << 10, 1 << 20, 10 << 20};
    private static final long LEAST_TO_WIN = 64 << 10;
    private static final int READ = 256 << 10;
    private static final long PATIENCE_NANOS = 10_000_000_000L;
    private static final double GIB = 1 << 30;

    /** Who sends. */
    private enum Sender {
        MASTER_PIPE("Java, master pipe", "httpterm-loop", 0),
        COPY("Java, direct buffer", "httpterm-loop", 0.8),
        C("C, tee and splice", "httpterm", 1.05),
        C_COPY("C, send", "httpterm", 0);

        final String words;
        final String thread;

        /** What the master pipe is to cost at most as a multiple of this, from {@link #LEAST_TO_WIN} on; or 0. */
        final double most;

        Sender(String words, String thread, double most) {
            this.most = most;
            this.words = words;
            this.thread = thread;
        }
    }

    private record Sample(double cpuSecondsPerGiB, double gibPerSecond) {}

    /** @param task where the kernel tells about the thread that sends */
    private record Server(Sender sender, Process process, int port, Path task) {
        /** Nanoseconds that the sending thread has run. */
        long cpu() throws IOException {
            return Long.parseLong(Files.readString(task.resolve("schedstat")).split(" ")[0]);
        }
    }

    private HttpTermBenchmark() {}

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--least", "--millis", "--clients");
        long millis = options.number("--millis", 1000);
        int connections = options.number("--clients", 16);
        Comparison comparison = Comparison.of(
                options.named("httpterm", "--least", "--clients"),
                "What does a response from a master pipe cost the thread that sends it?",
                args,
                "CPU s/GiB",
                "GiB/s");
        List<Server> servers = new ArrayList<>();
        int[] processors = Machine.processors();
        int other = processors[processors.length - 1];
        try (ExecutorService clients = Executors.newFixedThreadPool(connections, client -> pinned(other, client))) {
            start(servers, comparison);
            for (Server server : servers) {
                for (long size : SIZES) {
                    sample(server, size, millis, clients, connections); // for the compilers
                }
            }
            for (long size : SIZES) {
                if (size < options.number("--least", 0)) {
                    continue;
                }
                System.out.println(Comparison.size(size));
                for (int round = 0; round < options.number("--rounds", 7); round++) {
                    for (Server server : servers) {
                        Sample sample = sample(server, size, millis, clients, connections);
                        comparison.add(
                                Comparison.size(size),
                                server.sender.words,
                                sample.cpuSecondsPerGiB,
                                sample.gibPerSecond);
                    }
                }
                if (size >= LEAST_TO_WIN) {
                    for (Server server : servers) {
                        if (server.sender.most > 0) {
                            comparison.atMost(Comparison.size(size), server.sender.words, server.sender.most);
                        }
                    }
                }
            }
            comparison.finish();
        } finally {
            servers.forEach(server -> server.process.destroy());
        }
    }

    private static Thread pinned(int processor, Runnable client) {
        return new Thread(() -> {
            Machine.pin(processor);
            client.run();
        });
    }

    private static void start(List<Server> servers, Comparison comparison) throws IOException, InterruptedException {
        Files.createDirectories(FOLDER);
        String twin = FOLDER.resolve("httpterm").toAbsolutePath().toString();
        Process compiler = new ProcessBuilder("gcc", "-O2", "-pthread", "-o", twin, SOURCE.toString())
                .inheritIO()
                .start();
        boolean inC = compiler.waitFor() == 0;
        for (Sender sender : Sender.values()) {
            String way = sender == Sender.COPY || sender == Sender.C_COPY ? "copy" : "splice";
            if (sender.ordinal() < Sender.C.ordinal()) {
                servers.add(start(
                        sender,
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        "target/classes",
                        PROGRAM.toString(),
                        "0",
                        way,
                        "1"));
            } else if (inC) {
                servers.add(start(sender, twin, "0", way.equals("copy") ? "copy" : "tee"));
            } else {
                comparison.skip(sender.words, "gcc ended with " + compiler.exitValue());
            }
        }
    }

    private static Server start(Sender sender, String... command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        try {
            BufferedReader output = process.inputReader(StandardCharsets.UTF_8);
            for (String line; (line = output.readLine()) != null; ) {
                if (line.startsWith("listening on ")) {
                    Path task = task(process, sender.thread);
                    Machine.pin(Integer.parseInt(task.getFileName().toString()), Machine.processors()[0]);
                    int port = Integer.parseInt(line.substring(line.lastIndexOf(':') + 1));
                    return new Server(sender, process, port, task);
                }
            }
            throw new IOException(Arrays.toString(command) + " does not listen");
        } catch (IOException e) {
            process.destroy();
            throw e;
        }
    }

    // A thread has its name some time after it has begun.
    private static Path task(Process process, String name) throws IOException {
        long end = System.nanoTime() + PATIENCE_NANOS;
        while (System.nanoTime() < end) {
            try (Stream<Path> tasks = Files.list(Path.of("/proc/" + process.pid() + "/task"))) {
                for (Path task : tasks.toList()) {
                    if (nameOf(task).equals(name)) {
                        return task;
                    }
                }
            }
        }
        throw new IOException(process + " has no thread " + name);
    }

    private static String nameOf(Path task) throws IOException {
        try {
            return Files.readString(task.resolve("comm")).strip();
        } catch (NoSuchFileException e) {
            return ""; // it has ended
        }
    }

    private static Sample sample(Server server, long size, long millis, ExecutorService clients, int connections)
            throws Exception {
        long cpu = server.cpu();
        long start = System.nanoTime();
        List<Future<Long>> received = new ArrayList<>();
        for (int i = 0; i < connections; i++) {
            received.add(clients.submit(() -> receive(server.port, size, start + millis * 1_000_000)));
        }
        long bytes = 0;
        for (Future<Long> some : received) {
            bytes += some.get();
        }
        double seconds = (System.nanoTime() - start) / 1e9;
        return new Sample((server.cpu() - cpu) / 1e9 / (bytes / GIB), bytes / GIB / seconds);
    }

    private static long receive(int port, long size, long until) throws IOException {
        byte[] request = ("GET /?s=" + size + "&c=0 HTTP/1.1\r\nHost: x\r\n\r\n").getBytes(StandardCharsets.US_ASCII);
        byte[] buffer = new byte[READ];
        long bodies = 0;
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setTcpNoDelay(true);
            long head = 0;
            while (System.nanoTime() < until) {
                socket.getOutputStream().write(request);
                long got = 0;
                while (head == 0 || got < head + size) {
                    int n = socket.getInputStream().read(buffer);
                    if (n < 0) {
                        throw new IOException("the server closed the connection");
                    }
                    if (head == 0) {
                        // The same request gets the same head, which comes whole.
                        head = new String(buffer, 0, n, StandardCharsets.ISO_8859_1).indexOf("\r\n\r\n") + 4;
                    }
                    got += n;
                }
                bodies += size;
            }
        }
        return bodies;
    }
}
