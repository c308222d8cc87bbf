package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Helper;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.List;
import java.util.function.IntUnaryOperator;

/** What the reader of a pipe sees of a lent page that something has since happened to. */
final class PageLifetimeConformance extends Family {
    private static final int MADV_FREE = 8;
    private static final int MADV_PAGEOUT = 21;
    private static final int MREMAP_MAYMOVE = 1;
    private static final int MREMAP_FIXED = 2;
    private static final int PUNCH_HOLE_KEEP_SIZE = 3;
    private static final int HUGE = 2 << 20;

    /** Something that happens to a page between vmsplice and read. */
    private interface Change {
        void happenTo(MemorySegment page);
    }

    @Row("lf_gift")
    void storesAreSeenWhateverTheMemory(Workbench bench) throws Exception {
        assumePagesAreReferenced();
        List<MemorySegment> kinds = List.of(
                bench.map(PAGE),
                bench.map(PAGE, MAP_SHARED(), bench.memfd(PAGE)),
                bench.map(PAGE, MAP_SHARED(), bench.file(filled(PAGE, 'A'))),
                bench.map(PAGE, MAP_SHARED(), fileInMemory(bench)),
                bench.map(PAGE, MAP_PRIVATE(), bench.file(filled(PAGE, 'A'))),
                huge(bench),
                pageIn(bench.buffer(3 * PAGE), PAGE));
        for (MemorySegment page : kinds) {
            for (int flags : new int[] {NONE, SPLICE_F_GIFT()}) {
                assertThat(seenAfter(bench, page.fill((byte) 'A'), flags, it -> it.fill((byte) 'B')))
                        .containsOnly('B');
            }
        }
        assertThat(Helper.compiled(Row.class, "lifetime").run("lf_gift").lines())
                .containsExactly("mutated", "mutated");
    }

    @Row("lf_zero")
    void untouchedPageIsThePageOfZeros(Workbench bench) {
        assumePagesAreReferenced();
        assertThat(seenAfter(bench, bench.map(PAGE), NONE, page -> page.fill((byte) 'B')))
                .containsOnly(0);
    }

    @Row("lf_priv")
    void privateFilePageIsTheFilesUntilStoredTo(Workbench bench) {
        assumePagesAreReferenced();
        int file = bench.file(filled(PAGE, 'A'));
        MemorySegment page = bench.map(PAGE, MAP_PRIVATE(), file);
        assertThat(page.get(ValueLayout.JAVA_BYTE, 0)).isEqualTo((byte) 'A');
        assertThat(seenAfter(bench, page, NONE, it -> it.fill((byte) 'B'))).containsOnly('A');

        MemorySegment other = bench.map(PAGE, MAP_PRIVATE(), file);
        assertThat(seenAfter(bench, other, NONE, it -> overwrite(bench, file))).containsOnly('B');
    }

    @Row("lf_unmap")
    void unmappingIsNotSeen(Workbench bench) throws Exception {
        assumePagesAreReferenced();
        List<Change> changes = List.of(
                bench::unmap,
                page -> {
                    int flags = MAP_PRIVATE() | MAP_ANONYMOUS() | MAP_FIXED();
                    gives(page.address(), Libc.mmap(page.address(), PAGE, PROT_READ() | PROT_WRITE(), flags, -1, 0));
                    page.fill((byte) 'B');
                },
                page -> gives(0, Libc.madvise(page.address(), PAGE, MADV_DONTNEED())),
                page -> {
                    gives(0, Libc.madvise(page.address(), PAGE, MADV_DONTNEED()));
                    page.fill((byte) 'B');
                },
                page -> gives(0, Libc.madvise(page.address(), PAGE, MADV_PAGEOUT)),
                page -> gives(0, Libc.mprotect(page.address(), PAGE, PROT_NONE())));
        for (Change change : changes) {
            assertThat(seenAfter(bench, bench.pages(PAGE, 'A'), NONE, change)).containsOnly('A');
        }
        Ends pipe = bench.pipe();
        Helper.compiled(Row.class, "lifetime").runWriting(pipe.sink(), "lf_unmap");
        assertThat(bench.read(pipe.source(), PAGE)).hasSize(PAGE).containsOnly('A');
    }

    @Row("lf_free")
    void lazilyFreedPageStaysThePipes(Workbench bench) {
        assumePagesAreReferenced();
        Change change = page -> {
            gives(0, Libc.madvise(page.address(), PAGE, MADV_FREE));
            page.fill((byte) 'B');
        };
        assertThat(seenAfter(bench, bench.pages(PAGE, 'A'), NONE, change)).containsOnly('B');
    }

    @Row("lf_mremap")
    void movedPageStaysThePipes(Workbench bench) {
        assumePagesAreReferenced();
        MemorySegment elsewhere = bench.map(PAGE);
        Change change = page -> {
            int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
            gives(elsewhere.address(), Libc.mremap(page.address(), PAGE, PAGE, flags, elsewhere.address()));
            bench.disown(page);
            elsewhere.fill((byte) 'B');
        };
        assertThat(seenAfter(bench, bench.pages(PAGE, 'A'), NONE, change)).containsOnly('B');
    }

    @Row("lf_trunc")
    void truncatingMemoryFilesZeroesInPlace(Workbench bench) {
        assumePagesAreReferenced();
        assertThat(seenInMemoryFile(bench, fd -> Libc.ftruncate(fd, 0))).containsOnly('A');
        assertThat(seenInMemoryFile(bench, fd -> Libc.ftruncate(fd, 100))).isEqualTo(zeroFrom(100));
        assertThat(seenInMemoryFile(bench, fd -> Libc.fallocate(fd, PUNCH_HOLE_KEEP_SIZE, PAGE / 2, PAGE / 2)))
                .isEqualTo(zeroFrom(PAGE / 2));
    }

    private static byte[] seenInMemoryFile(Workbench bench, IntUnaryOperator change) {
        int memfd = bench.memfd(PAGE);
        MemorySegment page = bench.map(PAGE, MAP_SHARED(), memfd).fill((byte) 'A');
        return seenAfter(bench, page, NONE, it -> gives(0, change.applyAsInt(memfd)));
    }

    private static byte[] seenAfter(Workbench bench, MemorySegment page, int flags, Change change) {
        Ends pipe = bench.pipe();
        gives(PAGE, vmsplice(pipe.sink(), page, flags));
        change.happenTo(page);
        byte[] seen = bench.read(pipe.source(), PAGE);
        assertThat(seen).hasSize(PAGE);
        return seen;
    }

    private static int fileInMemory(Workbench bench) {
        int file = bench.open(bench.folder(Path.of("/dev/shm")).resolve("file"), O_RDWR() | O_CREAT());
        gives(0, Libc.ftruncate(file, PAGE));
        return file;
    }

    private static MemorySegment huge(Workbench bench) {
        MemorySegment memory = bench.map(2 * HUGE);
        MemorySegment page = pageIn(memory, HUGE);
        Libc.madvise(page.address(), HUGE, MADV_HUGEPAGE());
        return page;
    }

    private static MemorySegment pageIn(MemorySegment memory, int alignment) {
        long start = -memory.address() & alignment - 1;
        return memory.asSlice(start, PAGE);
    }
}
