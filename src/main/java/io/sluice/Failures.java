package io.sluice;

import io.sluice.internal.FileCalls;
import io.sluice.internal.Proc;
import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitFailedException;
import io.sluice.internal.ffi.Linux;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.function.LongSupplier;

/** Turns error numbers into exceptions that say what was called, on what, and what to do. */
final class Failures {
    private static final String PIPE_MAX_SIZE = "/proc/sys/fs/pipe-max-size";
    private static final String USER_PAGES_SOFT = "/proc/sys/fs/pipe-user-pages-soft";

    private static final String NOBODY_READS = "nobody reads that end any more: close this one";

    private Failures() {}

    static ErrnoException splice(int errno, Side from, long fromOffset, Side to, long toOffset, long length) {
        String arguments = from.words() + at(fromOffset) + " → " + to.words() + at(toOffset) + ", " + bytes(length);
        return new ErrnoException(
                "splice", arguments, errno, spliceCure(errno, from, to, Math.max(fromOffset, toOffset)), 0);
    }

    private static String spliceCure(int errno, Side from, Side to, long offset) {
        if (errno == Linux.EPIPE()) {
            return NOBODY_READS;
        } else if (errno == Linux.ESPIPE()) {
            return "a pipe or socket has no offsets: use the form without one";
        } else if (errno == Linux.EBADF()) {
            return "the source must be open for reading and the target for writing";
        } else if (denied(errno)) {
            return deniedCure("splice", errno, () -> Syscalls.splice(-1, -1, -1, -1, 1, 0));
        } else if (errno != Linux.EINVAL()) {
            return "";
        }
        if (to.isOpenedForAppend()) {
            return "the kernel does not splice into a file opened for append: open it without APPEND, and give an offset or let it "
                    + "use its position";
        } else if (!from.isPipe() && !to.isPipe()) {
            return "one side must be a pipe";
        } else if (from.isPipe() && to.isPipe()) {
            return "both ends belong to the same pipe: splice moves bytes between two";
        } else if (offset >= 0) {
            return "this descriptor has no offsets, or offset and length together are past the largest file";
        }
        return "this kind of descriptor cannot be spliced on this kernel: use read and write";
    }

    static ErrnoException tee(int errno, Side from, Side to, long length) {
        String cure = "";
        if (errno == Linux.EINVAL()) {
            cure = from.isPipe() && to.isPipe()
                    ? "both ends belong to the same pipe: tee copies from one to another"
                    : "both sides must be pipes";
        } else if (errno == Linux.EPIPE()) {
            cure = NOBODY_READS;
        } else if (denied(errno)) {
            cure = deniedCure("tee", errno, () -> Syscalls.tee(-1, -1, 1, 0));
        }
        return new ErrnoException("tee", from.words() + " → " + to.words() + ", " + bytes(length), errno, cure, 0);
    }

    static ErrnoException copy(
            String call, int errno, Side from, long fromOffset, Side to, long toOffset, long length) {
        String arguments = from.words() + at(fromOffset) + " → " + to.words() + at(toOffset) + ", " + bytes(length);
        return new ErrnoException(call, arguments, errno, "", 0);
    }

    static ErrnoException read(int errno, Side from, long length) {
        return new ErrnoException("read", from.words() + ", " + bytes(length), errno, "", 0);
    }

    static ErrnoException write(int errno, Side to, long length) {
        String cure = errno == Linux.EPIPE() ? NOBODY_READS : "";
        return new ErrnoException("write", to.words() + ", " + bytes(length), errno, cure, 0);
    }

    static ErrnoException socket(String call, Side socket, String arguments, int errno) {
        String cure = "";
        if (errno == Linux.EPIPE() || errno == Linux.ECONNRESET()) {
            cure = "the peer has closed the connection; what it did not read before is lost";
        } else if (denied(errno)) {
            cure = "a seccomp profile or sandbox denies it to this process";
        }
        return new ErrnoException(call, socket.words() + ", " + arguments, errno, cure, 0);
    }

    static ErrnoException vmsplice(int errno, Side to, long length) {
        String cure = "";
        if (errno == Linux.EPIPE()) {
            cure = NOBODY_READS;
        } else if (denied(errno)) {
            cure = deniedCure("vmsplice", errno, () -> Syscalls.vmsplice(-1, 0, 1, 0));
        }
        return new ErrnoException("vmsplice", to.words() + ", " + bytes(length), errno, cure, 0);
    }

