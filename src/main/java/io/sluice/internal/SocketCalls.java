package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.cmsghdr;
import io.sluice.internal.ffi.msghdr;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;

/** The calls on sockets; results as in {@link Syscalls}. */
public final class SocketCalls {
    private static final int EINTR = -Linux.EINTR();

    private static final MethodHandle SHUTDOWN = Native.linkRaw(Linux.shutdown$address(), Linux.shutdown$descriptor());
    private static final MethodHandle SETSOCKOPT =
            Native.linkRaw(Linux.setsockopt$address(), Linux.setsockopt$descriptor());
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
     * {@code ssize_t sendmsg(int fd, const struct msghdr *, int flags)} with one range, which the caller keeps mapped, and unwritten for as
     * long as {@code flags} demand.
     */
    public static long send(int fd, long address, long length, int flags) {
        CallState s = CallState.acquire();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment message = message(arena, address, length);
            long n;
            do {
                n = s.result((long) SENDMSG.invokeExact(s.capture, fd, message.address(), flags));
            } while (n == EINTR);
            return n;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code ssize_t recvmsg(int fd, struct msghdr *, MSG_ERRQUEUE)}: the next entry of the error queue; never waits.
     *
     * @param into memory for the first control message's data, a {@code struct sock_extended_err}
     * @return bytes of control data, headers included, or −errno; EAGAIN if the queue is empty
     */
    public static long receiveError(int fd, MemorySegment into) {
        CallState s = CallState.acquire();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment control = arena.allocate(512, 8);
            MemorySegment message = message(arena, 0, 0);
            msghdr.msg_control(message, control);
            msghdr.msg_controllen(message, control.byteSize());
            long n = s.result((long) RECVMSG.invokeExact(s.capture, fd, message.address(), Linux.MSG_ERRQUEUE()));
            if (n < 0) {
                return n;
            }
            long length = msghdr.msg_controllen(message);
            long header = cmsghdr.sizeof();
            if (length >= header + into.byteSize()) {
                MemorySegment.copy(control, header, into, 0, into.byteSize());
            }
            return length;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    private static MemorySegment message(Arena arena, long address, long length) {
        MemorySegment message = msghdr.allocate(arena);
        if (length > 0) {
            MemorySegment range = arena.allocate(16, 8);
            range.set(JAVA_LONG, 0, address);
            range.set(JAVA_LONG, 8, Math.min(length, Syscalls.MAX_LENGTH));
            msghdr.msg_iov(message, range);
            msghdr.msg_iovlen(message, 1);
        }
        return message;
    }
}
