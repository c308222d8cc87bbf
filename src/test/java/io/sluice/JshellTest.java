package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The jshell script of the documentation, run as its first lines say. */
class JshellTest {
    private static final Path JSHELL = Path.of(System.getProperty("java.home"), "bin", "jshell");

    @Test
    void everyExperimentShowsWhatItClaims() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(JSHELL), "this JDK has no jshell");
        String said = jshell("slots()", "files()", "twice()", "live()", "errors()", "kernel()");
        assertThat(said)
                .contains("16 packets of 1 byte fill a pipe of 65536 bytes")
                .contains("differ at byte -1")
                .contains("second: once written; first: once written")
                .contains("opened for append", "EINVAL", "still in the pipe: 7 bytes")
                .contains(
                        Kernel.observed().fileToPipe().outcome() == Kernel.Outcome.COPIES
                                ? "read: before"
                                : "read: after!")
                .contains("Seen on Linux")
                .doesNotContain("Exception", "Error:");
    }

    private static String jshell(String... lines) throws IOException, InterruptedException {
        Process jshell = new ProcessBuilder(
                        JSHELL.toString(),
                        "-s",
                        "-R--enable-native-access=ALL-UNNAMED",
                        "--class-path",
                        "target/classes",
                        "--startup",
                        "DEFAULT",
                        "--startup",
                        "docs/jshell/sluice.jsh")
                .redirectErrorStream(true)
                .start();
        try (OutputStream input = jshell.getOutputStream()) {
            input.write((String.join("\n", lines) + "\n/exit\n").getBytes(StandardCharsets.UTF_8));
        }
        String said = new String(jshell.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(jshell.waitFor()).as(said).isZero();
        return said.replace("ErrnoException", "");
    }
}