    static ErrnoException waiting(WaitFailedException e, Side side) {
        String cure = "";
        if (e.errno() == Linux.ENOSPC()) {
            cure = "raise /proc/sys/fs/epoll/max_user_watches";
        } else if (e.errno() == Linux.EMFILE()) {
            cure = tooManyFiles();
        }
        return new ErrnoException(e.call(), side.words(), e.errno(), cure, 0);
    }

    static ErrnoException pipe2(int errno, String flags) {
        String cure = "";
        if (errno == Linux.EMFILE()) {
            cure = tooManyFiles();
        } else if (errno == Linux.ENFILE()) {
            cure =
                    "the system has no more open files, or this user's pipes have reached /proc/sys/fs/pipe-user-pages-hard"
                            + value("/proc/sys/fs/pipe-user-pages-hard");
        } else if (denied(errno)) {
            cure = "a seccomp profile or sandbox denies it to this process";
        }
        return new ErrnoException("pipe2", flags, errno, cure, 0);
    }

    static ErrnoException capacity(int errno, long requested, long current) {
        String cure = "";
        OptionalLong max = Proc.number(PIPE_MAX_SIZE);
        if (errno == Linux.EPERM() && max.isPresent() && requested > max.getAsLong()) {
            cure = "the limit for a process without CAP_SYS_RESOURCE is " + max.getAsLong() + ", in " + PIPE_MAX_SIZE;
        } else if (errno == Linux.EPERM()) {
            cure = "too many pipes: those of this user are past " + USER_PAGES_SOFT + value(USER_PAGES_SOFT)
                    + " pages, so none can grow; close some, make them smaller, or raise it";
        } else if (errno == Linux.EBUSY()) {
            cure = "what is in the pipe needs more slots than that; drain it first";
        }
        return new ErrnoException(
                "fcntl",
                "F_SETPIPE_SZ, " + requested + " bytes" + (current < 0 ? "" : ", now " + current),
                errno,
                cure,
                0);
    }

    static ErrnoException query(String call, String operation, int errno, Side side) {
        return new ErrnoException(call, side.words() + ", " + operation, errno, "", 0);
    }

    static ErrnoException open(Path path, int errno) {
        return new ErrnoException("open", path.toString(), errno, errno == Linux.EMFILE() ? tooManyFiles() : "", 0);
    }

    static ErrnoException reopen(Fd fd, int errno) {
        String cure = errno == Linux.EACCES()
                ? "the pipe belongs to another user, so it cannot be opened again"
                : errno == Linux.EMFILE() ? tooManyFiles() : "";
        return new ErrnoException("open", "/proc/self/fd of " + fd, errno, cure, 0);
    }

    static ErrnoException duplicate(String of, int errno) {
        return new ErrnoException(
                "fcntl", "F_DUPFD_CLOEXEC of " + of, errno, errno == Linux.EMFILE() ? tooManyFiles() : "", 0);
    }

    static ErrnoException mode(String of, int errno) {
        return new ErrnoException("fcntl", "file status flags of " + of, errno, "", 0);
    }

    static ErrnoException status(int number, int errno) {
        String cure = errno == Linux.EBADF() ? "no descriptor " + number + " is open in this process" : "";
        return new ErrnoException("statx", "descriptor " + number, errno, cure, 0);
    }

    private static String at(long offset) {
        return offset < 0 ? "" : " at offset " + offset;
    }

    private static String bytes(long length) {
        return length + (length == 1 ? " byte" : " bytes");
    }

    private static boolean denied(int errno) {
        return errno == Linux.EPERM() || errno == Linux.ENOSYS();
    }

    // With descriptors that cannot exist, a call that is let through says EBADF.
    private static String deniedCure(String call, int errno, LongSupplier withBadDescriptors) {
        if (withBadDescriptors.getAsLong() != -Linux.EBADF()) {
            return errno == Linux.ENOSYS()
                    ? "this kernel or sandbox has no " + call
                    : "a seccomp profile or sandbox denies " + call
                            + " to this process, as some container runtimes do: allow it there";
        }
        return "the call itself is allowed here: it is this descriptor that refuses, as a sealed memfd does";
    }

    private static String tooManyFiles() {
        return "this process has as many descriptors open as it may, " + FileCalls.openFilesLimit()
                + " (ulimit -n): close some or raise the limit; a pipe takes two, or one with SINGLE_DESCRIPTOR";
    }

    private static String value(String file) {
        OptionalLong number = Proc.number(file);
        return number.isPresent() ? " = " + number.getAsLong() : "";
    }
}
