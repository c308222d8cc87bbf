package io.sluice.testing;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;
import java.util.Collections;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Functions of the C library that tests need and the library does not: <b>result or −errno</b>, pointers as addresses.
 *
 * <p>Every argument is passed as a 64-bit integer, which both architectures put into the register that a narrower one would take.
 */
public final class Libc {
    private static final Linker.Option CAPTURE = Linker.Option.captureCallState("errno");
    private static final MemoryLayout CAPTURED = Linker.Option.captureStateLayout();
    private static final VarHandle ERRNO = CAPTURED.varHandle(PathElement.groupElement("errno"));
    private static final Map<String, MethodHandle> HANDLES = new ConcurrentHashMap<>();
    private static final int ANY = 6;
    private static final int PROCESSORS = 4096;

    private Libc() {}

    public static int socket(int domain, int type, int protocol) {
        return callInt("socket", domain, type, protocol);
    }

    public static int socketpair(int domain, int type, int protocol, MemorySegment into) {
        return callInt("socketpair", domain, type, protocol, into.address());
    }

    public static int bind(int fd, MemorySegment address) {
        return callInt("bind", fd, address.address(), address.byteSize());
    }

    public static int connect(int fd, MemorySegment address) {
        return callInt("connect", fd, address.address(), address.byteSize());
    }

    public static int getsockname(int fd, MemorySegment address, MemorySegment length) {
        return callInt("getsockname", fd, address.address(), length.address());
    }

    public static int listen(int fd, int backlog) {
        return callInt("listen", fd, backlog);
    }

    public static int accept4(int fd, int flags) {
        return callInt("accept4", fd, 0, 0, flags);
    }

    public static int shutdown(int fd, int how) {
        return callInt("shutdown", fd, how);
    }

