package io.sluice.internal;

/** A call that waiting itself needs has failed: poll, epoll or eventfd. No bytes were touched. */
public final class WaitFailedException extends Exception {
    private static final long serialVersionUID = 1L;

    private final String call;
    private final int errno;

    WaitFailedException(String call, int errno) {
        super(call + ": " + Errno.describe(errno));
        this.call = call;
        this.errno = errno;
    }

    public String call() {
        return call;
    }

    public int errno() {
        return errno;
    }
}
