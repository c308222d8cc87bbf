package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;

/** Calls that a kernel or a sandbox was found to deny to this process, so that nobody tries them again. */
final class Denials {
    private static final int BAD = -1;

    private static volatile boolean teeDenied;
    private static volatile boolean spliceDenied;

    private Denials() {}

    /** Whether neither tee nor splice has been found denied. */
    static boolean allowTeeAndSplice() {
        return !teeDenied && !spliceDenied;
    }

    /** Looks whether a failure is that of one call on one descriptor, or that of every such call to come. */
    static void consider(ErrnoException failure) {
        if (failure.errno() != Linux.ENOSYS() && failure.errno() != Linux.EPERM()) {
            return;
        }
        // With descriptors that cannot exist, a call that is let through says EBADF.
        if (failure.call().equals("tee")) {
            teeDenied = Syscalls.tee(BAD, BAD, 1, Linux.SPLICE_F_NONBLOCK()) != -Linux.EBADF();
        } else if (failure.call().equals("splice")) {
            spliceDenied = Syscalls.splice(BAD, -1, BAD, -1, 1, Linux.SPLICE_F_NONBLOCK()) != -Linux.EBADF();
        }
    }
}
