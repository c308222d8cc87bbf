package io.sluice.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/**
 * TCP relays side by side, each a process of its own between the same sender and receiver: processor time of that process per GiB, and
 * speed. Rounds alternate; the table has medians and the ratio of Sluice's processor time to everybody's.
 *
 * <p>Arguments after {@code --relay}, or after {@code --capacities} to compare pipes of several sizes, and ways of waiting, instead: {@code
 * --rounds <n>}, {@code --mib <n>} sent in each, and {@code --only <part>} to compare only those whose names have that part with Sluice.
 */
final class RelayComparison {
    private static final Path FOLDER = Json.FOLDER;
    private static final Path SOURCE = Path.of("src/jmh/java/io/sluice/bench/relay.c");
    private static final int BUFFER = 256 << 10;
    private static final int USUAL = 1 << 20;
    private static final long PATIENCE_SECONDS = 20;

    /** Warm-up, after which the compilers have done most of what they will. */
    private static final int WARM_UPS = 2;

    private static final double GIB = 1 << 30;
    private static final double TICKS = 100;

    /** A relay that runs. */
    private record Contestant(String name, double target, Process process, int port) {
        double cpuSeconds() throws IOException {
            String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
            String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
            double ticks = 0;
            // utime and stime, of itself and of the children it has waited for.
            for (int i = 11; i <= 14; i++) {
                ticks += Long.parseLong(fields[i]);
            }
            return ticks / TICKS;
        }
    }

    private record Sample(double cpu, double speed) {}

    private final Comparison comparison;
    private final String only;
    private final ServerSocketChannel server;
    private final List<Contestant> contestants = new ArrayList<>();
    private final Map<Contestant, List<Sample>> samples = new LinkedHashMap<>();

