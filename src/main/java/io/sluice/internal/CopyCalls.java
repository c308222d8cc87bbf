package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import java.lang.invoke.MethodHandle;

/** The calls that move bytes between two descriptors neither of which has to be a pipe; results and lengths as in {@link Syscalls}. */
public final class CopyCalls {
    private static final int EINTR = -Linux.EINTR();

    private static final MethodHandle SENDFILE = Native.linkRaw(Linux.sendfile$address(), Linux.sendfile$descriptor());
    private static final MethodHandle COPY_FILE_RANGE =
            Native.linkRaw(Linux.copy_file_range$address(), Linux.copy_file_range$descriptor());

    private CopyCalls() {}

    /** {@code ssize_t sendfile(int out_fd, int in_fd, off_t *offset, size_t count)}; a negative offset stands for NULL. */
    public static long sendfile(int out, int in, long inOffset, long length) {
        CallState s = CallState.acquire();
        try {
            long inAt = s.offsetAt(0, inOffset);
            long size = Math.min(length, Syscalls.MAX_LENGTH);
            long n;
            do {
                n = s.result((long) SENDFILE.invokeExact(s.capture, out, in, inAt, size));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code ssize_t copy_file_range(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t size, 0)}; a negative offset stands for
     * NULL.
     */
    public static long copyFileRange(int in, long inOffset, int out, long outOffset, long length) {
        CallState s = CallState.acquire();
        try {
            long inAt = s.offsetAt(0, inOffset);
            long outAt = s.offsetAt(8, outOffset);
            long size = Math.min(length, Syscalls.MAX_LENGTH);
            long n;
            do {
                n = s.result((long) COPY_FILE_RANGE.invokeExact(s.capture, in, inAt, out, outAt, size, 0));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }
}
