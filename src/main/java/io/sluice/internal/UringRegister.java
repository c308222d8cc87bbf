package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.io_uring_probe;
import io.sluice.internal.ffi.io_uring_probe_op;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** {@code io_uring_register} on a ring; results as in {@link Syscalls}. */
public final class UringRegister {
    private static final int RANGE = 16;
    private static final int OPERATIONS = 256;

    private final int ring;

    UringRegister(int ring) {
        this.ring = ring;
    }

    /**
     * Pins memory and keeps it mapped into the kernel, so that sends from within it need not look up its pages each time.
     *
     * <p>What is pinned are the pages that are there now. If others take their place at the same addresses (MADV_DONTNEED, a new mapping), the
     * kernel goes on sending the old ones.
     */
    public int buffers(long[] addresses, long[] lengths) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment ranges = arena.allocate((long) RANGE * addresses.length, 8);
            for (int i = 0; i < addresses.length; i++) {
                ranges.set(JAVA_LONG, (long) RANGE * i, addresses[i]);
                ranges.set(JAVA_LONG, (long) RANGE * i + 8, lengths[i]);
            }
            return again(Linux.IORING_REGISTER_BUFFERS(), ranges.address(), addresses.length);
        }
    }

    /** Ends {@link #buffers}, for sends that are still to come. */
    public int noBuffers() {
        return again(Linux.IORING_UNREGISTER_BUFFERS(), 0, 0);
    }

    /** Has requests with IOSQE_FIXED_FILE, or SPLICE_F_FD_IN_FIXED, mean these descriptors by their places in the list. */
    public int files(int... descriptors) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment list = arena.allocateFrom(JAVA_INT, descriptors);
            return again(Linux.IORING_REGISTER_FILES(), list.address(), descriptors.length);
        }
    }

    /** Whether this kernel knows all of these operations. */
    public boolean knows(int... opcodes) {
        try (Arena arena = Arena.ofConfined()) {
            long first = io_uring_probe.sizeof();
            long size = io_uring_probe_op.sizeof();
            MemorySegment probe = arena.allocate(first + OPERATIONS * size, 8);
            if (again(Linux.IORING_REGISTER_PROBE(), probe.address(), OPERATIONS) < 0) {
                return false;
            }
            for (int opcode : opcodes) {
                int flags = io_uring_probe_op.flags(probe.asSlice(first + opcode * size, size));
                if ((flags & Linux.IO_URING_OP_SUPPORTED()) == 0) {
                    return false;
                }
            }
            return true;
        }
    }

    private int again(int operation, long argument, int count) {
        int result;
        do {
            result = UringCalls.register(ring, operation, argument, count);
        } while (result == -Linux.EINTR());
        return result;
    }
}
