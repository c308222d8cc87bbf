package io.sluice.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;

/** What the kernel's tracepoints and its clock saw of some threads while they did something: {@code perf record}. */
final class Perf {
    private static final Path DATA = Json.FOLDER.resolve("perf.data");
    private static final Path CONTROL = Json.FOLDER.resolve("perf.control");
    private static final Path ACKNOWLEDGED = Json.FOLDER.resolve("perf.acknowledged");

    /** {@code -t} and threads, or {@code -p} and processes. */
    private final List<String> whose;

    private Perf(List<String> whose) {
        this.whose = whose;
    }

    static Perf ofThread(String thread) {
        return new Perf(List.of("-t", thread));
    }

    static Perf ofProcesses(List<Long> processes) {
        return new Perf(List.of(
                "-p", String.join(",", processes.stream().map(String::valueOf).toList())));
    }

    /** Throws if it cannot be used here, with the reason. */
    static void require() throws IOException, InterruptedException {
        run(Redirect.DISCARD, "perf", "record", "-o", DATA.toString(), "-e", "syscalls:sys_exit_splice", "true");
    }

    /** Every event that the threads met meanwhile, with its fields behind a colon. */
    List<String> events(List<String> events, Callable<?> meanwhile) throws Exception {
        List<String> options = new ArrayList<>(List.of("-c", "1", "-m", "4096"));
        events.forEach(event -> options.addAll(List.of("-e", event)));
        record(options, meanwhile);
        return script("event,trace");
    }

    /** Where the threads were found, so often in a second of their processor time: functions, one for each time. */
    List<String> functions(int frequency, Callable<?> meanwhile) throws Exception {
        record(List.of("-e", "cpu-clock", "-F", Integer.toString(frequency)), meanwhile);
        return script("ip,sym").stream()
                .map(line -> line.substring(line.indexOf(' ') + 1))
                .toList();
    }

    private void record(List<String> options, Callable<?> meanwhile) throws Exception {
        Files.deleteIfExists(CONTROL);
        Files.deleteIfExists(ACKNOWLEDGED);
        run(Redirect.INHERIT, "mkfifo", CONTROL.toString(), ACKNOWLEDGED.toString());
        List<String> command = new ArrayList<>(List.of("perf", "record", "-q", "-o", DATA.toString(), "-D", "-1"));
        command.add("--control=fifo:" + CONTROL + "," + ACKNOWLEDGED);
        command.addAll(options);
        command.addAll(whose);
        Path log = Json.FOLDER.resolve("perf.log");
        Process perf = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        // Opened for both directions: an open of a FIFO for one waits for somebody who has the other.
        try (RandomAccessFile control = new RandomAccessFile(CONTROL.toFile(), "rw");
                RandomAccessFile acknowledged = new RandomAccessFile(ACKNOWLEDGED.toFile(), "rw")) {
            perf.onExit().thenRun(() -> unblock(acknowledged));
            tell("enable", control, acknowledged, perf, log);
            meanwhile.call();
            tell("disable", control, acknowledged, perf, log);
            control.write("stop\n".getBytes(StandardCharsets.US_ASCII));
            perf.waitFor();
        } finally {
            perf.destroyForcibly();
        }
    }

    private static void tell(
            String what, RandomAccessFile control, RandomAccessFile acknowledged, Process perf, Path log)
            throws IOException {
        control.write((what + "\n").getBytes(StandardCharsets.US_ASCII));
        String answer = acknowledged.readLine();
        if (!perf.isAlive() || !answer.contains("ack")) {
            throw new IOException("perf ended: " + Files.readString(log).strip());
        }
    }

    private static void unblock(RandomAccessFile waitedFor) {
        try {
            waitedFor.write('\n');
        } catch (IOException e) {
            return; // nobody waits any more
        }
    }

    private static List<String> script(String fields) throws IOException, InterruptedException {
        Process process = new ProcessBuilder("perf", "script", "-i", DATA.toString(), "-F", fields)
                .redirectError(Redirect.DISCARD)
                .start();
        try (BufferedReader lines = process.inputReader()) {
            return lines.lines()
                    .map(String::strip)
                    .filter(line -> !line.isEmpty())
                    .toList();
        } finally {
            process.waitFor();
        }
    }

    private static void run(Redirect output, String... command) throws IOException, InterruptedException {
        Files.createDirectories(Json.FOLDER);
        Process process = new ProcessBuilder(command)
                .redirectOutput(output)
                .redirectErrorStream(true)
                .start();
        if (process.waitFor() != 0) {
            throw new IOException(String.join(" ", command) + " ended with " + process.exitValue());
        }
    }
}
