package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.failsWithOneOf;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.assumeKernel;
import static io.sluice.testing.Workbench.bytes;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.FileCalls;
import io.sluice.internal.Syscalls;
import io.sluice.testing.Helper;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** Splice between a pipe and a file: regular, of procfs, or a device. */
final class SpliceFilesConformance extends Family {
    private static final int SEEK_SET = 0;
    private static final int SEEK_CUR = 1;
    private static final int IN_ACCESS = 1;
    private static final int IN_MODIFY = 2;
    private static final Path PIPE_MAX_SIZE = Path.of("/proc/sys/fs/pipe-max-size");

    @Row("sp_ltp01")
    void fileToPipeToFile(Workbench bench) {
        int in = bench.file(bytes(1024));
        int out = bench.file(bytes(0));
        Ends pipe = bench.pipe();
        gives(1024, splice(in, pipe.sink(), 1024, NONE));
        gives(1024, splice(pipe.source(), out, 1024, NONE));
        assertThat(bench.contentOf(out, 1024)).isEqualTo(bytes(1024));
    }

    @Row("sp_ltp06a")
    void fromProcfs(Workbench bench) {
        assumeKernel(5, 11);
        Ends pipe = bench.pipe();
        byte[] content = pipeMaxSize(bench);
        gives(content.length, splice(bench.open(PIPE_MAX_SIZE, O_RDONLY()), pipe.sink(), 99, NONE));
        assertThat(bench.read(pipe.source(), 99)).isEqualTo(content);
    }

    @Row("sp_ltp06b")
    void toProcfs(Workbench bench) {
        assumeKernel(5, 11);
        int fd = FileCalls.open(PIPE_MAX_SIZE.toString(), O_WRONLY() | O_CLOEXEC(), 0);
        assumeTrue(fd >= 0, "needs a user who may write " + PIPE_MAX_SIZE);
        byte[] asItIs = pipeMaxSize(bench);
        gives(asItIs.length, splice(bench.pipeHolding(asItIs).source(), bench.own(fd), 100, NONE));
        assertThat(pipeMaxSize(bench)).isEqualTo(asItIs);
    }

    @Row("sp_ltp08a")
    void fromDevZero(Workbench bench) {
        assumeKernel(6, 7);
        int zeros = bench.open(Path.of("/dev/zero"), O_RDONLY());
        for (int n = 1; n <= 8; n++) {
            Ends pipe = bench.pipe();
            gives(n * 1009, splice(zeros, pipe.sink(), n * 1009, NONE));
            assertThat(bench.readFully(pipe.source(), n * 1009)).containsOnly(0);
        }
    }

    @Row("sp_ltp08b")
    void fromDevFull(Workbench bench) {
        assumeKernel(6, 7);
        Ends pipe = bench.pipe();
        gives(1009, splice(bench.open(Path.of("/dev/full"), O_RDONLY()), pipe.sink(), 1009, NONE));
        assertThat(bench.read(pipe.source(), 1009)).hasSize(1009).containsOnly(0);
    }

