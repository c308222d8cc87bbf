package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.internal.CopyCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.util.function.LongSupplier;

/** The calls that spare a job the copy through its own memory, and what was found out about them. */
@SuppressWarnings("ImmutableEnumChecker") // what is found out is the same for the whole process
enum Mover {
    COPY_FILE_RANGE(() -> CopyCalls.copyFileRange(-1, -1, -1, -1, 1)),
    SENDFILE(() -> CopyCalls.sendfile(-1, -1, -1, 1)),
    SPLICE(() -> Syscalls.splice(-1, -1, -1, -1, 1, 0));

    /** The same on both architectures. */
    private static final int EXDEV = 18;

    private final LongSupplier withBadDescriptors;
    private volatile boolean denied;

    Mover(LongSupplier withBadDescriptors) {
        this.withBadDescriptors = withBadDescriptors;
    }

    /** Whether this process was refused the call, whatever the descriptors. */
    boolean isDenied() {
        return denied;
    }

    /**
     * Whether the error means that this pair of descriptors, or every pair, needs another way; to be asked before the first byte has moved.
     *
     * <p>With descriptors that cannot exist, a call that is let through says EBADF. That tells a sandbox, which refuses the call for good,
     * from a descriptor that refuses it, such as a sealed memfd. EBADF itself, EISDIR and the like are told by the read or write that
     * follows, which also says for which side.
     */
    boolean isRefused(ErrnoException e) {
        int errno = e.errno();
        if (errno == Linux.ENOSYS() || errno == Linux.EPERM()) {
            if (withBadDescriptors.getAsLong() != -Linux.EBADF()) {
                denied = true;
            }
            return true;
        }
        return errno == Linux.EINVAL()
                || errno == EXDEV
                || errno == Linux.EOPNOTSUPP()
                || errno == Linux.EBADF()
                || errno == Linux.EISDIR();
    }
}
