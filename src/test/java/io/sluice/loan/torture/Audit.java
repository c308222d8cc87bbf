package io.sluice.loan.torture;

import io.sluice.Kernel;
import io.sluice.loan.Loan;
import java.util.ArrayDeque;
import java.util.Iterator;

/** Compares what loans say has become of them with what the readers did. */
final class Audit {
    private record Claim(Episode episode, long from, long to, Loan.State state, boolean exact) {}

    private final ArrayDeque<Claim> claims = new ArrayDeque<>();

    /** Fails if bytes that cannot have left the pipe are said to have left. Any thread may ask. */
    static void hasLeft(Episode episode, long from, long to, Loan loan, Loan.State state) {
        if (loan.regime() != Kernel.Outcome.REFERENCES) {
            return;
        }
        // What was lent after a part had been passed on does not change that the loan counts as passed on.
        long least = state == Loan.State.RELEASED ? to : from + 1;
        long limit = episode.limit;
        if (limit < least && !episode.closing) {
            throw new Corruption("a loan of bytes %d to %d is %s, but the reader has not gone beyond %d"
                    .formatted(from, to, state, limit));
        }
    }

    /** Notes what a loan says, to be compared as soon as the reader has said what he did. */
    void settled(Episode episode, long from, long to, Loan loan, Loan.State state) {
        if (loan.regime() == Kernel.Outcome.REFERENCES) {
            boolean exact = !episode.shared && !episode.closing;
            hasLeft(episode, from, to, loan, state);
            claims.add(new Claim(episode, from, to, state, exact));
        }
    }

    /** Compares what can be compared. */
    void compare() {
        for (Iterator<Claim> i = claims.iterator(); i.hasNext(); ) {
            Claim claim = i.next();
            if (claim.episode.taken >= claim.to) {
                i.remove();
                compare(claim);
            }
        }
    }

    /** Compares what is left, once no reader is at work. */
    void finish() {
        compare();
        for (Claim claim : claims) {
            if (claim.state == Loan.State.RELEASED) {
                throw new Corruption(
                        "a loan of bytes %d to %d was RELEASED, but the reader took no more than those before %d"
                                .formatted(claim.from, claim.to, claim.episode.taken));
            }
        }
        claims.clear();
    }

    private static void compare(Claim claim) {
        boolean forwarded = claim.episode.wasForwarded(claim.from, claim.to);
        if (forwarded && claim.state == Loan.State.RELEASED) {
            throw new Corruption("a loan of bytes %d to %d was RELEASED, but some of it was passed on"
                    .formatted(claim.from, claim.to));
        } else if (!forwarded && claim.state == Loan.State.FORWARDED && claim.exact) {
            throw new Corruption(
                    "a loan of bytes %d to %d was FORWARDED, but all of it was copied".formatted(claim.from, claim.to));
        }
    }
}
