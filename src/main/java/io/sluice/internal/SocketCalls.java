package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.cmsghdr;
import io.sluice.internal.ffi.msghdr;
import io.sluice.internal.ffi.sock_extended_err;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** The calls on sockets; results as in {@link Syscalls}. */
public final class SocketCalls {
    /** The most ranges that one call sends. */
    public static final int MAX_RANGES = 12;

    private static final int EINTR = -Linux.EINTR();
    private static final long MESSAGE = msghdr.sizeof();

    /** Where in the scratch memory the ranges, or the control messages, begin. */
    private static final long RANGES = 64;

    private static final MethodHandle SHUTDOWN = Native.linkRaw(Linux.shutdown$address(), Linux.shutdown$descriptor());
    private static final MethodHandle SETSOCKOPT =
            Native.linkRaw(Linux.setsockopt$address(), Linux.setsockopt$descriptor());
    private static final MethodHandle GETSOCKOPT =
            Native.linkRaw(Linux.getsockopt$address(), Linux.getsockopt$descriptor());
    private static final MethodHandle SEND = Native.linkRaw(Linux.send$address(), Linux.send$descriptor());
    private static final MethodHandle SENDMSG = Native.linkRaw(Linux.sendmsg$address(), Linux.sendmsg$descriptor());
    private static final MethodHandle RECVMSG = Native.linkRaw(Linux.recvmsg$address(), Linux.recvmsg$descriptor());

    private SocketCalls() {}

