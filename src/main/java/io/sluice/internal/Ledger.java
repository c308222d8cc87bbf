package io.sluice.internal;

import java.lang.invoke.VarHandle;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * What went into a pipe and how it left: the only witness to whether memory that was lent to the pipe is free again.
 *
 * <p>Positions count the bytes that entered through the library's sink. A byte that was read, or spliced to where it is copied, left for
 * good. A byte that was spliced anywhere else, or tee'd, was <em>forwarded by reference</em>: somebody may hold its page for ever, and no
 * counter says when he lets go.
 *
 * <p>Each call that moves bytes is alone in the {@link Gate} of its end, so that the order in which bytes are counted is the order in which
 * they moved. The pipe's ends are non-blocking, so it is inside for as long as one system call takes.
 *
 * <p>Where others hold an end too, positions do not tell all. A <em>foreign reader</em> takes bytes that are not counted, and whatever he
 * takes counts as forwarded unless the caller promised that he copies. A <em>foreign writer</em> puts bytes between ours. What remains true
 * whoever else reads or writes is that bytes leave in the order in which they entered: a range has left as soon as no more bytes are in the
 * pipe than entered through this sink after it.
 */
public final class Ledger {
    /** Where a lent range is. */
    public enum Place {
        IN_PIPE,
        RELEASED,
        FORWARDED
    }

    /** A range of positions that holds lent memory. */
    public final class Entry implements Hold {
        final long start;

        /** Set back once, before the loan is made, if less was lent. Whoever marks what he passes on may see it late, and marks too much. */
        long end;

        volatile boolean forwarded;

        /** Never false again; who sees it late keeps the entry for longer than it is needed. */
        boolean settled;

        /** The next in the list of {@link LentRanges}, which alone writes it. */
        volatile @Nullable Entry next;

        private Entry(long start, long end) {
            this.start = start;
            this.end = end;
        }

        /** Bytes in the range. */
        public long length() {
            return end - start;
        }

        @Override
        public Place place() {
            return Ledger.this.place(this);
        }

        @Override
        public void awaitChange(long nanos) {
            Ledger.this.awaitChange(this, nanos);
        }

        @Override
        public boolean mustBeAsked() {
            return isShared();
        }

        @Override
        public Means means() {
            return Means.VMSPLICE;
        }

        @Override
        public boolean isCopied() {
            return false;
        }
    }

    /** Asks the kernel how many bytes are in the pipe. */
    @FunctionalInterface
    public interface Level {
        /** {@code FIONREAD} on an end that is open, or negative if none is. */
        int inPipe();

        /** Whether anybody has an end open from which the pipe can be read. */
        default boolean isRead() {
            return true;
        }

        /** What the pipe is known by to who opens it through {@code /proc}. */
        default long inode() {
            return 0;
        }
    }

    /** A few microseconds. */
    private static final int SPINS = 200;

    private final Level level;
    private final Gate leaving;
    private final Count count;

    /** Somebody has the pipe open without our being told; what was promised of readers was not promised of him. */
    private volatile boolean strangers;

    private volatile boolean foreignReader;
    private volatile boolean foreignWriter;
    private volatile boolean readersCopy;
    private volatile boolean abandoned;

    private final LentRanges ranges = new LentRanges();
    private volatile boolean lends;

    /** Known as soon as it lends. */
    private volatile long inode;

    private final ConcurrentLinkedQueue<Thread> waiting = new ConcurrentLinkedQueue<>();

    /** Whether anybody ever waited. */
    private volatile boolean awaited;

    /**
     * The ledger of a pipe that is empty, or of which nothing is known.
     *
     * @param entering where each call that puts bytes in is alone
     * @param leaving where each call that takes bytes out, or duplicates them, is alone
     */
    public Ledger(Level level, Gate entering, Gate leaving) {
        this.level = level;
        this.leaving = leaving;
        this.count = new Count(level, entering, leaving, this::meetStrangers);
    }

    /** What the pipe is known by: its inode. */
    public long pipe() {
        return level.inode();
    }

    /** Bytes that are nobody's loan have entered. */
    public void enter(long n) {
        count.enter(n);
    }

    /**
     * Before a call that lends up to {@code length} bytes, behind {@code ahead} others that it lends: a reader may have taken them before the
     * call returns.
     */
    public Entry lend(long ahead, long length) {
        if (!lends) {
            lends = true;
            inode = level.inode();
            Reopenings.lends(inode, this);
        }
        long start = count.entered() + ahead;
        Entry entry = new Entry(start, start + length);
        ranges.add(entry, gone());
        return entry;
    }

    /** After that call: {@code n} of them did enter. */
    public void lent(Entry entry, long n) {
        long end = entry.start + n;
        if (entry.end != end) {
            entry.end = end;
        }
        count.enter(n);
        if (n == 0) {
            ranges.remove(entry);
        }
    }

    /** Bytes have left, by reference or for good. */
    public void leave(long n, boolean byReference) {
        if (byReference) {
            mark(n);
        }
        count.leave(n);
        answer();
    }

    /**
     * Bytes have left for good, and the call that took them found the pipe empty then.
     *
     * @param n bytes, or 0
     * @param enteredBefore what had entered before that call was made
     */
    public void leaveEmpty(long n, long enteredBefore) {
        count.leave(n);
        if (lends) {
            count.foundEmpty(enteredBefore);
        }
        answer();
    }

