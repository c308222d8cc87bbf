package io.sluice.loan.torture;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.ErrnoException;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.Loan.State;
import io.sluice.loan.PageArena;
import io.sluice.loan.PageRing;
import io.sluice.loan.torture.Connection.Ending;
import io.sluice.loan.torture.Figures.Count;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Optional;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.function.BooleanSupplier;

/** A program that sends over one connection after the other, and writes to memory again as soon as its loan allows. */
final class SendLane {
    private static final int ALLOCATIONS = 24;
    private static final int LARGEST = 256 << 10;
    private static final int STORM = 200;

    private record Lent(Loan loan, MemorySegment range, MemorySegment memory, long position) {}

    private final Stream stream;
    private final SplittableRandom random;
    private final Figures figures;
    private final Method method;
    private final Peer peer;
    private final List<MemorySegment> free = new ArrayList<>();
    private final ArrayDeque<Lent> out = new ArrayDeque<>();
    private PageArena arena;
    private int allocated;
    private Connection connection;
    private long position;

    SendLane(Stream stream, SplittableRandom random, Figures figures, Method method) {
        this.stream = stream;
        this.random = random;
        this.figures = figures;
        this.method = method;
        this.peer = new Peer(stream, random.split(), figures);
    }

    void run(BooleanSupplier goesOn) throws Exception {
        arena = PageArena.open();
        try {
            while (goesOn.getAsBoolean()) {
                try (Connection next = new Connection(random, position, method)) {
                    pass(next, goesOn);
                }
                figures.add(Count.PIPES);
            }
        } finally {
            arena.close();
        }
    }

    private void pass(Connection next, BooleanSupplier goesOn) throws Exception {
        connection = next;
        FutureTask<Void> reading = new FutureTask<>(() -> {
            try {
                peer.read(next);
            } catch (Throwable t) {
                // Or the sender would wait for room for ever.
                next.closeFar();
                throw t;
            }
            return null;
        });
        Thread.ofPlatform().daemon().start(reading);
        try {
            send(goesOn);
        } catch (IOException e) {
            if (next.ending != Ending.PEER_RESETS || !(e instanceof ErrnoException)) {
                requireRead(next, reading);
                throw new AssertionError(next.toString(), e);
            }
        }
        end(next);
        requireRead(next, reading);
        next.compare();
        for (Lent lent : out) {
            settled(lent, lent.loan.await());
        }
        out.clear();
        position = next.end;
    }

    private static void requireRead(Connection by, FutureTask<Void> reading) throws InterruptedException {
        try {
            reading.get();
        } catch (ExecutionException e) {
            throw new AssertionError(by.toString(), e.getCause());
        }
    }

    private void send(BooleanSupplier goesOn) throws Exception {
        position = connection.start;
        try (PageRing ring = PageRing.over(connection.sender, 4096 + random.nextInt(LARGEST), 2 + random.nextInt(6))) {
            while (position < connection.end && goesOn.getAsBoolean()) {
                if (position >= connection.cut && closesFirst()) {
                    return;
                }
                step(ring);
                connection.sent = position;
            }
        }
    }

    private boolean closesFirst() {
        return connection.ending == Ending.SENDER_CLOSES_FIRST || connection.ending == Ending.SOCKET_CLOSES_FIRST;
    }

    /** Ends the connection while much of it may be under way, and uses the memory again at once. */
    private void end(Connection of) throws Exception {
        if (of.ending == Ending.SENDER_CLOSES_FIRST) {
            of.sender.close();
        } else if (of.ending == Ending.SOCKET_CLOSES_FIRST) {
            of.socket.close();
        }
        if (closesFirst()) {
            for (Lent lent : out) {
                settled(lent, lent.loan.await());
            }
            out.clear();
        } else if (random.nextInt(3) == 0) {
            closeArena();
        }
        of.finish();
    }

    private void step(PageRing ring) throws Exception {
        switch (random.nextInt(16)) {
            case 0, 1, 2, 3, 4 -> lend(true);
            case 5, 6, 7 -> lend(false);
            case 8, 9 -> lendThree();
            case 10, 11, 12 -> publish(ring);
            case 13 -> storm();
            default -> reuse();
        }
    }

