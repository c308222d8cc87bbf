package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Pipe;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** An arena like any other, wherever one is asked for. */
@ExpectNoLeaks.OfMappings
class PageArenaTest {
    private static final long GIB = 1L << 30;
    private static final long SEED = 20260602;

    private PageArena arena;

    @BeforeEach
    void open() {
        arena = PageArena.open();
    }

    @AfterEach
    void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
    }

    @Test
    void saysHowMuchIsInIt() {
        arena.allocate(GIB / 1024);
        arena.allocate(1);
        assertThat(arena).hasToString("arena of 1 allocations");
        arena.close();
        assertThat(arena).hasToString("arena, closed");
    }

    @Test
    void allocatesWhateverAnArenaDoes() {
        assertThat(arena.allocateFrom("hello").getString(0)).isEqualTo("hello");
        assertThat(arena.allocateFrom(JAVA_INT, 1, 2, 3).toArray(JAVA_INT)).containsExactly(1, 2, 3);
        assertThat(arena.allocateFrom("long ".repeat(10_000)).getString(0)).hasSize(50_000);
        assertThat(arena.allocate(JAVA_LONG, 1000).byteSize()).isEqualTo(8000);
        assertThat(arena.allocate(JAVA_LONG).get(JAVA_LONG, 0)).isZero();
        SegmentAllocator slices = SegmentAllocator.slicingAllocator(arena.allocate(PAGE));
        assertThat(slices.allocateFrom("one").asByteBuffer().isDirect()).isTrue();
        assertThat(slices.allocateFrom(JAVA_INT, 7).get(JAVA_INT, 0)).isEqualTo(7);
    }

    @Test
    void servesThePlatformAsAnArena() throws IOException {
        try (Workbench bench = new Workbench();
                FileChannel file = FileChannel.open(bench.path(Workbench.bytes(PAGE)))) {
            MemorySegment mapped = file.map(MapMode.READ_ONLY, 0, PAGE, arena);
            Scene.isOriginal(mapped.toArray(JAVA_BYTE), 0, PAGE);
            arena.close();
            Scene.closed(() -> mapped.get(JAVA_BYTE, 0));
        }
    }

    @Test
    void allocationsAreAlignedZeroAndApart() {
        Random random = new Random(SEED);
        MemorySegment zeros = MemorySegment.ofArray(new byte[20 * PAGE]);
        List<MemorySegment> segments = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            long size = random.nextInt(4) == 0 ? random.nextInt(20 * PAGE) : random.nextInt(200);
            long alignment = 1L << random.nextInt(random.nextInt(50) == 0 ? 23 : 13);
            MemorySegment segment = arena.allocate(size, alignment);
            assertThat(segment.byteSize()).isEqualTo(size);
            assertThat(segment.address() % alignment).isZero();
            assertThat(segment.mismatch(zeros.asSlice(0, size))).isEqualTo(-1);
            segments.add(segment.fill((byte) 1));
        }
        segments.sort(Comparator.comparingLong(MemorySegment::address));
        for (int i = 1; i < segments.size(); i++) {
            MemorySegment before = segments.get(i - 1);
            assertThat(segments.get(i).address()).isGreaterThanOrEqualTo(before.address() + before.byteSize());
        }
    }

    @Test
    void smallAllocationsArePackedAndKeepClearOfPagesThatAreLent() throws IOException {
        List<MemorySegment> small = IntStream.range(0, 1000)
                .mapToObj(i -> arena.allocateFrom(JAVA_INT, i))
                .toList();
        long first = small.getFirst().address();
        assertThat(small.getLast().address() - first).isEqualTo(999 * 4);
        MemorySegment page = arena.allocate(PAGE);
        assertThat(page.address() % PAGE).isZero();
        try (Pipe pipe = Pipe.open()) {
            arena.lend(page, pipe.sink());
            arena.allocateFrom(JAVA_INT, 1000);
            for (int i = 0; i < 1000; i++) {
                assertThat(small.get(i).get(JAVA_INT, 0)).isEqualTo(i);
            }
        }
    }

    @Test
    void aPageOrMoreHasPagesOfItsOwn() {
        MemorySegment one = arena.allocate(PAGE);
        MemorySegment two = arena.allocate(PAGE + 1);
        MemorySegment three = arena.allocate(10, 2 * PAGE);
        MemorySegment four = arena.allocate(PAGE, 1);
        assertThat(Stream.of(one, two, three, four).map(MemorySegment::scope).distinct())
                .hasSize(4)
                .doesNotContain(arena.scope());
        assertThat(Stream.of(one, two, three, four)
                        .map(segment -> segment.address() / PAGE)
                        .distinct())
                .hasSize(4);
        assertThat(arena.allocate(PAGE - 1).scope()).isEqualTo(arena.scope());
        assertThat(arena.allocate(0).scope()).isEqualTo(arena.scope());
    }

    @Test
    void aLargeAllocationIsSparse() throws IOException {
        long before = residentBytes();
        MemorySegment large = arena.allocate(3 * GIB);
        assertThat(large.byteSize()).isEqualTo(3 * GIB);
        large.set(JAVA_BYTE, 0, (byte) 1);
        large.set(JAVA_BYTE, 3 * GIB - 1, (byte) 2);
        assertThat(large.get(JAVA_BYTE, 2 * GIB)).isZero();
        assertThat(residentBytes() - before).isLessThan(GIB);
        try (Pipe pipe = Pipe.open()) {
            Loan loan = arena.lend(large.asSlice(3 * GIB - PAGE), pipe.sink());
            assertThat(Scene.read(pipe.source(), PAGE)).endsWith(2);
            assertThat(loan.reclaim().get(JAVA_BYTE, 0)).isEqualTo((byte) 1);
        }
    }

    @Test
    void moreThanThereIsFailsAndHarmsNothing() {
        MemorySegment page = arena.allocate(PAGE).fill((byte) 1);
        for (long size :
                new long[] {1L << 48, 1L << 62, Long.MAX_VALUE - 3 * PAGE, Long.MAX_VALUE - PAGE, Long.MAX_VALUE}) {
            assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> arena.allocate(size, 1));
            try (PageArena fresh = PageArena.open()) {
                assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> fresh.allocate(size, 1));
            }
            for (PageArena.Option option : PageArena.Option.values()) {
                try (PageArena special = PageArena.open(option)) {
                    assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> special.allocate(size, 1));
                    special.allocate(PAGE).fill((byte) 1);
                }
            }
        }
        assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> arena.allocate(1, 1L << 62));
        MemorySegment next = arena.allocate(PAGE).fill((byte) 2);
        assertThat(page.toArray(JAVA_BYTE)).containsOnly(1);
        assertThat(next.address()).isNotEqualTo(page.address());
    }

    @Test
    void senselessSizesAndAlignmentsAreRefused() {
        for (long size : new long[] {-1, Long.MIN_VALUE}) {
            assertThatIllegalArgumentException().isThrownBy(() -> arena.allocate(size, 1));
        }
        for (long alignment : new long[] {0, -1, 3, Long.MIN_VALUE}) {
            assertThatIllegalArgumentException().isThrownBy(() -> arena.allocate(1, alignment));
        }
    }

    @Test
    void closingEndsEverySegment() {
        MemorySegment small = arena.allocate(10);
        MemorySegment page = arena.allocate(PAGE);
        MemorySegment large = arena.allocate(8 << 20);
        arena.close();
        for (MemorySegment segment : List.of(small, page, large)) {
            Scene.closed(() -> segment.get(JAVA_BYTE, 0));
        }
        assertThat(arena.scope().isAlive()).isFalse();
        assertThatIllegalStateException().isThrownBy(() -> arena.allocate(1)).withMessageContaining("closed");
        assertThatIllegalStateException().isThrownBy(() -> arena.allocate(PAGE));
        assertThatIllegalStateException().isThrownBy(arena::close);
    }

    @Test
    void belongsToItsThread() throws Exception {
        FutureTask<Void> elsewhere = new FutureTask<>(() -> {
            assertThatThrownBy(() -> arena.allocate(1)).isInstanceOf(WrongThreadException.class);
            assertThatThrownBy(() -> arena.allocate(PAGE)).isInstanceOf(WrongThreadException.class);
            assertThatThrownBy(arena::close).isInstanceOf(WrongThreadException.class);
            assertThat(arena.scope().isAlive()).isTrue();
            return null;
        });
        Thread.ofPlatform().start(elsewhere);
        elsewhere.get();
        FutureTask<String> virtual = new FutureTask<>(() -> {
            try (PageArena own = PageArena.open()) {
                return own.allocateFrom("virtual").getString(0);
            }
        });
        Thread.ofVirtual().start(virtual);
        assertThat(virtual.get()).isEqualTo("virtual");
    }

    @Test
    void aLoanDoesNotEndTheArenasScope() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            arena.lend(arena.allocate(PAGE), pipe.sink());
            assertThat(arena.scope().isAlive()).isTrue();
            arena.allocate(PAGE).fill((byte) 1);
        }
    }

    @ParameterizedTest
    @EnumSource
    void everyKindOfMemoryIsZeroAndItsOwn(PageArena.Option option) {
        try (PageArena special = PageArena.open(option)) {
            MemorySegment small = special.allocate(10).fill((byte) 1);
            MemorySegment page = special.allocate(PAGE);
            MemorySegment more = special.allocate(5 << 20);
            assertThat(page.toArray(JAVA_BYTE)).containsOnly(0);
            page.fill((byte) 2);
            assertThat(more.mismatch(special.allocate(5 << 20))).isEqualTo(-1);
            more.fill((byte) 3);
            assertThat(small.toArray(JAVA_BYTE)).containsOnly(1);
            assertThat(page.toArray(JAVA_BYTE)).containsOnly(2);
        }
    }

    @Test
    void memfdsComeAndGoWithTheirAllocations() throws IOException {
        int before = memfds();
        try (PageArena special = PageArena.open(PageArena.Option.MEMFD)) {
            special.allocate(10);
            assertThat(memfds()).isEqualTo(before);
            special.allocate(PAGE);
            special.allocate(3 * PAGE);
            assertThat(memfds()).isEqualTo(before + 2);
        }
        assertThat(memfds()).isEqualTo(before);
    }

    @ParameterizedTest
    @EnumSource
    void everyKindOfMemoryIsAlignedAsAsked(PageArena.Option option) throws IOException {
        long before = mappedBytes();
        try (PageArena special = PageArena.open(option)) {
            for (long alignment = 1; alignment <= GIB; alignment *= 2) {
                MemorySegment segment = special.allocate(PAGE + 1, alignment).fill((byte) 1);
                assertThat(segment.address() % alignment).isZero();
                assertThat(special.allocate(1, alignment).address() % alignment).isZero();
            }
        }
        assertThat(mappedBytes() - before).isLessThan(GIB / 2);
    }

    @Test
    void anAlignedMemfdTakesNoAddressesButItsOwn() throws IOException {
        long before = mappedBytes();
        try (PageArena special = PageArena.open(PageArena.Option.MEMFD)) {
            special.allocate(PAGE, 64 * GIB);
            assertThat(mappedBytes() - before).isLessThan(GIB);
            assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> special.allocate(PAGE, 1L << 62));
            assertThatExceptionOfType(OutOfMemoryError.class)
                    .isThrownBy(() -> special.allocate(Long.MAX_VALUE - 3 * PAGE, 1L << 62));
        }
    }

    @Test
    void anAlignedMemfdIsLentAndReplacedLikeAnyOther() throws IOException {
        try (PageArena special = PageArena.open(PageArena.Option.MEMFD);
                Pipe pipe = Pipe.open();
                Pipe second = Pipe.open()) {
            MemorySegment before = special.allocate(PAGE, 1 << 20).fill((byte) 1);
            MemorySegment pages =
                    special.allocate(3 * PAGE, 1 << 20).copyFrom(MemorySegment.ofArray(Workbench.bytes(3 * PAGE)));
            Loan loan = special.lend(pages, pipe.sink());
            assertThat(pipe.source().spliceTo(second.sink(), 3 * PAGE)).isEqualTo(3 * PAGE);
            MemorySegment again = loan.reclaim();
            assertThat(again.address()).isEqualTo(pages.address());
            Scene.isFresh(again);
            again.fill((byte) 2);
            assertThat(before.toArray(JAVA_BYTE)).containsOnly(1);
            Scene.holds(second.source(), 0, 3 * PAGE);
        }
    }

    @ParameterizedTest
    @EnumSource
    void memoryIsZeroWhoeverHadTheAddressesBefore(PageArena.Option option) {
        MemorySegment zeros = MemorySegment.ofArray(new byte[3 << 20]);
        for (int i = 0; i < 20; i++) {
            try (PageArena special = PageArena.open(option)) {
                MemorySegment small = special.allocate(100);
                MemorySegment large = special.allocate(3 << 20);
                assertThat(small.mismatch(zeros.asSlice(0, 100))).isEqualTo(-1);
                assertThat(large.mismatch(zeros)).isEqualTo(-1);
                small.fill((byte) 1);
                large.fill((byte) 1);
            }
        }
    }

    @Test
    void whatHasHugePagesBeginsWithOneWhateverWasAllocatedBefore() throws IOException {
        for (PageArena.Option[] options : new PageArena.Option[][] {
            {PageArena.Option.HUGE_PAGES}, {PageArena.Option.HUGE_PAGES, PageArena.Option.MEMFD}
        }) {
            try (PageArena special = PageArena.open(options)) {
                special.allocate(PAGE);
                MemorySegment huge = special.allocate(2 << 20);
                assertThat(huge.address() % (2 << 20)).isZero();
                assertThat(flagsOf(huge.address())).contains("hg");
            }
        }
    }

    @Test
    void hugePagesAreAskedForAndAligned() throws IOException {
        try (PageArena special = PageArena.open(PageArena.Option.HUGE_PAGES)) {
            MemorySegment huge = special.allocate(4 << 20);
            assertThat(huge.address() % (2 << 20)).isZero();
            assertThat(flagsOf(huge.address())).contains("hg");
        }
        assertThat(flagsOf(arena.allocate(PAGE).address())).doesNotContain("hg");
    }

    @ParameterizedTest
    @EnumSource
    void manyArenasLeaveNothingMapped(PageArena.Option option) throws IOException {
        long before = mappedBytes();
        for (int i = 0; i < 1000; i++) {
            try (Arena each = PageArena.open(option)) {
                each.allocate(10);
                each.allocate(4 << 20);
            }
        }
        assertThat(mappedBytes() - before).isLessThan(GIB);
    }

    private static List<String> flagsOf(long address) throws IOException {
        List<String> smaps = Files.readAllLines(Path.of("/proc/self/smaps"));
        int at = IntStream.range(0, smaps.size())
                .filter(i -> smaps.get(i).matches("[0-9a-f]+-[0-9a-f]+ .*") && covers(smaps.get(i), address))
                .findFirst()
                .orElseThrow();
        String flags = smaps.subList(at, smaps.size()).stream()
                .filter(line -> line.startsWith("VmFlags:"))
                .findFirst()
                .orElseThrow();
        return List.of(flags.split(" "));
    }

    private static boolean covers(String line, long address) {
        String[] range = line.split("[- ]", 3);
        return Long.parseUnsignedLong(range[0], 16) <= address && address < Long.parseUnsignedLong(range[1], 16);
    }

    private static long mappedBytes() throws IOException {
        return statm(0);
    }

    private static long residentBytes() throws IOException {
        return statm(1);
    }

    private static long statm(int field) throws IOException {
        return Long.parseLong(Files.readString(Path.of("/proc/self/statm")).split(" ")[field]) * PAGE;
    }

    private static int memfds() throws IOException {
        int count = 0;
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            for (Path descriptor : open.toList()) {
                if (Files.isSymbolicLink(descriptor)
                        && Files.readSymbolicLink(descriptor).toString().startsWith("/memfd:sluice")) {
                    count++;
                }
            }
        }
        return count;
    }
}
