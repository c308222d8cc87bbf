package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.failsWithOneOf;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;

/** What splice refuses: descriptors of the wrong kind, offsets where none can be, flags it does not know. */
final class SpliceArgumentsConformance extends Family {
    private static final int[] NOT_SPLICEABLE = {EINVAL(), EBADF()};
    private static final int UNKNOWN_FLAG = 0x10;

    @Row("sp_ltp03c")
    void sourceOpenForWriting(Workbench bench) {
        int file = bench.open(bench.path(bytes(10)), O_WRONLY());
        fails(EBADF(), splice(file, bench.pipe().sink(), 10, NONE));
    }

    @Row("sp_ltp03d")
    void targetOpenForAppending(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(10));
        int file = bench.open(bench.path(bytes(0)), O_RDWR() | O_APPEND());
        fails(EINVAL(), splice(pipe.source(), file, 10, NONE));
        gives(10, bench.available(pipe.source()));
    }

    @Row("sp_ltp03e")
    void twoFiles(Workbench bench) {
        fails(EINVAL(), splice(bench.file(bytes(10)), bench.file(bytes(0)), 10, NONE));
    }

    @Row("sp_ltp03f")
    void offsetInPipe(Workbench bench) {
        int source = bench.pipeHolding(bytes(10)).source();
        fails(ESPIPE(), Syscalls.splice(source, 0, bench.file(bytes(0)), NO_OFFSET, 10, NONE));
    }

    @Row("sp_ltp07a")
    void fromEpoll(Workbench bench) {
        refusedAsSource(bench, WaitCalls.epollCreate());
    }

    @Row("sp_ltp07b")
    void fromEventfd(Workbench bench) {
        int eventfd = bench.own(WaitCalls.eventfd());
        MemorySegment one = bench.buffer(8);
        one.set(ValueLayout.JAVA_LONG, 0, 1);
        gives(8, Syscalls.write(eventfd, one, 8));
        failsWithOneOf(NOT_SPLICEABLE, splice(eventfd, bench.pipe().sink(), 1, NONE));
    }

    @Row("sp_ltp07c")
    void fromSignalfd(Workbench bench) {
        refusedAsSource(bench, Libc.signalfd());
    }

    @Row("sp_ltp07d")
    void fromTimerfd(Workbench bench) {
        refusedAsSource(bench, Libc.timerfdCreate(0, NONE));
    }

    @Row("sp_ltp07e")
    void fromPidfd(Workbench bench) {
        refusedAsSource(bench, Libc.pidfdOpen(ProcessHandle.current().pid()));
    }

    @Row("sp_ltp07f")
    void fromInotify(Workbench bench) {
        refusedAsSource(bench, Libc.inotifyInit(NONE));
    }

    @Row("sp_ltp07i")
    void fromSocketWithoutConnection(Workbench bench) {
        int socket = bench.own(Libc.socket(AF_INET(), SOCK_STREAM(), 0));
        fails(ENOTCONN(), splice(socket, bench.pipe().sink(), 1, NONE));
    }

    @Row("sp_ltp07j")
    void toEpoll(Workbench bench) {
        refusedAsTarget(bench, WaitCalls.epollCreate(), NOT_SPLICEABLE);
    }

    @Row("sp_ltp07k")
    void toEventfd(Workbench bench) {
        refusedAsTarget(bench, WaitCalls.eventfd(), EINVAL());
    }

    @Row("sp_ltp07l")
    void toTimerfd(Workbench bench) {
        refusedAsTarget(bench, Libc.timerfdCreate(0, NONE), NOT_SPLICEABLE);
    }

    @Row("sp_ltp07m")
    void fromWriteEnd(Workbench bench) {
        fails(EBADF(), splice(bench.pipeHolding(bytes(8)).sink(), bench.file(bytes(0)), 8, NONE));
    }

    @Row("sp_ltp07o")
    void fromSecretMemory(Workbench bench) {
        int secret = Libc.memfdSecret(NONE);
        assumeTrue(secret != -ENOSYS(), "needs memfd_secret");
        bench.own(secret);
        gives(0, Libc.ftruncate(secret, PAGE));
        failsWithOneOf(NOT_SPLICEABLE, splice(secret, bench.pipe().sink(), 1, NONE));
    }

    @Row("sp_gv_tworeg")
    void twoFilesWithEveryChoiceOfOffsets(Workbench bench) {
        int in = bench.file(bytes(10));
        int out = bench.file(bytes(0));
        for (long inOffset : new long[] {NO_OFFSET, 0}) {
            for (long outOffset : new long[] {NO_OFFSET, 0}) {
                fails(EINVAL(), Syscalls.splice(in, inOffset, out, outOffset, 10, NONE));
            }
        }
    }

    @Row("sp_gv_neg")
    void negativeOffset(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        MemorySegment offset = bench.buffer(8);
        offset.set(ValueLayout.JAVA_LONG, 0, -1);
        fails(EINVAL(), Libc.splice(pipe.source(), 0, bench.memfd(0), offset.address(), 2, NONE));
    }

    @Row("sp_gv_ovf")
    void offsetPlusLengthOverflows(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        fails(EINVAL(), Syscalls.splice(pipe.source(), NO_OFFSET, bench.memfd(0), Long.MAX_VALUE - 1, 3, NONE));
    }

    @Row("sp_gv_same")
    void pipeIntoItself(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        fails(EINVAL(), splice(pipe.source(), pipe.sink(), PAGE, NONE));
    }

    @Row("sp_sng_zero")
    void nothing(Workbench bench) {
        gives(0, splice(-1, -1, 0, NONE));
        gives(0, splice(bench.pipe().source(), bench.file(bytes(0)), 0, NONE));
    }

    @Row("sp_sng_flags")
    void everyFlag(Workbench bench) {
        int zeros = bench.open(Path.of("/dev/zero"), O_RDONLY());
        fails(EINVAL(), splice(zeros, bench.pipe().sink(), 8, ~0));
    }

    @Row("sp_sng_flags2")
    void flagsAreLookedAtBeforeDescriptors(Workbench bench) {
        fails(EINVAL(), splice(-1, -1, 8, UNKNOWN_FLAG));
        fails(EBADF(), splice(-1, -1, 8, NONE));
    }

    @Row("sp_efault")
    void offsetAtBadAddress(Workbench bench) {
        fails(EFAULT(), Libc.splice(bench.file(bytes(10)), 1, bench.pipe().sink(), 0, 8, NONE));
    }

    @Row("sp_nullpos")
    void offsetInSocket(Workbench bench) {
        int socket = bench.tcp().near();
        failsWithOneOf(
                new int[] {EINVAL(), ESPIPE()},
                Syscalls.splice(socket, 0, bench.pipe().sink(), NO_OFFSET, 8, NONE));
    }

    @Row("sp_sealed")
    void toSealedFile(Workbench bench) {
        int memfd = bench.memfd(PAGE);
        gives(0, Syscalls.fcntl(memfd, F_ADD_SEALS(), F_SEAL_WRITE()));
        refusedAsTarget(bench, bench.disown(memfd), EPERM());
    }

    @Row("sp_devfull")
    void toDeviceThatIsFull(Workbench bench) {
        int full = bench.open(Path.of("/dev/full"), O_WRONLY());
        fails(ENOSPC(), Syscalls.write(full, bench.buffer(8), 8));
        refusedAsTarget(bench, bench.disown(full), EINVAL());
    }

    private static void refusedAsSource(Workbench bench, int source) {
        failsWithOneOf(NOT_SPLICEABLE, splice(bench.own(source), bench.pipe().sink(), 1, NONE));
    }

    private static void refusedAsTarget(Workbench bench, int target, int... errnos) {
        Ends pipe = bench.pipeHolding(bytes(9));
        failsWithOneOf(errnos, splice(pipe.source(), bench.own(target), 8, NONE));
        assertThat(bench.read(pipe.source(), 100)).isEqualTo(bytes(9));
    }
}
