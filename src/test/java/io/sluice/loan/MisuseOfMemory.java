package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.StandardOpenOption;

/** Lending memory of which the library does not know who else uses it. */
final class MisuseOfMemory {
    @Misuse(value = "lend a heap array", outcome = "IllegalArgumentException; nothing is lent")
    void heapArray(Scene scene) throws IOException {
        refused(scene, MemorySegment.ofArray(new byte[PAGE]), "heap");
        refused(scene, MemorySegment.ofBuffer(ByteBuffer.allocate(PAGE)), "heap");
    }

    @Misuse(value = "lend memory of Arena.ofConfined", outcome = "IllegalArgumentException; nothing is lent")
    void malloc(Scene scene) throws IOException {
        try (Arena arena = Arena.ofConfined();
                Arena shared = Arena.ofShared()) {
            refused(scene, arena.allocate(4 * PAGE, PAGE), "not from this arena");
            refused(scene, shared.allocate(4 * PAGE, PAGE), "not from this arena");
        }
        refused(scene, Arena.ofAuto().allocate(4 * PAGE, PAGE), "not from this arena");
        refused(scene, Arena.global().allocate(4 * PAGE, PAGE), "not from this arena");
    }

    @Misuse(value = "lend a direct ByteBuffer", outcome = "IllegalArgumentException; nothing is lent")
    void directBuffer(Scene scene) throws IOException {
        refused(scene, MemorySegment.ofBuffer(ByteBuffer.allocateDirect(4 * PAGE)), "not from this arena");
    }

    @Misuse(value = "lend a mapped file", outcome = "IllegalArgumentException; nothing is lent")
    void mappedFile(Scene scene) throws IOException {
        try (Arena arena = Arena.ofConfined();
                FileChannel file = FileChannel.open(
                        scene.bench.path(new byte[PAGE]), StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            refused(scene, file.map(MapMode.READ_WRITE, 0, PAGE, arena), "not from this arena");
            refused(scene, file.map(MapMode.PRIVATE, 0, PAGE, arena), "not from this arena");
        }
    }

    @Misuse(value = "lend another arena's memory", outcome = "IllegalArgumentException; nothing is lent, it stays open")
    void otherArena(Scene scene) throws IOException {
        try (PageArena other = PageArena.open()) {
            MemorySegment page = other.allocate(PAGE);
            refused(scene, page, "not from this arena");
            page.fill((byte) 1);
        }
    }

    @Misuse(
            value = "lend frozen pages as if they were the arena's",
            outcome = "IllegalArgumentException; nothing is lent")
    void frozenPages(Scene scene) throws IOException {
        refused(scene, FrozenPages.filled(PAGE, memory -> {}).segment(), "not from this arena");
    }

    @Misuse(value = "lend an allocation smaller than a page", outcome = "IllegalArgumentException; nothing is lent")
    void small(Scene scene) throws IOException {
        MemorySegment small = scene.arena.allocate(PAGE - 1);
        MemorySegment neighbour = scene.arena.allocate(16);
        refused(scene, small, "less than a page");
        small.fill((byte) 1);
        neighbour.fill((byte) 2);
    }

    @Misuse(value = "lend an empty segment", outcome = "IllegalArgumentException; nothing is lent, the page stays open")
    void empty(Scene scene) throws IOException {
        MemorySegment page = scene.arena.allocate(PAGE);
        refused(scene, page.asSlice(0, 0), "nothing to lend");
        refused(scene, page.asSlice(PAGE), "nothing to lend");
        refused(scene, scene.arena.allocate(0), "nothing to lend");
        page.fill((byte) 1);
    }

    @Misuse(
            value = "lend the bare address of a page, reinterpreted",
            outcome = "IllegalArgumentException; nothing is lent, the page stays open")
    void bareAddress(Scene scene) throws IOException {
        MemorySegment page = scene.arena.allocate(PAGE);
        refused(scene, MemorySegment.ofAddress(page.address()).reinterpret(PAGE), "not from this arena");
        try (Arena arena = Arena.ofConfined()) {
            refused(scene, page.reinterpret(arena, null), "not from this arena");
        }
        refused(scene, page.reinterpret(scene.arena, null), "");
        page.fill((byte) 1);
    }

    @Misuse(
            value = "lend a page reinterpreted to reach into its neighbour",
            outcome = "IllegalArgumentException; nothing is lent, the neighbour stays open")
    void reinterpretedBeyondItsEnd(Scene scene) throws IOException {
        MemorySegment page = scene.arena.allocate(PAGE);
        MemorySegment neighbour = scene.arena.allocate(PAGE);
        assertThat(neighbour.address()).isEqualTo(page.address() + PAGE);
        refused(scene, page.reinterpret(2 * PAGE), "");
        refused(scene, page.reinterpret(2 * PAGE).asSlice(PAGE), "");
        neighbour.fill((byte) 1);
    }

    @Misuse(value = "lend memory of an arena that is closed", outcome = "IllegalStateException; nothing is lent")
    void closedArena(Scene scene) throws IOException {
        MemorySegment page;
        try (PageArena other = PageArena.open()) {
            page = other.allocate(PAGE);
        }
        assertThatIllegalStateException().isThrownBy(() -> scene.lend(page));
        MemorySegment mine = scene.arena.allocate(PAGE);
        scene.arena.close();
        assertThatIllegalStateException().isThrownBy(() -> scene.lend(mine));
        assertThat(scene.pipe.available()).isZero();
    }

    private static void refused(Scene scene, MemorySegment memory, String why) throws IOException {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> scene.lend(memory))
                .withMessageStartingWith("lend(" + memory.byteSize() + " bytes → " + scene.pipe.sink() + "): ")
                .withMessageContaining(why);
        assertThatIllegalArgumentException().isThrownBy(() -> scene.arena.tryLend(memory, scene.pipe.sink()));
        assertThat(scene.pipe.available()).isZero();
        if (memory.byteSize() > 0 && !memory.isReadOnly()) {
            memory.set(JAVA_BYTE, 0, (byte) 1);
        }
    }
}
