package io.sluice.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Processes that send to the benchmarks on whole jobs and receive from them: {@code sink.c}. */
final class Peers implements AutoCloseable {
    private static final Path SOURCE = Path.of("src/jmh/java/io/sluice/bench/sink.c");

    private final String program;
    private final List<Process> running = new ArrayList<>();
    private SocketAddress discarding;
    private SocketAddress reading;

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
        if (discarding == null) {
            discarding = tcp("listen");
        }
        return SocketChannel.open(discarding);
    }

    /** A connection to a process that reads what it receives. */
    SocketChannel reader() throws IOException {
        if (reading == null) {
            reading = receiver();
        }
        return SocketChannel.open(reading);
    }

    /** The address of a process that reads what it receives over TCP, and then answers with a line that says how many bytes it was. */
    SocketAddress receiver() throws IOException {
        return tcp("receive");
    }

    /** As {@link #receiver()}, at the path of a Unix socket. */
    SocketAddress receiver(Path at) throws IOException {
        return UnixDomainSocketAddress.of(listening("receive", at.toString()));
    }

    private SocketAddress tcp(String way) throws IOException {
        return new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(listening(way)));
    }

    private String listening(String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(arguments));
        command.addFirst(program);
        Process listener = started(new ProcessBuilder(command));
        try (BufferedReader said = listener.inputReader()) {
            return said.readLine();
        }
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
