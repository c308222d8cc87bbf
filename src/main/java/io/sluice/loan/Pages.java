package io.sluice.loan;

import io.sluice.internal.Errno;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/**
 * Whole pages of an arena, and the one scope through which Java can reach them.
 *
 * <p>Closing the scope ends every alias at once: the segment, its slices, and buffers made from it. Reopening makes a new scope over the same
 * addresses.
 */
final class Pages {
    private final PageArena arena;
    private final Mapping mapping;
    private final long address;
    private final long size;
    private final long length;

    /** The address without a scope; kept, because making it for every loan is not always free. */
    private final MemorySegment start;

    private Arena scope;
    private MemorySegment segment;

    /**
     * @param size the bytes that were asked for
     * @param length the bytes that the pages have
     */
    Pages(PageArena arena, Mapping mapping, long address, long size, long length) {
        this.arena = arena;
        this.mapping = mapping;
        this.address = address;
        this.size = size;
        this.length = length;
        this.start = MemorySegment.ofAddress(address);
        this.scope = Arena.ofConfined();
        this.segment = start.reinterpret(size, scope, null);
    }

    PageArena arena() {
        return arena;
    }

    MemorySegment segment() {
        return segment;
    }

    long address() {
        return address;
    }

    /** Whether this segment, or slice, reaches these pages through the scope that is open now. */
    boolean isReachedBy(MemorySegment alias) {
        long offset = alias.address() - address;
        return alias.scope().equals(segment.scope())
                && alias.scope().isAlive()
                && offset >= 0
                && alias.byteSize() <= size - offset;
    }

    /**
     * Closes the pages to Java after they were lent. If a native call that is under way keeps them open, the pipe keeps the pages and Java
     * gets others with the same content, so that nothing it does later can be seen.
     *
     * @return whether the pages are closed
     */
    boolean closeToJava() {
        try {
            scope.close();
            return true;
        } catch (IllegalStateException e) {
            Mapping aside;
            try {
                aside = Mapping.anonymous(size, false);
            } catch (OutOfMemoryError none) {
                replace(); // better without their content than with pages that are lent
                throw none;
            }
            MemorySegment content =
                    MemorySegment.ofAddress(aside.address).reinterpret(size).copyFrom(segment);
            replace();
            segment.copyFrom(content);
            aside.unmap();
            return false;
        }
    }

    /** Puts new pages, all zero, in the place of those that somebody may still hold. */
    void replace() {
        mapping.replace(address, length);
    }

    MemorySegment reopen() {
        scope = Arena.ofConfined();
        segment = start.reinterpret(size, scope, null);
        return segment;
    }

    void closeForGood() {
        if (scope.scope().isAlive()) {
            scope.close();
        }
    }

    /** A range of addresses that the library mapped itself, private and anonymous or backed by a memfd of its own. */
    static final class Mapping {
        final long address;
        final long length;
        private final boolean huge;
        private int memfd;

        private Mapping(long address, long length, int memfd, boolean huge) {
            this.address = address;
            this.length = length;
            this.memfd = memfd;
            this.huge = huge;
        }

        static Mapping anonymous(long length, boolean huge) {
            long address = MemoryCalls.map(0, length, Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS(), -1);
            if (address < 0) {
                throw outOfMemory("mmap", length, (int) -address);
            }
            Mapping mapping = new Mapping(address, length, -1, huge);
            mapping.adviseHuge(address, length);
            return mapping;
        }

        static Mapping memfd(long length, long alignment, boolean huge) {
            int fd = newMemfd(length);
            long address = alignment <= MemoryCalls.pageSize()
                    ? MemoryCalls.map(0, length, Linux.MAP_SHARED(), fd)
                    : mapAligned(length, alignment, fd);
            if (address < 0) {
                Syscalls.close(fd);
                throw outOfMemory("mmap", length, (int) -address);
            }
            Mapping mapping = new Mapping(address, length, fd, huge);
            mapping.adviseHuge(address, length);
            return mapping;
        }

        /** Maps the memfd within addresses that were reserved for it, and gives the rest of them back; the address or −errno. */
        private static long mapAligned(long length, long alignment, int fd) {
            if (length > Long.MAX_VALUE - alignment) {
                return -Linux.ENOMEM();
            }
            long reserved = length + alignment;
            int flags = Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS() | Linux.MAP_NORESERVE();
            long start = MemoryCalls.map(0, reserved, flags, -1);
            if (start < 0) {
                return start;
            }
            long aligned = (start + alignment - 1) & -alignment;
            long mapped = MemoryCalls.map(aligned, length, Linux.MAP_SHARED() | Linux.MAP_FIXED(), fd);
            if (mapped < 0) {
                MemoryCalls.unmap(start, reserved);
                return mapped;
            }
            if (aligned > start) {
                MemoryCalls.unmap(start, aligned - start);
            }
            long end = aligned + length;
            // Never empty, because aligned is less than an alignment above start.
            MemoryCalls.unmap(end, start + reserved - end);
            return mapped;
        }

        @Nullable
        Integer descriptor() {
            return memfd < 0 ? null : memfd;
        }

        // MADV_DONTNEED drops private pages, which live on for whoever holds them. It does not drop a memfd's, and
        // punching a hole may clear them in place; so a memfd is replaced as a whole.
        void replace(long start, long bytes) {
            if (memfd < 0) {
                long dropped = MemoryCalls.advise(start, bytes, Linux.MADV_DONTNEED());
                if (dropped == -Linux.EINVAL()) {
                    // Locked memory is not dropped, but may be mapped anew.
                    int flags = Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS() | Linux.MAP_FIXED();
                    dropped = MemoryCalls.map(start, bytes, flags, -1);
                    adviseHuge(start, bytes);
                }
                if (dropped < 0) {
                    throw outOfMemory("madvise", bytes, (int) -dropped);
                }
                return;
            }
            int fresh = newMemfd(length);
            long mapped = MemoryCalls.map(address, length, Linux.MAP_SHARED() | Linux.MAP_FIXED(), fresh);
            if (mapped < 0) {
                Syscalls.close(fresh);
                throw outOfMemory("mmap", length, (int) -mapped);
            }
            Syscalls.close(memfd);
            memfd = fresh;
            adviseHuge(address, length);
        }

        // Advice: a kernel without huge pages does as well.
        private void adviseHuge(long start, long bytes) {
            if (huge) {
                MemoryCalls.advise(start, bytes, Linux.MADV_HUGEPAGE());
            }
        }

        void unmap() {
            MemoryCalls.unmap(address, length);
            if (memfd >= 0) {
                Syscalls.close(memfd);
            }
        }

        private static int newMemfd(long length) {
            int fd = MemoryCalls.memfd("sluice", Linux.MFD_CLOEXEC() | Linux.MFD_ALLOW_SEALING());
            if (fd < 0) {
                throw outOfMemory("memfd_create", length, -fd);
            }
            int sized = MemoryCalls.truncate(fd, length);
            if (sized < 0) {
                Syscalls.close(fd);
                throw outOfMemory("ftruncate", length, -sized);
            }
            return fd;
        }

        private static OutOfMemoryError outOfMemory(String call, long length, int errno) {
            return new OutOfMemoryError(call + "(" + length + " bytes): " + Errno.describe(errno));
        }
    }
}
