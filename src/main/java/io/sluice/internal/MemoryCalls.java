package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.invoke.MethodHandle;

/** The calls on memory mappings, and {@code syscall} for what libc does not wrap; results as in {@link Syscalls}. */
public final class MemoryCalls {
    private static final MethodHandle MMAP = Native.linkRaw(Linux.mmap$address(), Linux.mmap$descriptor());
    private static final MethodHandle MUNMAP = Native.linkRaw(Linux.munmap$address(), Linux.munmap$descriptor());
    private static final MethodHandle MADVISE = Native.linkRaw(Linux.madvise$address(), Linux.madvise$descriptor());
    private static final MethodHandle MPROTECT = Native.linkRaw(Linux.mprotect$address(), Linux.mprotect$descriptor());
    private static final MethodHandle FTRUNCATE =
            Native.linkRaw(Linux.ftruncate$address(), Linux.ftruncate$descriptor());
    private static final MethodHandle MEMFD_CREATE =
            Native.linkRaw(Linux.memfd_create$address(), Linux.memfd_create$descriptor());
    private static final MethodHandle SYSCALL =
            Native.linkVariadic(Linux.syscall.address(), 1, JAVA_LONG, JAVA_LONG, JAVA_LONG, JAVA_LONG);

    private static final int PAGE_SIZE = Linux.getpagesize();

    private MemoryCalls() {}

    /** {@code int getpagesize(void)}: bytes in a page, and so in a slot of a pipe. */
    public static int pageSize() {
        return PAGE_SIZE;
    }

    /** {@code void *mmap(void *addr, size_t length, PROT_READ | PROT_WRITE, int flags, int fd, 0)}. */
    public static long map(long address, long length, int flags, int fd) {
        return map(address, length, flags, fd, 0);
    }

    /** {@code void *mmap(void *addr, size_t length, PROT_READ | PROT_WRITE, int flags, int fd, off_t offset)}. */
    public static long map(long address, long length, int flags, int fd, long offset) {
        CallState s = CallState.acquire();
        try {
            int protection = Linux.PROT_READ() | Linux.PROT_WRITE();
            return s.result((long) MMAP.invokeExact(s.capture, address, length, protection, flags, fd, offset));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int munmap(void *addr, size_t length)}. */
    public static int unmap(long address, long length) {
        CallState s = CallState.acquire();
        try {
            return s.result((int) MUNMAP.invokeExact(s.capture, address, length));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int madvise(void *addr, size_t length, int advice)}. */
    public static int advise(long address, long length, int advice) {
        CallState s = CallState.acquire();
        try {
            return s.result((int) MADVISE.invokeExact(s.capture, address, length, advice));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int mprotect(void *addr, size_t length, PROT_READ)}. */
    public static int protect(long address, long length) {
        CallState s = CallState.acquire();
        try {
            return s.result((int) MPROTECT.invokeExact(s.capture, address, length, Linux.PROT_READ()));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int ftruncate(int fd, off_t length)}. */
    public static int truncate(int fd, long length) {
        CallState s = CallState.acquire();
        try {
            return s.result((int) FTRUNCATE.invokeExact(s.capture, fd, length));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int memfd_create(const char *name, unsigned flags)}. */
    public static int memfd(String name, int flags) {
        CallState s = CallState.acquire();
        try (Arena arena = Arena.ofConfined()) {
            return s.result((int)
                    MEMFD_CREATE.invokeExact(s.capture, arena.allocateFrom(name).address(), flags));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code long syscall(long number, first, second)}. */
    public static long syscall(long number, long first, long second) {
        CallState s = CallState.acquire();
        try {
            return s.result((long) SYSCALL.invokeExact(s.capture, number, first, second));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }
}
