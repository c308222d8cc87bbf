package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.flow.RelayException.Reason;
import io.sluice.flow.RelayException.Side;
import io.sluice.internal.FdAccess;
import io.sluice.internal.Waiter;
import java.io.IOException;
import java.nio.channels.SelectionKey;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/** One lane, or two between the same peers, and what they have in common: how they wait, and how they end. */
final class Lanes {
    /** Attempts that move nothing after a wait, before a pause is made between them: so that whatever makes them is no spin. */
    private static final int PATIENCE = 8;

    /** How often a virtual thread yields in a row before it parks. */
    private static final int MOST_YIELDS = 8;

    private static final long LONGEST_PAUSE_NANOS = 1_000_000;

    private final Peer first;
    private final Peer second;
    private final Lane forth;
    private final @Nullable Lane back;
    private final Spare spare;
    private final List<Fd> owned;
    private final long idleNanos;
    private final RelayEvent event = new RelayEvent();

    private int firstInterest;
    private int secondInterest;
    private boolean ended;
    private @Nullable RelayException failure;

    /** What had moved when something last did, and when that was. */
    private long moved = -1;

    private long movedAt;

    /** @param owned descriptors to be closed at the end */
    Lanes(Peer first, Peer second, boolean bothWays, List<Fd> owned, RelayOptions options) {
        this.first = first;
        this.second = second;
        this.spare = new Spare(options.pool);
        this.forth = new Lane(Way.FORTH, first, second, spare);
        this.back = bothWays ? new Lane(Way.BACK, second, first, spare) : null;
        this.owned = owned;
        this.idleNanos = options.idleNanos;
        event.begin();
    }

    /** Moves what can be moved now, in both directions. */
    Relay.Next step() throws RelayException {
        return step(Waiter.EITHER);
    }

    /** As {@link #step()}, but for a lane that waits for neither of these sides, which would look in vain. */
    private Relay.Next step(int ready) throws RelayException {
        if (ended) {
            if (failure != null) {
                throw failure;
            }
            return Relay.Next.DONE;
        }
        if (isDue(forth, ready)) {
            advance(forth);
        }
        if (back != null && isDue(back, ready)) {
            advance(back);
        }
        if (forth.hasEnded() && (back == null || back.hasEnded())) {
            if (failure != null) {
                throw ended(failure);
            }
            finish("DONE");
            return Relay.Next.DONE;
        }
        try {
            // Nobody who waits for a source holds a pipe, so a thousand idle connections hold none.
            spare.giveBack();
        } catch (IOException e) {
            throw ended(new RelayException(Reason.FAILED, forth, Side.PIPE, "failed", e));
        }
        firstInterest = interest(forth, OneWay.Next.SOURCE_READABLE) | interest(back, OneWay.Next.SINK_WRITABLE);
        secondInterest = interest(forth, OneWay.Next.SINK_WRITABLE) | interest(back, OneWay.Next.SOURCE_READABLE);
        checkIdle();
        return forth.next() == OneWay.Next.AGAIN || (back != null && back.next() == OneWay.Next.AGAIN)
                ? Relay.Next.AGAIN
                : Relay.Next.WAIT;
    }

    private static boolean isDue(Lane lane, int ready) {
        return switch (lane.next()) {
            case AGAIN, DONE -> true;
            case SOURCE_READABLE -> (ready & (lane.way == Way.FORTH ? Waiter.FIRST : Waiter.SECOND)) != 0;
            case SINK_WRITABLE -> (ready & (lane.way == Way.FORTH ? Waiter.SECOND : Waiter.FIRST)) != 0;
        };
    }

    // Where a peer takes no more, what it had sent before that is still delivered to the other, but the end is not
    // passed on any more: after a reset, a source says "end" too.
    private void advance(Lane lane) throws RelayException {
        if (lane.hasEnded()) {
            return;
        }
        try {
            lane.step(failure == null);
        } catch (RelayException e) {
            lane.release();
            if (failure == null) {
                failure = e;
            } else {
                failure.addSuppressed(e);
            }
            if (e.side() != Side.SINK || e.reason() != Reason.RESET) {
                throw ended(failure);
            }
        }
    }

    private static int interest(@Nullable Lane lane, OneWay.Next next) {
        if (lane == null || lane.next() != next) {
            return 0;
        }
        return next == OneWay.Next.SOURCE_READABLE ? SelectionKey.OP_READ : SelectionKey.OP_WRITE;
    }

