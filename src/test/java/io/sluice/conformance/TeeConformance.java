package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Syscalls;
import io.sluice.testing.BlockedCall;
import io.sluice.testing.Helper;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.nio.charset.StandardCharsets;

/** Tee: one pipe's pages in another one too. */
final class TeeConformance extends Family {
    @Row("tee_ltp01")
    void thenSpliceToFile(Workbench bench) {
        Ends from = bench.pipe();
        Ends to = bench.pipe();
        int file = bench.file(bytes(0));
        gives(1024, splice(bench.file(bytes(1024)), from.sink(), 1024, NONE));
        gives(1024, Syscalls.tee(from.source(), to.sink(), 1024, SPLICE_F_NONBLOCK()));
        gives(1024, splice(to.source(), file, 1024, NONE));
        assertThat(bench.contentOf(file, 1024)).isEqualTo(bytes(1024));
    }

    @Row("tee_ltp02a")
    void fromFile(Workbench bench) {
        fails(EINVAL(), Syscalls.tee(bench.file(bytes(1024)), bench.pipe().sink(), 1024, NONE));
    }

    @Row("tee_ltp02b")
    void toFile(Workbench bench) {
        fails(EINVAL(), Syscalls.tee(bench.pipeHolding(bytes(10)).source(), bench.file(bytes(0)), 10, NONE));
    }

    @Row("tee_gv_prd")
    void noMoreThanThereIs(Workbench bench) {
        gives(
                2048,
                Syscalls.tee(
                        bench.pipeHolding(bytes(2048)).source(), bench.pipe().sink(), PAGE, NONE));
    }

    @Row("tee_gv_pwr")
    void noMoreThanFits(Workbench bench) {
        Ends from = bench.pipeHolding(bytes(2 * PAGE));
        Ends to = bench.pipe();
        gives(2 * PAGE, Syscalls.fcntl(to.sink(), F_SETPIPE_SZ(), 2 * PAGE));
        bench.write(to.sink(), bytes(1));
        gives(PAGE, Syscalls.tee(from.source(), to.sink(), 2 * PAGE, NONE));
    }

    @Row("tee_gv_block")
    void waitsForData(Workbench bench) throws Exception {
        Ends from = bench.pipe();
        Ends to = bench.pipe();
        BlockedCall<Long> tee =
                BlockedCall.in(SystemCall.TEE, () -> Syscalls.tee(from.source(), to.sink(), PAGE, NONE));
        bench.write(from.sink(), bytes(PAGE));
        gives(PAGE, tee.result());
        assertThat(bench.read(to.source(), PAGE)).isEqualTo(bytes(PAGE));
        assertThat(bench.read(from.source(), PAGE)).isEqualTo(bytes(PAGE));
    }

    @Row("tee_gv_blockw")
    void waitsForRoom(Workbench bench) throws Exception {
        Ends from = bench.pipeHolding(bytes(PAGE));
        Ends to = bench.fullPipe();
        BlockedCall<Long> tee =
                BlockedCall.in(SystemCall.TEE, () -> Syscalls.tee(from.source(), to.sink(), PAGE, NONE));
        bench.readFully(to.source(), PAGE);
        gives(PAGE, tee.result());
    }

    @Row("tee_gv_multi")
    void severalPages(Workbench bench) {
        Ends from = bench.pipeHolding(bytes(CAPACITY / 2));
        Ends to = bench.pipe();
        gives(CAPACITY / 2, Syscalls.tee(from.source(), to.sink(), CAPACITY / 2, NONE));
        assertThat(bench.read(to.source(), CAPACITY)).isEqualTo(bytes(CAPACITY / 2));
        assertThat(bench.read(from.source(), CAPACITY)).isEqualTo(bytes(CAPACITY / 2));
    }

    @Row("tee_nix")
    void leavesTheSourceAsItIs(Workbench bench) {
        Ends from = bench.pipeHolding("abc".getBytes(StandardCharsets.US_ASCII));
        Ends to = bench.pipe();
        gives(2, Syscalls.tee(from.source(), to.sink(), 2, NONE));
        assertThat(bench.read(to.source(), 10))
                .asString(StandardCharsets.US_ASCII)
                .isEqualTo("ab");
        assertThat(bench.read(from.source(), 10))
                .asString(StandardCharsets.US_ASCII)
                .isEqualTo("abc");
    }

    @Row("tee_wrong")
    void fromWriteEnd(Workbench bench) {
        fails(
                EBADF(),
                Syscalls.tee(bench.pipeHolding(bytes(10)).sink(), bench.pipe().sink(), 10, NONE));
    }

    @Row("tee_epipe")
    void toPipeWithoutReader(Workbench bench) throws Exception {
        Ends from = bench.pipeHolding(bytes(10));
        Ends to = bench.pipe();
        bench.close(to.source());
        fails(EPIPE(), Syscalls.tee(from.source(), to.sink(), 10, NONE));
        gives(10, bench.available(from.source()));
        assertThat(Helper.compiled(Row.class, "signals").run("tee_epipe")).isEqualTo("EPIPE sig=1");
    }
}
