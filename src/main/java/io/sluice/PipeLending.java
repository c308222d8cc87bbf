package io.sluice;

import io.sluice.internal.Hold;
import io.sluice.internal.Lending;
import io.sluice.internal.Syscalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Lends memory to a pipe. Where vmsplice copies or is denied, write(2) does the same, and on every kind of pipe. */
final class PipeLending implements Lending {
    /** Above this, lending was measured to take less processor time than copying, where the reader copies or discards. */
    private static final long COPY_UP_TO = (16 << 10) - 1;

    private final PipeSink sink;

    /** Found out by the first that lends, and the same for whoever does. */
    private Kernel.@Nullable Outcome regime;

    PipeLending(PipeSink sink) {
        this.sink = sink;
    }

    @Override
    public long lend(long address, long length, boolean wait, Consumer<Hold> lent) throws IOException {
        if (isWritten()) {
            return write(address, length, wait);
        }
        Side side = sink.side;
        if (wait && Thread.currentThread().isInterrupted()) {
            return sink.untilMoved(null, side, () -> Moves.lend(side, address, length, lent));
        }
        long n = Moves.lend(side, address, length, lent);
        return n != 0 || !wait ? n : sink.afterWaiting(null, side, () -> Moves.lend(side, address, length, lent));
    }

    @Override
    public long lend(long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException {
        if (isWritten()) {
            return sink.writeSome(memory(addresses[0], lengths[0]));
        }
        Side side = sink.side;
        if (!Thread.currentThread().isInterrupted()) {
            long n = Moves.lend(side, addresses, lengths, lent);
            return n != 0 ? n : sink.afterWaiting(null, side, () -> Moves.lend(side, addresses, lengths, lent));
        }
        return sink.untilMoved(null, side, () -> Moves.lend(side, addresses, lengths, lent));
    }

    @Override
    public long write(long address, long length, boolean wait) throws IOException {
        MemorySegment from = memory(address, length);
        return wait ? sink.writeSome(from) : sink.tryWrite(from);
    }

    @Override
    public long copyUpTo() {
        return COPY_UP_TO;
    }

    private boolean isWritten() {
        Kernel.Outcome known = regime;
        if (known == null) {
            known = Kernel.observed().vmsplice().outcome();
            regime = known;
        }
        return known == Kernel.Outcome.COPIES || known == Kernel.Outcome.DENIED;
    }

    private static MemorySegment memory(long address, long length) {
        return MemorySegment.ofAddress(address).reinterpret(Math.min(length, Syscalls.MAX_LENGTH));
    }

    @Override
    public String toString() {
        return sink.toString();
    }
}
