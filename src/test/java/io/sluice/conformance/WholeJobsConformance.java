package io.sluice.conformance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.PipePool;
import io.sluice.flow.Transfer;
import io.sluice.testing.Await;
import io.sluice.testing.Helper;
import io.sluice.testing.Workbench;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Rows that need a whole job: a pool of pipes, and what is done when calls are refused. */
final class WholeJobsConformance extends Family {
    private static final int POOLED = 64;
    private static final int MUCH = 1_000_003;

    @Row("sp_go_pool")
    void pipesOfAPoolThatIsDroppedAreClosed(Workbench bench) throws Exception {
        long before = pipes();
        dropAPool();
        Await.until(
                () -> {
                    System.gc();
                    return pipes() <= before;
                },
                "the pipes of a pool that nobody has any more to be closed");
    }

    private static void dropAPool() throws IOException {
        long before = pipes();
        PipePool pool = PipePool.of(POOLED, Workbench.CAPACITY);
        List<Pipe> taken = new ArrayList<>();
        for (int i = 0; i < POOLED; i++) {
            taken.add(pool.take());
        }
        for (Pipe pipe : taken) {
            pool.giveBack(pipe);
        }
        assertThat(pool.idle()).isEqualTo(POOLED);
        assertThat(pipes()).isGreaterThanOrEqualTo(before + 2 * POOLED);
    }

    private static long pipes() throws IOException {
        try (Stream<Path> descriptors = Files.list(Path.of("/proc/self/fd"))) {
            return descriptors
                    .filter(descriptor -> {
                        try {
                            return Files.readSymbolicLink(descriptor).toString().startsWith("pipe:");
                        } catch (IOException e) {
                            return false; // closed meanwhile
                        }
                    })
                    .count();
        }
    }

    @Row("gnu_inject")
    void refusedCallsAreReplaced(Workbench bench) throws Exception {
        assumeTrue(Helper.exists("strace"), "needs strace");
        assumeTrue(new ProcessBuilder(strace("true")).start().waitFor() == 0, "needs leave to trace");
        byte[] content = Workbench.bytes(MUCH);
        Path source = bench.path(content);
        Path target = bench.path(new byte[0]);
        assertThat(copied(Redirect.from(source.toFile()), target, content)).isEqualTo("READ_WRITE");
        assertThat(target).hasBinaryContent(content);
        assertThat(copied(Redirect.PIPE, target, content)).isEqualTo("READ_WRITE");
        assertThat(target).hasBinaryContent(content);
    }

    /** Has another JVM, to which the calls are refused, copy its input to its output; which engine it did it with. */
    private static String copied(Redirect input, Path target, byte[] content) throws Exception {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Process copier = new ProcessBuilder(strace(
                        java,
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        rootOf(Transfer.class) + File.pathSeparator + rootOf(Copier.class),
                        Copier.class.getName()))
                .redirectInput(input)
                .redirectOutput(target.toFile())
                .start();
        if (input == Redirect.PIPE) {
            try (OutputStream in = copier.getOutputStream()) {
                in.write(content);
            }
        }
        String said = new String(copier.getErrorStream().readAllBytes()).strip();
        assertThat(copier.waitFor()).as(said).isZero();
        return said;
    }

    private static List<String> strace(String... command) {
        List<String> whole = new ArrayList<>(List.of(
                "strace",
                "-f",
                "--seccomp-bpf",
                "-o",
                "/dev/null",
                "-e",
                "trace=splice,tee,vmsplice,sendfile,copy_file_range,pipe2",
                "-e",
                "inject=splice,tee,vmsplice,sendfile,copy_file_range:error=ENOSYS",
                "-e",
                "inject=pipe2:error=EMFILE"));
        whole.addAll(List.of(command));
        return whole;
    }

    // A class of a patched module has the module's location as its own, but is found as a resource where it really is.
    private static Path rootOf(Class<?> type) {
        String resource = "/" + type.getName().replace('.', '/') + ".class";
        String url = String.valueOf(type.getResource(resource));
        return Path.of(URI.create(url.substring(0, url.length() - resource.length())));
    }

    /** Copies standard input to standard output, and says on standard error how. */
    static final class Copier {
        private Copier() {}

        public static void main(String[] args) throws IOException {
            try (Fd in = Fd.borrow(0);
                    Fd out = Fd.borrow(1)) {
                System.err.println(Transfer.from(in).to(out).run().engine());
            }
        }
    }
}
