package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.Syscalls;
import io.sluice.testing.Await;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.IntStream;

/** Memory files and their seals, one of which tells whether a page is still referenced. */
final class MemfdConformance extends Family {
    private static final int MFD_HUGETLB = 4;
    private static final int HUGE_SHIFT = 26;
    private static final int UNKNOWN_FLAG = 0x0100;
    private static final Path HUGE_SIZES = Path.of("/sys/kernel/mm/hugepages");

    @Row("mf_ltp01a")
    void sealsAddUpUntilSealed(Workbench bench) {
        int memfd = bench.memfd(PAGE);
        gives(0, seal(memfd, F_SEAL_SHRINK() | F_SEAL_WRITE()));
        gives(0, seal(memfd, F_SEAL_SHRINK() | F_SEAL_WRITE()));
        gives(0, seal(memfd, F_SEAL_GROW() | F_SEAL_SEAL()));
        fails(EPERM(), seal(memfd, F_SEAL_WRITE()));
        gives(15, Syscalls.fcntl(memfd, F_GET_SEALS(), 0));
    }

    @Row("mf_ltp01b")
    void sealedFromTheStart(Workbench bench) {
        int memfd = bench.own(Libc.memfdCreate("sluice", NONE));
        gives(F_SEAL_SEAL(), Syscalls.fcntl(memfd, F_GET_SEALS(), 0));
        fails(EPERM(), seal(memfd, F_SEAL_SHRINK()));
    }

    @Row("mf_write")
    void sealedAgainstWriting(Workbench bench) {
        int memfd = bench.memfd(PAGE);
        gives(0, seal(memfd, F_SEAL_WRITE()));
        fails(EPERM(), Syscalls.write(memfd, bench.buffer(1), 1));
        fails(EPERM(), Libc.mmap(0, PAGE, PROT_READ() | PROT_WRITE(), MAP_SHARED(), memfd, 0));
        gives(0, Libc.ftruncate(memfd, 2 * PAGE));
        gives(0, Libc.ftruncate(memfd, 0));
    }

    @Row("mf_shrink")
    void sealedAgainstShrinking(Workbench bench) {
        int memfd = bench.memfd(PAGE);
        gives(0, seal(memfd, F_SEAL_SHRINK()));
        fails(EPERM(), Libc.ftruncate(memfd, PAGE / 2));
        gives(0, Libc.ftruncate(memfd, 2 * PAGE));
    }

    @Row("mf_grow")
    void sealedAgainstGrowing(Workbench bench) {
        int memfd = bench.memfd(PAGE);
        gives(0, seal(memfd, F_SEAL_GROW()));
        fails(EPERM(), Libc.ftruncate(memfd, 2 * PAGE));
        fails(EPERM(), Libc.pwrite(memfd, bench.buffer(1), 1, PAGE));
        gives(0, Libc.ftruncate(memfd, PAGE / 2));
    }

    @Row("mf_mmap")
    void writableMappingKeepsItFromBeingSealed(Workbench bench) {
        int memfd = bench.memfd(PAGE);
        bench.map(PAGE, MAP_SHARED(), memfd);
        fails(EBUSY(), seal(memfd, F_SEAL_WRITE()));
        gives(0, seal(memfd, F_SEAL_SHRINK()));

        int other = bench.memfd(PAGE);
        bench.adopt(Libc.mmap(0, PAGE, PROT_READ(), MAP_PRIVATE(), other, 0), PAGE);
        gives(0, seal(other, F_SEAL_WRITE()));
    }

    @Row("mf_ro")
    void cannotBeSealedThroughADescriptorForReading(Workbench bench) {
        int reading = bench.open(Path.of("/proc/self/fd/" + bench.memfd(PAGE)), O_RDONLY());
        fails(EPERM(), seal(reading, F_SEAL_SHRINK()));
    }

    @Row("mf_ltp02a")
    void nameAtBadAddress(Workbench bench) {
        fails(EFAULT(), Libc.memfdCreate(0, NONE));
    }

    @Row("mf_ltp02b")
    void nameTooLong(Workbench bench) {
        fails(EINVAL(), Libc.memfdCreate("x".repeat(2047), NONE));
    }

    @Row("mf_ltp02c")
    void unknownFlag(Workbench bench) {
        fails(EINVAL(), Libc.memfdCreate("sluice", UNKNOWN_FLAG));
    }

