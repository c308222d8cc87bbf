package io.sluice.loan.torture;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import io.sluice.loan.torture.Figures.Count;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;

/** Memory of a {@link PageArena}, which is taken back as soon as its loan allows, and never sooner. */
final class Loans implements Lender {
    private static final int ALLOCATIONS = 24;
    private static final int LARGEST = 128 << 10;
    private static final MemorySegment ZEROS = Arena.global().allocate(LARGEST);

    private record Lent(Loan loan, Episode episode, Filled what) {
        long from() {
            return what.position();
        }

        long to() {
            return what.position() + loan.accepted();
        }
    }

    private final Stream stream;
    private final SplittableRandom random;
    private final Figures figures;
    private final Observer observer;
    private final Audit audit = new Audit();
    private final List<MemorySegment> free = new ArrayList<>();
    private final ArrayDeque<Lent> out = new ArrayDeque<>();
    private PageArena arena;
    private int allocated;
    private Episode episode;

    Loans(Stream stream, SplittableRandom random, Figures figures, Observer observer) {
        this.stream = stream;
        this.random = random;
        this.figures = figures;
        this.observer = observer;
        this.arena = PageArena.open();
    }

    @Override
    public void begin(Episode next) {
        reuse();
        audit.finish();
        episode = next;
    }

    @Override
    public MemorySegment take() throws InterruptedException {
        reuse();
        if (allocated < ALLOCATIONS && (free.isEmpty() || random.nextInt(8) == 0)) {
            allocated++;
            long size = Math.min(LARGEST, 4096L * (1 + random.nextInt(1 << random.nextInt(6))) + random.nextInt(4096));
            return arena.allocate(size, 1);
        }
        while (free.isEmpty()) {
            Lent oldest = out.peekFirst();
            if (oldest == null || random.nextInt(200) == 0) {
                closeArena();
                return take();
            }
            oldest.loan.await();
            reuse();
        }
        return free.remove(random.nextInt(free.size()));
    }

    @Override
    public void untouched(MemorySegment memory) {
        memory.fill(Stream.HOSTILE);
        free.add(memory);
    }

    @Override
    public long lend(Filled filled, boolean wait) throws IOException {
        Optional<Loan> loan = wait
                ? Optional.of(arena.lend(filled.range(), episode.pipe.sink()))
                : arena.tryLend(filled.range(), episode.pipe.sink());
        if (loan.isEmpty()) {
            stream.check(filled.range(), filled.position(), "memory that was not lent");
            untouched(filled.memory());
            return 0;
        }
        return lent(loan.get(), filled);
    }

    @Override
    public long lend(Filled first, Filled second, Filled third) throws IOException {
        List<Filled> all = List.of(first, second, third);
        List<Loan> loans = arena.lend(all.stream().map(Filled::range).toList(), episode.pipe.sink());
        long n = 0;
        for (int i = 0; i < all.size(); i++) {
            if (i < loans.size()) {
                n += lent(loans.get(i), all.get(i));
            } else {
                untouched(all.get(i).memory());
            }
        }
        return n;
    }

    private long lent(Loan loan, Filled filled) {
        figures.add(Count.LOANS);
        Lent lent = new Lent(loan, episode, filled);
        out.add(lent);
        if (loan.accepted() < loan.requested() || random.nextInt(4) == 0) {
            observer.offer(new Observer.Seen(loan, episode, lent.from(), lent.to()));
        }
        if (random.nextInt(64) == 0) {
            assertThatThrownBy(() -> filled.memory().set(JAVA_BYTE, 0, Stream.HOSTILE))
                    .isInstanceOf(IllegalStateException.class);
            assertThatThrownBy(() -> arena.lend(filled.range(), episode.pipe.sink()))
                    .isInstanceOf(IllegalStateException.class);
        }
        return loan.accepted();
    }

    @Override
    public long lendRest() throws IOException {
        Lent last = out.peekLast();
        return last == null || last.episode != episode ? 0 : last.loan.tryLendRest();
    }

    @Override
    public void reuse() {
        audit.compare();
        for (Iterator<Lent> i = out.iterator(); i.hasNext(); ) {
            Lent lent = i.next();
            Loan.State state = lent.loan.state();
            if (state == Loan.State.IN_PIPE) {
                if (random.nextInt(64) == 0) {
                    refuses(lent);
                }
                break;
            } else if (random.nextInt(32) > 0) {
                i.remove();
                takeBack(lent, state);
            }
        }
    }

    private void takeBack(Lent lent, Loan.State state) {
        audit.settled(lent.episode, lent.from(), lent.to(), lent.loan, state);
        figures.add(state == Loan.State.RELEASED ? Count.RELEASED : Count.FORWARDED);
        if (random.nextInt(256) == 0) {
            figures.add(Count.DROPPED);
            return;
        }
        MemorySegment memory = lent.loan.reclaim();
        assertThat(memory.byteSize()).isEqualTo(lent.what.memory().byteSize());
        if (state == Loan.State.RELEASED) {
            long offset = lent.what.range().address() - memory.address();
            stream.check(memory.asSlice(offset, lent.what.range().byteSize()), lent.from(), "memory that was released");
        } else if (random.nextInt(4) == 0 && memory.mismatch(ZEROS.asSlice(0, memory.byteSize())) >= 0) {
            throw new Corruption("memory that was passed on is given back with something in it");
        }
        memory.fill(Stream.HOSTILE);
        free.add(memory);
    }

    /** A loan that was in the pipe a moment ago gives nothing back, unless it has left since. */
    private void refuses(Lent lent) {
        try {
            MemorySegment memory = lent.loan.reclaim();
            out.removeFirstOccurrence(lent);
            audit.settled(lent.episode, lent.from(), lent.to(), lent.loan, lent.loan.state());
            memory.fill(Stream.HOSTILE);
            free.add(memory);
        } catch (IllegalStateException e) {
            assertThat(e).hasMessageContaining("still in the pipe");
        }
    }

    /** Closes the arena with whatever is in flight, and opens another. */
    private void closeArena() {
        figures.add(Count.ARENAS_CLOSED_IN_FLIGHT);
        arena.close();
        for (Lent lent : out) {
            Loan.State state = lent.loan.state();
            if (state != Loan.State.IN_PIPE) {
                audit.settled(lent.episode, lent.from(), lent.to(), lent.loan, state);
            }
        }
        if (!out.isEmpty()) {
            assertThatThrownBy(out.getFirst().loan::reclaim).isInstanceOf(IllegalStateException.class);
        }
        out.clear();
        free.clear();
        allocated = 0;
        arena = switch (random.nextInt(4)) {
            case 0 -> PageArena.open(PageArena.Option.HUGE_PAGES);
            case 1 -> PageArena.open(PageArena.Option.MEMFD);
            default -> PageArena.open();
        };
    }

    @Override
    public void close() {
        arena.close();
    }
}