    // Who asks while a call takes bytes out does not wait for it to end. It answers in his place.
    private void answer() {
        if (lends) {
            VarHandle.fullFence(); // who is not seen below, because he asks or waits later, sees what has left
        }
        if (count.isAsked() && !isShared()) {
            count.answer();
        }
        signal();
    }

    /** Bytes were duplicated into another pipe, and are still in this one. */
    public void duplicate(long n) {
        mark(n);
    }

    /** Bytes that have entered so far. */
    public long entered() {
        return count.entered();
    }

    /** The end where bytes come out was given to somebody else, who may take them by reference. */
    public void shareSource() {
        foreignReader = true;
        signal();
    }

    /** The end where bytes go in was given to somebody else too. */
    public void shareSink() {
        foreignWriter = true;
        signal();
    }

    /** The caller promises that whoever else reads copies what he reads, and passes no page on. */
    public void promiseReadersCopy() {
        readersCopy = true;
    }

    /** Nothing that is in the pipe will leave through the library any more. */
    public void abandon() {
        abandoned = true;
        if (lends) {
            Reopenings.lendsNoMore(inode);
        }
        signal();
    }

    /**
     * Where the range is now. Once it has left it stays where it went; the caller keeps the answer, because a later foreign reader would
     * make this one more cautious.
     */
    public Place place(Entry entry) {
        long end = entry.end;
        boolean isCountedOut = !isShared() && count.left() >= end && count.isRightUpTo(end) && !isShared();
        Place place = isCountedOut ? whereItWent(entry) : ask(entry);
        entry.settled = place != Place.IN_PIPE;
        return place;
    }

    private Place ask(Entry entry) {
        if (!leaving.tryTakeAlone()) {
            count.ask();
            if (!leaving.tryTakeAlone()) {
                return Place.IN_PIPE; // or just taken, by a call that is yet to say how
            }
        }
        // With no call of ours under way, everything that we took out is counted, and marked if it was passed on.
        try {
            if (!isShared()) {
                count.compare();
            }
            if (isShared()) {
                return placeAmongOthers(entry);
            } else if (count.isConfirmedUpTo(entry.end)) {
                return whereItWent(entry);
            }
            return abandoned || level.inPipe() < 0 ? Place.FORWARDED : Place.IN_PIPE;
        } finally {
            leaving.exitAlone();
        }
    }

    private Place placeAmongOthers(Entry entry) {
        long enteredAfter =
                count.entered() - entry.end; // before the kernel is asked: what enters later is in its answer or not
        int inPipe = level.inPipe();
        if (inPipe < 0 || (abandoned && !foreignReader)) {
            return Place.FORWARDED;
        } else if (inPipe > enteredAfter) {
            return foreignReader && !level.isRead() ? Place.FORWARDED : Place.IN_PIPE;
        }
        return strangers || (foreignReader && !readersCopy) ? Place.FORWARDED : whereItWent(entry);
    }

    private static Place whereItWent(Entry entry) {
        return entry.forwarded ? Place.FORWARDED : Place.RELEASED;
    }

    /** An end is about to be closed, after which the kernel may no longer be asked. */
    public void closing() {
        if (lends && !isShared() && leaving.tryTakeAlone()) {
            try {
                count.compare();
            } finally {
                leaving.exitAlone();
            }
        }
    }

    // The kernel counts otherwise: somebody of whom nothing is known has opened the pipe too, through /proc or by
    // inheriting it.
    private void meetStrangers() {
        strangers = true;
        shareSource();
        shareSink();
    }

    /** Up to where everything has left, and is marked if it was passed on. */
    private long gone() {
        long counted = count.left();
        if (!isShared()) {
            return counted;
        } else if (!leaving.tryTakeAlone()) {
            return 0; // not to be waited for here: who has it may wait for the other end of a pipe
        }
        try {
            return count.entered() - Math.max(0, level.inPipe());
        } finally {
            leaving.exitAlone();
        }
    }

    /** Parks the thread until something has left or changed, or for {@code nanos}: a foreign reader tells nobody. */
    public void awaitChange(Entry entry, long nanos) {
        Thread thread = Thread.currentThread();
        if (!thread.isVirtual() && isLeftSoon()) {
            return;
        }
        awaited = true;
        waiting.add(thread);
        try {
            if (place(entry) == Place.IN_PIPE) {
                LockSupport.parkNanos(this, nanos);
            }
        } finally {
            waiting.remove(thread);
        }
    }

    // A call that is under way is often over before a thread that parks could be woken.
    private boolean isLeftSoon() {
        long before = count.left();
        for (int i = 0; i < SPINS && leaving.isTaken(); i++) {
            Thread.onSpinWait();
        }
        return count.left() != before;
    }

    /** Whether others read or write the pipe, so that waiting means asking the kernel now and then. */
    public boolean isShared() {
        return foreignReader || foreignWriter;
    }

    // Among others the positions of what leaves are not known, so every range is suspect.
    private void mark(long n) {
        if (lends) {
            long left = count.left();
            ranges.forward(isShared() ? 0 : left, isShared() ? Long.MAX_VALUE : left + n);
        }
    }

    private void signal() {
        if (awaited && !waiting.isEmpty()) {
            waiting.forEach(LockSupport::unpark);
        }
    }
}
