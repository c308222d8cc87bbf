package io.sluice.bench;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;

/** Where comparisons leave their samples, and the report finds them. */
final class Json {
    static final Path FOLDER = Path.of("target/benchmarks");

    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

    private Json() {}

    static Path file(String name) {
        return FOLDER.resolve(name + ".json");
    }

    static void write(String name, Object samples) throws IOException {
        Files.createDirectories(FOLDER);
        try (Writer writer = Files.newBufferedWriter(file(name))) {
            GSON.toJson(samples, writer);
        }
    }

    static <T> T read(String name, Class<T> form) throws IOException {
        try (Reader reader = Files.newBufferedReader(file(name))) {
            return GSON.fromJson(reader, form);
        }
    }
}
