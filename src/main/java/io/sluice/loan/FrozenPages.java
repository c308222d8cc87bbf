package io.sluice.loan;

import io.sluice.PipeSink;
import io.sluice.internal.Errno;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.Native;
import io.sluice.internal.PipeAccess;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * Pages that are filled once and never change again, so that they may be lent any number of times, to any number of pipes, from any thread,
 * without asking when they come back.
 *
 * <p>After filling, the pages are write-protected ({@code mprotect(PROT_READ)}), in native code too. They are unmapped some time after this
 * object is no longer reachable, which is safe whoever still holds them.
 *
 * <p>Safe for use by several threads.
 */
public final class FrozenPages {
    private final MemorySegment memory;

    private FrozenPages(MemorySegment memory) {
        this.memory = memory;
    }

    /**
     * Makes pages and fills them.
     *
     * @param size bytes, at least 1
     * @param filler given memory of that size, all zero, which is closed to it afterwards
     * @return the pages, frozen
     * @throws IllegalArgumentException if the size is not positive
     * @throws OutOfMemoryError if the kernel has no memory
     */
    public static FrozenPages filled(long size, Consumer<MemorySegment> filler) {
        Native.require();
        if (size <= 0) {
            throw new IllegalArgumentException("frozen pages have at least one byte: " + size);
        }
        long address = MemoryCalls.map(0, size, Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS(), -1);
        if (address < 0) {
            throw new OutOfMemoryError("mmap(" + size + " bytes): " + Errno.describe((int) -address));
        }
        MemorySegment memory = MemorySegment.ofAddress(address)
                .reinterpret(size, Arena.ofAuto(), gone -> MemoryCalls.unmap(address, size));
        try (Arena filling = Arena.ofConfined()) {
            filler.accept(memory.reinterpret(size, filling, null));
        }
        int isProtected = MemoryCalls.protect(address, size);
        if (isProtected < 0) {
            throw new OutOfMemoryError("mprotect(" + size + " bytes): " + Errno.describe(-isProtected));
        }
        return new FrozenPages(memory.asReadOnly());
    }

    /**
     * The content.
     *
     * @return a read-only segment, for any thread
     */
    public MemorySegment segment() {
        return memory;
    }

    /**
     * Puts a range of the pages into a pipe by reference: {@code vmsplice}. Waits until something could be lent.
     *
     * @param sink the pipe
     * @param offset where the range begins, in bytes
     * @param length bytes
     * @return bytes lent, 1 to {@code length}; 0 only if that is 0
     * @throws IndexOutOfBoundsException if the range is not within the pages
     * @throws io.sluice.ErrnoException EPIPE if no source of the pipe is open
     * @throws java.nio.channels.ClosedChannelException if the sink is closed
     */
    public long lend(PipeSink sink, long offset, long length) throws IOException {
        return lend(sink, offset, length, true);
    }

    /**
     * As {@link #lend}, without waiting.
     *
     * @param sink the pipe
     * @param offset where the range begins, in bytes
     * @param length bytes
     * @return bytes lent; 0 if there is no room
     * @throws IndexOutOfBoundsException if the range is not within the pages
     * @throws io.sluice.ErrnoException EPIPE if no source of the pipe is open
     * @throws java.nio.channels.ClosedChannelException if the sink is closed
     */
    public long tryLend(PipeSink sink, long offset, long length) throws IOException {
        return lend(sink, offset, length, false);
    }

    private long lend(PipeSink sink, long offset, long length, boolean wait) throws IOException {
        Objects.checkFromIndexSize(offset, length, memory.byteSize());
        if (length == 0) {
            return 0;
        }
        try {
            return PipeAccess.get().lending(sink).lend(memory.address() + offset, length, wait, hold -> {});
        } finally {
            Reference.reachabilityFence(memory);
        }
    }

    /**
     * The size.
     *
     * @return such as {@code 8192 frozen bytes}
     */
    @Override
    public String toString() {
        return memory.byteSize() + " frozen bytes";
    }
}
