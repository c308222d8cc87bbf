package io.sluice;

import io.sluice.internal.Descriptor;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;

/**
 * One side of a transfer, be it the end of a pipe or another descriptor.
 *
 * @param owner what must stay reachable during a call, or the descriptor is closed under it; a caller may hold no other
 *     reference
 * @param descriptor what is passed to the kernel
 * @param kind what it stands for
 * @param words how messages call it
 */
record Side(Object owner, Descriptor descriptor, Fd.Kind kind, String words) {
    boolean isPipe() {
        return kind == Fd.Kind.PIPE;
    }

    /** Whether a call on it may wait for a disk or a device, which non-blocking mode does not prevent. */
    boolean mayWait() {
        return kind == Fd.Kind.FILE || kind == Fd.Kind.OTHER;
    }

    boolean isOpenedForAppend() {
        if (!descriptor.enter()) {
            return false;
        }
        try {
            int flags = Syscalls.fcntl(descriptor.number(), Linux.F_GETFL(), 0);
            return flags >= 0 && (flags & Linux.O_APPEND()) != 0;
        } finally {
            descriptor.exit();
        }
    }
}