    private void lend(boolean wait) throws Exception {
        MemorySegment memory = take();
        MemorySegment range = filled(memory, position, LARGEST);
        Optional<Loan> loan =
                wait ? Optional.of(arena.lend(range, connection.sender)) : arena.tryLend(range, connection.sender);
        if (loan.isEmpty()) {
            stream.check(range, position, "memory that was not lent");
            free.add(memory.fill(Stream.HOSTILE));
            return;
        }
        lent(loan.get(), range, memory);
        if (random.nextInt(64) == 0) {
            assertThatThrownBy(() -> memory.set(JAVA_BYTE, 0, Stream.HOSTILE))
                    .isInstanceOf(IllegalStateException.class);
        }
    }

    private void lendThree() throws Exception {
        List<MemorySegment> memory = new ArrayList<>();
        List<MemorySegment> ranges = new ArrayList<>();
        long at = position;
        for (int i = 0; i < 3; i++) {
            MemorySegment taken = take();
            if (memory.stream().anyMatch(before -> !before.scope().isAlive())) {
                free.add(taken);
                return;
            }
            memory.add(taken);
            ranges.add(filled(taken, at, 16 << 10));
            at += ranges.getLast().byteSize();
        }
        List<Loan> loans = arena.lend(ranges, connection.sender);
        for (int i = 0; i < loans.size(); i++) {
            lent(loans.get(i), ranges.get(i), memory.get(i));
        }
        memory.subList(loans.size(), 3).forEach(rest -> free.add(rest.fill(Stream.HOSTILE)));
    }

    private void lent(Loan loan, MemorySegment range, MemorySegment memory) throws IOException {
        figures.add(Count.LOANS);
        long start = position;
        position += loan.accepted();
        while (loan.accepted() < loan.requested() && random.nextInt(4) > 0) {
            position += loan.tryLendRest();
            Thread.yield();
        }
        figures.add(Count.BYTES_LENT, loan.accepted());
        out.add(new Lent(loan, range, memory, start));
        connection.sent = position;
    }

    private void publish(PageRing ring) throws Exception {
        MemorySegment slot = ring.acquire();
        long n = Math.min(slot.byteSize(), Sizes.some(random));
        stream.fill(slot.asSlice(0, n), position);
        ring.publish(n);
        if (slot.scope().isAlive()) {
            slot.fill(Stream.HOSTILE);
        }
        position += n;
    }

    /** Many small sends, with nobody looking at their notifications. */
    private void storm() throws Exception {
        for (int i = 0; i < STORM && free.size() + ALLOCATIONS - allocated > 0 && out.size() < ALLOCATIONS; i++) {
            MemorySegment memory = take();
            MemorySegment range = filled(memory, position, 16);
            lent(arena.lend(range, connection.sender), range, memory);
        }
    }

    private MemorySegment filled(MemorySegment memory, long at, int most) {
        long length = 1 + random.nextLong(Math.min(memory.byteSize(), most));
        MemorySegment range = memory.asSlice(random.nextLong(memory.byteSize() - length + 1), length);
        stream.fill(range, at);
        return range;
    }

    private MemorySegment take() throws Exception {
        reuse();
        if (free.isEmpty() && allocated < ALLOCATIONS) {
            allocated++;
            return arena.allocate(4096 + random.nextInt(1 << random.nextInt(1, 18)), 1);
        }
        while (free.isEmpty()) {
            Lent oldest = out.peekFirst();
            if (oldest == null || random.nextInt(100) == 0) {
                closeArena();
                return take();
            }
            oldest.loan.await();
            reuse();
        }
        return free.remove(random.nextInt(free.size()));
    }

    private void reuse() {
        for (Iterator<Lent> i = out.iterator(); i.hasNext(); ) {
            Lent lent = i.next();
            State state = lent.loan.state();
            if (state != State.IN_PIPE) {
                i.remove();
                settled(lent, state);
            } else if (random.nextInt(8) == 0) {
                break;
            }
        }
    }

    private void settled(Lent lent, State state) {
        figures.add(state == State.RELEASED ? Count.RELEASED : Count.FORWARDED);
        MemorySegment memory = lent.loan.reclaim();
        if (state == State.RELEASED) {
            long offset = lent.range.address() - memory.address();
            stream.check(memory.asSlice(offset, lent.range.byteSize()), lent.position, "memory that was released");
        }
        free.add(memory.fill(Stream.HOSTILE));
    }

    /** Closes the arena with whatever is under way. */
    private void closeArena() {
        figures.add(Count.ARENAS_CLOSED_IN_FLIGHT);
        arena.close();
        out.clear();
        free.clear();
        allocated = 0;
        arena = random.nextInt(3) == 0 ? PageArena.open(PageArena.Option.MEMFD) : PageArena.open();
    }
}
