package io.sluice.internal;

/** A ring cannot be had: it is denied to this process, or this kernel is older than what is asked of it. */
public final class UringFailedException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String call;
    private final int errno;

    UringFailedException(String call, int errno) {
        super(call + ": " + Errno.describe(errno));
        this.call = call;
        this.errno = errno;
    }

    /** The call that failed. */
    public String call() {
        return call;
    }

    /** What the kernel said; ENOSYS also for what a kernel lacks that has io_uring. */
    public int errno() {
        return errno;
    }
}
