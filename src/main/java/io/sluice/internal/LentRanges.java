package io.sluice.internal;

import io.sluice.internal.Ledger.Entry;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** The ranges of a pipe that hold lent memory, in the order of their positions; some of the first may have left. */
final class LentRanges {
    private final ReentrantLock lock = new ReentrantLock();
    private @Nullable Entry first;
    private @Nullable Entry last;

    /** Adds the one behind all others, and drops those in front that are settled or lie before {@code gone}. */
    void add(Entry entry, long gone) {
        lock.lock();
        try {
            while (first != null && (first.settled || first.end <= gone)) {
                Entry passed = first;
                first = passed.next;
                passed.next = null; // a loan that is kept would keep all later ones
            }
            if (first == null) {
                first = entry;
            } else if (last != null) {
                last.next = entry;
            }
            last = entry;
        } finally {
            lock.unlock();
        }
    }

    /** Removes one of which nothing was lent. */
    void remove(Entry entry) {
        lock.lock();
        try {
            Entry before = null;
            for (Entry e = first; e != null && e != entry; e = e.next) {
                before = e;
            }
            if (before == null) {
                first = entry.next;
            } else {
                before.next = entry.next;
            }
            if (last == entry) {
                last = before;
            }
        } finally {
            lock.unlock();
        }
    }

    /** What lies between these positions, or touches what does, is passed on by reference. */
    void forward(long from, long to) {
        lock.lock();
        try {
            for (Entry e = first; e != null; e = e.next) {
                if (e.start < to && e.end > from) {
                    e.forwarded = true;
                }
            }
        } finally {
            lock.unlock();
        }
    }
}
