package io.sluice.bench;

import java.io.IOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** A relay that runs in a process of its own, and what the kernel says about that process. */
final class RelayProcess implements AutoCloseable {
    private static final double TICKS = 100;
    private static final long PATIENCE_SECONDS = 20;

    final int port;
    private final Process process;

    private RelayProcess(Process process, int port) {
        this.process = process;
        this.port = port;
    }

    /**
     * Starts a main class of the benchmarks, which prints the port it listens on. Its heap has a young generation of a fixed size, so that
     * memory is what is kept rather than what was not yet collected.
     */
    static RelayProcess java(Class<?> program, Object... arguments) throws IOException {
        return java(List.of("-XX:+UseSerialGC", "-Xmn16m"), program, arguments);
    }

    /** The same, with the virtual machine's options for its heap. */
    static RelayProcess java(List<String> heap, Class<?> program, Object... arguments) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(heap);
        command.addAll(List.of(
                "-XX:+IgnoreUnrecognizedVMOptions",
                "-Dslf4j.internal.verbosity=ERROR",
                "--sun-misc-unsafe-memory-access=allow",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                System.getProperty("java.class.path"),
                program.getName()));
        Stream.of(arguments).map(Object::toString).forEach(command::add);
        return printing(command.toArray(String[]::new));
    }

    /** Starts the relay in C, which gives each connection a thread and two pipes of so many bytes. */
    static RelayProcess twin(int upstream, int capacity) throws IOException, InterruptedException {
        Path program = Twin.program("relay", Json.FOLDER);
        return printing(program.toString(), Integer.toString(upstream), Integer.toString(capacity));
    }

    private static RelayProcess printing(String... command) throws IOException {
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        String port = process.inputReader().readLine();
        if (port == null) {
            throw new IOException("it did not start: " + command[0]);
        }
        return new RelayProcess(process, Integer.parseInt(port));
    }

    /** Starts HAProxy with one thread, which copies or splices as it sees fit. */
    static RelayProcess haproxy(int upstream, int connections) throws Exception {
        return haproxy(upstream, connections + 10, "option splice-auto");
    }

    /** Starts HAProxy with one thread, which splices both ways. */
    static RelayProcess splicingHaproxy(int upstream) throws Exception {
        return haproxy(upstream, 100, "option splice-request\n    option splice-response");
    }

    private static RelayProcess haproxy(int upstream, int most, String option) throws Exception {
        int port = freePort();
        Path configuration = Files.writeString(
                Json.FOLDER.resolve("haproxy-" + port + ".cfg"), """
                global
                    nbthread 1
                    maxconn %d
                    maxpipes 64
                defaults
                    mode tcp
                    %s
                    timeout connect 10s
                    timeout client 60s
                    timeout server 60s
                listen relay
                    bind 127.0.0.1:%d backlog 1024
                    maxconn %d
                    server upstream 127.0.0.1:%d
                """.formatted(most, option, port, most, upstream));
        return onPort(port, "haproxy", "-q", "-db", "-f", configuration.toString());
    }

    /** Starts socat, which gives each connection a process. */
    static RelayProcess socat(int upstream, int buffer) throws Exception {
        int port = freePort();
        return onPort(
                port,
                "socat",
                "-b" + buffer,
                "TCP-LISTEN:" + port + ",bind=127.0.0.1,fork,reuseaddr,nodelay",
                "TCP:127.0.0.1:" + upstream + ",nodelay");
    }

    private static RelayProcess onPort(int port, String... command) throws Exception {
        Process process = new ProcessBuilder(command).inheritIO().start();
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
        while (!listens(port)) {
            if (!process.isAlive() || System.nanoTime() > end) {
                process.destroy();
                throw new IOException(command[0] + " does not listen");
            }
            Thread.sleep(10);
        }
        return new RelayProcess(process, port);
    }

    static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    private static boolean listens(int port) throws IOException {
        String local = String.format(Locale.ROOT, ":%04X ", port);
        return Files.readAllLines(Path.of("/proc/net/tcp")).stream()
                .anyMatch(line -> line.contains(local) && line.contains(" 0A "));
    }

    /** Processor time of itself and of the children it has waited for. */
    double cpuSeconds() throws IOException {
        String stat = Files.readString(proc("stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        double ticksOfChildren = Long.parseLong(fields[13]) + Long.parseLong(fields[14]);
        return Machine.cpuNanos(process.pid()) / 1e9 + ticksOfChildren / TICKS;
    }

    /** Resident memory in KiB. */
    double residentKib() throws IOException {
        return Files.readAllLines(proc("status")).stream()
                .filter(line -> line.startsWith("VmRSS:"))
                .mapToDouble(line -> Double.parseDouble(line.replaceAll("\\D", "")))
                .findFirst()
                .orElse(Double.NaN);
    }

    long descriptors() throws IOException {
        try (Stream<Path> entries = Files.list(proc("fd"))) {
            return entries.count();
        }
    }

    long pid() {
        return process.pid();
    }

    private Path proc(String name) {
        return Path.of("/proc", Long.toString(process.pid()), name);
    }

    @Override
    public void close() {
        process.destroyForcibly();
        process.onExit().join();
    }
}
