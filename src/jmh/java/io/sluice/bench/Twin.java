package io.sluice.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;

/** The C program that makes the calls of the benchmarks. */
final class Twin {
    private static final Path SOURCE = Path.of("src/jmh/java/io/sluice/bench/twin.c");

    private final Path program;

    private Twin(Path program) {
        this.program = program;
    }

    /** Compiles it, or says why there is none. */
    static Optional<Twin> compile(Path folder) throws IOException, InterruptedException {
        Path program = folder.resolve("twin").toAbsolutePath();
        Files.createDirectories(folder);
        try {
            output("gcc", "-O2", "-pthread", "-o", program.toString(), SOURCE.toString());
            return Optional.of(new Twin(program));
        } catch (IOException e) {
            System.out.println("No comparison with C: " + e.getMessage());
            return Optional.empty();
        }
    }

    /** Nanoseconds per operation, one number per sample. */
    List<Double> run(String operation, int idleThreads, int samples, long millis)
            throws IOException, InterruptedException {
        String text = output(
                program.toString(),
                operation,
                Integer.toString(idleThreads),
                Integer.toString(samples),
                Long.toString(millis));
        return text.lines().map(Double::valueOf).toList();
    }

    private static String output(String... command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String text = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        int status = process.waitFor();
        if (status != 0) {
            throw new IOException(Arrays.toString(command) + " ended with " + status + ": " + text.strip());
        }
        return text;
    }
}
