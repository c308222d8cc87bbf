package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicReferenceArray;

/**
 * Where one system call leaves its errno, with room for the small structures it takes by address.
 *
 * <p>A platform thread keeps one for life. A virtual thread borrows one for the length of a call: it cannot be unmounted inside a
 * downcall, so no more are ever out than there are carriers, and no two threads see the same one.
 */
final class CallState {
    /** Bytes of scratch memory after the captured errno. */
    static final int SCRATCH = 256;

    private static final VarHandle ERRNO =
            Linker.Option.captureStateLayout().varHandle(MemoryLayout.PathElement.groupElement("errno"));
    private static final int SHELVES = 64;
    private static final AtomicReferenceArray<CallState> SHELF = new AtomicReferenceArray<>(SHELVES);
    private static final ThreadLocal<CallState> OF_THREAD = ThreadLocal.withInitial(() -> new CallState(-1));

    final MemorySegment capture;
    final MemorySegment scratch;
    final long address;
    private final int shelf;

    private CallState(int shelf) {
        long errno = Linker.Option.captureStateLayout().byteSize();
        long start = errno + 7 & -8;
        MemorySegment memory = Arena.ofAuto().allocate(start + SCRATCH, 16);
        this.capture = memory.asSlice(0, errno);
        this.scratch = memory.asSlice(start);
        this.address = scratch.address();
        this.shelf = shelf;
    }

    static CallState acquire() {
        Thread thread = Thread.currentThread();
        if (!thread.isVirtual()) {
            return OF_THREAD.get();
        }
        int shelf = (int) thread.threadId() & SHELVES - 1;
        CallState state = SHELF.getAndSet(shelf, null);
        return state == null ? new CallState(shelf) : state;
    }

    void release() {
        if (shelf >= 0) {
            SHELF.setRelease(shelf, this);
        }
    }

    /** What the call returned, or −errno. */
    int result(int returned) {
        return returned == -1 ? -(int) ERRNO.get(capture, 0L) : returned;
    }

    /** What the call returned, or −errno. */
    long result(long returned) {
        return returned == -1 ? -(int) ERRNO.get(capture, 0L) : returned;
    }

    /** Address of a {@code loff_t} holding {@code offset}, or 0 (NULL) for a negative one. */
    long offsetAt(long at, long offset) {
        if (offset < 0) {
            return 0;
        }
        scratch.set(JAVA_LONG, at, offset);
        return address + at;
    }

    int intAt(long at) {
        return scratch.get(JAVA_INT, at);
    }
}
