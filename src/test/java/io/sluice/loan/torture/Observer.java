package io.sluice.loan.torture;

import io.sluice.loan.Loan;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.function.Consumer;

/** A thread that asks loans of another thread where they are, at the worst of moments. */
final class Observer implements Runnable {
    /** A loan, and what was in the pipe of it when it was offered. */
    record Seen(Loan loan, Episode episode, long from, long to) {}

    private static final int LOOKS = 300;
    private static final Seen END = new Seen(null, null, 0, 0);

    private final ArrayBlockingQueue<Seen> queue = new ArrayBlockingQueue<>(4);
    private final Consumer<Throwable> failed;

    Observer(Consumer<Throwable> failed) {
        this.failed = failed;
    }

    /** To be looked at, unless there is enough to look at. */
    void offer(Seen loan) {
        queue.offer(loan);
    }

    void end() throws InterruptedException {
        queue.clear();
        queue.put(END);
    }

    @Override
    public void run() {
        try {
            for (Seen seen; (seen = queue.take()) != END; ) {
                Audit.hasLeft(seen.episode, seen.from, seen.to, seen.loan, settled(seen.loan));
            }
        } catch (Throwable t) {
            failed.accept(t);
        }
    }

    private static Loan.State settled(Loan loan) throws InterruptedException {
        for (int look = 0; look < LOOKS; look++) {
            Loan.State state = loan.state();
            if (state != Loan.State.IN_PIPE) {
                return state;
            }
            Thread.yield();
        }
        return loan.await();
    }
}
