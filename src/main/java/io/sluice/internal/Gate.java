package io.sluice.internal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Lets calls in until it is closed, and says when the last has left. A call may ask to be let in <em>alone</em>: then no other such call is
 * inside with it, though those that did not ask may be.
 *
 * <p>Both are one word, so that a call which needs both pays for one atomic operation on its way in and one on its way out. Not reentrant.
 */
public class Gate {
    private static final int CLOSED = 1 << 31;
    private static final int TAKEN = 1 << 30;
    private static final int QUEUED = 1 << 29;

    /** Some ten microseconds: longer than most calls take, and much less than being parked and woken. */
    private static final int SPINS = 400;

    private static final VarHandle STATE;

    static {
        try {
            STATE = MethodHandles.lookup().findVarHandle(Gate.class, "state", int.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /**
     * How many calls are inside, plus TAKEN while one of them is alone, QUEUED if the head of the queue is to be woken when it leaves, and
     * CLOSED once closed.
     */
    @SuppressWarnings("unused")
    private volatile int state;

    /** Held by the one call, of those that wait to be alone, whose turn is next. */
    private final ReentrantLock queue = new ReentrantLock();

    private volatile @Nullable Thread head;

    /** Whether calls are still let in. */
    public final boolean isOpen() {
        return state >= 0;
    }

    /**
     * Begins a call.
     *
     * @return false if the gate is closed; then there is nothing to exit from
     */
    public final boolean enter() {
        if ((int) STATE.getAndAdd(this, 1) >= 0) {
            return true;
        }
        exit();
        return false;
    }

    /** Ends a call that {@link #enter} began. */
    public final void exit() {
        leave(1);
    }

    /**
     * Begins a call that is alone, after waiting for the one before.
     *
     * @return false if the gate is closed; then there is nothing to exit from
     */
    public final boolean enterAlone() {
        int now = state;
        if ((now & (CLOSED | TAKEN)) == 0 && STATE.compareAndSet(this, now, now + TAKEN + 1)) {
            return true;
        }
        return queue(false);
    }

    /** As {@link #enterAlone}, whether the gate is closed or not: for looking at what calls inside may change. */
    public final void takeAlone() {
        queue(true);
    }

    /** As {@link #takeAlone}, without waiting. */
    public final boolean tryTakeAlone() {
        int now = state;
        // Invariant: now was the state, and nobody was alone then.
        while ((now & TAKEN) == 0) {
            int seen = (int) STATE.compareAndExchange(this, now, now + TAKEN + 1);
            if (seen == now) {
                return true;
            }
            now = seen;
        }
        return false;
    }

    /** Ends a call that was alone. */
    public final void exitAlone() {
        if ((leave(TAKEN + 1) & QUEUED) != 0) {
            LockSupport.unpark(head);
        }
    }

    private int leave(int amount) {
        int before = (int) STATE.getAndAdd(this, -amount);
        if ((before - amount & ~QUEUED) == CLOSED) {
            lastLeft();
        }
        return before;
    }

    private boolean queue(boolean evenIfClosed) {
        boolean interrupted = false;
        queue.lock();
        head = Thread.currentThread();
        try {
            for (int i = 0; i < SPINS && isTaken(); i++) {
                Thread.onSpinWait();
            }
            while (true) {
                int now = state;
                if (now < 0 && !evenIfClosed) {
                    return false;
                } else if ((now & TAKEN) == 0) {
                    if (STATE.compareAndSet(this, now, (now & ~QUEUED) + TAKEN + 1)) {
                        return true;
                    }
                } else if ((now & QUEUED) != 0 || STATE.compareAndSet(this, now, now | QUEUED)) {
                    LockSupport.park(this);
                    interrupted |= Thread.interrupted();
                }
            }
        } finally {
            head = null;
            queue.unlock();
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Whether a call is alone now. */
    final boolean isTaken() {
        return (state & TAKEN) != 0;
    }

    /** Whether calls wait to be alone. */
    public final boolean hasQueue() {
        return head != null || queue.hasQueuedThreads();
    }

    /**
     * Lets no further call in.
     *
     * @return false if it was closed before
     */
    protected final boolean shut() {
        int before = (int) STATE.getAndBitwiseOr(this, CLOSED);
        if ((before & ~QUEUED) == 0) {
            lastLeft();
        }
        return before >= 0;
    }

    /** The gate is closed and no call is inside. May be said more than once: a call that is turned away also passes through. */
    protected void lastLeft() {}
}
