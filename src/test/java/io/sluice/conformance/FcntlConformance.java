package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.internal.Syscalls;
import io.sluice.testing.Helper;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.nio.file.Files;
import java.nio.file.Path;

/** How large a pipe is, and how large it may become. */
final class FcntlConformance extends Family {
    @Row("fc_ltp30")
    void asLargeAsAllowed(Workbench bench) throws Exception {
        int max = Integer.parseInt(
                Files.readAllLines(Path.of("/proc/sys/fs/pipe-max-size")).getFirst());
        assertThat(Syscalls.fcntl(bench.pipe().source(), F_SETPIPE_SZ(), max)).isGreaterThanOrEqualTo(max);
    }

    @Row("fc_ltp35")
    void limitSetToOnePage(Workbench bench) {
        abort("sets /proc/sys/fs/pipe-max-size for the whole machine");
    }

    @Row("fc_ltp37a")
    void moreThanCanBeSaid(Workbench bench) {
        fails(EINVAL(), Syscalls.fcntl(bench.pipe().source(), F_SETPIPE_SZ(), 0x8000_0001));
    }

    @Row("fc_ltp37b")
    void tooSmallForWhatItHolds(Workbench bench) {
        fails(EBUSY(), Syscalls.fcntl(bench.fullPipe().source(), F_SETPIPE_SZ(), CAPACITY / 2));
    }

    @Row("fc_ltp37c")
    void moreThanAllowed(Workbench bench) throws Exception {
        assertThat(Helper.compiled(Row.class, "limits").run("fc_ltp37c")).isEqualTo("EPERM");
    }

    @Row("fc_notpipe")
    void fileHasNoCapacity(Workbench bench) {
        fails(EBADF(), Syscalls.fcntl(bench.file(bytes(10)), F_GETPIPE_SZ(), 0));
    }

    @Row("fc_exact")
    void justLargeEnoughForWhatItHolds(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(CAPACITY / 2));
        gives(CAPACITY / 2, Syscalls.fcntl(pipe.source(), F_SETPIPE_SZ(), CAPACITY / 2));
        gives(0, ready(pipe.sink(), POLLOUT()));
        assertThat(bench.read(pipe.source(), CAPACITY)).isEqualTo(bytes(CAPACITY / 2));
    }

    @Row("fc_soft")
    void newPipeBeyondTheSoftLimit(Workbench bench) throws Exception {
        // Two pages since 5.14, one before.
        assertThat(Helper.compiled(Row.class, "limits").run("fc_soft"))
                .isIn("65536 then 8192, grow EPERM", "65536 then 4096, grow EPERM");
    }

    @Row("fc_shrinkun")
    void shrinksBeyondTheSoftLimit(Workbench bench) throws Exception {
        assertThat(Helper.compiled(Row.class, "limits").run("fc_shrinkun")).isEqualTo("4096");
    }
}
