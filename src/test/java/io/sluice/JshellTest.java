package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The jshell scripts of the documentation, run as their first lines say. */
class JshellTest {
    private static final Path JSHELL = Path.of(System.getProperty("java.home"), "bin", "jshell");

    @Test
    void everyExperimentShowsWhatItClaims() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(JSHELL), "this JDK has no jshell");
        String said = jshell("sluice.jsh", "slots()", "files()", "twice()", "live()", "errors()", "kernel()");
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

    @Test
    void everyExperimentWithLifetimesShowsWhatItClaims() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(JSHELL), "this JDK has no jshell");
        Kernel.Outcome regime = Kernel.observed().vmsplice().outcome();
        String said = jshell("lifetimes.jsh", "hazard()", "answer()", "back()");
        assertThat(said)
                .contains(
                        switch (regime) {
                            case REFERENCES -> "lent a page of A, stored B in it, read: B";
                            case COPIES -> "lent a page of A, stored B in it, read: A";
                            default -> "vmsplice is denied";
                        });
        boolean referenced = regime == Kernel.Outcome.REFERENCES;
        assertThat(said)
                .contains("lent a page of A: 4096 bytes, " + (referenced ? "IN_PIPE" : "RELEASED"))
                .contains("tried to store B in it: Already closed\nread: A\n")
                .contains("read: RELEASED, and reclaimed it holds A\n")
                .contains("tee'd and read: "
                        + (referenced
                                ? "FORWARDED, and reclaimed it holds zeros"
                                : "RELEASED, and reclaimed it holds A"))
                .contains("stored B in that; the second pipe has A")
                .doesNotContain("Exception", "Error:");
    }

    private static String jshell(String script, String... lines) throws IOException, InterruptedException {
        Process jshell = new ProcessBuilder(
                        JSHELL.toString(),
                        "-s",
                        "-R--enable-native-access=ALL-UNNAMED",
                        "--class-path",
                        "target/classes",
                        "--startup",
                        "DEFAULT",
                        "--startup",
                        "docs/jshell/" + script)
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
