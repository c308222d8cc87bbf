package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** What the kernel says about the descriptors of this process. */
final class OpenFiles {
    private static final Path FOLDER = Path.of("/proc/self/fd");

    private OpenFiles() {}

    static int count() throws IOException {
        try (Stream<Path> entries = Files.list(FOLDER)) {
            return (int) entries.count();
        }
    }

    /** What a descriptor is called: a path, or such as {@code pipe:[4711]}. */
    static String nameOf(int number) throws IOException {
        return Files.readSymbolicLink(FOLDER.resolve(Integer.toString(number))).toString();
    }

    /** The numbers under which this process has a file of that name open. */
    static List<Integer> named(String name) throws IOException {
        try (Stream<Path> entries = Files.list(FOLDER)) {
            return entries.filter(entry -> target(entry).filter(name::equals).isPresent())
                    .map(entry -> Integer.valueOf(entry.getFileName().toString()))
                    .toList();
        }
    }

    /** The file flags of a descriptor, O_NONBLOCK among them. */
    static int flags(int number) throws IOException {
        String flags = Files.readAllLines(Path.of("/proc/self/fdinfo/" + number)).stream()
                .filter(line -> line.startsWith("flags:"))
                .findFirst()
                .orElseThrow();
        return Integer.parseInt(flags.substring(6).strip(), 8);
    }

    static void assertAsManyAs(int before) throws IOException {
        assertThat(count()).as("open descriptors").isEqualTo(before);
    }

    private static Optional<String> target(Path entry) {
        try {
            return Optional.of(Files.readSymbolicLink(entry).toString());
        } catch (IOException e) {
            return Optional.empty(); // closed since the folder was read
        }
    }
}