    public static int setsockopt(int fd, int level, int option, int value) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment at = arena.allocateFrom(JAVA_INT, value);
            return callInt("setsockopt", fd, level, option, at.address(), at.byteSize());
        }
    }

    /** {@code pipe2} with a pointer of the caller's choice. */
    public static int pipe2(long pair, int flags) {
        return callInt("pipe2", pair, flags);
    }

    /** {@code splice} with pointers of the caller's choice. */
    public static long splice(int in, long inOffset, int out, long outOffset, long length, int flags) {
        return callLong("splice", in, inOffset, out, outOffset, length, flags);
    }

    /** {@code vmsplice} with a pointer and a count of the caller's choice. */
    public static long vmsplice(int fd, long ranges, long count, int flags) {
        return callLong("vmsplice", fd, ranges, count, flags);
    }

    public static long sendfile(int out, int in, long offset, long count) {
        return callLong("sendfile", out, in, offset, count);
    }

    public static long pread(int fd, MemorySegment into, long length, long offset) {
        return callLong("pread", fd, into.address(), length, offset);
    }

    public static long pwrite(int fd, MemorySegment from, long length, long offset) {
        return callLong("pwrite", fd, from.address(), length, offset);
    }

    public static long lseek(int fd, long offset, int whence) {
        return callLong("lseek", fd, offset, whence);
    }

    public static int ftruncate(int fd, long length) {
        return callInt("ftruncate", fd, length);
    }

    public static int fallocate(int fd, int mode, long offset, long length) {
        return callInt("fallocate", fd, mode, offset, length);
    }

    public static int mkfifo(String path, int mode) {
        try (Arena arena = Arena.ofConfined()) {
            return callInt("mkfifo", arena.allocateFrom(path).address(), mode);
        }
    }

    public static int ioctl(int fd, long request, MemorySegment argument) {
        return callInt("ioctl", fd, request, argument.address());
    }

    public static long mmap(long address, long length, int protection, int flags, int fd, long offset) {
        return callLong("mmap", address, length, protection, flags, fd, offset);
    }

    public static long mremap(long address, long oldLength, long newLength, int flags, long newAddress) {
        return callLong("mremap", address, oldLength, newLength, flags, newAddress);
    }

    public static int munmap(long address, long length) {
        return callInt("munmap", address, length);
    }

    public static int mprotect(long address, long length, int protection) {
        return callInt("mprotect", address, length, protection);
    }

    public static int madvise(long address, long length, int advice) {
        return callInt("madvise", address, length, advice);
    }

    /** {@code memfd_create} with a pointer of the caller's choice. */
    public static int memfdCreate(long name, int flags) {
        return callInt("memfd_create", name, flags);
    }

    public static int memfdCreate(String name, int flags) {
        try (Arena arena = Arena.ofConfined()) {
            return memfdCreate(arena.allocateFrom(name).address(), flags);
        }
    }

    public static int memfdSecret(int flags) {
        return (int) syscall(447, flags);
    }

    public static int pidfdOpen(long pid) {
        return (int) syscall(434, pid, 0);
    }

    /** {@code signalfd} for no signal at all. */
    public static int signalfd() {
        try (Arena arena = Arena.ofConfined()) {
            return callInt("signalfd", -1, arena.allocate(128, 8).address(), 0);
        }
    }

    public static int timerfdCreate(int clock, int flags) {
        return callInt("timerfd_create", clock, flags);
    }

    public static int inotifyInit(int flags) {
        return callInt("inotify_init1", flags);
    }

    public static int inotifyAddWatch(int fd, String path, int mask) {
        try (Arena arena = Arena.ofConfined()) {
            return callInt("inotify_add_watch", fd, arena.allocateFrom(path).address(), mask);
        }
    }

    /** {@code prlimit} on this process; either pointer may be 0. */
    public static int prlimit(int resource, long newLimit, long oldLimit) {
        return callInt("prlimit", 0, resource, newLimit, oldLimit);
    }

    public static int prctl(int option, long second, long third) {
        return callInt("prctl", option, second, third, 0, 0);
    }

    public static int unshare(int flags) {
        return callInt("unshare", flags);
    }

    public static int setns(int fd, int kind) {
        return callInt("setns", fd, kind);
    }

    /** Keeps the calling thread on the processor it is running on. */
    public static int stayOnThisProcessor() {
        int processor = callInt("sched_getcpu");
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(PROCESSORS / 8, 8);
            mask.set(JAVA_BYTE, processor / 8, (byte) (1 << processor % 8));
            return callInt("sched_setaffinity", 0, mask.byteSize(), mask.address());
        }
    }

    public static int gettid() {
        return callInt("gettid");
    }

    /** {@code syscall(2)}, with up to {@value #ANY} arguments. */
    public static long syscall(long number, long... arguments) {
        long[] all = new long[1 + ANY];
        all[0] = number;
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        return callLong("syscall", all);
    }

    private static int callInt(String function, long... arguments) {
        return (int) call(JAVA_INT, function, arguments);
    }

    private static long callLong(String function, long... arguments) {
        return call(JAVA_LONG, function, arguments);
    }

    private static long call(ValueLayout result, String function, long... arguments) {
        MethodHandle handle = HANDLES.computeIfAbsent(function, name -> link(name, result, arguments.length));
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment captured = arena.allocate(CAPTURED);
            long returned = (long) handle.invokeExact(captured, arguments);
            return returned == -1 ? -(int) ERRNO.get(captured, 0L) : returned;
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable t) {
            throw new IllegalStateException(function, t);
        }
    }

    private static MethodHandle link(String function, ValueLayout result, int arguments) {
        Linker linker = Linker.nativeLinker();
        MemorySegment symbol =
                linker.defaultLookup().find(function).orElseThrow(() -> new UnsatisfiedLinkError(function));
        MemoryLayout[] layouts = Collections.nCopies(arguments, JAVA_LONG).toArray(MemoryLayout[]::new);
        return linker.downcallHandle(symbol, FunctionDescriptor.of(result, layouts), CAPTURE)
                .asSpreader(1, long[].class, arguments)
                .asType(MethodType.methodType(long.class, MemorySegment.class, long[].class));
    }
}