    private void checkIdle() throws RelayException {
        if (idleNanos == Long.MAX_VALUE) {
            return;
        }
        long total = total();
        long now = System.nanoTime();
        if (total != moved) {
            moved = total;
            movedAt = now;
        } else if (now - movedAt >= idleNanos) {
            throw ended(waitingEnded(Reason.IDLE, "nothing moved for " + Duration.ofNanos(idleNanos), null));
        }
    }

    private RelayException waitingEnded(Reason reason, String what, @Nullable IOException cause) {
        Lane waiting = back != null && (forth.hasEnded() || back.next() == OneWay.Next.SINK_WRITABLE) ? back : forth;
        Side side = waiting.next() == OneWay.Next.SINK_WRITABLE ? Side.SINK : Side.SOURCE;
        RelayException e = new RelayException(reason, waiting, side, what, cause);
        if (failure != null) {
            failure.addSuppressed(e);
            return failure;
        }
        return e;
    }

    private long total() {
        return forth.taken() + forth.delivered() + (back == null ? 0 : back.taken() + back.delivered());
    }

    /** Nanoseconds until {@link #step} will find the relay idle, if nothing moves until then. */
    long nanosToIdle() {
        if (idleNanos == Long.MAX_VALUE || moved < 0) {
            return idleNanos;
        }
        return Math.max(0, movedAt + idleNanos - System.nanoTime());
    }

    /** Steps and waits until the end. */
    void run() throws RelayException {
        boolean virtual = Thread.currentThread().isVirtual();
        long before = -1;
        int fruitless = 0;
        int yields = 0;
        int ready = Waiter.EITHER;
        for (Relay.Next next; (next = step(ready)) != Relay.Next.DONE; fruitless++) {
            ready = Waiter.EITHER;
            if (Thread.currentThread().isInterrupted()) {
                throw ended(waitingEnded(Reason.INTERRUPTED, "interrupted", null));
            }
            long total = total();
            if (total != before) {
                before = total;
                fruitless = 0;
            }
            if (virtual && yields < MOST_YIELDS && (fruitless == 0 || next == Relay.Next.AGAIN)) {
                yields++;
                yieldCarrier();
            } else if (next == Relay.Next.WAIT) {
                yields = 0;
                ready = await(fruitless);
            } else if (virtual) {
                yields = 0;
                LockSupport.parkNanos(1);
            }
        }
    }

    // Often that is all the other side needs, and parking costs ten times as much. But threads that only ever yield
    // hand
    // their carrier to each other, and those that were unparked elsewhere do not get it: hence MOST_YIELDS.
    @SuppressWarnings("ThreadPriorityCheck") // a measured saving, not what correctness rests on
    private static void yieldCarrier() {
        Thread.yield();
    }

    /** The sides that were seen to be ready. */
    private int await(int fruitless) throws RelayException {
        if (fruitless > PATIENCE) {
            LockSupport.parkNanos(Math.min(1000L << Math.min(fruitless - PATIENCE, 10), LONGEST_PAUSE_NANOS));
        }
        try {
            return FdAccess.get().awaitEither(first.end, firstInterest, second.end, secondInterest, nanosToIdle());
        } catch (IOException e) {
            throw ended(waitingEnded(Reason.FAILED, "waiting failed", e));
        }
    }

    private RelayException ended(RelayException e) {
        failure = e;
        finish(e.reason().name());
        return e;
    }

    /** Ends the relay where it is. Does nothing the second time. */
    void close() {
        if (!ended) {
            failure = waitingEnded(Reason.CLOSED, "closed", null);
            finish("CLOSED");
        }
    }

    private void finish(String outcome) {
        ended = true;
        firstInterest = 0;
        secondInterest = 0;
        long undelivered = forth.pending() + (back == null ? 0 : back.pending());
        forth.release();
        if (back != null) {
            back.release();
        }
        try {
            spare.giveBack();
        } catch (IOException e) {
            // It was closed, or will be when it is found unreachable; there was nothing in it.
        }
        owned.forEach(Fd::close);
        if (event.isEnabled()) {
            event.first = first.toString();
            event.second = second.toString();
            event.bothWays = back != null;
            event.deliveredForth = forth.delivered();
            event.deliveredBack = back == null ? 0 : back.delivered();
            event.undelivered = undelivered;
            event.copies = forth.copies() || (back != null && back.copies());
            event.outcome = outcome;
            event.commit();
        }
    }

    int firstInterest() {
        return firstInterest;
    }

    int secondInterest() {
        return secondInterest;
    }

    Lane lane(Way way) {
        if (way == Way.FORTH) {
            return forth;
        } else if (back == null) {
            throw new IllegalArgumentException("this relay has one direction");
        }
        return back;
    }

    @Override
    public String toString() {
        return first + (back == null ? " → " : " ↔ ") + second;
    }
}
