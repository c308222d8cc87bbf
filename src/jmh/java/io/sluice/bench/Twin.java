package io.sluice.bench;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** A C program that does what benchmarks do. */
final class Twin {
    private static final Path SOURCES = Path.of("src/jmh/java/io/sluice/bench");

    private final Path program;

    private Twin(Path program) {
        this.program = program;
    }

    /** Compiles the C file of that name beside this one, or says why there is none. */
    static Optional<Twin> compile(String name, Path folder) throws IOException, InterruptedException {
        try {
            return Optional.of(new Twin(program(name, folder)));
        } catch (IOException e) {
            System.out.println("SKIPPED the comparison with C: " + e.getMessage());
            return Optional.empty();
        }
    }

    /** Compiles the C file of that name beside this one. */
    static Path program(String name, Path folder) throws IOException, InterruptedException {
        Path program = folder.resolve(name).toAbsolutePath();
        Files.createDirectories(folder);
        output(
                "gcc",
                "-O2",
                "-pthread",
                "-o",
                program.toString(),
                SOURCES.resolve(name + ".c").toString());
        return program;
    }

    /** The numbers it prints, one on each line. */
    List<Double> run(Object... arguments) throws IOException, InterruptedException {
        String[] command = Stream.concat(Stream.of(program), Arrays.stream(arguments))
                .map(Object::toString)
                .toArray(String[]::new);
        return output(command).lines().map(Double::valueOf).toList();
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
