package io.sluice.faults;

import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.Pipe;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/** A JVM that runs {@link Workload}, or another program that speaks as it does, and does as it is told. */
public final class ChildJvm implements AutoCloseable {
    /** What a line begins with that is an answer: pairs of a key and a value, {@code key=value}, with tabs in between. */
    public static final String ANSWER = Workload.ANSWER;

    /** The key of an answer that says why something cannot be done here. */
    public static final String MISSING = Workload.MISSING;

    /** So long that only an answer that will never come runs into it. */
    private static final int PATIENCE_SECONDS = 60;

    private static final String ENDED = "ended";

    private final Process process;
    private final Writer commands;
    private final BlockingQueue<String> answers = new LinkedBlockingQueue<>();
    private final Queue<String> remarks = new ConcurrentLinkedQueue<>();

    private boolean idle = true;

    private ChildJvm(Process process) {
        this.process = process;
        this.commands = process.outputWriter(StandardCharsets.US_ASCII);
        Thread.ofPlatform().daemon().name("child JVM").start(this::listen);
    }

    static ChildJvm start() throws IOException {
        return start(Workload.class);
    }

    /** Starts a program that takes a command from each line of its input, and answers each with one line. */
    public static ChildJvm start(Class<?> program) throws IOException {
        return new ChildJvm(
                new ProcessBuilder(command(program)).redirectErrorStream(true).start());
    }

    /** How to start {@link Workload}. */
    static List<String> command(String... arguments) {
        return command(Workload.class, arguments);
    }

    private static List<String> command(Class<?> program, String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xshare:auto",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                // One carrier, so that it is known which thread makes the system calls of a virtual one.
                "-Djdk.virtualThreadScheduler.parallelism=1",
                "-Djdk.virtualThreadScheduler.maxPoolSize=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                rootOf(Pipe.class) + File.pathSeparator + rootOf(program),
                program.getName()));
        command.addAll(List.of(arguments));
        return command;
    }

    // A class of a patched module has the module's location as its own, but is found as a resource where it really is.
    private static Path rootOf(Class<?> type) {
        String resource = "/" + type.getName().replace('.', '/') + ".class";
        String url = String.valueOf(type.getResource(resource));
        return Path.of(URI.create(url.substring(0, url.length() - resource.length())));
    }

    public long pid() {
        return process.pid();
    }

    /** Whether it is between two jobs. */
    public boolean isIdle() {
        return idle;
    }

    /** Sends a command and returns the answer. */
    public Map<String, String> ask(String command) throws IOException, InterruptedException {
        idle = false;
        commands.write(command + "\n");
        commands.flush();
        String answer = answers.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (answer == null || answer.equals(ENDED)) {
            throw new AssertionError((answer == null ? "the child does not answer: " : "the child has ended: ")
                    + String.join("\n", remarks));
        }
        Map<String, String> values = parsed(answer);
        idle = command.equals("finish") || values.containsKey(Workload.MISSING);
        assumeNothingMissing(values);
        return values;
    }

    /** What an answer says. */
    static Map<String, String> parsed(String answer) {
        return Stream.of(answer.substring(Workload.ANSWER.length()).split("\t"))
                .filter(pair -> pair.contains("="))
                .collect(Collectors.toMap(
                        pair -> pair.substring(0, pair.indexOf('=')), pair -> pair.substring(pair.indexOf('=') + 1)));
    }

    /** Skips the test where an answer says that it cannot be done here. */
    static void assumeNothingMissing(Map<String, String> answer) {
        if (answer.containsKey(Workload.MISSING)) {
            abort(answer.get(Workload.MISSING));
        }
    }

    private void listen() {
        try (BufferedReader output = process.inputReader(StandardCharsets.UTF_8)) {
            for (String line; (line = output.readLine()) != null; ) {
                (line.startsWith(Workload.ANSWER) ? answers : remarks).add(line);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            answers.add(ENDED);
        }
    }

    @Override
    public void close() {
        // Not Process.destroyForcibly, which would close the pipe that is being read.
        process.toHandle().destroyForcibly();
        process.onExit().join();
    }
}
