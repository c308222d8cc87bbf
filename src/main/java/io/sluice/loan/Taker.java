package io.sluice.loan;

import io.sluice.internal.Lending;

/**
 * What memory can be lent to besides a pipe, by {@link PageArena#lend(java.lang.foreign.MemorySegment, Taker)} and through a {@link
 * PageRing}: a sender to a socket. Not to be extended by programs.
 */
public abstract class Taker {
    final Lending lending;

    /**
     * For the library, which alone can make the argument.
     *
     * @param lending what does it
     */
    @SuppressWarnings("exports")
    protected Taker(Lending lending) {
        this.lending = lending;
    }

    /**
     * The program's own word that all which was accepted of a loan has arrived: its protocol has had an answer that the peer can only give
     * after having received it. The loan is {@link Loan.State#RELEASED} from now on, whatever the kernel still has to say.
     *
     * <p>To be called only where that is so. What the peer has received cannot change any more; what he has not received would.
     *
     * @param loan a loan that was made to this
     * @throws IllegalArgumentException if it was lent to something else
     */
    public void acknowledge(Loan loan) {
        loan.acknowledged(lending);
    }
}
