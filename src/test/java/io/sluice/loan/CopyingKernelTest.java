package io.sluice.loan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.testing.Helper;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;

/** On a kernel whose vmsplice copies, which a library in front of the C library plays here, every loan is released at once. */
class CopyingKernelTest {
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
    void everyLoanIsReleasedAtOnceAndArrivesAsItWas() throws IOException, InterruptedException {
        assumeTrue(Helper.exists("gcc"), "needs gcc");
        try (Workbench bench = new Workbench()) {
            Path folder = bench.folder();
            Path source = Files.writeString(folder.resolve("copies.c"), VMSPLICE);
            Path library = folder.resolve("libcopies.so");
            Helper.output(new ProcessBuilder(
                    "gcc", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o", library.toString(), source.toString()));
            assertThat(LendingJvm.run(List.of(), "load", library.toString()))
                    .isEqualTo("COPIES: all arrived as it was lent");
        }
    }
}
