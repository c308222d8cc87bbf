package io.sluice.internal;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * How many bytes entered a pipe and left it by the library's own calls, and up to where the kernel was found to agree.
 *
 * <p>The pipe's ends are not known to be in no other hands: whoever runs as the same user can open it through {@code /proc}. So what was
 * counted is proof only after a comparison with the kernel's own count, of a moment at which no call of ours was under way. Where the two
 * differ, somebody else has taken bytes out or put some in.
 *
 * <p>Positions count the bytes that entered. Calls that put bytes in are alone in one gate, and those that take them out in another, so that
 * each number has one writer at a time.
 */
final class Count {
    private static final VarHandle ENTERED;
    private static final VarHandle LEFT;
    private static final VarHandle CONFIRMED;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            ENTERED = lookup.findVarHandle(Count.class, "entered", long.class);
            LEFT = lookup.findVarHandle(Count.class, "left", long.class);
            CONFIRMED = lookup.findVarHandle(Count.class, "confirmed", long.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    /** Longer than a call takes that lends 256 KiB; how long a spin takes differs between processors. */
    private static final int SPINS = 500;

    /** Bytes that may leave a busy pipe before the count is compared with the kernel's, if need be by waiting for a quiet moment. */
    private static final long TRUSTED = 16 << 20;

    private final Ledger.Level level;
    private final Gate entering;
    private final Gate leaving;
    private final Runnable differs;

    /** Written by calls that are alone in {@link #entering}. */
    private volatile long entered;

    /** Written by calls that are alone in {@link #leaving}, after the entries that it passes were marked. */
    private volatile long left;

    /** Up to where the kernel agreed that everything had left by our own calls. It may go back, which costs a comparison. */
    private volatile long confirmed;

    /** Somebody wants the count compared, and a call of ours was under way. */
    private volatile boolean asked;

    /**
     * @param differs run, with no call under way, when the kernel's count was found to be another
     */
    Count(Ledger.Level level, Gate entering, Gate leaving, Runnable differs) {
        this.level = level;
        this.entering = entering;
        this.leaving = leaving;
        this.differs = differs;
    }

    long entered() {
        return entered;
    }

    long left() {
        return left;
    }

    boolean isConfirmedUpTo(long position) {
        return confirmed >= position;
    }

    /** Bytes have entered. */
    void enter(long n) {
        ENTERED.setRelease(this, entered + n);
    }

    /** Bytes have left. */
    void leave(long n) {
        LEFT.setRelease(this, left + n);
    }

    /**
     * After a call that found the pipe empty. This spares asking the kernel: if all that had entered before the call has left, and nothing
     * has entered since, the count agreed at that moment.
     *
     * @param enteredBefore what had entered before that call was made
     */
    void foundEmpty(long enteredBefore) {
        // Whoever put bytes in before that moment is in the gate still, or has left it and counted them.
        if (left == enteredBefore && !entering.isTaken() && entered == enteredBefore) {
            CONFIRMED.setRelease(this, enteredBefore);
        }
    }

    /** Whether everything up to a position that is counted out did leave by our own calls, as far as can be known in a busy pipe. */
    boolean isRightUpTo(long position) {
        if (confirmed >= position || (compareInPassing() && confirmed >= position)) {
            return true;
        }
        if (leaving.tryTakeAlone()) {
            try {
                if (tryCompare()) {
                    return confirmed >= position;
                }
            } finally {
                leaving.exitAlone();
            }
        }
        // In a busy pipe a call is always under way, so there the count is trusted for a while after it was last found
        // right.
        long unconfirmed = left - confirmed;
        if (unconfirmed > TRUSTED / 2 && !asked) {
            asked = true; // not again each time, because the other end reads it
        }
        return unconfirmed <= TRUSTED;
    }

    /**
     * Compares without keeping calls of ours out. It holds if none was under way before the kernel was asked or after, and nothing was moved
     * in between.
     *
     * @return false if that is not known, or the counts differ
     */
    private boolean compareInPassing() {
        if (leaving.isTaken() || entering.isTaken()) {
            return false;
        }
        long out = left;
        long in = entered;
        boolean agrees = level.inPipe() == in - out;
        if (!agrees || leaving.isTaken() || entering.isTaken() || left != out || entered != in) {
            return false;
        }
        CONFIRMED.setRelease(this, out);
        return true;
    }

    /** Has the next call that takes bytes out compare. */
    void ask() {
        asked = true;
    }

    boolean isAsked() {
        return asked;
    }

    /**
     * To be called alone in the gate of calls that take bytes out, in place of those who asked and did not wait for it. In a pipe that is
     * never quiet the next call of the other end is under way when this one ends: without waiting for it, none would ever find the pipe so.
     */
    void answer() {
        for (int i = 0; i < SPINS && confirmed < left && entering.isTaken(); i++) {
            Thread.onSpinWait();
        }
        asked = confirmed < left && !tryCompare();
    }

    /** Compares, alone in the gate of calls that take bytes out, after waiting for a call that puts some in. */
    void compare() {
        entering.takeAlone();
        compareAlone();
    }

    private boolean tryCompare() {
        if (!entering.tryTakeAlone()) {
            return false;
        }
        compareAlone();
        return true;
    }

    private void compareAlone() {
        try {
            int inPipe = level.inPipe();
            if (inPipe == entered - left) {
                CONFIRMED.setRelease(this, left);
            } else if (inPipe >= 0) {
                differs.run();
            }
        } finally {
            entering.exitAlone();
        }
    }
}
