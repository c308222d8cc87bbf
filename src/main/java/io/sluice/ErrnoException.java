package io.sluice;

import io.sluice.internal.Errno;
import java.io.IOException;
import java.util.Optional;

/**
 * A system call that failed: what was called, on what, what the kernel said, and what to do about it where that is known.
 *
 * <pre>{@literal
 * splice(pipe → file /var/log/x opened for append, 65536 bytes): EINVAL (Invalid argument); the kernel does not
 * splice into a file opened for append: open it without APPEND
 * }</pre>
 *
 * <p>No byte is lost by a failed call: what was in a pipe is still there.
 *
 * @see <a href="https://man7.org/linux/man-pages/man3/errno.3.html">errno(3)</a>
 */
public final class ErrnoException extends IOException {
    private static final long serialVersionUID = 1L;

    /** The error number. */
    private final int errno;

    /** The call's name. */
    private final String call;

    /** The call's arguments in words. */
    private final String arguments;

    /** What to do, or an empty string. */
    private final String cure;

    /** Bytes moved before. */
    private final long transferred;

    ErrnoException(String call, String arguments, int errno, String cure, long transferred) {
        super(call + "(" + arguments + "): " + Errno.describe(errno) + (cure.isEmpty() ? "" : "; " + cure)
                + (transferred == 0 ? "" : "; " + transferred + " bytes had been moved before"));
        this.transferred = transferred;
        this.errno = errno;
        this.call = call;
        this.arguments = arguments;
        this.cure = cure;
    }

    /**
     * The error number, as in {@code errno.h} of this architecture.
     *
     * @return a positive number
     */
    public int errno() {
        return errno;
    }

    /**
     * The error's symbolic name.
     *
     * @return such as {@code EINVAL}
     */
    public String name() {
        return Errno.name(errno);
    }

    /**
     * The system call that failed.
     *
     * @return such as {@code splice}
     */
    public String call() {
        return call;
    }

    /**
     * How much the operation had moved when this call failed: not 0 only for one that makes several calls, such as a blocking write.
     *
     * @return bytes
     */
    public long transferred() {
        return transferred;
    }

    /** This failure, of an operation that had moved {@code bytes} before. */
    ErrnoException after(long bytes) {
        if (bytes == 0) {
            return this;
        }
        ErrnoException e = new ErrnoException(call, arguments, errno, cure, transferred + bytes);
        e.setStackTrace(getStackTrace());
        return e;
    }

    /**
     * What can be done about it.
     *
     * @return a sentence, or empty where none is known
     */
    public Optional<String> cure() {
        return cure.isEmpty() ? Optional.empty() : Optional.of(cure);
    }
}
