package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Kernel.Outcome;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The kernel report agrees with what can be seen by other means. */
class KernelTest {
    private static final Path STRACE = Path.of("/usr/bin/strace");

    @Test
    void observesOnce() {
        assertThat(Kernel.observed()).isSameAs(Kernel.observed());
    }

    @Test
    void limitsAreThoseOfProc() throws IOException {
        Kernel kernel = Kernel.observed();
        assertThat(kernel.pipeMaxSize()).hasValue(number("/proc/sys/fs/pipe-max-size"));
        assertThat(kernel.userPagesSoft()).hasValue(number("/proc/sys/fs/pipe-user-pages-soft"));
        assertThat(kernel.userPagesHard()).hasValue(number("/proc/sys/fs/pipe-user-pages-hard"));
        assertThat(kernel.pageSize()).isPositive();
        try (Pipe pipe = Pipe.open()) {
            assertThat(kernel.newPipeCapacity()).isEqualTo(pipe.capacity());
        }
    }

    @Test
    void whatIsWrittenToASplicedFileComesOutWhereItSaysReferences() throws IOException {
        Path file = Files.createTempFile("sluice", ".kernel");
        try (Pipe pipe = Pipe.open();
                Fd source = Fd.open(file)) {
            Files.write(file, new byte[] {'1'});
            pipe.sink().spliceFrom(source, 1);
            Files.write(file, new byte[] {'2'}, StandardOpenOption.WRITE);
            ByteBuffer got = ByteBuffer.allocate(1);
            pipe.source().read(got);
            assertThat(Kernel.observed().fileToPipe().outcome())
                    .isEqualTo(got.get(0) == '2' ? Outcome.REFERENCES : Outcome.COPIES);
        } finally {
            Files.delete(file);
        }
    }

    @Test
    void theReportNamesEveryFinding() {
        assertThat(Kernel.observed().report())
                .contains("vmsplice", "file → pipe", "tee", "MSG_ZEROCOPY", "io_uring", "memfd")
                .contains("new pipe", "largest pipe", "pipes per user", "page")
                .endsWith(System.lineSeparator());
    }

    @Test
    void theReportIsAProgramOfItsOwn() throws IOException, InterruptedException {
        Child report = report(List.of());
        assertThat(report.status).as(report.said).isZero();
        assertThat(report.said).isEqualTo(Kernel.observed().report());
    }

    @Test
    void aCallThatIsDeniedIsReportedAsDenied() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(STRACE), "strace is not installed");
        assumeTrue(
                run(List.of(STRACE.toString(), "-qq", "-o", "/dev/null", "true")).status == 0,
                "strace may not trace here");
        Child report = report(List.of(
                STRACE.toString(),
                "-f",
                "-qq",
                "-o",
                "/dev/null",
                "-e",
                "inject=vmsplice:error=EPERM",
                "-e",
                "inject=tee:error=ENOSYS",
                "-e",
                "inject=io_uring_setup:error=EPERM",
                "-e",
                "inject=memfd_create:error=ENOSYS"));
        assertThat(report.status).as(report.said).isZero();
        assertThat(report.said.lines().map(line -> line.strip().replaceAll(" +", " ")))
                .contains("vmsplice denied EPERM (Operation not permitted)")
                .contains("tee denied ENOSYS (Function not implemented)")
                .contains("io_uring denied EPERM (Operation not permitted)")
                .contains("memfd denied ENOSYS (Function not implemented)");
    }

    private record Child(int status, String said) {}

    private static Child report(List<String> prefix) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(prefix);
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(List.of(
                "--enable-native-access=ALL-UNNAMED",
                "-Dstdout.encoding=UTF-8",
                "-cp",
                "target/classes",
                "io.sluice.KernelReport"));
        return run(command);
    }

    private static Child run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Child(process.waitFor(), said);
    }

    private static long number(String file) throws IOException {
        try (var lines = Files.lines(Path.of(file))) {
            return Long.parseLong(lines.findFirst().orElseThrow().strip());
        }
    }
}
