package io.sluice.loan;

import io.sluice.internal.MemoryCalls;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Where an arena's memory comes from: mappings of its own, from whose start allocations are cut one after the other. Nothing goes back before
 * all of it does.
 */
final class PageAllocator {
    private static final long SMALLEST_MAPPING = 1 << 20;
    private static final long HUGE_PAGE = 2 << 20;

    private final long pageSize = MemoryCalls.pageSize();
    private final boolean huge;
    private final boolean memfd;
    private final List<Pages.Mapping> mappings = new ArrayList<>();
    private Bump whole = Bump.EMPTY;
    private Bump packed = Bump.EMPTY;

    /** What is left of a mapping. */
    private record Bump(Pages.@Nullable Mapping mapping, long next, long end) {
        static final Bump EMPTY = new Bump(null, 0, 0);
    }

    PageAllocator(Set<PageArena.Option> options) {
        this.huge = options.contains(PageArena.Option.HUGE_PAGES);
        this.memfd = options.contains(PageArena.Option.MEMFD);
    }

    /** Whether an allocation shares its page with others. */
    boolean isPacked(long size, long alignment) {
        return size < pageSize && alignment <= pageSize;
    }

    /** Whole pages for {@code arena}, that no other allocation has a part of. */
    Pages pages(PageArena arena, long size, long alignment) {
        long length = roundUp(Math.max(size, 1), pageSize);
        if (length < size) {
            throw noAddressSpace(size);
        }
        // What has huge pages begins with one, so that none is spent on two allocations.
        long aligned = Math.max(alignment, huge && length >= HUGE_PAGE ? HUGE_PAGE : pageSize);
        if (memfd) {
            Pages.Mapping mapping = Pages.Mapping.memfd(length, aligned, huge);
            mappings.add(mapping);
            return new Pages(arena, mapping, mapping.address, size, length);
        }
        long start = roundUp(whole.next, aligned);
        Pages.Mapping mapping = whole.mapping;
        if (mapping == null || length > whole.end - start) {
            long slack = Math.max(aligned, huge ? HUGE_PAGE : pageSize);
            if (length > Long.MAX_VALUE - slack) {
                throw noAddressSpace(size);
            }
            mapping = Pages.Mapping.anonymous(Math.max(length + slack, huge ? 2 * HUGE_PAGE : SMALLEST_MAPPING), huge);
            mappings.add(mapping);
            start = roundUp(mapping.address, slack);
        }
        whole = new Bump(mapping, start + length, mapping.address + mapping.length);
        return new Pages(arena, mapping, start, size, length);
    }

    /** The address of a small allocation, which shares its page with others. */
    long packed(long size, long alignment) {
        long start = roundUp(packed.next, alignment);
        if (packed.mapping == null || start + size > packed.end) {
            Pages.Mapping mapping = Pages.Mapping.anonymous(SMALLEST_MAPPING, false);
            mappings.add(mapping);
            start = roundUp(mapping.address, alignment);
            packed = new Bump(mapping, start, mapping.address + mapping.length);
        }
        packed = new Bump(packed.mapping, start + size, packed.end);
        return start;
    }

    /** Unmaps everything. */
    void close() {
        mappings.forEach(Pages.Mapping::unmap);
        mappings.clear();
    }

    private static OutOfMemoryError noAddressSpace(long size) {
        return new OutOfMemoryError("no address space for " + size + " bytes");
    }

    private static long roundUp(long value, long multiple) {
        return value + multiple - 1 & -multiple;
    }
}
