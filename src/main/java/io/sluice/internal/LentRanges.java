package io.sluice.internal;

import io.sluice.internal.Ledger.Entry;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/**
 * The ranges of a pipe that hold lent memory, in the order of their positions; some of the first may have left.
 *
 * <p>One thread at a time changes the list, because it is alone in the pipe's entering gate. Another, which is alone in the leaving gate, may
 * run through it meanwhile. A range is in the list before its memory is in the pipe, so who takes memory out finds its range: the kernel's
 * own lock on the pipe lies between the two.
 */
final class LentRanges {
    private static final VarHandle FIRST;
    private static final VarHandle LAST;
    private static final VarHandle NEXT;

    static {
        try {
            MethodHandles.Lookup lookup = MethodHandles.lookup();
            FIRST = lookup.findVarHandle(LentRanges.class, "first", Entry.class);
            LAST = lookup.findVarHandle(LentRanges.class, "last", Entry.class);
            NEXT = lookup.findVarHandle(Entry.class, "next", Entry.class);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }

    private volatile @Nullable Entry first;
    private volatile @Nullable Entry last;

    /** Adds the one behind all others, and drops those in front that are settled or lie before {@code gone}. */
    void add(Entry entry, long gone) {
        Entry head = first;
        // Invariant: all before head are dropped, and first says so unless head is null.
        while (head != null && (head.settled || head.end <= gone)) {
            Entry passed = head;
            head = passed.next;
            if (head != null) {
                FIRST.setRelease(this, head);
                NEXT.setRelease(passed, null); // a loan that is kept would keep all later ones
            }
        }
        Entry before = last;
        if (head == null || before == null) {
            FIRST.setRelease(this, entry);
        } else {
            NEXT.setRelease(before, entry);
        }
        LAST.setRelease(this, entry);
    }

    /** Removes one of which nothing was lent. */
    void remove(Entry entry) {
        Entry before = null;
        for (Entry e = first; e != null && e != entry; e = e.next) {
            before = e;
        }
        if (last == entry) {
            last = before;
        }
        if (before == null) {
            first = entry.next;
        } else {
            before.next = entry.next;
        }
    }

    /** What lies between these positions, or touches what does, is passed on by reference. */
    void forward(long from, long to) {
        Entry e = first;
        // Invariant: those before e that are still in the list and touch the positions are marked.
        while (e != null) {
            if (e.start < to && e.end > from) {
                e.forwarded = true;
            }
            Entry next = e.next;
            // Without a next it is the last, or was dropped meanwhile; then those behind it are found from the front.
            e = next != null || e == last ? next : first;
        }
    }
}
