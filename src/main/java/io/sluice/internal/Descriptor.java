package io.sluice.internal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.ReentrantLock;

/**
 * A descriptor number that nobody can use after it was closed, or close while it is in use.
 *
 * <p>The hazard is the number: the kernel hands it out again at once, and a call that still holds it reaches a stranger's file. So every
 * call is made between {@link #enter} and {@link #exit}; closing lets no further call in, and the number is given back by whoever leaves
 * last. Waiting happens outside, so that closing is not delayed by it; those who wait are woken instead.
 */
public final class Descriptor extends Gate {
    private static final VarHandle GIVEN_BACK;

    static {
        try {
            GIVEN_BACK = MethodHandles.lookup().findVarHandle(Descriptor.class, "givenBack", boolean.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private final int number;
    private final Runnable giveBack;

    @SuppressWarnings("unused")
    private volatile boolean givenBack;

    private volatile boolean polled;

    private final ReentrantLock waitersLock = new ReentrantLock();
    private final List<Waiter> waiters = new ArrayList<>(0);

    /**
     * A descriptor that is given back by {@code giveBack}, once.
     *
     * @param number the descriptor
     * @param giveBack run when it is closed and no call is in progress
     */
    public Descriptor(int number, Runnable giveBack) {
        this.number = number;
        this.giveBack = giveBack;
    }

    /** A descriptor that is closed when it is given back. */
    public static Descriptor owned(int number) {
        return new Descriptor(number, () -> Syscalls.close(number));
    }

    /** The number; to be passed to the kernel between {@link #enter} and {@link #exit}, or for waiting, where a stray wake-up does no harm. */
    public int number() {
        return number;
    }

    /** Closes; wakes all who wait. Does nothing the second time. */
    public void close() {
        if (shut()) {
            wake();
        }
    }

    /** Has all who wait look again. */
    public void wake() {
        waitersLock.lock();
        try {
            waiters.forEach(Waiter::signal);
        } finally {
            waitersLock.unlock();
        }
    }

    @Override
    protected void lastLeft() {
        if (GIVEN_BACK.compareAndSet(this, false, true)) {
            if (polled) {
                Poller.forget(number);
                ErrorWatch.forget(number);
            }
            giveBack.run();
        }
    }

    /** The number is about to be registered with a poller, to be forgotten before it is given back. */
    void markPolled() {
        polled = true;
    }

    /** Has {@link #close} wake {@code waiter}; to be followed by a look at {@link #isOpen}. */
    void add(Waiter waiter) {
        waitersLock.lock();
        try {
            waiters.add(waiter);
        } finally {
            waitersLock.unlock();
        }
    }

    void remove(Waiter waiter) {
        waitersLock.lock();
        try {
            waiters.remove(waiter);
        } finally {
            waitersLock.unlock();
        }
    }
}
