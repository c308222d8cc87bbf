import static java.nio.charset.StandardCharsets.UTF_8;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe; // and not that of java.nio.channels
import java.io.*;
import java.lang.foreign.MemorySegment;
import java.lang.management.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.nio.file.*;
import java.security.*;
import java.util.*;
import java.util.concurrent.*;

/** Six jobs with a real file, each done by splicing through a pipe and, beside it, as one would with the JDK alone. */
public final class Tour {
    private static final String USAGE = """
        usage: java --enable-native-access=ALL-UNNAMED -cp <sluice> Tour.java [FILE [DIRECTORY]]
        Moves FILE, or else lib/modules of this JDK, in six ways, with Sluice and with the JDK alone.
        Needs room for three copies in DIRECTORY, or else java.io.tmpdir, and removes them at the end.\
        """;
    private static final String KEY = """
        %s: %,d bytes, SHA-256 %s
        Linux %s, JDK %d

        GiB/s      by the clock, until the last byte has arrived; the middle one of %d runs
        CPU s/GiB  of the one thread that does the job; those who send and receive are others, the same for both
        verified   all that arrived, each time, by SHA-256

        """;
    private static final int CAPACITY = 512 << 10; // of Sluice's pipes, and of the JDK's buffers
    private static final int ROUNDS = 5;
    private static final List<String> WAYS = List.of("Sluice", "JDK");
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();
    private static final PrintStream OUT = new PrintStream(new FileOutputStream(FileDescriptor.out), true, UTF_8);
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static String doing = "at the start";
    private static volatile String note = "";

    private final Path file;
    private final long size;
    private final String sha;
    private final List<Path> places;
    private final ServerSocketChannel server;

    // ---- the jobs: what bytes move between, then Sluice's way and the JDK's

    private Job fileToSocket() throws IOException {
        SocketChannel to = receiver();
        return new Job(() -> pump(Fd.open(file), Fd.of(to)), () -> transferTo(to));
    }

    private Job socketToFile() throws IOException {
        SocketChannel from = sender();
        Path to = arrival();
        return new Job(() -> pump(Fd.of(from), Fd.open(to, WRITE)), () -> {
            try (FileChannel out = FileChannel.open(to, WRITE)) {
                long at = 0;
                for (long n; (n = out.transferFrom(from, at, Long.MAX_VALUE - at)) > 0; ) {
                    at += n;
                }
            }
        });
    }

    private Job socketToSocket() throws IOException {
        SocketChannel from = sender();
        SocketChannel to = receiver();
        return new Job(() -> pump(Fd.of(from), Fd.of(to)), () -> copy(from, to));
    }

    private Job headerFileTrailer() throws Exception {
        byte[] trailer = ("\nSHA-256 " + sha + "\n").getBytes(UTF_8);
        byte[] header = ("HTTP/1.1 200 OK\r\nContent-Length: " + (size + trailer.length) + "\r\n\r\n").getBytes(UTF_8);
        SocketChannel to = httpClient(trailer);
        return new Job(
                () -> {
                    try (Pipe pipe = pipe();
                            Fd in = Fd.open(file);
                            Fd out = Fd.of(to)) {
                        // The header waits in the pipe for the first pages of the file, and leaves with them. A pipe of
                        // one slot has no room for both: hence try, which does not wait for it.
                        long waiting = pipe.sink().write(MemorySegment.ofArray(header));
                        for (long n; (n = pipe.sink().trySpliceFrom(in, CAPACITY)) >= 0; waiting = 0) {
                            drain(pipe, out, waiting + n);
                        }
                        drain(pipe, out, waiting + pipe.sink().write(MemorySegment.ofArray(trailer)));
                    }
                },
                () -> {
                    write(ByteBuffer.wrap(header), to);
                    transferTo(to);
                    write(ByteBuffer.wrap(trailer), to);
                });
    }

    private Job oneToThree() throws IOException {
        SocketChannel from = sender();
        Path to = arrival();
        SocketChannel a = receiver();
        SocketChannel b = receiver();
        return new Job(
                () -> {
                    try (Pipe pipe = pipe();
                            Pipe pipeA = pipe();
                            Pipe pipeB = pipe();
                            Fd in = Fd.of(from);
                            Fd out = Fd.open(to, WRITE);
                            Fd outA = Fd.of(a);
                            Fd outB = Fd.of(b)) {
                        long aheadA = 0;
                        long aheadB = 0;
                        for (long n; (n = pipe.sink().spliceFrom(in, CAPACITY)) >= 0; ) {
                            // tee starts at the pipe's first byte, and may duplicate less than it is asked to. Whoever
                            // is given more than the other is ahead, and waits until those bytes have left the pipe.
                            for (long common; n > 0; n -= common, aheadA -= common, aheadB -= common) {
                                aheadA = aheadA > 0 ? aheadA : tee(pipe, n, pipeA, outA);
                                aheadB = aheadB > 0 ? aheadB : tee(pipe, n, pipeB, outB);
                                common = Math.min(aheadA, aheadB);
                                drain(pipe, out, common);
                            }
                        }
                    }
                },
                () -> {
                    try (FileChannel out = FileChannel.open(to, WRITE)) {
                        copy(from, out, a, b);
                    }
                });
    }

