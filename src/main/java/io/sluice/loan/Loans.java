package io.sluice.loan;

import io.sluice.internal.Hold;
import io.sluice.internal.Lending;
import io.sluice.internal.Syscalls;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes loans: hands memory over, and closes to Java what was taken.
 *
 * <p>No store can come between the two, because an allocation's scope is confined to this thread. After an error of which nobody knows what
 * was taken before it, the memory is closed as if it had been.
 */
final class Loans {
    private Loans() {}

    /** Lends the segment; null, with the segment as it was, if there was no room and {@code wait} is false. */
    static @Nullable Loan make(Pages pages, MemorySegment segment, Lending to, boolean wait) throws IOException {
        Loan loan = new Loan(pages, segment, to);
        boolean untouched = false;
        try {
            loan.lendMore(wait);
            untouched = loan.isUntouched();
        } catch (IOException e) {
            untouched = loan.isUntouched(); // or there would be no exception
            throw e;
        } finally {
            if (!untouched) {
                loan.closeToJava();
            }
        }
        return untouched ? null : loan;
    }

    /**
     * Lends several segments, of different allocations, in as few calls as may be; waits until all are taken.
     *
     * @return a loan for each segment of which anything went in
     */
    static List<Loan> makeAll(List<Pages> pages, List<MemorySegment> segments, Lending to) throws IOException {
        List<Loan> loans = new ArrayList<>();
        for (int i = 0; i < segments.size(); i++) {
            loans.add(new Loan(pages.get(i), segments.get(i), to));
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
            if (loans.getFirst().accepted() == 0) {
                throw e;
            }
        } finally {
            for (Loan loan : loans) {
                if (!loan.isUntouched() || !isKnown) {
                    loan.closeToJava();
                }
            }
        }
        loans.removeIf(loan -> loan.accepted() == 0);
        return List.copyOf(loans);
    }

    /** How many of these loans are complete after one call for all and, if the pipe filled within one, further calls for that one. */
    private static int lendTogether(List<Loan> loans, Lending to) throws IOException {
        long[] addresses = loans.stream().mapToLong(Loan::address).toArray();
        long[] lengths = loans.stream().mapToLong(Loan::requested).toArray();
        @Nullable Hold[] lent = new Hold[lengths.length];
        long rest = to.lend(addresses, lengths, lent);
        int done = 0;
        for (int i = 0; i < lent.length && rest > 0; i++) {
            Loan loan = loans.get(i);
            long n = Math.min(rest, lengths[i]);
            loan.accepted(n, lent[i]);
            rest -= n;
            loan.lendMore(true);
            if (!loan.isComplete()) {
                throw new ClosedChannelException();
            }
            done++;
        }
        return done;
    }
}
