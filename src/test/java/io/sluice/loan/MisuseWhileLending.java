package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.ErrnoException;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Await;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.util.Arrays;
import java.util.concurrent.FutureTask;

/** Breaking in while a loan is being made. */
final class MisuseWhileLending {
    @Misuse(
            value = "interrupt the thread when a part has gone in",
            outcome = "a loan of that part, the sink closed; it arrives as it was")
    void interrupt(Scene scene) throws Exception {
        Thread lender = Thread.currentThread();
        Loan loan = lentInPart(scene, lender::interrupt);
        assertThat(Thread.interrupted()).isTrue();
        assertThat(scene.pipe.sink().isOpen()).isFalse();
        arrivesAsItWas(scene, loan);
    }

    @Misuse(
            value = "lend with the interrupt status set",
            outcome = "ClosedByInterruptException; nothing is lent, the memory stays open")
    void interruptedBefore(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> scene.lend(page)).isInstanceOf(ClosedByInterruptException.class);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
        assertThat(scene.pipe.available()).isZero();
        Scene.isOpenInPlace(page);
    }

    @Misuse(value = "close the sink when a part has gone in", outcome = "a loan of that part; it arrives as it was")
    void closeSink(Scene scene) throws Exception {
        arrivesAsItWas(scene, lentInPart(scene, scene.pipe.sink()::close));
    }

    @Misuse(value = "close the source when a part has gone in", outcome = "a loan of that part, FORWARDED; fresh pages")
    void closeSource(Scene scene) throws Exception {
        scene.isForwarded(lentInPart(scene, scene.pipe.source()::close));
    }

    @Misuse(value = "close both ends when a part has gone in", outcome = "a loan of that part, FORWARDED; fresh pages")
    void closeBoth(Scene scene) throws Exception {
        scene.isForwarded(lentInPart(scene, scene.pipe::close));
    }

    @Misuse(value = "lend to a pipe that nobody reads", outcome = "EPIPE; nothing is lent, the memory stays open")
    void noReader(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        scene.pipe.source().close();
        assertThatThrownBy(() -> scene.lend(page))
                .isInstanceOfSatisfying(
                        ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Linux.EPIPE()));
        assertThatThrownBy(() -> scene.arena.tryLend(page, scene.pipe.sink())).isInstanceOf(ErrnoException.class);
        Scene.isOpenInPlace(page);
    }

    @Misuse(
            value = "lend to a sink that is closed",
            outcome = "ClosedChannelException; nothing is lent, the memory stays open")
    void closedSink(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        scene.pipe.sink().close();
        assertThatThrownBy(() -> scene.lend(page)).isInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> scene.arena.tryLend(page, scene.pipe.sink()))
                .isInstanceOf(ClosedChannelException.class);
        Scene.isOpenInPlace(page);
    }

    @Misuse(
            value = "lend in an upcall from a native function that goes on storing",
            outcome = "the memory stays open with pages of its own; the reader gets what it was when it was lent")
    void upcall(Scene scene) throws Throwable {
        lendWhileSorting(scene, scene.filled(PAGE));
    }

    @Misuse(
            value = "lend a slice of memfd-backed memory in an upcall",
            outcome = "the memory stays open with pages of its own; the reader gets what it was when it was lent")
    void upcallWithMemfd(Scene unused) throws Throwable {
        try (Scene scene = new Scene(PageArena.Option.MEMFD)) {
            lendWhileSorting(scene, scene.filled(3 * PAGE));
        }
    }

    @Misuse(
            value = "close the arena in an upcall that was given its memory",
            outcome = "IllegalStateException; the memory stays mapped")
    void closeArenaInUpcall(Scene scene) throws Throwable {
        MemorySegment page = scene.filled(PAGE);
        Throwable[] thrown = {null};
        sort(page, () -> {
            try {
                scene.arena.close();
            } catch (IllegalStateException e) {
                thrown[0] = e;
            }
        });
        assertThat(thrown[0]).isInstanceOf(IllegalStateException.class);
        page.fill((byte) 1);
        scene.arena.close();
        Scene.closed(() -> page.fill((byte) 1));
    }

    @Misuse(
            value = "write headers on another thread between loans that are used again at once",
            outcome = "every header and every page arrives whole")
    void concurrentHeaders(Scene scene) throws Exception {
        int rounds = 3000;
        byte[] header = {'H', 'e', 'a', 'd', 'e', 'r', '.', '.'};
        FutureTask<Void> writer = new FutureTask<>(() -> {
            for (int i = 0; i < rounds; i++) {
                scene.pipe.sink().write(MemorySegment.ofArray(header));
            }
            return null;
        });
        FutureTask<int[]> reader = new FutureTask<>(() -> {
            int[] seen = new int[2];
            byte[] unit = new byte[PAGE];
            while (seen[0] < rounds || seen[1] < rounds) {
                readFully(scene, unit, 0, header.length);
                if (unit[0] == 'H') {
                    assertThat(unit).startsWith(header);
                    seen[0]++;
                } else {
                    readFully(scene, unit, header.length, PAGE);
                    byte expected = (byte) (seen[1] % 64);
                    for (byte b : unit) {
                        if (b != expected) {
                            throw new AssertionError("page " + seen[1] + " holds " + b);
                        }
                    }
                    seen[1]++;
                }
            }
            return seen;
        });
        Thread.ofPlatform().start(writer);
        Thread.ofPlatform().start(reader);
        MemorySegment[] pages = {scene.arena.allocate(PAGE), scene.arena.allocate(PAGE)};
        Loan[] loans = new Loan[2];
        for (int i = 0; i < rounds; i++) {
            if (loans[i & 1] != null) {
                assertThat(loans[i & 1].await()).isEqualTo(State.RELEASED);
                pages[i & 1] = loans[i & 1].reclaim();
            }
            loans[i & 1] = scene.lend(pages[i & 1].fill((byte) (i % 64)));
        }
        writer.get();
        assertThat(reader.get()).containsExactly(rounds, rounds);
        assertThat(scene.pipe.available()).isZero();
    }

    private interface Break {
        void in() throws IOException;
    }

    /** Lends twice what the pipe holds, and has another thread break in when it is full. */
    private static Loan lentInPart(Scene scene, Break breaking) throws Exception {
        Scene.assumePagesAreReferenced();
        int capacity = (int) scene.pipe.capacity();
        MemorySegment pages = scene.filled(2L * capacity);
        FutureTask<Void> other = new FutureTask<>(() -> {
            try {
                Await.until(() -> scene.pipe.available() == capacity, "a full pipe");
                breaking.in();
            } catch (Throwable t) {
                scene.pipe.close();
                throw t;
            }
            return null;
        });
        Thread.ofPlatform().start(other);
        Loan loan = scene.lend(pages);
        boolean interrupted = Thread.interrupted();
        other.get();
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        assertThat(loan.accepted()).isEqualTo(capacity);
        assertThat(loan.requested()).isEqualTo(2L * capacity);
        Scene.closed(() -> pages.asSlice(capacity).fill((byte) 1));
        return loan;
    }

    private static void arrivesAsItWas(Scene scene, Loan loan) throws IOException {
        Scene.isIn(State.IN_PIPE, loan);
        assertThatThrownBy(loan::tryLendRest).isInstanceOf(ClosedChannelException.class);
        scene.attack(loan);
        scene.holds(0, (int) loan.accepted());
        scene.isReleased(loan);
    }

    private static void lendWhileSorting(Scene scene, MemorySegment pages) throws Throwable {
        byte[][] asLent = {null};
        Loan[] loan = {null};
        sort(pages, () -> {
            if (loan[0] == null) {
                asLent[0] = pages.toArray(JAVA_BYTE);
                loan[0] = scene.lend(pages.asSlice(0, PAGE));
            }
        });
        assertThatIllegalStateException().isThrownBy(loan[0]::reclaim).withMessageContaining("open already");
        assertThatIllegalStateException().isThrownBy(loan[0]::tryLendRest);
        int[] sorted = pages.toArray(JAVA_INT);
        assertThat(sorted).isSorted();
        pages.fill((byte) 1);
        scene.attack(loan[0]);
        assertThat(Scene.read(scene.pipe.source(), PAGE)).isEqualTo(Arrays.copyOf(asLent[0], PAGE));
        assertThat(loan[0].state()).isEqualTo(State.RELEASED);
        scene.lend(pages);
        assertThat(Scene.read(scene.pipe.source(), (int) pages.byteSize())).containsOnly(1);
    }

    interface Comparison {
        void made() throws IOException;
    }

    /** Has qsort(3) sort the memory, which stays open for as long as that call lasts. */
    static void sort(MemorySegment ints, Comparison onComparison) throws Throwable {
        Linker linker = Linker.nativeLinker();
        MethodHandle qsort = linker.downcallHandle(
                linker.defaultLookup().find("qsort").orElseThrow(),
                FunctionDescriptor.ofVoid(ADDRESS, JAVA_LONG, JAVA_LONG, ADDRESS));
        Comparator comparator = new Comparator(onComparison);
        MethodHandle compare = MethodHandles.lookup()
                .bind(
                        comparator,
                        "compare",
                        MethodType.methodType(int.class, MemorySegment.class, MemorySegment.class));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment upcall = linker.upcallStub(
                    compare,
                    FunctionDescriptor.of(
                            JAVA_INT, ADDRESS.withTargetLayout(JAVA_INT), ADDRESS.withTargetLayout(JAVA_INT)),
                    arena);
            qsort.invokeExact(ints, ints.byteSize() / 4, 4L, upcall);
        }
        if (comparator.thrown != null) {
            throw comparator.thrown;
        }
    }

    /** What throws in an upcall takes the JVM with it, so it is kept. */
    private static final class Comparator {
        private final Comparison onComparison;
        private Throwable thrown;

        Comparator(Comparison onComparison) {
            this.onComparison = onComparison;
        }

        @SuppressWarnings("unused")
        int compare(MemorySegment a, MemorySegment b) {
            try {
                onComparison.made();
            } catch (Throwable t) {
                thrown = t;
            }
            return Integer.compare(a.get(JAVA_INT, 0), b.get(JAVA_INT, 0));
        }
    }

    private static void readFully(Scene scene, byte[] into, int from, int to) throws IOException {
        for (int at = from; at < to; ) {
            at += (int) scene.pipe.source().read(MemorySegment.ofArray(into).asSlice(at, to - at));
        }
    }
}
