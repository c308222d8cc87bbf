package io.sluice.loan;

import io.sluice.Kernel;
import io.sluice.internal.Hold;
import io.sluice.internal.Lending;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
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
        /** {@code send} with MSG_ZEROCOPY, to a socket. */
        MSG_ZEROCOPY,
        /** {@code IORING_OP_SEND_ZC} or {@code IORING_OP_SENDMSG_ZC} of io_uring, to a socket. */
        SEND_ZC,
        /** {@code write} or {@code sendmsg}, which copy. */
        WRITE
    }

    private static final VarHandle ACCEPTED;
    private static final VarHandle LATEST;
    private static final VarHandle SETTLED;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            ACCEPTED = lookup.findVarHandle(Loan.class, "accepted", long.class);
            LATEST = lookup.findVarHandle(Loan.class, "latest", Piece.class);
            SETTLED = lookup.findVarHandle(Piece.class, "settled", State.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** What holds a part of this loan: all of it, unless it went in by pieces. */
    private static final class Piece {
        final Hold hold;
        final @Nullable Piece earlier;

        /**
         * Where this piece and the earlier ones went, or null while they may be in the pipe; kept with the piece, because whoever looks may be
         * overtaken by the next.
         */
        private volatile @Nullable State settled;

        Piece(Hold hold, @Nullable Piece earlier) {
            this.hold = hold;
            this.earlier = earlier;
        }

        void settle(State state) {
            SETTLED.setRelease(this, state);
        }

        // By a loop, because a large loan to a small pipe has very many pieces.
        State look() {
            State state = State.RELEASED;
            for (Piece piece = this; piece != null; piece = piece.earlier) {
                State known = piece.settled;
                if (known != null) {
                    state = state == State.FORWARDED ? state : known;
                    break;
                }
                switch (piece.hold.place()) {
                    case IN_PIPE -> {
                        return State.IN_PIPE;
                    }
                    case FORWARDED -> state = State.FORWARDED;
                    case RELEASED -> {}
                }
            }
            settle(state);
            return state;
        }
    }

    private final Pages pages;
    private final Lending to;

    /** What was to be lent; closed, except for its address and size. */
    private final MemorySegment lent;

    /** Written by the arena's thread, with {@link #latest}. */
    private volatile long accepted;

    private volatile @Nullable Piece latest;
    private boolean reclaimed;

    Loan(Pages pages, MemorySegment segment, Lending to) {
        this.pages = pages;
        this.to = to;
        this.lent = segment;
    }

    // A send that failed may be held all the same, until the kernel has said that it is done with it.
    boolean isUntouched() {
        return accepted == 0 && latest == null;
    }

    /** From here on Java reaches the memory through {@link #reclaim} alone, unless a native call keeps it open. */
    void closeToJava() {
        reclaimed = !pages.closeToJava();
    }

    long address() {
        return lent.address();
    }

    boolean isComplete() {
        return accepted == requested();
    }

    /** The first {@code n} bytes went in, together with those of other loans. */
    void accepted(long n, @Nullable Hold hold) {
        if (hold != null) {
            entered(hold);
        }
        ACCEPTED.setRelease(this, n);
    }

    /** Lends what was not accepted yet: all of it, or without {@code wait} what there is room for; the bytes that it lent. */
    long lendMore(boolean wait) throws IOException {
        long before = accepted;
        try {
            while (!isComplete()) {
                long n = to.lend(address() + accepted, requested() - accepted, wait, this::entered);
                ACCEPTED.setRelease(this, accepted + n);
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
        LATEST.setRelease(this, new Piece(hold, latest));
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
        State known = last.settled;
        return known != null ? known : last.look();
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
        pages.arena().requireUsable();
        if (reclaimed) {
            throw new IllegalStateException(
                    "reclaim(" + words()
                            + "): the memory is open already, because it was reclaimed before or a native call kept it open: use that segment");
        }
        State state = state();
        if (state == State.IN_PIPE) {
            throw new IllegalStateException(
                    "reclaim(" + words()
                            + "): it is still in the pipe, or with the socket, whose reader would see what is stored in it: await() first");
        }
        if (state == State.FORWARDED) {
            pages.replace();
        }
        reclaimed = true;
        return pages.arena().reopen(pages);
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
        pages.arena().requireUsable();
        if (reclaimed) {
            throw new IllegalStateException("tryLendRest(" + words()
                    + "): the loan has ended, because its memory was reclaimed: lend it again");
        }
        return isComplete() ? 0 : lendMore(false);
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
        return lent.byteSize();
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
            throw new IllegalArgumentException("acknowledge(" + words() + "): not lent to " + by);
        }
        Piece last = latest;
        if (last != null) {
            last.settle(State.RELEASED);
        }
    }

    private String words() {
        return accepted + " bytes lent to " + to;
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
