package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.PipeSink;
import io.sluice.internal.MemoryCalls;
import io.sluice.loan.FrozenPages;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/**
 * Bytes that repeat for ever, laid out in frozen pages so that they can be lent to a pipe, or written, from any place in them.
 *
 * <p>The pages hold whole repetitions, and where that is possible a whole number of pages. They begin at a page, so a pipe that is filled
 * from them has no slot that is not full, and none is needed beyond its capacity.
 */
final class Pattern {
    /** Where it is small enough, memory for so much, so that one write from it is worth a call. */
    private static final long ENOUGH = 64 << 10;

    private final long period;
    private final FrozenPages pages;
    private final MemorySegment memory;

    private Pattern(long period, FrozenPages pages) {
        this.period = period;
        this.pages = pages;
        this.memory = pages.segment();
    }

    /** The pattern that repeats {@code bytes}, for a pipe of {@code capacity} bytes. */
    static Pattern of(MemorySegment bytes, long capacity) {
        long period = bytes.byteSize();
        if (period == 0) {
            throw new IllegalArgumentException("a pattern has at least one byte");
        }
        return new Pattern(period, FrozenPages.filled(size(period, capacity), memory -> repeat(bytes, memory)));
    }

    private static long size(long period, long capacity) {
        long wholePages = wholePages(period);
        return wholePages <= capacity
                ? Math.max(1, Math.min(ENOUGH, capacity) / wholePages) * wholePages
                : Math.max(1, capacity / period) * period;
    }

    /** The least that is both whole repetitions and whole pages. */
    private static long wholePages(long period) {
        return period / gcd(period, MemoryCalls.pageSize()) * MemoryCalls.pageSize();
    }

    private static long gcd(long a, long b) {
        return b == 0 ? a : gcd(b, a % b);
    }

    private static void repeat(MemorySegment bytes, MemorySegment into) {
        into.copyFrom(bytes);
        // Invariant: the first done bytes are whole repetitions.
        for (long done = bytes.byteSize(); done < into.byteSize(); ) {
            long n = Math.min(done, into.byteSize() - done);
            MemorySegment.copy(into, 0, into, done, n);
            done += n;
        }
    }

    /** Which byte of the pattern stands at this place of what repeats it. */
    long phase(long offset, long further) {
        return (offset % period + further % period) % period;
    }

    /** How far it is from a phase to the pattern's next beginning. */
    long untilBeginning(long phase) {
        return phase == 0 ? 0 : period - phase;
    }

    /** The whole repetitions in so many bytes, or all of them if there is none. */
    long whole(long bytes) {
        return bytes < period ? bytes : bytes - bytes % period;
    }

    /** Up to {@code most} bytes from a phase on. */
    MemorySegment from(long phase, long most) {
        return memory.asSlice(phase, Math.min(most, memory.byteSize() - phase));
    }

    /** Copies {@code n} bytes from a phase on. */
    void copy(long phase, MemorySegment into, long at, long n) {
        long from = phase;
        for (long done = 0; done < n; from = 0) {
            long some = Math.min(n - done, memory.byteSize() - from);
            MemorySegment.copy(memory, from, into, at + done, some);
            done += some;
        }
    }

    /** Fills an empty pipe from the beginning, by reference where the kernel does that and by writing where it does not. */
    long fill(PipeSink sink, long capacity) throws IOException {
        // As few pages as may be, again and again, because it is their reference counts that a response costs.
        long lent = Math.min(wholePages(period), memory.byteSize());
        long filled = 0;
        // Invariant: the pipe holds the first filled bytes of the repeated pattern.
        while (filled < capacity) {
            long at = filled % lent;
            long n = put(sink, at, Math.min(lent - at, capacity - filled));
            if (n == 0) {
                break;
            }
            filled += n;
        }
        return filled;
    }

    private long put(PipeSink sink, long at, long length) throws IOException {
        long n = 0;
        try {
            n = pages.tryLend(sink, at, length);
        } catch (ErrnoException e) {
            if (!e.call().equals("vmsplice")) {
                throw e;
            }
        }
        return n > 0 ? n : sink.tryWrite(memory.asSlice(at, length));
    }
}
