package io.sluice.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A C program beside a test, for what a JVM cannot do: fork, take a signal, change its user. Compiled once with gcc. */
public final class Helper {
    /** What a program ends with if it cannot run here; its output says why. */
    private static final int SKIPPED = 77;

    private static final Map<String, Helper> COMPILED = new ConcurrentHashMap<>();

    private final Path program;

    private Helper(Path program) {
        this.program = program;
    }

    /** The program whose source is the resource {@code name.c} beside the class; aborts the test if there is no compiler. */
    public static Helper compiled(Class<?> beside, String name) {
        if (!exists("gcc")) {
            abort("needs gcc");
        }
        return COMPILED.computeIfAbsent(beside.getName() + "/" + name, key -> compile(beside, name));
    }

    /** Whether a program of this name is in the PATH. */
    public static boolean exists(String program) {
        for (String folder : System.getenv().getOrDefault("PATH", "").split(File.pathSeparator)) {
            if (Files.isExecutable(Path.of(folder, program))) {
                return true;
            }
        }
        return false;
    }

    /** Runs it to its end, with no input, and returns its output without the final line break. */
    public String run(String... arguments) throws IOException, InterruptedException {
        return output(builder(arguments).redirectInput(Redirect.from(new File("/dev/null"))));
    }

    /** Runs it to its end with a descriptor of this process as standard input. */
    public String runReading(int fd, String... arguments) throws IOException, InterruptedException {
        return output(builder(arguments).redirectInput(descriptor(fd)));
    }

    /** Runs it to its end with a descriptor of this process as standard output. */
    public void runWriting(int fd, String... arguments) throws IOException, InterruptedException {
        ProcessBuilder builder = builder(arguments)
                .redirectInput(Redirect.from(new File("/dev/null")))
                .redirectOutput(Redirect.to(descriptor(fd)))
                .redirectError(Redirect.INHERIT);
        assertThat(builder.start().waitFor()).isZero();
    }

    /** Runs a command to its end, and returns what it printed; fails if it does, and is skipped if it says so. */
    public static String output(ProcessBuilder command) throws IOException, InterruptedException {
        Process process = command.redirectErrorStream(true).start();
        process.getOutputStream().close();
        try (InputStream output = process.getInputStream()) {
            String printed = new String(output.readAllBytes(), StandardCharsets.UTF_8).strip();
            int status = process.waitFor();
            if (status == SKIPPED) {
                abort(printed);
            }
            assertThat(status).as("%s: %s", command.command(), printed).isZero();
            return printed;
        }
    }

    private ProcessBuilder builder(String... arguments) {
        List<String> command = new ArrayList<>(List.of(program.toString()));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command);
    }

    private static File descriptor(int fd) {
        return new File("/proc/self/fd/" + fd);
    }

    private static Helper compile(Class<?> beside, String name) {
        try (InputStream source = beside.getResourceAsStream(name + ".c")) {
            Path folder = Files.createTempDirectory("sluice-helper");
            Path file = folder.resolve(name + ".c");
            Path program = folder.resolve(name);
            for (Path path : List.of(folder, file, program)) {
                path.toFile().deleteOnExit();
            }
            Files.write(file, source.readAllBytes());
            output(new ProcessBuilder("gcc", "-O0", "-o", program.toString(), file.toString()));
            return new Helper(program);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }
}
