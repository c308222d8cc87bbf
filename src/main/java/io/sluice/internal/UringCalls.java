package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.internal.ffi.Linux;
import java.lang.invoke.MethodHandle;

/** The three calls of io_uring, which the C library does not wrap; results as in {@link Syscalls}, EINTR included. */
final class UringCalls {
    private static final MethodHandle SYSCALL = Native.linkVariadic(
            Linux.syscall.address(),
            1,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG,
            JAVA_LONG);

    private static final long SETUP = Linux.SYS_io_uring_setup();
    private static final long ENTER = Linux.SYS_io_uring_enter();
    private static final long REGISTER = Linux.SYS_io_uring_register();

    private UringCalls() {}

    /** {@code int io_uring_setup(u32 entries, struct io_uring_params *)}: a descriptor, or −errno. */
    static int setup(int entries, long params) {
        return call(SETUP, entries, params, 0, 0, 0, 0);
    }

    /** {@code int io_uring_enter(unsigned fd, u32 to_submit, u32 min_complete, u32 flags, const void *argument, size_t size)}. */
    static int enter(int ring, int submit, int completions, int flags, long argument, long size) {
        return call(ENTER, ring, submit, completions, flags, argument, size);
    }

    /** {@code int io_uring_register(unsigned fd, unsigned opcode, void *argument, unsigned count)}. */
    static int register(int ring, int operation, long argument, int count) {
        return call(REGISTER, ring, operation, argument, count, 0, 0);
    }

    private static int call(long number, long a, long b, long c, long d, long e, long f) {
        CallState s = CallState.acquire();
        try {
            return (int) s.result((long) SYSCALL.invokeExact(s.capture, number, a, b, c, d, e, f));
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }
}