    private Job childToFile() throws IOException {
        ProcessBuilder child = new ProcessBuilder("cat", file.toString());
        Path to = arrival();
        return new Job(
                () -> {
                    try (Pipe pipe = pipe();
                            Fd out = Fd.open(to, WRITE)) {
                        child.redirectOutput(pipe.sink().redirect()).start();
                        pipe.sink().close(); // the child has its own, and the stream ends with the last one
                        while (pipe.source().spliceTo(out, CAPACITY) >= 0) {}
                    }
                },
                () -> {
                    try (InputStream in = child.start().getInputStream();
                            OutputStream out = Files.newOutputStream(to, WRITE)) {
                        in.transferTo(out);
                    }
                });
    }

    // ---- how bytes are moved

    private static Pipe pipe() throws IOException {
        Pipe pipe = Pipe.open();
        try {
            pipe.capacity(CAPACITY);
        } catch (ErrnoException e) {
            note = "  with smaller pipes than wanted: " + e.getMessage() + "\n";
        }
        return pipe;
    }

    // Fills the pipe only when it is empty: a thread that fills and drains one must never wait for itself.
    private static void pump(Fd from, Fd to) throws IOException {
        try (from;
                to;
                Pipe pipe = pipe()) {
            for (long n; (n = pipe.sink().spliceFrom(from, CAPACITY)) >= 0; ) {
                drain(pipe, to, n);
            }
        }
    }

    private static void drain(Pipe pipe, Fd to, long bytes) throws IOException {
        for (long left = bytes; left > 0; ) {
            left -= pipe.source().spliceTo(to, left);
        }
    }

    private static long tee(Pipe pipe, long bytes, Pipe branch, Fd to) throws IOException {
        long n = pipe.source().teeTo(branch.sink(), bytes);
        drain(branch, to, n);
        return n;
    }

    private void transferTo(SocketChannel to) throws IOException {
        try (FileChannel in = FileChannel.open(file)) {
            for (long at = 0; at < size; ) {
                at += in.transferTo(at, size - at, to);
            }
        }
    }

