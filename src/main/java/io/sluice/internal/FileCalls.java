package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.rlimit;
import io.sluice.internal.ffi.statfs;
import io.sluice.internal.ffi.statx;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;

/** The calls that open a descriptor and say what it is; results as in {@link Syscalls}. */
public final class FileCalls {
    private static final int EINTR = -Linux.EINTR();

    /** How {@link java.nio.file.Path} turns bytes into characters and back. */
    private static final Charset PATH_ENCODING =
            Charset.forName(System.getProperty("sun.jnu.encoding"), StandardCharsets.UTF_8);

    private static final MethodHandle OPEN =
            Native.linkVariadic(Linux.open.address(), 2, JAVA_INT, Linux.C_POINTER, JAVA_INT, JAVA_INT);
    private static final MethodHandle STATX = Native.link(Linux.statx$address(), Linux.statx$descriptor());

    private static final MethodHandle FSTATFS = Native.link(Linux.fstatfs$address(), Linux.fstatfs$descriptor());
    private static final MethodHandle GETRLIMIT =
            Native.linkRaw(Linux.getrlimit$address(), Linux.getrlimit$descriptor());

    private FileCalls() {}

    /**
     * What a descriptor stands for.
     *
     * @param mode {@code st_mode}: type and permissions
     * @param deviceMajor major number of the device it is, or 0
     * @param deviceMinor minor number of the device it is, or 0
     * @param inode what tells it from others of its file system
     * @param size bytes of a regular file
     */
    public record Status(int mode, int deviceMajor, int deviceMinor, long inode, long size) {
        /** The file type: {@code st_mode & S_IFMT}. */
        public int type() {
            return mode & Linux.S_IFMT();
        }
    }

    /** {@code int open(const char *path, int flags, mode_t mode)}. */
    public static int open(String path, int flags, int mode) {
        CallState s = CallState.acquire();
        try (Arena arena = Arena.ofConfined()) {
            byte[] encoded = path.getBytes(PATH_ENCODING);
            long name = arena.allocate(encoded.length + 1L)
                    .copyFrom(MemorySegment.ofArray(encoded))
                    .address();
            int fd;
            do {
                fd = s.result((int) OPEN.invokeExact(s.capture, name, flags, mode));
            } while (fd == EINTR);
            return fd;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code int statx(int fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, struct statx *)}. It stands in for {@code fstat}, whose structure
     * differs between the architectures and which glibc exports only since 2.33.
     *
     * @return 0 and the answer in {@code into[0]}, or −errno
     */
    public static int status(int fd, Status[] into) {
        CallState s = CallState.acquire();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment answer = statx.allocate(arena);
            MemorySegment empty = arena.allocateFrom("");
            int result;
            do {
                result = s.result((int) STATX.invokeExact(
                        s.capture, fd, empty, Linux.AT_EMPTY_PATH(), Linux.STATX_BASIC_STATS(), answer));
            } while (result == EINTR);
            if (result == 0) {
                into[0] = new Status(
                        statx.stx_mode(answer) & 0xffff,
                        statx.stx_rdev_major(answer),
                        statx.stx_rdev_minor(answer),
                        statx.stx_ino(answer),
                        statx.stx_size(answer));
            }
            return result;
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code int getrlimit(RLIMIT_NOFILE, struct rlimit *)}: needs no descriptor, and so answers when there is none left.
     *
     * @return the most descriptors this process may have open, or −errno
     */
    public static long openFilesLimit() {
        CallState s = CallState.acquire();
        try {
            int result = s.result((int) GETRLIMIT.invokeExact(s.capture, Linux.RLIMIT_NOFILE(), s.address));
            return result < 0 ? result : rlimit.rlim_cur(s.scratch);
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }

    /**
     * {@code int fstatfs(int fd, struct statfs *)}: whether what is spliced to a regular file is copied, or on the disk, before the call
     * returns. It is on the file systems where that was seen; others may keep a reference to the page, as one in user space does.
     */
    public static boolean copiesWhatItIsGiven(int fd) {
        CallState s = CallState.acquire();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment answer = statfs.allocate(arena);
            int result = s.result((int) FSTATFS.invokeExact(s.capture, fd, answer));
            long type = statfs.f_type(answer);
            return result == 0 && (type == Linux.EXT4_SUPER_MAGIC() || type == Linux.TMPFS_MAGIC());
        } catch (Throwable t) {
            throw Native.unexpected(t);
        } finally {
            s.release();
        }
    }
}
