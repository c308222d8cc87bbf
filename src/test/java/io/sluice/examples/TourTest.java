package io.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The tour, run as a reader runs it. */
class TourTest {
    private static final Path TOUR = Path.of("docs", "examples", "Tour.java");

    /** So long that only a tour that waits for itself runs into it. */
    private static final Duration DEADLINE = Duration.ofMinutes(5);

    /** Several times what the largest pipe holds, and no multiple of a page. */
    private static final int SIZE = 5_000_003;

    private static final int TRAILER = "\nSHA-256 ".length() + 64 + "\n".length();
    private static final String ROW = "%s +%,d bytes +[0-9.]+ GiB/s +[0-9.]+ CPU s/GiB  verified  .+";
    private static final String[] STRACE = {
        "strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=splice", "-e", "inject=splice:error=EPERM"
    };

    private record Outcome(int status, String said) {}

    @TempDir
    private Path folder;

    private Path file;
    private Path copies;
    private byte[] content;

    @BeforeEach
    void createInput() throws IOException {
        content = new byte[SIZE];
        new Random(1).nextBytes(content);
        file = Files.write(folder.resolve("file"), content);
        copies = Files.createDirectory(folder.resolve("copies"));
    }

    @Test
    void everyJobIsDoneBothWaysAndVerified() throws Exception {
        Outcome tour = run(tour(TOUR, file, copies));
        assertThat(tour.status).as(tour.said).isZero();

        List<Integer> sizes = List.of(SIZE, SIZE, SIZE, SIZE + TRAILER, SIZE, SIZE);
        List<String> rows =
                tour.said.lines().filter(line -> line.contains(" GiB/s  ")).toList();
        assertThat(rows).as(tour.said).hasSize(2 * sizes.size());
        for (int job = 0; job < sizes.size(); job++) {
            assertThat(rows.get(2 * job).strip()).matches(String.format(Locale.ROOT, ROW, "Sluice", sizes.get(job)));
            assertThat(rows.get(2 * job + 1).strip()).matches(String.format(Locale.ROOT, ROW, "JDK", sizes.get(job)));
        }
        String sha =
                HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(content));
        assertThat(tour.said).contains(sha).doesNotContain("\r", "\033");
        assertThat(copies).isEmptyDirectory();
    }

    @Test
    void pipesOfOneSlotDoTheSameWork() throws Exception {
        String program = Files.readString(TOUR);
        assertThat(program).contains("CAPACITY = 512 << 10;");
        Path other = Files.writeString(folder.resolve("Tour.java"), program.replace("512 << 10", "4096"));
        Outcome tour = run(tour(other, file, copies));
        assertThat(tour.status).as(tour.said).isZero();
        assertThat(tour.said.lines().filter(line -> line.contains("GiB  verified  ")))
                .hasSize(12);
        assertThat(copies).isEmptyDirectory();
    }

    @Test
    void aDeniedCallIsExplained() throws Exception {
        assumeTrue(strace(List.of("true")).status == 0, "needs strace, and leave to trace");
        Outcome tour = strace(tour(TOUR, file, copies));
        assertThat(tour.status).as(tour.said).isEqualTo(1);
        assertThat(tour.said)
                .contains("Tour: file → socket, Sluice: splice(", "EPERM", "seccomp")
                .doesNotContain("\tat ", "GiB  verified");
        assertThat(copies).isEmptyDirectory();
    }

    @Test
    void aFileThatIsNotThereIsNamed() throws Exception {
        Outcome tour = run(tour(TOUR, folder.resolve("nothing"), copies));
        assertThat(tour.status).as(tour.said).isEqualTo(1);
        assertThat(tour.said).contains(folder.resolve("nothing").toString()).doesNotContain("\tat ");
        assertThat(copies).isEmptyDirectory();
    }

    private static List<String> tour(Path program, Path... arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-cp", "target/classes", program.toString()));
        Stream.of(arguments).map(Path::toString).forEach(command::add);
        return command;
    }

    private Outcome strace(List<String> command) throws IOException, InterruptedException {
        try {
            return run(Stream.concat(Stream.of(STRACE), command.stream()).toList());
        } catch (IOException e) {
            return abort("needs strace: " + e.getMessage());
        }
    }

    private Outcome run(List<String> command) throws IOException, InterruptedException {
        Path output = folder.resolve("output");
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        process.getOutputStream().close();
        boolean ended = process.waitFor(DEADLINE.toSeconds(), TimeUnit.SECONDS);
        process.destroyForcibly();
        String said = Files.readString(output);
        assertThat(ended).as("ended within %s after: %s", DEADLINE, said).isTrue();
        return new Outcome(process.exitValue(), said);
    }
}