    @Row("sp_ltp09a")
    void toDevNull(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(1024));
        gives(1024, splice(pipe.source(), bench.open(Path.of("/dev/null"), O_WRONLY()), 1024, NONE));
        gives(0, bench.available(pipe.source()));
    }

    @Row("dirtypipe")
    void writeAfterSpliceDoesNotReachTheFile(Workbench bench) {
        byte[] original = new byte[PAGE];
        Arrays.fill(original, (byte) 0xff);
        int file = bench.open(bench.path(original), O_RDONLY());
        Ends pipe = bench.fullPipe();
        bench.readFully(pipe.source(), CAPACITY);
        gives(1, splice(file, pipe.sink(), 1, NONE));
        bench.write(pipe.sink(), bytes(16));
        assertThat(bench.contentOf(file, PAGE)).isEqualTo(original);
    }

    @Row("sp_gv_eof")
    void emptyFile(Workbench bench) {
        gives(0, splice(bench.file(bytes(0)), bench.pipe().sink(), 123, NONE));
    }

    @Row("sp_gv_tooff")
    void fromOffset(Workbench bench) {
        int file = bench.file(bytes(PAGE));
        gives(7, Libc.lseek(file, 7, SEEK_SET));
        Ends pipe = bench.pipe();
        MemorySegment offset = offset(bench, 2048);
        gives(2048, Libc.splice(file, offset.address(), pipe.sink(), 0, 2048, NONE));
        assertThat(bench.read(pipe.source(), PAGE)).isEqualTo(Arrays.copyOfRange(bytes(PAGE), 2048, PAGE));
        assertThat(offset.get(JAVA_LONG, 0)).isEqualTo(4096);
        gives(7, Libc.lseek(file, 0, SEEK_CUR));
    }

    @Row("sp_gv_from")
    void movesThePosition(Workbench bench) {
        int file = bench.file(bytes(0));
        gives(PAGE, splice(bench.pipeHolding(bytes(PAGE)).source(), file, PAGE, NONE));
        gives(PAGE, Libc.lseek(file, 0, SEEK_CUR));
        assertThat(bench.contentOf(file, PAGE)).isEqualTo(bytes(PAGE));
    }

    @Row("sp_gv_multi")
    void inParts(Workbench bench) {
        int file = bench.file(bytes(0));
        Ends pipe = bench.pipeHolding(bytes(9));
        for (int part = 0; part < 3; part++) {
            gives(3, splice(pipe.source(), file, 3, NONE));
        }
        assertThat(bench.contentOf(file, 9)).isEqualTo(bytes(9));
    }

    @Row("sp_gv_fromoff")
    void toOffset(Workbench bench) {
        int file = bench.file(bytes(0));
        MemorySegment offset = offset(bench, 2048);
        gives(PAGE, Libc.splice(bench.pipeHolding(bytes(PAGE)).source(), 0, file, offset.address(), PAGE, NONE));
        assertThat(offset.get(JAVA_LONG, 0)).isEqualTo(6144);
        gives(0, Libc.lseek(file, 0, SEEK_CUR));
        byte[] expected = new byte[6144];
        System.arraycopy(bytes(PAGE), 0, expected, 2048, PAGE);
        assertThat(bench.contentOf(file, 6144)).isEqualTo(expected);
    }

    @Row("sp_gv_fbig")
    void beyondTheLimitOfFileSize(Workbench bench) throws Exception {
        assertThat(Helper.compiled(Row.class, "signals").run("sp_gv_fbig")).isEqualTo("EFBIG left=4096");
    }

    @Row("sp_gv_inotify")
    void isSeenByInotify(Workbench bench) {
        Path read = bench.path(bytes(8));
        Path written = bench.path(bytes(0));
        int in = bench.open(read, O_RDONLY());
        int out = bench.open(written, O_WRONLY());
        int inotify = bench.own(Libc.inotifyInit(O_NONBLOCK()));
        assertThat(Libc.inotifyAddWatch(inotify, read.toString(), IN_ACCESS | IN_MODIFY))
                .isPositive();
        assertThat(Libc.inotifyAddWatch(inotify, written.toString(), IN_ACCESS | IN_MODIFY))
                .isPositive();
        Ends pipe = bench.pipe();

        gives(1, splice(in, pipe.sink(), 1, NONE));
        assertThat(events(bench, inotify)).containsOnly(IN_ACCESS);
        gives(1, splice(pipe.source(), out, 1, NONE));
        assertThat(events(bench, inotify)).containsOnly(IN_MODIFY);
    }

    @Row("sp_kst_limits")
    void procfsTextEitherWorksOrIsRefused(Workbench bench) {
        for (String file : List.of("limits", "comm")) {
            readsAsByReadOrIsRefused(bench, Path.of("/proc/self", file), PAGE);
            readsAsByReadOrIsRefused(bench, Path.of("/proc/self", file), 2);
        }
    }

    @Row("sp_maps")
    void procfsMapsEitherWorkOrAreRefused(Workbench bench) {
        readsAsByReadOrIsRefused(bench, Path.of("/proc/self/maps"), 1);
    }

    @Row("sp_kst_default")
    void fromDevNull(Workbench bench) {
        Ends pipe = bench.pipe();
        long n = splice(bench.open(Path.of("/dev/null"), O_RDONLY()), pipe.sink(), 1 << 30, NONE);
        assertThat(n).isIn(0L, -(long) EINVAL());
        gives(0, bench.available(pipe.source()));
    }

    @Row("sp_nix1")
    void advancesTheOffset(Workbench bench) {
        int file = bench.file("abcdef123456".getBytes(StandardCharsets.US_ASCII));
        Ends pipe = bench.pipe();
        MemorySegment offset = offset(bench, 5);
        gives(2, Libc.splice(file, offset.address(), pipe.sink(), 0, 2, NONE));
        assertThat(bench.read(pipe.source(), 10))
                .asString(StandardCharsets.US_ASCII)
                .isEqualTo("f1");
        assertThat(offset.get(JAVA_LONG, 0)).isEqualTo(7);
    }

    @Row("sp_eofpipe")
    void emptyPipeWithoutWriter(Workbench bench) {
        Ends pipe = bench.pipe();
        bench.close(pipe.sink());
        gives(0, splice(pipe.source(), bench.file(bytes(0)), PAGE, NONE));
    }

    /** Read in one call: such a file ends after the first, and a part of the number is another number. */
    private static byte[] pipeMaxSize(Workbench bench) {
        byte[] line = bench.read(bench.open(PIPE_MAX_SIZE, O_RDONLY()), PAGE);
        assertThat(line).asString(StandardCharsets.US_ASCII).matches("[0-9]+\n");
        return line;
    }

    private static void readsAsByReadOrIsRefused(Workbench bench, Path path, int length) {
        byte[] byRead = bench.read(bench.open(path, O_RDONLY()), length);
        Ends pipe = bench.pipe();
        long n = splice(bench.open(path, O_RDONLY()), pipe.sink(), length, NONE);
        if (n < 0) {
            failsWithOneOf(new int[] {EINVAL(), EBADF()}, n);
        } else {
            assertThat(bench.read(pipe.source(), length)).isEqualTo(byRead);
        }
    }

    /** The masks of what is queued; some kernels report a write twice. */
    private static List<Integer> events(Workbench bench, int inotify) {
        MemorySegment into = bench.buffer(PAGE);
        long end = Syscalls.read(inotify, into, PAGE);
        List<Integer> masks = new ArrayList<>();
        for (long at = 0; at < end; at += 16 + into.get(JAVA_INT, at + 12)) {
            masks.add(into.get(JAVA_INT, at + 4));
        }
        fails(EAGAIN(), Syscalls.read(inotify, into, PAGE));
        return masks;
    }

    private static MemorySegment offset(Workbench bench, long value) {
        MemorySegment offset = bench.buffer(8);
        offset.set(JAVA_LONG, 0, value);
        return offset;
    }
}
