package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.internal.CopyCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A call that a process may be denied, by its kernel or by a sandbox. Once that is known the call is not tried again in this process. To tell
 * a call that is denied from a descriptor that refuses, it is made with descriptors that cannot exist: one that is let through says EBADF.
 */
final class Refusal {
    static final Refusal SPLICE = new Refusal(() -> Syscalls.splice(-1, -1, -1, -1, 1, 0));
    static final Refusal TEE = new Refusal(() -> Syscalls.tee(-1, -1, 1, 0));
    static final Refusal SENDFILE = new Refusal(() -> CopyCalls.sendfile(-1, -1, -1, 1));

    private final LongSupplier withBadDescriptors;
    private volatile @Nullable Boolean denied;

    private Refusal(LongSupplier withBadDescriptors) {
        this.withBadDescriptors = withBadDescriptors;
    }

    /** Whether the call is denied to this process; asks the kernel once. */
    boolean isDenied() {
        Boolean known = denied;
        if (known == null) {
            denied = known = isTurnedAway();
        }
        return known;
    }

    private boolean isTurnedAway() {
        long n = withBadDescriptors.getAsLong();
        return n == -Linux.ENOSYS() || n == -Linux.EPERM();
    }

    /**
     * Whether a failure before the first byte is a reason to copy instead: EINVAL, which is about this pair of descriptors, or ENOSYS and
     * EPERM, after which it is asked whether the call is denied to the process.
     */
    boolean isReasonToCopy(ErrnoException failure) {
        int errno = failure.errno();
        if (errno == Linux.ENOSYS() || errno == Linux.EPERM()) {
            denied = isTurnedAway();
            return true;
        }
        return errno == Linux.EINVAL();
    }
}
