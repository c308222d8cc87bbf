package io.sluice.loan.torture;

import io.sluice.internal.Hold;
import io.sluice.internal.Ledger;
import io.sluice.internal.PipeAccess;
import io.sluice.testing.Await;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Memory that is reused by a rule that programs have trusted, and that proves nothing. */
final class Careless implements Lender {
    private static final int PIECES = 300;
    private static final int SIZE = 64 << 10;

    /** When lent memory is said to be free. */
    enum Rule {
        /** vmsplice has returned. */
        LENT,
        /** FIONREAD says that the pipe is empty. */
        PIPE_IS_EMPTY,
        /** As much as the pipe holds was accepted since. */
        PIPE_WAS_FILLED_SINCE,
        /** The bytes have left the pipe, in whatever way. */
        BYTES_HAVE_LEFT
    }

    private record Out(MemorySegment memory, Episode episode, Hold hold, long slotsBefore) {}

    private final Rule rule;
    private final SplittableRandom random;
    private final Workbench bench = new Workbench();
    private final List<MemorySegment> free = new ArrayList<>();
    private final ArrayDeque<Out> out = new ArrayDeque<>();
    private Episode episode;
    private Filled partly;
    private long partlyLent;
    private long slots;
    private int pieces;

    Careless(Rule rule, SplittableRandom random) {
        this.rule = rule;
        this.random = random;
    }

    @Override
    public void begin(Episode next) {
        episode = next;
    }

    @Override
    public MemorySegment take() throws Exception {
        reuse();
        if (free.isEmpty() && pieces < PIECES) {
            pieces++;
            return bench.map(SIZE).fill(Stream.HOSTILE);
        }
        Await.until(
                () -> {
                    reuse();
                    return !free.isEmpty();
                },
                "memory that is free by the rule " + rule);
        return free.remove(random.nextInt(free.size()));
    }

    @Override
    public void untouched(MemorySegment memory) {
        memory.fill(Stream.HOSTILE);
        free.add(memory);
    }

    @Override
    public long lend(Filled filled, boolean wait) throws IOException {
        Hold[] hold = new Hold[1];
        long lent = 0;
        do {
            MemorySegment rest = filled.range().asSlice(lent);
            lent += PipeAccess.get()
                    .lending(episode.pipe.sink())
                    .lend(rest.address(), rest.byteSize(), wait, entered -> hold[0] = entered);
        } while (wait && lent < filled.range().byteSize());
        if (lent == 0) {
            untouched(filled.memory());
            return 0;
        }
        slots += slotsOf(filled.range().asSlice(0, lent));
        out.add(new Out(filled.memory(), episode, hold[0], slots));
        partly = filled;
        partlyLent = lent;
        return lent;
    }

    @Override
    public long lend(Filled first, Filled second, Filled third) throws IOException {
        long n = 0;
        for (Filled each : List.of(first, second, third)) {
            n += lend(each, true);
        }
        return n;
    }

    @Override
    public long lendRest() throws IOException {
        if (rule == Rule.LENT) {
            return 0;
        }
        MemorySegment rest = partly.range().asSlice(partlyLent);
        if (rest.byteSize() == 0) {
            return 0;
        }
        Out before = out.removeLast();
        Hold[] hold = {before.hold};
        long n = PipeAccess.get()
                .lending(episode.pipe.sink())
                .lend(rest.address(), rest.byteSize(), false, entered -> hold[0] = entered);
        partlyLent += n;
        slots += slotsOf(rest.asSlice(0, n));
        out.add(new Out(before.memory, episode, hold[0], slots));
        return n;
    }

    @Override
    public void reuse() {
        while (!out.isEmpty() && isFree(out.getFirst())) {
            untouched(out.removeFirst().memory);
        }
    }

    private boolean isFree(Out lent) {
        if (lent.episode != episode || !episode.pipe.sink().isOpen()) {
            return true;
        }
        return switch (rule) {
            case LENT -> true;
            case PIPE_IS_EMPTY -> ask(() -> episode.pipe.available() == 0);
            case PIPE_WAS_FILLED_SINCE -> ask(() -> slots - lent.slotsBefore >= episode.pipe.slots());
            case BYTES_HAVE_LEFT -> lent.hold.place() != Ledger.Place.IN_PIPE;
        };
    }

    private interface Question {
        boolean ask() throws IOException;
    }

    /** What the pipe says, or that it is closed. */
    private static boolean ask(Question question) {
        try {
            return question.ask();
        } catch (IOException e) {
            return true;
        }
    }

    private static long slotsOf(MemorySegment memory) {
        if (memory.byteSize() == 0) {
            return 0;
        }
        long first = memory.address() / Workbench.PAGE;
        long last = (memory.address() + memory.byteSize() - 1) / Workbench.PAGE;
        return last - first + 1;
    }

    @Override
    public void close() {
        try {
            bench.close();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
