package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.internal.ffi.Linux;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/**
 * The calls that move bytes, and those on the descriptors they move between.
 *
 * <p>One static method per call: primitives in, <b>result or −errno</b> out, nothing allocated. A call that a signal interrupted before
 * it did anything (EINTR) is made again here, and nowhere else. Lengths above {@link #MAX_LENGTH} are clamped to it, which every caller
 * must expect anyway: a partial transfer is a normal result.
 *
 * <p>Memory is passed as a {@link MemorySegment} where the JVM can keep it alive during the call, and as a bare address where the kernel
 * would see it only through a structure; the caller then answers for its life.
 */
public final class Syscalls {
    /** The most bytes one call moves: {@code INT_MAX & ~4095}, the kernel's MAX_RW_COUNT. */
    public static final long MAX_LENGTH = 0x7fff_f000L;

    private static final int EINTR = -Linux.EINTR();

    private static final MethodHandle PIPE2 = Native.linkRaw(Linux.pipe2$address(), Linux.pipe2$descriptor());
    private static final MethodHandle SPLICE = Native.linkRaw(Linux.splice$address(), Linux.splice$descriptor());
    private static final MethodHandle TEE = Native.linkRaw(Linux.tee$address(), Linux.tee$descriptor());
    private static final MethodHandle VMSPLICE = Native.linkRaw(Linux.vmsplice$address(), Linux.vmsplice$descriptor());
    private static final MethodHandle READ = Native.link(Linux.read$address(), Linux.read$descriptor());
    private static final MethodHandle WRITE = Native.link(Linux.write$address(), Linux.write$descriptor());
    private static final MethodHandle PREAD = Native.link(Linux.pread$address(), Linux.pread$descriptor());
    private static final MethodHandle PWRITE = Native.link(Linux.pwrite$address(), Linux.pwrite$descriptor());
    private static final MethodHandle CLOSE = Native.linkRaw(Linux.close$address(), Linux.close$descriptor());
    private static final MethodHandle FCNTL =
            Native.linkVariadic(Linux.fcntl.address(), 2, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT);
    private static final MethodHandle IOCTL =
            Native.linkVariadic(Linux.ioctl.address(), 2, JAVA_INT, JAVA_INT, JAVA_LONG, JAVA_LONG);

    private Syscalls() {}

