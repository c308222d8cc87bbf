package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.internal.CopyCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.util.Locale;
import java.util.function.LongSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The calls that spare a job the copy through its own memory, and what was found out about them. One that a kernel or a sandbox denies to
 * this process is not tried again by any job.
 *
 * <p>To tell a call that is denied from a descriptor that refuses, such as a sealed memfd, it is made with descriptors that cannot exist: one
 * that is let through says EBADF.
 */
@SuppressWarnings("ImmutableEnumChecker") // what is found out is the same for the whole process
enum Call {
    COPY_FILE_RANGE(() -> CopyCalls.copyFileRange(-1, -1, -1, -1, 1)),
    SENDFILE(() -> CopyCalls.sendfile(-1, -1, -1, 1)),
    SPLICE(() -> Syscalls.splice(-1, -1, -1, -1, 1, 0)),
    TEE(() -> Syscalls.tee(-1, -1, 1, 0));

    private final String function = name().toLowerCase(Locale.ROOT);
    private final LongSupplier withBadDescriptors;

    /** Null until somebody had a reason to ask. */
    private volatile @Nullable Boolean denied;

    Call(LongSupplier withBadDescriptors) {
        this.withBadDescriptors = withBadDescriptors;
    }

    /** Whether it was found out that this process may not make the call, whatever the descriptors. */
    boolean isDenied() {
        Boolean known = denied;
        return known != null && known;
    }

    /** As {@link #isDenied}, for a job that could not turn to something else later: asks the kernel if nobody has. */
    boolean isDeniedWhenAsked() {
        return denied == null ? ask() : isDenied();
    }

    private boolean ask() {
        long n = withBadDescriptors.getAsLong();
        boolean answer = n == -Linux.ENOSYS() || n == -Linux.EPERM();
        denied = answer;
        return answer;
    }

    /**
     * Whether a failure of this call says that it is not the way to move these bytes, rather than that they cannot be moved; to be believed
     * before the first byte has moved. EINVAL and EOPNOTSUPP are about the pair of descriptors; ENOSYS and EPERM may be about the process,
     * which is then asked.
     */
    boolean isRefused(ErrnoException failure) {
        int errno = failure.errno();
        if (mayBeDenial(failure)) {
            ask();
            return true;
        }
        return errno == Linux.EINVAL() || errno == Linux.EOPNOTSUPP();
    }

    /** Looks whether a failure, of whatever call, is that of one call on one descriptor, or that of every such call to come. */
    static void consider(ErrnoException failure) {
        for (Call call : values()) {
            if (call.function.equals(failure.call()) && mayBeDenial(failure)) {
                call.ask();
            }
        }
    }

    private static boolean mayBeDenial(ErrnoException failure) {
        return failure.errno() == Linux.ENOSYS() || failure.errno() == Linux.EPERM();
    }
}
