package io.sluice.loan;

import io.sluice.internal.Lending;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** One slot of a ring: its memory, what the pipe has of it, and what the pipe was to have. */
final class Slot {
    private MemorySegment segment;
    private @Nullable Loan loan;
    private long wanted;

    /** Invariant: of what is wanted, the first bytes are in the pipe, or have passed through it, and no others. */
    private long sent;

    Slot(MemorySegment segment) {
        this.segment = segment;
    }

    MemorySegment segment() {
        return segment;
    }

    long sent() {
        return sent;
    }

    long wanted() {
        return wanted;
    }

    boolean isLent() {
        return loan != null;
    }

    boolean isInPipe() {
        return loan != null && loan.state() == Loan.State.IN_PIPE;
    }

    /** Opens the slot to Java, once its reader has taken it; whether he passed it on. */
    boolean open() throws InterruptedException {
        return loan != null && takeBack(loan, loan.await());
    }

    /** As {@link #open}, when it is not in the pipe. */
    boolean openNow() {
        return loan != null && takeBack(loan, loan.state());
    }

    private boolean takeBack(Loan ended, Loan.State state) {
        segment = ended.reclaim();
        loan = null;
        return state == Loan.State.FORWARDED;
    }

    /** Sends the first bytes, except those that were sent before: lends them if it may and none were, or else copies them. */
    void send(long bytes, PageArena arena, Lending to, boolean mayLend) throws IOException {
        want(bytes);
        if (mayLend && sent == 0) {
            loan = arena.lend(segment.asSlice(0, bytes), to);
            sent = loan.accepted();
        }
        copyRest(to);
        wanted = 0;
        sent = 0;
    }

    /** As {@link #send}, as far as there is room; whether all of them are sent. */
    boolean trySend(long bytes, PageArena arena, Lending to, boolean mayLend) throws IOException {
        if (loan != null && bytes != loan.requested() && bytes != sent) {
            throw new IllegalArgumentException("tryPublish(" + bytes + "): of this slot " + loan.requested()
                    + " bytes are to be sent, of which " + sent + " are in the pipe: ask for " + loan.requested()
                    + ", or for " + sent + " to give the rest up");
        }
        want(bytes);
        if (loan != null && sent < bytes) {
            sent += loan.tryLendRest();
        } else if (mayLend && sent == 0) {
            loan = arena.tryLend(segment.asSlice(0, bytes), to).orElse(null);
            sent = loan == null ? 0 : loan.accepted();
        } else if (sent < bytes) {
            sent += to.write(segment.address() + sent, bytes - sent, false);
        }
        if (sent < bytes) {
            return false;
        }
        wanted = 0;
        sent = 0;
        return true;
    }

    private void want(long bytes) {
        if (loan == null && !segment.scope().isAlive()) {
            throw new IllegalStateException(
                    "an error ended the publishing of this slot, which may be lent: close the ring");
        }
        if (bytes < sent || bytes > segment.byteSize()) {
            throw new IndexOutOfBoundsException("publish(" + bytes + "): the slot has " + segment.byteSize() + " bytes"
                    + (sent == 0 ? "" : ", of which " + sent + " were sent already"));
        }
        wanted = bytes;
    }

    // Of a loan that was cut short, the rest is copied: that says what is wrong, or goes well after all.
    private void copyRest(Lending to) throws IOException {
        while (sent < wanted) {
            sent += to.write(segment.address() + sent, wanted - sent, true);
        }
    }

    /** After it was lent: nothing is to be waited for if a native call kept the memory open, because it has other pages already. */
    void forgetLoanIfOpen() {
        if (segment.scope().isAlive()) {
            loan = null;
        }
    }

    /** A copy of what is wanted and not sent. */
    MemorySegment unsent() {
        long rest = wanted - sent;
        try (Arena reading = Arena.ofConfined()) {
            return Arena.ofAuto()
                    .allocate(rest, 1)
                    .copyFrom(alias(reading).asSlice(sent, rest))
                    .asReadOnly();
        }
    }

    /** The memory, to be read, although it may be closed to Java: reading what is lent harms nobody. */
    private MemorySegment alias(Arena scope) {
        return MemorySegment.ofAddress(segment.address()).reinterpret(segment.byteSize(), scope, null);
    }
}