    @Row("mf_ltp02d")
    void emptyName(Workbench bench) {
        bench.own(Libc.memfdCreate("", NONE));
    }

    @Row("mf_ltp03")
    void hugePages(Workbench bench) throws Exception {
        int huge = hugePageInfo("Hugepagesize") * 1024;
        int free = hugePageInfo("HugePages_Free");
        assumeTrue(free > 0, "needs a reserved huge page");
        int memfd = bench.own(Libc.memfdCreate("sluice", MFD_HUGETLB));
        fails(EINVAL(), Syscalls.write(memfd, bench.buffer(1), 1));
        MemorySegment page = bench.map(huge, MAP_SHARED(), memfd);
        fails(EINVAL(), Libc.munmap(page.address(), PAGE));
        long beyond = (free + 1L) * huge;
        fails(ENOMEM(), Libc.mmap(0, beyond, PROT_READ() | PROT_WRITE(), MAP_SHARED(), memfd, 0));
    }

    @Row("mf_ltp04")
    void hugePagesOfASizeThereIsNot(Workbench bench) {
        assumeTrue(Files.isDirectory(HUGE_SIZES), "needs a kernel with huge pages");
        int missing = IntStream.of(16, 17, 19, 22, 23)
                .filter(bits -> !Files.exists(HUGE_SIZES.resolve("hugepages-" + (1L << bits - 10) + "kB")))
                .findFirst()
                .orElseThrow();
        fails(ENODEV(), Libc.memfdCreate("sluice", MFD_HUGETLB | missing << HUGE_SHIFT));
    }

    @Row("mf_pin")
    void cannotBeSealedWhileItsPageIsInAPipe(Workbench bench) {
        assumePagesAreReferenced();
        int memfd = bench.memfd(PAGE);
        Ends pipe = bench.pipe();
        lend(bench, memfd, pipe);
        fails(EBUSY(), seal(memfd, F_SEAL_WRITE()));
        assertThat(bench.read(pipe.source(), PAGE)).isEqualTo(bytes(PAGE));
        gives(0, seal(memfd, F_SEAL_WRITE()));
    }

    @Row("mf_pin2")
    void cannotBeSealedWhileItsPageIsOnItsWay(Workbench bench) throws Exception {
        assumePagesAreReferenced();
        // What the reader frees for another processor stays referenced until that one happens to receive something.
        concurrently(() -> {
                    gives(0, Libc.stayOnThisProcessor());
                    sealOnItsWay(bench);
                    return null;
                })
                .get();
    }

    private static void sealOnItsWay(Workbench bench) throws Exception {
        int memfd = bench.memfd(PAGE);
        Ends pipe = bench.pipe();
        Sockets tcp = bench.tcp();
        lend(bench, memfd, pipe);
        gives(PAGE, splice(pipe.source(), tcp.near(), PAGE, NONE));
        gives(0, bench.available(pipe.source()));
        awaitAcknowledged(tcp.near());
        fails(EBUSY(), seal(memfd, F_SEAL_WRITE()));
        assertThat(bench.readFully(tcp.far(), PAGE)).isEqualTo(bytes(PAGE));
        Await.until(
                () -> {
                    bench.write(tcp.near(), bytes(1));
                    bench.readFully(tcp.far(), 1);
                    return seal(memfd, F_SEAL_WRITE()) == 0;
                },
                "the release of a page that the peer has read");
    }

    private static int seal(int memfd, int seals) {
        return Syscalls.fcntl(memfd, F_ADD_SEALS(), seals);
    }

    private static void lend(Workbench bench, int memfd, Ends pipe) {
        MemorySegment page = bench.map(PAGE, MAP_SHARED(), memfd).copyFrom(MemorySegment.ofArray(bytes(PAGE)));
        gives(PAGE, vmsplice(pipe.sink(), page, NONE));
        bench.unmap(page);
    }

    private static int hugePageInfo(String name) throws Exception {
        return Files.readAllLines(Path.of("/proc/meminfo")).stream()
                .filter(line -> line.startsWith(name + ":"))
                .map(line -> Integer.parseInt(line.replaceAll("[^0-9]", "")))
                .findFirst()
                .orElse(0);
    }
}
