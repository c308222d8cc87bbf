package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Arch;
import io.sluice.internal.Syscalls;
import io.sluice.testing.Helper;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** Pipes themselves: how they are opened, what read and write do to them. */
final class PipeConformance extends Family {
    private static final int RLIMIT_NOFILE = 7;

    @Row("pi_ltp03a")
    void writeToReadEnd(Workbench bench) {
        fails(EBADF(), Syscalls.write(bench.pipe().source(), bench.buffer(1), 1));
    }

    @Row("pi_ltp03b")
    void readFromWriteEnd(Workbench bench) {
        fails(EBADF(), Syscalls.read(bench.pipe().sink(), bench.buffer(1), 1));
    }

    @Row("pi_ltp05")
    void answerAtBadAddress(Workbench bench) {
        fails(EFAULT(), Libc.pipe2(8, NONE));
    }

    @Row("pi_ltp06")
    void noDescriptorLeft(Workbench bench) {
        MemorySegment asItIs = bench.buffer(16);
        gives(0, Libc.prlimit(RLIMIT_NOFILE, 0, asItIs.address()));
        MemorySegment none = bench.buffer(16).copyFrom(asItIs);
        none.set(ValueLayout.JAVA_LONG, 0, 3);
        long refused;
        gives(0, Libc.prlimit(RLIMIT_NOFILE, none.address(), 0));
        try {
            refused = Syscalls.pipe2(O_CLOEXEC());
        } finally {
            gives(0, Libc.prlimit(RLIMIT_NOFILE, asItIs.address(), 0));
        }
        fails(EMFILE(), refused);
    }

    @Row("pi_ltp08")
    void writeWithoutReader(Workbench bench) throws Exception {
        Ends pipe = bench.pipe();
        bench.close(pipe.source());
        fails(EPIPE(), Syscalls.write(pipe.sink(), bench.buffer(26), 26));
        assertThat(Helper.compiled(Row.class, "signals").run("pi_ltp08")).isEqualTo("EPIPE sig=1");
    }

    @Row("pi_ltp02")
    void writeWithoutReaderKills(Workbench bench) throws Exception {
        assertThat(Helper.compiled(Row.class, "signals").run("pi_ltp02")).isEqualTo("killed by SIGPIPE");
    }

    @Row("pi_ltp12a")
    void writeToFullPipe(Workbench bench) {
        Ends pipe = bench.fullPipe();
        bench.setNonBlocking(pipe.sink(), true);
        fails(EAGAIN(), Syscalls.write(pipe.sink(), bench.buffer(1), 1));
        gives(CAPACITY, bench.available(pipe.source()));
        gives(CAPACITY, Syscalls.fcntl(pipe.source(), F_GETPIPE_SZ(), 0));
    }

    @Row("pi_ltp12b")
    void writeMoreThanFits(Workbench bench) {
        Ends pipe = bench.pipe(O_NONBLOCK());
        gives(CAPACITY, Syscalls.write(pipe.sink(), bench.buffer(CAPACITY + PAGE), CAPACITY + PAGE));
    }

    @Row("pi_ltp12c")
    void writeMoreThanFitsBehindAByte(Workbench bench) {
        Ends pipe = bench.pipe(O_NONBLOCK());
        bench.write(pipe.sink(), bytes(1));
        long written = Syscalls.write(pipe.sink(), bench.buffer(CAPACITY + PAGE), CAPACITY + PAGE);
        assertThat(written).isBetween((long) CAPACITY - PAGE, (long) CAPACITY - 1);
        gives(1 + written, bench.available(pipe.source()));
    }

    @Row("pi_ltp14")
    void dataThenEnd(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(27));
        bench.close(pipe.sink());
        assertThat(bench.read(pipe.source(), 27)).isEqualTo(bytes(27));
        assertThat(bench.read(pipe.source(), 1)).isEmpty();
    }

    @Row("pi_ltp15")
    void shrunkenPipeTakesAByteAfterAlmostAllWasRead(Workbench bench) throws Exception {
        assertThat(Helper.compiled(Row.class, "limits").run("pi_ltp15")).isEqualTo("did not block");
    }

    @Row("pi_ltp11")
    void processesShareAPipe(Workbench bench) throws Exception {
        for (String readers : new String[] {"1", "2", "3", "4", "10", "50"}) {
            assertThat(Helper.compiled(Row.class, "signals").run("pi_ltp11", readers))
                    .isEqualTo(readers + " readers, each its share");
        }
    }

    @Row("p2_ltp01c")
    void packetMode(Workbench bench) {
        Ends pipe = bench.pipe(Arch.current().oDirect);
        int flags = Syscalls.fcntl(pipe.sink(), F_GETFL(), 0);
        assertThat(flags & (O_ACCMODE() | Arch.current().oDirect)).isEqualTo(O_WRONLY() | Arch.current().oDirect);
    }

    @Row("p2_ltp04")
    void smallestPipe(Workbench bench) {
        Ends pipe = bench.pipe(O_NONBLOCK());
        gives(PAGE, Syscalls.fcntl(pipe.source(), F_SETPIPE_SZ(), 0));
        bench.write(pipe.sink(), bytes(PAGE));
        fails(EAGAIN(), Syscalls.write(pipe.sink(), bench.buffer(1), 1));
    }

    @Row("p2_packet")
    void shortReadDropsTheRestOfAPacket(Workbench bench) {
        Ends pipe = bench.pipe(Arch.current().oDirect);
        bench.write(pipe.sink(), bytes(3));
        bench.write(pipe.sink(), bytes(5));
        gives(8, bench.available(pipe.source()));
        assertThat(bench.read(pipe.source(), 2)).isEqualTo(bytes(2));
        gives(5, bench.available(pipe.source()));
        assertThat(bench.read(pipe.source(), 100)).isEqualTo(bytes(5));
    }

    @Row("p_gv_seek")
    void hasNoPosition(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(8));
        for (int end : new int[] {pipe.source(), pipe.sink()}) {
            fails(ESPIPE(), Libc.lseek(end, 0, 0));
        }
        fails(ESPIPE(), Libc.pread(pipe.source(), bench.buffer(8), 8, 0));
        fails(ESPIPE(), Libc.pwrite(pipe.sink(), bench.buffer(8), 8, 0));
    }
}