    /**
     * {@code int pipe2(int pipefd[2], int flags)}.
     *
     * @return the read end in the low 32 bits and the write end in the high ones, or −errno
     */
    public static long pipe2(int flags) {
        CallState s = CallState.acquire();
        try {
            int result;
            do {
                result = s.result((int) PIPE2.invokeExact(s.capture, s.address, flags));
            } while (result == EINTR);
            return result < 0 ? result : (long) s.intAt(4) << 32 | s.intAt(0);
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code ssize_t splice(int fd_in, off_t *off_in, int fd_out, off_t *off_out, size_t size, unsigned flags)}; a negative offset
     * stands for NULL.
     */
    public static long splice(int in, long inOffset, int out, long outOffset, long length, int flags) {
        CallState s = CallState.acquire();
        try {
            long inAt = s.offsetAt(0, inOffset);
            long outAt = s.offsetAt(8, outOffset);
            long size = Math.min(length, MAX_LENGTH);
            long n;
            do {
                n = s.result((long) SPLICE.invokeExact(s.capture, in, inAt, out, outAt, size, flags));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code ssize_t tee(int fd_in, int fd_out, size_t size, unsigned flags)}. */
    public static long tee(int in, int out, long length, int flags) {
        CallState s = CallState.acquire();
        try {
            long size = Math.min(length, MAX_LENGTH);
            long n;
            do {
                n = s.result((long) TEE.invokeExact(s.capture, in, out, size, flags));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** The most ranges that one vmsplice takes here. */
    public static final int MAX_RANGES = CallState.SCRATCH / 16;

    /**
     * {@code ssize_t vmsplice(int fd, const struct iovec *iov, size_t nr_segs, unsigned flags)} with one range; the caller keeps the memory
     * mapped, and unwritten for as long as the kernel may hold its pages.
     */
    public static long vmsplice(int fd, long address, long length, int flags) {
        CallState s = CallState.acquire();
        try {
            s.scratch.set(JAVA_LONG, 0, address);
            s.scratch.set(JAVA_LONG, 8, Math.min(length, MAX_LENGTH));
            return vmsplice(s, fd, 1, flags);
        } finally {
            s.release();
        }
    }

    /** As {@link #vmsplice(int, long, long, int)}, with up to {@link #MAX_RANGES} ranges in order. */
    public static long vmsplice(int fd, long[] addresses, long[] lengths, int flags) {
        CallState s = CallState.acquire();
        try {
            for (int i = 0; i < addresses.length; i++) {
                s.scratch.set(JAVA_LONG, 16L * i, addresses[i]);
                s.scratch.set(JAVA_LONG, 16L * i + 8, Math.min(lengths[i], MAX_LENGTH));
            }
            return vmsplice(s, fd, addresses.length, flags);
        } finally {
            s.release();
        }
    }

    private static long vmsplice(CallState s, int fd, long ranges, int flags) {
        try {
            long n;
            do {
                n = s.result((long) VMSPLICE.invokeExact(s.capture, fd, s.address, ranges, flags));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        }
    }

    /** {@code ssize_t read(int fd, void *buf, size_t size)}, into native memory. */
    public static long read(int fd, MemorySegment into, long length) {
        CallState s = CallState.acquire();
        try {
            long size = Math.min(length, MAX_LENGTH);
            long n;
            do {
                n = s.result((long) READ.invokeExact(s.capture, fd, into, size));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code ssize_t write(int fd, const void *buf, size_t size)}, from native memory. */
    public static long write(int fd, MemorySegment from, long length) {
        CallState s = CallState.acquire();
        try {
            long size = Math.min(length, MAX_LENGTH);
            long n;
            do {
                n = s.result((long) WRITE.invokeExact(s.capture, fd, from, size));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code ssize_t pread(int fd, void *buf, size_t size, off_t offset)}, into native memory. */
    public static long pread(int fd, MemorySegment into, long length, long offset) {
        CallState s = CallState.acquire();
        try {
            long size = Math.min(length, MAX_LENGTH);
            long n;
            do {
                n = s.result((long) PREAD.invokeExact(s.capture, fd, into, size, offset));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code ssize_t pwrite(int fd, const void *buf, size_t size, off_t offset)}, from native memory. */
    public static long pwrite(int fd, MemorySegment from, long length, long offset) {
        CallState s = CallState.acquire();
        try {
            long size = Math.min(length, MAX_LENGTH);
            long n;
            do {
                n = s.result((long) PWRITE.invokeExact(s.capture, fd, from, size, offset));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int close(int fd)}: never made again, because the number is free even after EINTR. */
    public static int close(int fd) {
        CallState s = CallState.acquire();
        try {
            return s.result((int) CLOSE.invokeExact(s.capture, fd));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int fcntl(int fd, int op, int arg)}. */
    public static int fcntl(int fd, int operation, int argument) {
        CallState s = CallState.acquire();
        try {
            int n;
            do {
                n = s.result((int) FCNTL.invokeExact(s.capture, fd, operation, argument));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code int ioctl(int fd, unsigned long op, int *value)} for requests that answer with a number that is not negative, such as
     * FIONREAD.
     *
     * @return the number, or −errno
     */
    public static int ioctl(int fd, long request) {
        CallState s = CallState.acquire();
        try {
            int result;
            do {
                result = s.result((int) IOCTL.invokeExact(s.capture, fd, request, s.address));
            } while (result == EINTR);
            return result < 0 ? result : s.intAt(0);
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code fcntl(fd, F_GETPIPE_SZ)}: bytes, or −errno. */
    public static int pipeSize(int fd) {
        return fcntl(fd, Linux.F_GETPIPE_SZ(), 0);
    }

    /** {@code ioctl(fd, FIONREAD, int *)}: bytes, or −errno. */
    public static int available(int fd) {
        return ioctl(fd, Linux.FIONREAD());
    }
}