    private static void copy(SocketChannel from, WritableByteChannel... to) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(CAPACITY);
        while (from.read(buffer.clear()) >= 0) {
            buffer.flip();
            for (WritableByteChannel each : to) {
                write(buffer.duplicate(), each);
            }
        }
    }

    private static void write(ByteBuffer from, WritableByteChannel to) throws IOException {
        while (from.hasRemaining()) {
            to.write(from);
        }
    }

    // ---- what surrounds one run of a job: who sends and receives, and where the file arrives

    private record Job(Task sluice, Task jdk) {}

    private interface Task {
        void run() throws Exception;
    }

    private final List<SocketChannel> sockets = new ArrayList<>();
    private final List<Future<?>> others = new ArrayList<>();
    private final List<Path> arrivals = new ArrayList<>();
    private CountDownLatch start;
    private String expected;

    private Path arrival() throws IOException {
        arrivals.add(places.get(arrivals.size()));
        FileChannel.open(arrivals.getLast(), WRITE, TRUNCATE_EXISTING).close();
        return arrivals.getLast();
    }

    private SocketChannel sender() throws IOException {
        SocketChannel far = SocketChannel.open(server.getLocalAddress());
        aside(far, () -> {
            start.await();
            transferTo(far);
        });
        return accept();
    }

    // What is received is spliced into a file, whichever way is measured.
    private SocketChannel receiver() throws IOException {
        Path to = arrival();
        SocketChannel far = SocketChannel.open(server.getLocalAddress());
        aside(far, () -> pump(Fd.of(far), Fd.open(to, WRITE)));
        return accept();
    }

    private SocketChannel httpClient(byte[] trailer) throws Exception {
        Path to = arrival();
        expected = sha256(file, trailer);
        URI uri = URI.create("http://127.0.0.1:" + server.socket().getLocalPort());
        aside(
                () -> {},
                () -> HTTP.send(HttpRequest.newBuilder(uri).build(), HttpResponse.BodyHandlers.ofFile(to, WRITE)));
        SocketChannel client = accept();
        new Scanner(client, UTF_8).findWithinHorizon("\r\n\r\n", 0);
        return client;
    }

    private SocketChannel accept() throws IOException {
        sockets.add(server.accept());
        return sockets.getLast().setOption(StandardSocketOptions.TCP_NODELAY, true);
    }

    private void aside(Closeable end, Task task) {
        FutureTask<?> other = new FutureTask<>(() -> {
            try (end) {
                task.run();
            }
            return null;
        });
        others.add(other);
        Thread.ofPlatform().daemon().start(other);
    }

    private static String sha256(Path path, byte... trailer) throws Exception {
        MessageDigest digest = MessageDigest.getInstance("SHA-256");
        try (InputStream in = new DigestInputStream(Files.newInputStream(path), digest)) {
            in.transferTo(OutputStream.nullOutputStream());
        }
        return HexFormat.of().formatHex(digest.digest(trailer));
    }

    private void awaitOthers() throws Exception {
        for (SocketChannel socket : sockets) {
            socket.close();
        }
        for (Future<?> other : others) {
            other.get();
        }
    }

    private long verify() throws Exception {
        for (Path arrival : arrivals) {
            if (!sha256(arrival).equals(expected)) {
                throw new IOException(Files.size(arrival) + " bytes arrived, and they are not those that were sent");
            }
        }
        return Files.size(arrivals.getFirst());
    }

    // ---- what it takes

    private void compare(String title, String plainly, Callable<Job> setUp) throws Exception {
        double[][] seconds = new double[2][ROUNDS];
        double[][] cpu = new double[2][ROUNDS];
        long bytes = 0;
        note = "";
        OUT.print(title + " ");
        for (int i = 0; i < 2 * ROUNDS; i++) {
            int way = (i + i / 2) % 2; // who comes first alternates
            doing = title + ", " + WAYS.get(way);
            List.of(sockets, others, arrivals).forEach(List::clear);
            start = new CountDownLatch(1);
            expected = sha;
            Job job = setUp.call();
            long cpuBefore = THREADS.getCurrentThreadCpuTime();
            long before = System.nanoTime();
            start.countDown();
            (way == 0 ? job.sluice : job.jdk).run();
            cpu[way][i / 2] = (THREADS.getCurrentThreadCpuTime() - cpuBefore) / 1e9;
            awaitOthers();
            seconds[way][i / 2] = (System.nanoTime() - before) / 1e9;
            bytes = verify();
            OUT.print(".");
        }
        double[] s = {middle(seconds[0]), middle(seconds[1])};
        double[] c = {middle(cpu[0]), middle(cpu[1])};
        double gib = bytes / (double) (1 << 30);
        String row = "%n  %-6s  %,d bytes  %5.2f GiB/s  %5.3f CPU s/GiB  verified  %s";
        String ratios = "%.2f × the speed, %.2f × the CPU".formatted(s[1] / s[0], c[0] / c[1]);
        OUT.printf(row, WAYS.get(0), bytes, gib / s[0], c[0] / gib, ratios);
        OUT.printf(row + "%n%s", WAYS.get(1), bytes, gib / s[1], c[1] / gib, plainly, note);
    }

    private static double middle(double[] figures) {
        Arrays.sort(figures);
        return figures[ROUNDS / 2];
    }

    private Tour(Path file, Path directory) throws Exception {
        this.file = file;
        size = Files.isRegularFile(file) ? Files.size(file) : 0;
        if (size == 0) {
            throw new IOException(file + " is not a file with something in it");
        }
        sha = sha256(file);
        server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", 0));
        if (Files.getFileStore(directory).getUsableSpace() < 3 * size) {
            throw new IOException("no room for three copies of " + file + " in " + directory);
        }
        Path folder = Files.createTempDirectory(directory, "sluice-tour");
        places = List.of(folder.resolve("first"), folder.resolve("second"), folder.resolve("third"));
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            places.forEach(place -> place.toFile().delete());
            folder.toFile().delete();
        }));
        for (Path place : places) {
            Files.createFile(place);
        }
    }

    public static void main(String[] args) {
        if (args.length > 2 || List.of(args).contains("--help")) {
            OUT.println(USAGE);
            return;
        }
        try {
            Path file = args.length > 0 ? Path.of(args[0]) : Path.of(System.getProperty("java.home"), "lib", "modules");
            Path directory = Path.of(args.length > 1 ? args[1] : System.getProperty("java.io.tmpdir"));
            Locale.setDefault(Locale.ROOT);
            Tour tour = new Tour(file, directory);
            String kernel = System.getProperty("os.version");
            OUT.printf(KEY, file, tour.size, tour.sha, kernel, Runtime.version().feature(), ROUNDS);
            tour.compare("file → socket", "FileChannel.transferTo", tour::fileToSocket);
            tour.compare("socket → file", "FileChannel.transferFrom", tour::socketToFile);
            tour.compare("socket → socket", "a direct buffer", tour::socketToSocket);
            tour.compare("header + file + trailer → HTTP client", "write, transferTo, write", tour::headerFileTrailer);
            tour.compare("socket → file and two sockets", "a direct buffer, written three times", tour::oneToThree);
            tour.compare("child process → file", "InputStream.transferTo", tour::childToFile);
        } catch (Exception e) {
            Throwable cause = e instanceof ExecutionException ? e.getCause() : e;
            String reason = cause instanceof ErrnoException ? cause.getMessage() : cause.toString();
            OUT.println();
            new PrintStream(new FileOutputStream(FileDescriptor.err), true, UTF_8)
                    .println("Tour: " + doing + ": " + reason);
            System.exit(1);
        }
    }
}
