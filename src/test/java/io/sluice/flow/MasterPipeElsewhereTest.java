package io.sluice.flow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Helper;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Responses are the same on kernels that copy, under sandboxes that refuse, and for users who have had their share of pipes. */
class MasterPipeElsewhereTest {
    private static final String NOBODY = "65534";

    /** Two tests look at the same run. */
    private static String saidByNobody;

    /** As in the kernel series that makes vmsplice a name for preadv2 and pwritev2. */
    private static final String VMSPLICE = """
            #define _GNU_SOURCE
            #include <fcntl.h>
            #include <sys/uio.h>

            ssize_t vmsplice(int fd, const struct iovec *ranges, size_t count, unsigned flags)
            {
                int how = flags & SPLICE_F_NONBLOCK ? RWF_NOWAIT : 0;
                if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
                    return preadv2(fd, ranges, count, -1, how);
                return pwritev2(fd, ranges, count, -1, how);
            }
            """;

    @Test
    void whereVmspliceCopiesTheMasterIsWrittenOnceAndSplicedFrom() throws Exception {
        assumeTrue(Helper.exists("gcc"), "needs gcc");
        try (Workbench bench = new Workbench()) {
            Path folder = bench.folder();
            Path source = Files.writeString(folder.resolve("copies.c"), VMSPLICE);
            Path library = folder.resolve("libcopies.so");
            Helper.output(new ProcessBuilder(
                    "gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library.toString(), source.toString()));
            assertThat(run(List.of(), "load", library.toString()))
                    .isEqualTo("COPIES: all arrived; spliced; 0 fallbacks; no shortfall");
        }
    }

    @ParameterizedTest(name = "{1} from {0}")
    @CsvSource({
        "VMSPLICE, EPERM, DENIED: all arrived; spliced; 0 fallbacks",
        "VMSPLICE, ENOSYS, DENIED: all arrived; spliced; 0 fallbacks",
        "TEE, EPERM, REFERENCES: all arrived; written; 1 fallbacks",
        "TEE, ENOSYS, REFERENCES: all arrived; written; 1 fallbacks",
        "SPLICE, EPERM, all arrived; written; 1 fallbacks",
        "SPLICE, ENOSYS, all arrived; written; 1 fallbacks",
        "PIPE2, EPERM, all arrived; written; 0 fallbacks; responses are sent from memory",
    })
    void whatASandboxRefusesIsDoneWithout(String call, String errno, String said) throws Exception {
        int number = errno.equals("EPERM") ? Linux.EPERM() : Linux.ENOSYS();
        assertThat(run(List.of(), "refuse", call, Integer.toString(number))).contains(said);
    }

    @Test
    @DisplayName("lesson 14: past pipe-user-pages-soft responses are sent from memory, and it is said why")
    void lesson14PastTheSoftLimitResponsesAreSentFromMemory() throws Exception {
        assertThat(asNobody().lines())
                .anyMatch(line -> line.contains("all arrived; written; ")
                        && line.contains("responses are sent from memory, because the master pipe holds"));
    }

    @Test
    @DisplayName("lesson 13: where F_SETPIPE_SZ is refused half as much is asked for, and what was granted is said")
    void lesson13ARefusedSizeIsHalvedAndSaid() throws Exception {
        assertThat(asNobody().lines())
                .anyMatch(line -> line.matches("asked for 64 MiB: the pipe was granted \\d+ bytes of 67108864"));
    }

    private static synchronized String asNobody() throws IOException, InterruptedException {
        if (saidByNobody == null) {
            saidByNobody = runAsNobody();
        }
        return saidByNobody;
    }

    private static String runAsNobody() throws IOException, InterruptedException {
        assumeTrue(Helper.exists("setpriv"), "needs setpriv");
        List<String> prefix = List.of("setpriv", "--reuid=" + NOBODY, "--clear-groups");
        List<String> probe = new ArrayList<>(prefix);
        probe.addAll(List.of("test", "-r", "target/test-classes/io/sluice/flow/MasterPipeProgram.class"));
        assumeTrue(
                new ProcessBuilder(probe).start().waitFor() == 0,
                "another user may not be assumed, or may not read the classes");
        return run(prefix, "small");
    }

    private static String run(List<String> under, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(under);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-cp",
                "target/classes:target/test-classes",
                MasterPipeProgram.class.getName()));
        command.addAll(List.of(arguments));
        return Helper.output(new ProcessBuilder(command));
    }
}
