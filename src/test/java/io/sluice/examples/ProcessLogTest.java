package io.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Helper;
import java.io.File;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The log of child processes, run as a reader runs it. */
class ProcessLogTest {
    private static final Path PROGRAM = Path.of("docs", "examples", "ProcessLog.java");

    /** So long that only a program that waits for itself runs into it. */
    private static final Duration DEADLINE = Duration.ofMinutes(3);

    private static final int SIZE = 100_000;
    private static final int LINES = 60_000;

    private record Outcome(int status, String out, String errors) {}

    @TempDir
    private Path folder;

    private Path logs;

    /** Most tests start the program's class, which spares each of them the compiler. */
    @TempDir
    private static Path classes;

    @BeforeAll
    static void compile() throws Exception {
        String compiler =
                Path.of(System.getProperty("java.home"), "bin", "javac").toString();
        Helper.output(new ProcessBuilder(
                compiler,
                "-J-XX:TieredStopAtLevel=1",
                "-cp",
                "target/classes",
                "-d",
                classes.toString(),
                PROGRAM.toString()));
    }

    @BeforeEach
    void createLogs() throws IOException {
        logs = Files.createDirectory(folder.resolve("logs"));
    }

    @Test
    void everyByteIsInTheRotatedFilesAndOnStandardOutput() throws Exception {
        // As a reader starts it.
        Outcome outcome =
                run(commandOf("target/classes", PROGRAM.toString(), "seq", "seq", "1", Integer.toString(LINES)));
        String expected = numbers(LINES);
        assertThat(outcome.status).as(outcome.errors).isZero();
        assertThat(outcome.out).isEqualTo(expected);
        assertThat(log("seq", 4)).isEqualTo(expected);
        assertThat(names()).containsExactly("seq.log", "seq.log.1", "seq.log.2", "seq.log.3");
        for (int i = 1; i <= 3; i++) {
            assertThat(Files.size(logs.resolve("seq.log." + i))).isEqualTo(SIZE);
        }
    }

    @Test
    void theOldestFilesMakeRoom() throws Exception {
        Outcome outcome = run("seq", "seq", "1", "200000");
        assertThat(outcome.status).as(outcome.errors).isZero();
        assertThat(names()).hasSize(6).contains("seq.log.5").doesNotContain("seq.log.6");
        assertThat(outcome.out).isEqualTo(numbers(200_000)).endsWith(log("seq", 6));
    }

    @Test
    void severalProgramsRunAtOnceAndTheWorstStatusIsReported() throws Exception {
        Outcome outcome = run("a", "sh", "-c", "echo out; echo error >&2; exit 3", "--", "b", "seq", "1", "1000");
        assertThat(outcome.status).as(outcome.errors).isEqualTo(3);
        assertThat(log("a", 1)).isEqualTo("out\nerror\n");
        assertThat(log("b", 1)).isEqualTo(numbers(1000));
        assertThat(outcome.out)
                .contains("out\nerror\n")
                .hasSize(10 + numbers(1000).length());
    }

    @Test
    void theNextRunStartsAFileOfItsOwn() throws Exception {
        run("x", "echo", "one");
        Outcome second = run("x", "echo", "two");
        assertThat(second.status).as(second.errors).isZero();
        assertThat(logs.resolve("x.log")).hasContent("two\n");
        assertThat(logs.resolve("x.log.1")).hasContent("one\n");
    }

    @Test
    void withoutAReaderOfStandardOutputTheFilesGoOn() throws Exception {
        List<String> command = command("seq", "seq", "1", Integer.toString(LINES));
        Process process = new ProcessBuilder(command)
                .redirectError(folder.resolve("errors").toFile())
                .start();
        process.getInputStream().close();
        assertThat(process.waitFor(DEADLINE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isZero();
        assertThat(folder.resolve("errors")).content().contains("no longer copied", "EPIPE");
        assertThat(log("seq", 4)).isEqualTo(numbers(LINES));
    }

    @Test
    void standardOutputOpenedForAppendIsWritten() throws Exception {
        File out = Files.writeString(folder.resolve("out"), "before\n").toFile();
        Process process = new ProcessBuilder(command("seq", "seq", "1", "1000"))
                .redirectOutput(Redirect.appendTo(out))
                .redirectError(Redirect.DISCARD)
                .start();
        assertThat(process.waitFor(DEADLINE.toSeconds(), TimeUnit.SECONDS)).isTrue();
        assertThat(out).hasContent("before\n" + numbers(1000));
    }

    @Test
    void mistakesAreExplained() throws Exception {
        assertThat(run("x")).satisfies(outcome -> {
            assertThat(outcome.status).isEqualTo(2);
            assertThat(outcome.errors).contains("usage:");
        });
        assertThat(run("x", "no-such-program")).satisfies(outcome -> {
            assertThat(outcome.status).isEqualTo(1);
            assertThat(outcome.errors).contains("no-such-program").doesNotContain("\tat ");
        });
        Files.delete(logs.resolve("x.log"));
        Files.delete(logs);
        assertThat(run("x", "true")).satisfies(outcome -> {
            assertThat(outcome.status).isEqualTo(1);
            assertThat(outcome.errors).contains("ENOENT", "x.log").doesNotContain("\tat ");
        });
    }

    private String log(String name, int files) throws IOException {
        StringBuilder whole = new StringBuilder();
        for (int i = files - 1; i > 0; i--) {
            whole.append(Files.readString(logs.resolve(name + ".log." + i)));
        }
        return whole.append(Files.readString(logs.resolve(name + ".log"))).toString();
    }

    private List<String> names() throws IOException {
        try (Stream<Path> files = Files.list(logs)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    private static String numbers(int last) {
        return IntStream.rangeClosed(1, last).mapToObj(i -> i + "\n").collect(Collectors.joining());
    }

    private List<String> command(String... programs) {
        return commandOf("target/classes" + File.pathSeparator + classes, "ProcessLog", programs);
    }

    private List<String> commandOf(String path, String main, String... programs) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED"));
        command.addAll(List.of("-cp", path, main, logs.toString(), Integer.toString(SIZE)));
        command.addAll(List.of(programs));
        return command;
    }

    private Outcome run(String... programs) throws IOException, InterruptedException {
        return run(command(programs));
    }

    private Outcome run(List<String> command) throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        Path errors = folder.resolve("errors");
        Process process = new ProcessBuilder(command)
                .redirectOutput(out.toFile())
                .redirectError(errors.toFile())
                .start();
        process.getOutputStream().close();
        boolean ended = process.waitFor(DEADLINE.toSeconds(), TimeUnit.SECONDS);
        process.destroyForcibly();
        assertThat(ended)
                .as("ended within %s: %s", DEADLINE, Files.readString(errors))
                .isTrue();
        return new Outcome(process.exitValue(), Files.readString(out), Files.readString(errors));
    }
}
