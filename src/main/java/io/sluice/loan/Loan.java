package io.sluice.loan;

import io.sluice.Kernel;
import io.sluice.internal.Hold;
import io.sluice.internal.Lending;
import io.sluice.internal.Syscalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Memory that is lent to a pipe or a socket, and what has become of it.
 *
 * <p><b>The mechanism.</b> vmsplice does not copy: the pipe holds the very pages that the program wrote. They travel on, into a socket, a
 * second pipe or another program, as references.
 *
 * <p><b>The hazard.</b> Whoever stores something into such a page changes what the reader will see, at any time until the last reference is
 * gone, and for most ways a page can take the kernel has no means to say when that is. An empty pipe does not mean that the page is free: a
 * reader that spliced or tee'd it still has it. Nor does an acknowledged socket. Programs that reused memory on such signs have sent
 * corrupt data.
 *
 * <p><b>The answer.</b> From the moment it is lent, the memory cannot be reached from Java: the scope of its segment is closed. The pipe's
 * ledger counts how each byte leaves. Bytes that were read, or spliced to where they are copied, were let go of, and the loan is {@link
 * State#RELEASED}; bytes that went anywhere else are {@link State#FORWARDED}, for good. {@link #reclaim} then gives the same pages again, or
 * in their place fresh ones.
 *
 * <p>What is closed is every alias that Java's own rules know of. An address taken as a number, and a segment that {@link
 * MemorySegment#reinterpret(java.lang.foreign.Arena, Consumer)} or native code made from it under another scope, is outside of this
 * protection: who makes one with these restricted methods must not store through it while the memory is lent.
 *
 * <p>A loan that is dropped leaks nothing; its memory goes with its arena. To be used by the arena's thread; {@link #state}, {@link #await}
 * and the rest of what only asks may be called by any.
 */
public final class Loan {
    private static final long FIRST_PAUSE_NANOS = 20_000;
    private static final long LONGEST_PAUSE_NANOS = 1_000_000;
    private static final long PATIENCE_NANOS = 100_000_000;

    /** Where lent memory is. */
    public enum State {
        /** Some of it is in the pipe or, where it was lent to a socket, with the socket. */
        IN_PIPE,
        /** It was copied out, or the kernel reported that it is done with it: nobody holds its pages any more. */
        RELEASED,
        /** Some of it was passed on by reference, or into the unknown: somebody may hold its pages for as long as he likes. */
        FORWARDED
    }

    /** By which call memory was handed over. */
    public enum Method {
        /** {@code vmsplice}, to a pipe. */
        VMSPLICE,
        /** {@code sendmsg} with MSG_ZEROCOPY, to a socket. */
        MSG_ZEROCOPY,
        /** {@code IORING_OP_SEND_ZC} or {@code IORING_OP_SENDMSG_ZC} of io_uring, to a socket. */
        SEND_ZC,
        /** {@code write} or {@code sendmsg}, which copy. */
        WRITE
    }

    /** What holds a part of this loan: all of it, unless it went in by pieces. */
    private static final class Piece {
        final Hold hold;
        final @Nullable Piece earlier;

        /** Where this piece and the earlier ones are; kept with the piece, because whoever looks may be overtaken by the next. */
        volatile State settled = State.IN_PIPE;

        Piece(Hold hold, @Nullable Piece earlier) {
            this.hold = hold;
            this.earlier = earlier;
        }
    }

    private final PageArena arena;
    private final Pages pages;
    private final Lending to;
    private final long address;
    private final long requested;
    private volatile long accepted;
    private volatile @Nullable Piece latest;
    private boolean reclaimed;

    private Loan(PageArena arena, Pages pages, MemorySegment segment, Lending to) {
        this.arena = arena;
        this.pages = pages;
        this.to = to;
        this.address = segment.address();
        this.requested = segment.byteSize();
    }

    /** Lends the segment; null, with the segment as it was, if there was no room and {@code wait} is false. */
    static @Nullable Loan make(PageArena arena, Pages pages, MemorySegment segment, Lending to, boolean wait)
            throws IOException {
        Loan loan = new Loan(arena, pages, segment, to);
        boolean untouched = false;
        try {
            loan.lendMore(wait);
            untouched = loan.isUntouched();
        } catch (IOException e) {
            untouched = loan.isUntouched(); // or there would be no exception
            throw e;
        } finally {
            // No store can come between: the scope is confined to this thread. After an error nobody knows what the
            // pipe has, so that is as good as lent.
            if (!untouched) {
                loan.reclaimed = !pages.closeToJava();
            }
        }
        return untouched ? null : loan;
    }

    // A send that failed may be held all the same, until the kernel has said that it is done with it.
    private boolean isUntouched() {
        return accepted == 0 && latest == null;
    }

    /**
     * Lends several segments, of different allocations, in as few calls as may be; waits until all are taken.
     *
     * @return a loan for each segment of which anything went in
     */
    static List<Loan> makeAll(PageArena arena, List<Pages> pages, List<MemorySegment> segments, Lending to)
            throws IOException {
        List<Loan> loans = new ArrayList<>();
        for (int i = 0; i < segments.size(); i++) {
            loans.add(new Loan(arena, pages.get(i), segments.get(i), to));
        }
        int made = 0;
        boolean isKnown = false;
        try {
            // Invariant: the loans before made are complete, and nothing of the others was lent.
            while (made < loans.size()) {
                made += lendTogether(loans.subList(made, Math.min(loans.size(), made + Syscalls.MAX_RANGES)), to);
            }
            isKnown = true;
        } catch (IOException e) {
            isKnown = true;
            if (loans.getFirst().accepted == 0) {
                throw e;
            }
        } finally {
            for (Loan loan : loans) {
                if (!loan.isUntouched() || !isKnown) {
                    loan.reclaimed = !loan.pages.closeToJava();
                }
            }
        }
        loans.removeIf(loan -> loan.accepted == 0);
        return List.copyOf(loans);
    }

    /** How many of these loans are complete after one call for all and, if the pipe filled within one, further calls for that one. */
    private static int lendTogether(List<Loan> loans, Lending to) throws IOException {
        long[] addresses = loans.stream().mapToLong(loan -> loan.address).toArray();
        long[] lengths = loans.stream().mapToLong(loan -> loan.requested).toArray();
        @Nullable Hold[] lent = new Hold[lengths.length];
        long rest = to.lend(addresses, lengths, lent);
        int done = 0;
        for (int i = 0; i < lent.length && rest > 0; i++) {
            Loan loan = loans.get(i);
            loan.accepted = Math.min(rest, lengths[i]);
            rest -= loan.accepted;
            Hold hold = lent[i];
            if (hold != null) {
                loan.entered(hold);
            }
            loan.lendMore(true);
            done += complete(loan);
        }
        return done;
    }

    private static int complete(Loan loan) throws IOException {
        if (loan.accepted < loan.requested) {
            throw new ClosedChannelException();
        }
        return 1;
    }

    @SuppressWarnings("NonAtomicVolatileUpdate") // only the arena's thread writes it
    private long lendMore(boolean wait) throws IOException {
        long before = accepted;
        try {
            while (accepted < requested) {
                long n = to.lend(address + accepted, requested - accepted, wait, this::entered);
                accepted += n;
                if (n == 0 || !wait) {
                    break;
                }
            }
        } catch (IOException e) {
            // What went in is a loan all the same; what it was lent to says to its next user what is wrong with it.
            if (accepted == before) {
                throw e;
            }
        }
        return accepted - before;
    }

    private void entered(Hold hold) {
        latest = new Piece(hold, latest);
    }

    /**
     * Where the memory is now. RELEASED and FORWARDED are final, unless {@link #tryLendRest} lends more.
     *
     * @return the state; never RELEASED without proof
     */
    public State state() {
        Piece last = latest;
        if (last == null) {
            return State.RELEASED;
        }
        State state = last.settled;
        if (state == State.IN_PIPE) {
            state = look(last);
            if (state != State.IN_PIPE) {
                last.settled = state;
            }
        }
        return state;
    }

    private State look(Piece last) {
        boolean forwarded = false;
        for (Piece piece = last; piece != null; piece = piece.earlier) {
            if (piece.settled == State.IN_PIPE) {
                switch (piece.hold.place()) {
                    case IN_PIPE -> {
                        return State.IN_PIPE;
                    }
                    case FORWARDED -> forwarded = true;
                    case RELEASED -> {}
                }
            } else {
                return forwarded ? State.FORWARDED : piece.settled;
            }
        }
        return forwarded ? State.FORWARDED : State.RELEASED;
    }

    /**
     * Waits until all that was accepted has left the pipe, or can no longer leave it because the pipe was closed; where it was sent, until
     * the kernel has reported that it is done with it, or can no longer be asked because the sender was closed. On a virtual thread the wait
     * holds no carrier.
     *
     * @return RELEASED or FORWARDED
     * @throws InterruptedException if the thread is interrupted; the loan is as it was
     */
    public State await() throws InterruptedException {
        long pause = FIRST_PAUSE_NANOS;
        State state;
        while ((state = state()) == State.IN_PIPE) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            Hold last = Objects.requireNonNull(latest).hold;
            // Readers within this program wake the waiter; of others the kernel has to be asked, more and more seldom.
            last.awaitChange(last.mustBeAsked() ? pause : PATIENCE_NANOS);
            pause = Math.min(2 * pause, LONGEST_PAUSE_NANOS);
        }
        return state;
    }

    /**
     * Ends the loan and opens the memory to Java again, as a new segment over the whole allocation. After RELEASED it is the same pages with
     * what was in them; after FORWARDED it is fresh ones, all zero, at the same address, and whoever holds the old ones keeps them as they
     * were.
     *
     * @return a segment of the size that was allocated
     * @throws IllegalStateException if it is still in the pipe, or was reclaimed before, or the arena is closed
     * @throws WrongThreadException if this is not the arena's thread
     */
    public MemorySegment reclaim() {
        arena.requireUsable();
        if (reclaimed) {
            throw new IllegalStateException(
                    "this memory is open already: it was reclaimed before, or a native call kept it open");
        }
        State state = state();
        if (state == State.IN_PIPE) {
            throw new IllegalStateException(
                    "lent memory is still in the pipe, or with the socket, where its reader would see what is stored in it: await() first");
        }
        if (state == State.FORWARDED) {
            pages.replace();
        }
        reclaimed = true;
        return arena.reopen(pages);
    }

    /**
     * Lends what there was no room for, as far as there is room now.
     *
     * @return bytes lent by this call; 0 if there is no room, or nothing was left to lend
     * @throws IOException as {@link PageArena#tryLend}
     * @throws IllegalStateException if the loan was reclaimed, or the arena is closed
     * @throws WrongThreadException if this is not the arena's thread
     */
    public long tryLendRest() throws IOException {
        arena.requireUsable();
        if (reclaimed) {
            throw new IllegalStateException("the loan has ended: its memory was reclaimed");
        }
        return accepted == requested ? 0 : lendMore(false);
    }

    /**
     * How much of the segment was taken.
     *
     * @return bytes, from the segment's start
     */
    public long accepted() {
        return accepted;
    }

    /**
     * How much was to be lent.
     *
     * @return the segment's size in bytes
     */
    public long requested() {
        return requested;
    }

    /**
     * Which of the kernel's ways this loan met. Of memory that was lent to a socket it is known when the loan is released: until then it is
     * REFERENCES unless all of it was copied at once.
     *
     * @return REFERENCES if the pipe or the socket got the pages; COPIES if they were copied, by the kernel or by {@code write}; DENIED if
     *     vmsplice is denied and they were written
     */
    public Kernel.Outcome regime() {
        Piece last = latest;
        if (last == null || last.hold.means() == Hold.Means.VMSPLICE) {
            return Kernel.observed().vmsplice().outcome();
        }
        for (Piece piece = last; piece != null; piece = piece.earlier) {
            if (!piece.hold.isCopied()) {
                return Kernel.Outcome.REFERENCES;
            }
        }
        return Kernel.Outcome.COPIES;
    }

    /**
     * By which call the memory was handed over; where several were needed, the last that was to avoid a copy.
     *
     * @return WRITE if none of it was lent by reference
     */
    public Method method() {
        Method method = Method.WRITE;
        for (Piece piece = latest; piece != null && method == Method.WRITE; piece = piece.earlier) {
            method = switch (piece.hold.means()) {
                case VMSPLICE -> Method.VMSPLICE;
                case MSG_ZEROCOPY -> Method.MSG_ZEROCOPY;
                case SEND_ZC -> Method.SEND_ZC;
                case WRITE -> Method.WRITE;
            };
        }
        return method;
    }

    /** The program vouches for it that nobody will look at what was accepted any more. */
    void acknowledged(Lending by) {
        if (!by.equals(to)) {
            throw new IllegalArgumentException("this memory was lent to " + to + ", not to " + by);
        }
        Piece last = latest;
        if (last != null) {
            last.settled = State.RELEASED;
        }
    }

    /**
     * The state and the amount.
     *
     * @return such as {@code 4096 bytes, IN_PIPE}
     */
    @Override
    public String toString() {
        return accepted + " bytes, " + state();
    }
}
