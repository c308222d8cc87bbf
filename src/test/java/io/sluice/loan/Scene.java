package io.sluice.loan;

import static io.sluice.testing.Workbench.bytes;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.Kernel.Outcome;
import io.sluice.Pipe;
import io.sluice.PipeSource;
import io.sluice.internal.MemoryCalls;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;

/** A lender's arena and pipe, memory of which every byte is known, and an enemy who rewrites whatever the library lets him reach. */
final class Scene implements AutoCloseable {
    static final int PAGE = MemoryCalls.pageSize();

    private static final byte HOSTILE = (byte) 0xEE;

    final Workbench bench = new Workbench();
    final Pipe pipe;
    final PageArena arena;

    Scene(PageArena.Option... options) throws IOException {
        pipe = Pipe.open();
        assumeTrue(pipe.slots() >= 16, "needs a user whose new pipes are not small");
        arena = PageArena.open(options);
    }

    static boolean pagesAreReferenced() {
        return Kernel.observed().vmsplice().outcome() == Outcome.REFERENCES;
    }

    /** Skips what can only be seen where the pipe holds the lender's own pages. */
    static void assumePagesAreReferenced() {
        assumeTrue(pagesAreReferenced(), "needs a kernel whose pipes hold the lender's own pages");
    }

    /** Memory of the arena that holds {@link Workbench#bytes}. */
    MemorySegment filled(long size) {
        return filled(arena, size);
    }

    static MemorySegment filled(PageArena arena, long size) {
        return arena.allocate(size, 1).copyFrom(MemorySegment.ofArray(bytes((int) size)));
    }

    Loan lend(MemorySegment memory) throws IOException {
        return arena.lend(memory, pipe.sink());
    }

    /** Memory is closed, and every attempt to reach it says so. */
    static void closed(ThrowingCallable attempt) {
        assertThatIllegalStateException().isThrownBy(attempt).withMessageContaining("closed");
    }

    /** The state of a loan; where pages are not referenced every loan is released at once. */
    static void isIn(State state, Loan loan) {
        assertThat(loan.state()).isEqualTo(pagesAreReferenced() ? state : State.RELEASED);
    }

    /** The pages were passed on: what reclaim gives in their place is fresh, and nothing that is done to it shows. */
    void isForwarded(Loan loan, MemorySegment... aliases) {
        isIn(State.FORWARDED, loan);
        MemorySegment again = loan.reclaim();
        isFresh(again);
        again.fill(HOSTILE);
        attack(loan, aliases);
    }

    /** The pages were let go of: reclaim gives the same ones, and nothing that is done to them shows. */
    void isReleased(Loan loan, MemorySegment... aliases) {
        assertThat(loan.state()).isEqualTo(State.RELEASED);
        MemorySegment again = loan.reclaim();
        isOpenInPlace(again);
        again.fill(HOSTILE);
        attack(loan, aliases);
    }

    /** Stores something else through every alias, in what reclaim gives, and in new memory from wherever there is any. */
    void attack(Loan loan, MemorySegment... aliases) {
        for (MemorySegment alias : aliases) {
            closed(() -> alias.fill(HOSTILE));
        }
        try {
            loan.reclaim().fill(HOSTILE);
        } catch (IllegalStateException e) {
            // Refused, so there is nothing to store into.
        }
        long size = loan.requested();
        if (arena.scope().isAlive()) {
            arena.allocate(size, 1).fill(HOSTILE);
        }
        try (PageArena other = PageArena.open();
                Arena heap = Arena.ofConfined()) {
            other.allocate(size, 1).fill(HOSTILE);
            heap.allocate(size, 1).fill(HOSTILE);
        }
    }

    /** What the pipe still holds of {@link Workbench#bytes}, from {@code from} to {@code to}. */
    void holds(int from, int to) throws IOException {
        holds(pipe.source(), from, to);
    }

    static void holds(PipeSource source, int from, int to) throws IOException {
        isOriginal(read(source, to - from), from, to);
    }

    static void isOriginal(byte[] got, int from, int to) {
        assertThat(MemorySegment.ofArray(got)
                        .mismatch(MemorySegment.ofArray(bytes(to)).asSlice(from)))
                .as("first byte that differs, of %d", to - from)
                .isEqualTo(-1);
    }

    static byte[] read(PipeSource source, int length) throws IOException {
        byte[] got = new byte[length];
        MemorySegment into = MemorySegment.ofArray(got);
        for (int at = 0; at < length; ) {
            long n = source.tryRead(into.asSlice(at));
            assertThat(n).as("bytes in the pipe after %d of %d", at, length).isPositive();
            at += (int) n;
        }
        return got;
    }

    /** Splices so many bytes from the pipe to a descriptor. */
    void spliceTo(Fd target, long length) throws IOException {
        for (long left = length; left > 0; ) {
            long n = pipe.source().spliceTo(target, left);
            assertThat(n).isPositive();
            left -= n;
        }
    }

    /** The memory holds what was stored in it before it was lent. */
    static void isOpenInPlace(MemorySegment reclaimed) {
        isOriginal(reclaimed.toArray(JAVA_BYTE), 0, (int) reclaimed.byteSize());
    }

    static void isFresh(MemorySegment reclaimed) {
        if (pagesAreReferenced()) {
            assertThat(reclaimed.toArray(JAVA_BYTE)).containsOnly(0);
        }
    }

    @Override
    public void close() throws IOException {
        pipe.close();
        if (arena.scope().isAlive()) {
            arena.close();
        }
        bench.close();
    }
}
