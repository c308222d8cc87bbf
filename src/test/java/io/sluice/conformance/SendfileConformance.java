package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** Sendfile: a file's bytes into any descriptor. */
final class SendfileConformance extends Family {
    private static final int NULL = 0;
    private static final int PROT_EXEC = 4;
    private static final long GIBIBYTE = 1 << 30;

    @Row("sf_ltp03a")
    void noTarget(Workbench bench) {
        fails(EBADF(), Libc.sendfile(-1, bench.file(bytes(10)), NULL, 10));
    }

    @Row("sf_ltp03b")
    void sourceOpenForWriting(Workbench bench) {
        int in = bench.open(bench.path(bytes(10)), O_WRONLY());
        fails(EBADF(), Libc.sendfile(bench.file(bytes(0)), in, NULL, 10));
    }

    @Row("sf_ltp03c")
    void targetOpenForReading(Workbench bench) {
        int out = bench.open(bench.path(bytes(0)), O_RDONLY());
        fails(EBADF(), Libc.sendfile(out, bench.file(bytes(10)), NULL, 10));
    }

    @Row("sf_ltp04")
    void offsetWhereNoneCanBeStored(Workbench bench) {
        int in = bench.file(bytes(10));
        int out = bench.file(bytes(0));
        for (int protection : new int[] {PROT_READ(), PROT_NONE(), PROT_EXEC}) {
            MemorySegment page = bench.map(PAGE);
            gives(0, Libc.mprotect(page.address(), PAGE, protection));
            fails(EFAULT(), Libc.sendfile(out, in, page.address(), 10));
        }
        MemorySegment page = bench.map(PAGE);
        bench.unmap(page);
        fails(EFAULT(), Libc.sendfile(out, in, page.address(), 10));
    }

    @Row("sf_ltp06")
    void movesThePosition(Workbench bench) {
        int in = bench.file(bytes(26));
        int out = bench.file(bytes(0));
        gives(26, Libc.sendfile(out, in, NULL, 26));
        gives(26, Libc.lseek(in, 0, 1));
        assertThat(bench.contentOf(out, 26)).isEqualTo(bytes(26));
    }

    @Row("sf_ltp09")
    void farIntoASparseFile(Workbench bench) {
        int in = bench.memfd(4 * GIBIBYTE);
        int nothing = bench.open(Path.of("/dev/null"), O_WRONLY());
        MemorySegment offset = bench.buffer(8);
        for (long start : new long[] {0, 3 * GIBIBYTE}) {
            offset.set(JAVA_LONG, 0, start);
            gives(GIBIBYTE, Libc.sendfile(nothing, in, offset.address(), GIBIBYTE));
            assertThat(offset.get(JAVA_LONG, 0)).isEqualTo(start + GIBIBYTE);
        }
    }

    @Row("sf_gv_eof")
    void emptyFile(Workbench bench) {
        gives(0, Libc.sendfile(bench.pipe(O_NONBLOCK()).sink(), bench.file(bytes(0)), NULL, 123));
    }

    @Row("sf_gv_dir")
    void fromDirectory(Workbench bench) {
        int directory = bench.open(bench.folder(), O_RDONLY());
        fails(EINVAL(), Libc.sendfile(bench.file(bytes(0)), directory, NULL, 1));
    }

    @Row("sf_gv_neg")
    void negativeCount(Workbench bench) {
        fails(EINVAL(), Libc.sendfile(bench.file(bytes(0)), bench.file(bytes(10)), NULL, -1));
    }

    @Row("sf_gv_ord")
    void accessIsLookedAtBeforeAppending(Workbench bench) {
        int out = bench.open(bench.path(bytes(0)), O_RDONLY() | O_APPEND());
        fails(EBADF(), Libc.sendfile(out, bench.file(bytes(9)), NULL, 9));
    }

    @Row("sf_pipein")
    void fromPipe(Workbench bench) {
        fails(
                EINVAL(),
                Libc.sendfile(bench.file(bytes(0)), bench.pipeHolding(bytes(10)).source(), NULL, 10));
    }
}
