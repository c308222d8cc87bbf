package io.sluice.bench;

import io.sluice.bench.SendBenchmark.Sample;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Where the receiver is. */
enum SendNetwork {
    LOOPBACK("loopback", "127.0.0.1"),
    VETH("veth", "10.77.9.2");

    private static final Path SOURCE = Path.of("src/jmh/java/io/sluice/bench/send.c");

    final String words;
    private final String address;

    SendNetwork(String words, String address) {
        this.words = words;
        this.address = address;
    }

    /** This network cannot be made here. */
    static final class MissingException extends IOException {
        private static final long serialVersionUID = 1L;

        MissingException(String message) {
            super(message);
        }
    }

    /** The process that receives. Its namespace, if it has one of its own, and the pair of devices that leads there go with it. */
    record Sink(Process process, Path program, String address, int port) implements AutoCloseable {
        /** The same work in C. */
        Sample twin(String way, int size, long millis) throws IOException, InterruptedException {
            String[] words = output(
                            (way.startsWith("sendZc") ? program.resolveSibling("uring") : program).toString(),
                            way,
                            address,
                            Integer.toString(port),
                            Integer.toString(size),
                            Long.toString(millis))
                    .split(" ");
            return new Sample(
                    Double.parseDouble(words[0]),
                    Double.parseDouble(words[1]),
                    Double.parseDouble(words[2]),
                    way.equals("write") ? Double.NaN : Double.parseDouble(words[3]));
        }

        @Override
        public void close() {
            process.destroy();
            process.onExit().join();
        }
    }

    static Path compile(Path folder) throws IOException, InterruptedException {
        Path program = folder.resolve("send").toAbsolutePath();
        Files.createDirectories(folder);
        output("gcc", "-O2", "-o", program.toString(), SOURCE.toString());
        String uring = SOURCE.resolveSibling("uring.c").toString();
        output("gcc", "-O2", "-pthread", "-o", program.resolveSibling("uring").toString(), uring);
        return program;
    }

    Sink open(Path program) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        if (this == VETH) {
            command.addAll(List.of("unshare", "-n"));
        }
        command.addAll(List.of(program.toString(), "sink", address));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try {
            if (this == VETH) {
                join(process.pid());
            }
            process.getOutputStream().write('\n');
            process.getOutputStream().flush();
            BufferedReader lines = process.inputReader(StandardCharsets.US_ASCII);
            String port = lines.readLine();
            if (port == null) {
                throw new MissingException("the receiver did not start");
            }
            return new Sink(process, program, address, Integer.parseInt(port));
        } catch (IOException | InterruptedException | RuntimeException e) {
            process.destroy();
            throw e;
        }
    }

    private static void join(long pid) throws IOException, InterruptedException {
        String mine = namespace("self");
        while (namespace(Long.toString(pid)).equals(mine)) {
            if (ProcessHandle.of(pid).isEmpty()) {
                throw new MissingException("needs the right to make a network namespace");
            }
            Thread.onSpinWait();
        }
        try {
            output("ip", "link", "add", "sluice-near", "type", "veth", "peer", "name", "far", "netns", "" + pid);
            output("ip", "addr", "add", "10.77.9.1/24", "dev", "sluice-near");
            output("ip", "link", "set", "sluice-near", "up");
            output("nsenter", "-n", "-t", "" + pid, "ip", "addr", "add", "10.77.9.2/24", "dev", "far");
            output("nsenter", "-n", "-t", "" + pid, "ip", "link", "set", "far", "up");
        } catch (IOException e) {
            throw new MissingException("needs a veth pair: " + e.getMessage());
        }
    }

    private static String namespace(String process) {
        try {
            return Files.readSymbolicLink(Path.of("/proc", process, "ns", "net"))
                    .toString();
        } catch (IOException e) {
            return "";
        }
    }

    private static String output(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        int status = process.waitFor();
        if (status != 0) {
            throw new IOException(String.join(" ", command) + " ended with " + status + ": " + text);
        }
        return text;
    }
}
