package io.sluice.loan;

import io.sluice.PipeSink;
import io.sluice.internal.Lending;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.Native;
import io.sluice.internal.PipeAccess;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.MemorySegment.Scope;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * An arena of pages that can be lent to a pipe or a socket.
 *
 * <p>It is a confined {@link Arena} like any other, except in three things. An allocation of a page or more has pages of its own and <b>a scope
 * of its own</b>, so that {@linkplain #lend lending} it ends just that allocation's life in Java; allocations smaller than a page share pages
 * and cannot be lent. The memory is mapped by the library and never goes back to an allocator that would hand it out again. And {@link
 * #close} is safe with data in flight: it unmaps the memory, and what is still in a pipe or a socket keeps its pages and its content.
 *
 * {@snippet :
 * try (PageArena arena = PageArena.open()) {
 *     MemorySegment page = arena.allocate(4096);
 *     page.setString(0, "hello");
 *     Loan loan = arena.lend(page, pipe.sink());   // page can no longer be reached
 *     loan.await();                                // until the reader has taken it
 *     MemorySegment again = loan.reclaim();        // and now it can, as a new segment
 * }
 * }
 *
 * <p>To be used by the thread that opened it, except {@link #scope}.
 *
 * @see Loan
 * @see <a href="https://man7.org/linux/man-pages/man2/vmsplice.2.html">vmsplice(2)</a>
 */
public final class PageArena implements Arena {
    /** How an arena's memory is made. */
    public enum Option {
        /** Asks for huge pages with {@code madvise(MADV_HUGEPAGE)}: fewer page faults and address translations for large rings. */
        HUGE_PAGES,
        /** Backs each allocation with a memfd of its own: shareable memory, at the price of a descriptor each. */
        MEMFD
    }

    private final Thread owner = Thread.currentThread();
    private final Arena small = Arena.ofConfined();
    private final PageAllocator allocator;
    private final TreeMap<Long, Pages> allocations = new TreeMap<>();

    private boolean closed;

    /** The allocation that was opened last, which is the likeliest to be lent next. */
    private @Nullable Pages latest;

    private PageArena(Set<Option> options) {
        this.allocator = new PageAllocator(options);
    }

    /**
     * Opens an arena for the current thread.
     *
     * @param options none, or how its memory is made
     * @return an arena, to be closed
     * @throws IllegalCallerException if native access is not enabled for this module; the message has the flag
     * @throws UnsupportedOperationException if this is not Linux on x86-64 or arm64
     */
    public static PageArena open(Option... options) {
        Native.require();
        Set<Option> chosen = EnumSet.noneOf(Option.class);
        chosen.addAll(Arrays.asList(options));
        return new PageArena(chosen);
    }

    /**
     * Memory of any size and alignment, all zero. A page or more is rounded up to whole pages of its own, which can be lent.
     *
     * @param size bytes
     * @param alignment bytes, a power of two
     * @return a segment of {@code size} bytes; its scope is its own if it can be lent, and otherwise the arena's
     * @throws IllegalArgumentException if the size is negative or the alignment not a power of two
     * @throws IllegalStateException if the arena is closed
     * @throws WrongThreadException if this is not the arena's thread
     * @throws OutOfMemoryError if the kernel has no memory, or no descriptor for a memfd
     */
    @Override
    public MemorySegment allocate(long size, long alignment) {
        requireUsable();
        if (size < 0) {
            throw new IllegalArgumentException("the size of an allocation cannot be negative: " + size);
        }
        if (alignment <= 0 || Long.bitCount(alignment) != 1) {
            throw new IllegalArgumentException("an alignment is a power of two: " + alignment);
        }
        if (allocator.isPacked(size, alignment)) {
            return MemorySegment.ofAddress(allocator.packed(size, alignment)).reinterpret(size, small, null);
        }
        Pages pages = allocator.pages(this, size, alignment);
        allocations.put(pages.address(), pages);
        latest = pages;
        return pages.segment();
    }

    /**
     * Lends memory to a pipe: {@code ssize_t vmsplice(int fd, const struct iovec *iov, 1, SPLICE_F_NONBLOCK)}, as often as it takes. Waits
     * until all of it is in the pipe, on a virtual thread without holding its carrier. From then on the whole allocation is closed to Java:
     * the segment, every slice of it and every buffer made from it throw {@link IllegalStateException}.
     *
     * <p>Where vmsplice copies, the loan is released at once; where it is denied, the memory is written instead, with the same result.
     *
     * @param segment an allocation of this arena, or a slice of one
     * @param sink the pipe
     * @return the loan. It covers less than the segment only if the wait was cut short after a part had gone in, because the sink was closed,
     *     the thread interrupted or the reader gone; {@link Loan#accepted} says how much.
     * @throws IllegalArgumentException if the memory is not this arena's, shares its pages with other allocations, or is empty; nothing is
     *     lent
     * @throws IllegalStateException if it is lent already, or the arena is closed; nothing is lent
     * @throws WrongThreadException if this is not the arena's thread; nothing is lent
     * @throws io.sluice.ErrnoException EPIPE if no source of the pipe is open (vmsplice(2), ERRORS); nothing is lent
     * @throws java.nio.channels.ClosedChannelException if the sink is closed; nothing is lent
     */
    public Loan lend(MemorySegment segment, PipeSink sink) throws IOException {
        return lend(segment, PipeAccess.get().lending(sink));
    }

    /**
     * Lends memory to something else than a pipe: to a socket, for example. As {@link #lend(MemorySegment, PipeSink)}
     * otherwise: it waits until all of it was taken, and from then on the whole allocation is closed to Java.
     *
     * @param segment an allocation of this arena, or a slice of one
     * @param taker what takes it
     * @return the loan, which covers less than the segment only if the wait was cut short after a part had been taken
     * @throws IllegalArgumentException as {@link #lend(MemorySegment, PipeSink)}
     * @throws IllegalStateException as {@link #lend(MemorySegment, PipeSink)}
     * @throws WrongThreadException as {@link #lend(MemorySegment, PipeSink)}
     * @throws IOException if the taker refuses; nothing is lent
     */
    public Loan lend(MemorySegment segment, Taker taker) throws IOException {
        return lend(segment, taker.lending);
    }

    Loan lend(MemorySegment segment, Lending to) throws IOException {
        Pages pages = lendable(segment, to);
        return Objects.requireNonNull(Loans.make(pages, segment, to, true));
    }

    /**
     * As {@link #lend(MemorySegment, PipeSink)}, without waiting: lends as much as there is room for.
     *
     * @param segment an allocation of this arena, or a slice of one
     * @param sink the pipe
     * @return the loan, which may cover less than the segment; empty if there was no room at all, and then nothing is lent and the segment is
     *     as it was
     * @throws IllegalArgumentException as {@link #lend(MemorySegment, PipeSink)}
     * @throws IllegalStateException as {@link #lend(MemorySegment, PipeSink)}
     * @throws WrongThreadException as {@link #lend(MemorySegment, PipeSink)}
     * @throws io.sluice.ErrnoException as {@link #lend(MemorySegment, PipeSink)}
     * @throws java.nio.channels.ClosedChannelException as {@link #lend(MemorySegment, PipeSink)}
     */
    public Optional<Loan> tryLend(MemorySegment segment, PipeSink sink) throws IOException {
        return tryLend(segment, PipeAccess.get().lending(sink));
    }

    /**
     * As {@link #lend(MemorySegment, Taker)}, without waiting: lends as much as there is room for.
     *
     * @param segment an allocation of this arena, or a slice of one
     * @param taker what takes it
     * @return the loan, which may cover less than the segment; empty if there was no room at all, and then the segment is as it was
     * @throws IllegalArgumentException as {@link #lend(MemorySegment, PipeSink)}
     * @throws IllegalStateException as {@link #lend(MemorySegment, PipeSink)}
     * @throws WrongThreadException as {@link #lend(MemorySegment, PipeSink)}
     * @throws IOException if the taker refuses; nothing is lent
     */
    public Optional<Loan> tryLend(MemorySegment segment, Taker taker) throws IOException {
        return tryLend(segment, taker.lending);
    }

    Optional<Loan> tryLend(MemorySegment segment, Lending to) throws IOException {
        return Optional.ofNullable(Loans.make(lendable(segment, to), segment, to, false));
    }

    /**
     * Lends several allocations in one {@code vmsplice} with several ranges, so that they follow each other in the pipe. Waits until all of
     * them are in.
     *
     * @param segments allocations of this arena, or slices, no two of the same allocation
     * @param sink the pipe
     * @return a loan for each, in the same order. There are fewer, and the last one covers less than its segment, only if the wait was cut
     *     short after a part had gone in; the segments that have no loan are as they were.
     * @throws IllegalArgumentException as {@link #lend(MemorySegment, PipeSink)}, or if two are of the same allocation; nothing is lent
     * @throws IllegalStateException as {@link #lend(MemorySegment, PipeSink)}
     * @throws WrongThreadException as {@link #lend(MemorySegment, PipeSink)}
     * @throws io.sluice.ErrnoException as {@link #lend(MemorySegment, PipeSink)}
     * @throws java.nio.channels.ClosedChannelException as {@link #lend(MemorySegment, PipeSink)}
     */
    public List<Loan> lend(List<MemorySegment> segments, PipeSink sink) throws IOException {
        return lend(segments, PipeAccess.get().lending(sink));
    }

    /**
     * Lends several allocations to something else than a pipe, in one call where that can be. As {@link #lend(List, PipeSink)} otherwise.
     *
     * @param segments allocations of this arena, or slices, no two of the same allocation
     * @param taker what takes them
     * @return a loan for each, in the same order; fewer only if the wait was cut short after a part had been taken
     * @throws IllegalArgumentException as {@link #lend(List, PipeSink)}
     * @throws IllegalStateException as {@link #lend(MemorySegment, PipeSink)}
     * @throws WrongThreadException as {@link #lend(MemorySegment, PipeSink)}
     * @throws IOException if the taker refuses; nothing is lent
     */
    public List<Loan> lend(List<MemorySegment> segments, Taker taker) throws IOException {
        return lend(segments, taker.lending);
    }

    private List<Loan> lend(List<MemorySegment> segments, Lending to) throws IOException {
        List<Pages> pages =
                segments.stream().map(segment -> lendable(segment, to)).toList();
        if (new HashSet<>(pages).size() < pages.size()) {
            throw new IllegalArgumentException("lend(" + segments.size() + " segments → " + to
                    + "): two of them are of the same allocation, which can be lent once: allocate each on its own");
        }
        return pages.isEmpty() ? List.of() : Loans.makeAll(pages, List.copyOf(segments), to);
    }

    /**
     * The scope of the arena itself, and of its small allocations. A loan does not end it.
     *
     * @return alive until {@link #close}
     */
    @Override
    public Scope scope() {
        return small.scope();
    }

    /**
     * Closes every allocation and unmaps the memory. What was lent and is still in flight keeps its pages and its content; a loan's {@link
     * Loan#await} goes on working, {@link Loan#reclaim} does not.
     *
     * @throws IllegalStateException if it is closed already, or a native call is using its memory
     * @throws WrongThreadException if this is not the arena's thread
     */
    @Override
    public void close() {
        requireUsable();
        allocations.values().forEach(Pages::closeForGood);
        small.close();
        closed = true;
        allocator.close();
        allocations.clear();
    }

    /**
     * What is in it.
     *
     * @return such as {@code arena of 3 allocations}
     */
    @Override
    public String toString() {
        return closed ? "arena, closed" : "arena of " + allocations.size() + " allocations";
    }

    @SuppressWarnings("ReferenceEquality") // a thread is equal to itself only
    boolean isOwnedByThisThread() {
        return Thread.currentThread() == owner;
    }

    void requireUsable() {
        if (!isOwnedByThisThread()) {
            throw new WrongThreadException("this arena belongs to " + owner + ", not to " + Thread.currentThread()
                    + ": use it there, or open one for each thread");
        }
        if (closed) {
            throw new IllegalStateException("the arena is closed, and its memory unmapped: open another");
        }
    }

    /** Opens an allocation to Java again. */
    MemorySegment reopen(Pages pages) {
        latest = pages;
        return pages.reopen();
    }

    private Pages lendable(MemorySegment segment, Lending to) {
        requireUsable();
        Pages pages = reachedBy(segment);
        if (pages != null && segment.byteSize() > 0) {
            return pages;
        }
        String asked = "lend(" + segment.byteSize() + " bytes → " + to + "): ";
        if (!segment.isNative()) {
            throw new IllegalArgumentException(
                    asked
                            + "heap memory moves, so it cannot be lent: copy it into an allocation of this arena, or write it to the sink");
        } else if (!segment.scope().isAlive()) {
            throw new IllegalStateException(asked
                    + "this memory is lent already, or its arena is closed: reclaim() the loan, or lend other memory");
        } else if (segment.byteSize() == 0) {
            throw new IllegalArgumentException(asked + "there is nothing to lend in an empty segment");
        } else if (segment.scope().equals(small.scope())) {
            throw new IllegalArgumentException(
                    asked + "an allocation of less than a page shares its page with others, which would be lent with "
                            + "it: allocate at least " + MemoryCalls.pageSize() + " bytes, or write it to the sink");
        }
        throw new IllegalArgumentException(asked
                + "this memory is not from this arena, or reaches beyond its allocation, so nothing is known of who else uses it: "
                + "copy it into an allocation of this arena, or write it to the sink");
    }

    /** The allocation that this segment is open for, or a slice of; null if there is none. */
    private @Nullable Pages reachedBy(MemorySegment segment) {
        if (latest != null && latest.isReachedBy(segment)) {
            return latest;
        }
        Map.Entry<Long, Pages> nearest = allocations.floorEntry(segment.address());
        return nearest != null && nearest.getValue().isReachedBy(segment) ? nearest.getValue() : null;
    }
}