    private RelayComparison(Comparison comparison, String only) throws IOException {
        this.comparison = comparison;
        this.only = only;
        server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        server.socket().setSoTimeout((int) TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
    }

    static void run(String[] args) throws Exception {
        boolean capacities = args[0].equals("--capacities");
        Options options = Options.of(args, "--rounds", "--mib", "--only");
        Comparison comparison = Comparison.of(
                options.named(args[0].substring(2), "--only"),
                capacities
                        ? "What does a TCP relay cost with pipes of several sizes, and ways of waiting?"
                        : "What does a TCP relay cost?",
                args,
                "CPU s/GiB",
                "GiB/s");
        RelayComparison relays = new RelayComparison(comparison, options.text("--only", ""));
        try {
            if (capacities) {
                relays.enterCapacities();
            } else {
                relays.enterAll();
            }
            relays.measure(options.number("--rounds", 7), (long) options.number("--mib", 2048) << 20);
        } finally {
            relays.contestants.forEach(contestant -> contestant.process.destroy());
        }
    }

    private void enterAll() throws Exception {
        Files.createDirectories(FOLDER);
        enterJava("Sluice", Double.NaN, "sluice", USUAL);
        enterJava("Sluice, virtual thread", Double.NaN, "sluice-virtual", USUAL);
        enter("C, splice", 1.05, (name, target) -> twin(name, target, USUAL));
        enterJava("java.nio, 64 KiB direct", 0.7, "nio", 64 << 10);
        enterJava("java.nio, 256 KiB direct", 0.7, "nio", 256 << 10);
        enterJava("InputStream.transferTo", 0.5, "stream", 0);
        enterJava("Netty epoll, copy", 1, "netty-copy", 0);
        enterJava("Netty epoll, spliceTo", 1, "netty-splice", 0);
        enter("HAProxy, tcp, splice", 1, this::haproxy);
        enter("socat", 1, this::socat);
    }

    private void enterCapacities() throws Exception {
        Files.createDirectories(FOLDER);
        enterJava("Sluice, 1024 KiB", Double.NaN, "sluice", USUAL);
        for (int kib : new int[] {16, 64, 128, 256, 512}) {
            enterJava("Sluice, " + kib + " KiB", Double.NaN, "sluice", kib << 10);
        }
        for (int kib : new int[] {256, 1024}) {
            enter("C, " + kib + " KiB", Double.NaN, (name, target) -> twin(name, target, kib << 10));
        }
        enterJava("Sluice, virtual thread", Double.NaN, "sluice-virtual", USUAL);
        enterJava("Sluice, two virtual threads", Double.NaN, "sluice-two-threads", USUAL);
    }

    private interface Starter {
        /** Starts the process, which prints its port unless it is given one. */
        Contestant start(String name, double target) throws Exception;
    }

    private void enter(String name, double target, Starter starter) {
        if (!contestants.isEmpty() && !name.contains(only)) {
            return;
        }
        try {
            Contestant contestant = starter.start(name, target);
            contestants.add(contestant);
            transfer(contestant, 1 << 20);
        } catch (Exception e) {
            contestants.removeIf(contestant -> contestant.name.equals(name));
            if (contestants.isEmpty()) {
                throw new IllegalStateException(name + ", with which all others are compared, does not work", e);
            }
            comparison.skip(name, e.getMessage());
        }
    }

    private void enterJava(String name, double target, String way, int size) {
        enter(
                name,
                target,
                (n, t) -> printing(
                        n,
                        t,
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-XX:+IgnoreUnrecognizedVMOptions",
                        "--sun-misc-unsafe-memory-access=allow",
                        "-Dslf4j.internal.verbosity=ERROR",
                        "-cp",
                        System.getProperty("java.class.path"),
                        RelayContestant.class.getName(),
                        way,
                        Integer.toString(size),
                        Integer.toString(server.socket().getLocalPort())));
    }

    private Contestant twin(String name, double target, int capacity) throws Exception {
        Path program = FOLDER.resolve("relay").toAbsolutePath();
        Process gcc = new ProcessBuilder("gcc", "-O2", "-pthread", "-o", program.toString(), SOURCE.toString())
                .inheritIO()
                .start();
        if (gcc.waitFor() != 0) {
            throw new IOException("gcc ended with " + gcc.exitValue());
        }
        return printing(
                name,
                target,
                program.toString(),
                Integer.toString(server.socket().getLocalPort()),
                Integer.toString(capacity));
    }

    private Contestant haproxy(String name, double target) throws Exception {
        int port = freePort();
        Path configuration = Files.writeString(FOLDER.resolve("haproxy.cfg"), """
                global
                    nbthread 1
                defaults
                    mode tcp
                    option splice-request
                    option splice-response
                    timeout connect 10s
                    timeout client 60s
                    timeout server 60s
                listen relay
                    bind 127.0.0.1:%d
                    server sink 127.0.0.1:%d
                """.formatted(
                        port, server.socket().getLocalPort()));
        return onPort(name, target, port, "haproxy", "-q", "-db", "-f", configuration.toString());
    }

    private Contestant socat(String name, double target) throws Exception {
        int port = freePort();
        return onPort(
                name,
                target,
                port,
                "socat",
                "-b" + BUFFER,
                "TCP-LISTEN:" + port + ",bind=127.0.0.1,fork,reuseaddr,nodelay",
                "TCP:127.0.0.1:" + server.socket().getLocalPort() + ",nodelay");
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static Contestant printing(String name, double target, String... command) throws IOException {
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String port = process.inputReader().readLine();
        if (port == null) {
            throw new IOException("it did not start: " + command[0]);
        }
        return new Contestant(name, target, process, Integer.parseInt(port));
    }

    private static Contestant onPort(String name, double target, int port, String... command) throws Exception {
        Process process = new ProcessBuilder(command).inheritIO().start();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (process.isAlive() && System.nanoTime() < end && !listens(port)) {
            Thread.sleep(10);
        }
        return new Contestant(name, target, process, port);
    }

    private static boolean listens(int port) throws IOException {
        String local = String.format(Locale.ROOT, ":%04X ", port);
        return Files.readAllLines(Path.of("/proc/net/tcp")).stream()
                .anyMatch(line -> line.contains(local) && line.contains(" 0A "));
    }

    /** Sends through a relay and receives behind it; returns seconds. */
    private double transfer(Contestant contestant, long bytes) throws Exception {
        long start = System.nanoTime();
        // A relay that hangs is ended, and its connections with it.
        Thread watchdog = Thread.ofVirtual().start(() -> endAfterPatience(contestant));
        // The end of the stream follows when all has arrived: not every relay here hands on both at once.
        CountDownLatch arrived = new CountDownLatch(1);
        FutureTask<Long> sending = new FutureTask<>(() -> {
            try (SocketChannel sender =
                    SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), contestant.port))) {
                ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
                for (long left = bytes; left > 0; ) {
                    buffer.clear().limit((int) Math.min(BUFFER, left));
                    left -= sender.write(buffer);
                }
                arrived.await();
                sender.shutdownOutput();
                return awaitEnd(sender, buffer);
            }
        });
        Thread.ofPlatform().daemon().start(sending);
        long received = 0;
        try (SocketChannel receiver = server.socket().accept().getChannel()) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
            for (int n; (n = receiver.read(buffer.clear())) >= 0; ) {
                received += n;
                if (received == bytes) {
                    arrived.countDown();
                }
            }
        } finally {
            arrived.countDown();
        }
        sending.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        watchdog.interrupt();
        if (received != bytes) {
            throw new IOException(contestant.name + " delivered " + received + " bytes of " + bytes);
        }
        return (System.nanoTime() - start) / 1e9;
    }

    // One that splices its last byte and then finds the stream at its end may close the connection hard.
    private static long awaitEnd(SocketChannel sender, ByteBuffer buffer) throws IOException {
        try {
            return sender.read(buffer.clear());
        } catch (SocketException reset) {
            return -1;
        }
    }

    private static void endAfterPatience(Contestant contestant) {
        try {
            Thread.sleep(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
            contestant.process.destroy();
        } catch (InterruptedException e) {
            // The transfer is over.
        }
    }

    private void measure(int rounds, long bytes) throws Exception {
        for (int round = -WARM_UPS; round < rounds; round++) {
            System.out.print(round < 0 ? "warm-up " : "round " + (round + 1) + " of " + rounds + " ");
            for (Contestant contestant : List.copyOf(contestants)) {
                double before = contestant.cpuSeconds();
                double seconds;
                try {
                    seconds = transfer(contestant, bytes);
                } catch (IOException e) {
                    if (contestant == contestants.getFirst()) {
                        throw e;
                    }
                    contestants.remove(contestant);
                    comparison.skip(contestant.name + ", which stalls", e.getMessage());
                    continue;
                }
                // A child that has just ended counts once it was waited for.
                Thread.sleep(50);
                double cpu = contestant.cpuSeconds() - before;
                if (round >= 0) {
                    samples.computeIfAbsent(contestant, c -> new ArrayList<>())
                            .add(new Sample(cpu * GIB / bytes, bytes / GIB / seconds));
                }
                System.out.print('.');
                System.out.flush();
            }
            System.out.println();
        }
        String row = (bytes >> 20) + " MiB";
        for (Contestant contestant : contestants) {
            samples.get(contestant).forEach(sample -> comparison.add(row, contestant.name, sample.cpu, sample.speed));
            if (contestant.target > 0) {
                comparison.atMost(row, contestant.name, contestant.target);
            }
        }
        comparison.finish();
    }
}
