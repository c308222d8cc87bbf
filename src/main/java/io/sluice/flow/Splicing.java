package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;

/** Whether {@code splice} can be had in this process, by what it was seen to say. */
final class Splicing {
    private static volatile boolean denied;

    private Splicing() {}

    /** Whether it was found out that this process may not splice at all. */
    static boolean isDenied() {
        return denied;
    }

    /**
     * Whether this failure says that splice is not the way to move these bytes, rather than that they cannot be moved. EINVAL is about the
     * pair; ENOSYS and EPERM may be about the process, which a call with descriptors that cannot exist tells: where it is let through, it
     * says EBADF.
     */
    static boolean isRefused(ErrnoException e) {
        if (e.errno() == Linux.EPERM() || e.errno() == Linux.ENOSYS()) {
            if (Syscalls.splice(-1, -1, -1, -1, 1, 0) != -Linux.EBADF()) {
                denied = true;
            }
            return true;
        }
        return e.errno() == Linux.EINVAL() || e.errno() == Linux.EOPNOTSUPP();
    }
}
