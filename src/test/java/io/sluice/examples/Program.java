package io.sluice.examples;

import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A single-file program of docs/examples, started as a reader starts it. */
final class Program implements AutoCloseable {
    /** So long that only a line that will never come runs into it. */
    private static final int PATIENCE_SECONDS = 60;

    private static final String ENDED = "(ended)";

    private final Process process;
    private final BlockingQueue<String> coming = new LinkedBlockingQueue<>();
    private final List<String> said = new ArrayList<>();

    private Program(Process process) {
        this.process = process;
        Thread.ofPlatform().daemon().name("output of a program").start(this::listen);
    }

    static Program start(String name, String... arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "-Djdk.virtualThreadScheduler.parallelism=2",
                "-Djdk.virtualThreadScheduler.maxPoolSize=2",
                "-cp",
                "target/classes",
                "docs/examples/" + name));
        command.addAll(List.of(arguments));
        return new Program(new ProcessBuilder(command).redirectErrorStream(true).start());
    }

    /** The first group of the next line that matches. */
    String awaitLine(String pattern) throws InterruptedException {
        Pattern wanted = Pattern.compile(pattern);
        while (true) {
            String line = coming.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (line == null || line.equals(ENDED)) {
                throw new AssertionError("no line " + pattern + " in " + said);
            }
            said.add(line);
            Matcher matcher = wanted.matcher(line);
            if (matcher.matches()) {
                return matcher.groupCount() > 0 ? matcher.group(1) : line;
            }
        }
    }

    int awaitEnd() throws InterruptedException {
        if (!process.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
            throw new AssertionError("it does not end; it said " + said);
        }
        return process.exitValue();
    }

    private void listen() {
        try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line; (line = output.readLine()) != null; ) {
                coming.add(line);
            }
        } catch (IOException e) {
            coming.add(e.toString());
        } finally {
            coming.add(ENDED);
        }
    }

    @Override
    public void close() {
        process.toHandle().destroyForcibly();
        process.onExit().join();
    }
}