    /** {@code int shutdown(int fd, int how)}. */
    public static int shutdown(int fd, int how) {
        CallState s = CallState.acquire();
        try {
            return s.result((int) SHUTDOWN.invokeExact(s.capture, fd, how));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /** {@code int setsockopt(int fd, int level, int name, const int *value, sizeof(int))}. */
    public static int setOption(int fd, int level, int name, int value) {
        CallState s = CallState.acquire();
        try {
            s.scratch.set(JAVA_INT, 0, value);
            return s.result((int) SETSOCKOPT.invokeExact(s.capture, fd, level, name, s.address, Integer.BYTES));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code int getsockopt(int fd, SOL_SOCKET, int name, int *value, sizeof(int))}.
     *
     * @return the value, which is not negative for the options asked here, or −errno
     */
    public static int option(int fd, int name) {
        CallState s = CallState.acquire();
        try {
            int result = option(s, fd, name, Integer.BYTES);
            return result < 0 ? result : s.intAt(0);
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code int getsockopt(int fd, SOL_SOCKET, SO_COOKIE, uint64_t *, sizeof(uint64_t))}: what tells this socket from every other that this
     * system has had, or will have.
     *
     * @return the number, or −1 if the kernel does not say
     */
    public static long cookie(int fd) {
        CallState s = CallState.acquire();
        try {
            return option(s, fd, Linux.SO_COOKIE(), Long.BYTES) < 0 ? -1 : s.scratch.get(JAVA_LONG, 0);
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    private static int option(CallState s, int fd, int name, int size) throws Throwable {
        s.scratch.set(JAVA_LONG, 0, 0);
        s.scratch.set(JAVA_INT, 8, size);
        return s.result(
                (int) GETSOCKOPT.invokeExact(s.capture, fd, Linux.SOL_SOCKET(), name, s.address, s.address + 8));
    }

    /**
     * {@code ssize_t send(int fd, const void *buf, size_t n, int flags)}: the caller keeps the memory mapped, and unwritten for as long as
     * {@code flags} demand.
     */
    public static long send(int fd, long address, long length, int flags) {
        CallState s = CallState.acquire();
        try {
            long n;
            do {
                n = s.result((long) SEND.invokeExact(s.capture, fd, address, length, flags));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code ssize_t sendmsg(int fd, const struct msghdr *, int flags)} with the first {@link #MAX_RANGES} of these ranges in order. As
     * {@link #send(int, long, long, int)} otherwise.
     */
    public static long send(int fd, long[] addresses, long[] lengths, int flags) {
        CallState s = CallState.acquire();
        try {
            int count = Math.min(addresses.length, MAX_RANGES);
            for (int i = 0; i < count; i++) {
                range(s, i, addresses[i], lengths[i]);
            }
            return send(s, fd, count, flags);
        } finally {
            s.release();
        }
    }

    private static void range(CallState s, int index, long address, long length) {
        s.scratch.set(JAVA_LONG, RANGES + 16L * index, address);
        s.scratch.set(JAVA_LONG, RANGES + 16L * index + 8, Math.min(length, Syscalls.MAX_LENGTH));
    }

    private static long send(CallState s, int fd, int ranges, int flags) {
        try {
            emptyMessage(s);
            s.scratch.set(JAVA_LONG, msghdr.msg_iov$offset(), s.address + RANGES);
            s.scratch.set(JAVA_LONG, msghdr.msg_iovlen$offset(), ranges);
            long n;
            do {
                n = s.result((long) SENDMSG.invokeExact(s.capture, fd, s.address, flags));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        }
    }

    private static void emptyMessage(CallState s) {
        for (long word = 0; word < MESSAGE; word += Long.BYTES) {
            s.scratch.set(JAVA_LONG, word, 0);
        }
    }

    /** What an entry of a socket's error queue says: {@code struct sock_extended_err}. */
    public static final class ErrorEntry {
        /** {@code ee_errno}. */
        public int errno;
        /** {@code ee_origin}, or −1 if there was no such structure. */
        public int origin;
        /** {@code ee_code}. */
        public int code;
        /** {@code ee_info}. */
        public int info;
        /** {@code ee_data}. */
        public int data;

        void read(CallState s, long at) {
            MemorySegment error = s.scratch.asSlice(at, sock_extended_err.sizeof());
            errno = sock_extended_err.ee_errno(error);
            origin = sock_extended_err.ee_origin(error);
            code = sock_extended_err.ee_code(error);
            info = sock_extended_err.ee_info(error);
            data = sock_extended_err.ee_data(error);
        }
    }

    /**
     * {@code ssize_t recvmsg(int fd, struct msghdr *, MSG_ERRQUEUE)}: takes the next entry of the error queue; never waits, and leaves an
     * error of the socket itself (SO_ERROR) where it is.
     *
     * @param into what the entry says
     * @return 0, or −errno; EAGAIN if the queue is empty
     */
    public static int receiveError(int fd, ErrorEntry into) {
        CallState s = CallState.acquire();
        try {
            long n;
            do {
                emptyMessage(s);
                s.scratch.set(JAVA_LONG, msghdr.msg_control$offset(), s.address + RANGES);
                s.scratch.set(JAVA_LONG, msghdr.msg_controllen$offset(), CallState.SCRATCH - RANGES);
                int flags = Linux.MSG_ERRQUEUE() | Linux.MSG_DONTWAIT();
                n = s.result((long) RECVMSG.invokeExact(s.capture, fd, s.address, flags));
            } while (n == EINTR);
            if (n < 0) {
                return (int) n;
            }
            find(s, into);
            return 0;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    // Who else has asked for something, such as a time stamp, has his own control message before or after.
    private static void find(CallState s, ErrorEntry into) {
        into.origin = -1;
        long end = RANGES + msghdr.msg_controllen(s.scratch);
        long length;
        for (long at = RANGES; at + cmsghdr.sizeof() <= end; at += length + 7 & -8) {
            MemorySegment header = s.scratch.asSlice(at);
            length = Math.max(cmsghdr.sizeof(), cmsghdr.cmsg_len(header));
            int level = cmsghdr.cmsg_level(header);
            int type = cmsghdr.cmsg_type(header);
            boolean isError = (level == Linux.IPPROTO_IP() && type == Linux.IP_RECVERR())
                    || (level == Linux.IPPROTO_IPV6() && type == Linux.IPV6_RECVERR());
            if (isError && at + cmsghdr.sizeof() + sock_extended_err.sizeof() <= end) {
                into.read(s, at + cmsghdr.sizeof());
            }
        }
    }
}
