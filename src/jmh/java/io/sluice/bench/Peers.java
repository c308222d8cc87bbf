package io.sluice.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Processes that send to the benchmarks on whole jobs and receive from them: {@code sink.c}. */
final class Peers implements AutoCloseable {
    private static final Path SOURCE = Path.of("src/jmh/java/io/sluice/bench/sink.c");

    private final String program;
    private final List<Process> running = new ArrayList<>();
    private final Map<String, Integer> ports = new HashMap<>();

    Peers(Path folder) throws IOException, InterruptedException {
        program = folder.resolve("sink").toAbsolutePath().toString();
        Files.createDirectories(folder);
        if (new ProcessBuilder("gcc", "-O2", "-pthread", "-o", program, SOURCE.toString())
                        .inheritIO()
                        .start()
                        .waitFor()
                != 0) {
            throw new IOException("gcc cannot compile " + SOURCE);
        }
    }

    /** A process that writes so many bytes to {@code output}. */
    Process sending(long bytes, Redirect output) throws IOException {
        return started(new ProcessBuilder(program, "send", Long.toString(bytes)).redirectOutput(output));
    }

    /** A process that throws away what it reads from {@code input}. */
    Process discarding(Redirect input) throws IOException {
        return started(new ProcessBuilder(program, "discard").redirectInput(input));
    }

    /** A connection to a process that throws away what it receives. */
    SocketChannel connection() throws IOException {
        return connection("listen");
    }

    /** A connection to a process that reads what it receives. */
    SocketChannel reader() throws IOException {
        return connection("read");
    }

    private SocketChannel connection(String way) throws IOException {
        if (!ports.containsKey(way)) {
            Process listener = started(new ProcessBuilder(program, way));
            try (BufferedReader said = listener.inputReader()) {
                ports.put(way, Integer.parseInt(said.readLine()));
            }
        }
        return SocketChannel.open(new InetSocketAddress(InetAddress.getLoopbackAddress(), ports.get(way)));
    }

    private Process started(ProcessBuilder builder) throws IOException {
        Process process = builder.redirectError(Redirect.INHERIT).start();
        running.removeIf(earlier -> !earlier.isAlive());
        running.add(process);
        return process;
    }

    @Override
    public void close() {
        running.forEach(Process::destroyForcibly);
    }
}
