package io.sluice.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.internal.FileCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/** What one test opens, maps and writes to disk; all of it is gone when the bench is cleared. */
public final class Workbench implements AutoCloseable {
    public static final int PAGE = 4096;

    /** What a new pipe holds. */
    public static final int CAPACITY = 16 * PAGE;

    private final Set<Integer> descriptors = ConcurrentHashMap.newKeySet();
    private final List<MemorySegment> mappings = new ArrayList<>();
    private final List<Path> folders = new ArrayList<>();

    /** The two ends of a pipe. */
    public record Ends(int source, int sink) {}

    /** Two sockets connected to each other. */
    public record Sockets(int near, int far) {}

    /** Takes a descriptor to be closed at the end; fails if it is an error. */
    public int own(long descriptor) {
        assertThat(descriptor).as("descriptor: %s", Results.shown(descriptor)).isNotNegative();
        descriptors.add((int) descriptor);
        return (int) descriptor;
    }

    /** Gives a descriptor away, to whoever will close it. */
    public int disown(int descriptor) {
        assertThat(descriptors.remove(descriptor)).isTrue();
        return descriptor;
    }

    public void close(int descriptor) {
        Results.gives(0, Syscalls.close(disown(descriptor)));
    }

    public Ends pipe() {
        return pipe(0);
    }

    public Ends pipe(int flags) {
        long ends = Syscalls.pipe2(flags | Linux.O_CLOEXEC());
        assertThat(ends).as("pipe2: %s", Results.shown(ends)).isNotNegative();
        return new Ends(own(ends & 0x7fff_ffff), own(ends >>> 32));
    }

    public Ends pipeHolding(byte[] content) {
        Ends pipe = pipe();
        write(pipe.sink(), content);
        return pipe;
    }

    public Ends fullPipe() {
        return pipeHolding(bytes(CAPACITY));
    }

    /** A folder on the disk that temporary files go to. */
    public Path folder() {
        return folder(Path.of(System.getProperty("java.io.tmpdir")));
    }

    public Path folder(Path parent) {
        try {
            Path folder = Files.createTempDirectory(parent, "sluice");
            folders.add(folder);
            return folder;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    public Path path(byte[] content) {
        try {
            return Files.write(folder().resolve("file"), content);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    public int open(Path path, int flags) {
        return own(FileCalls.open(path.toString(), flags | Linux.O_CLOEXEC(), 0600));
    }

    /** A new file, open for reading and writing at its start. */
    public int file(byte[] content) {
        return open(path(content), Linux.O_RDWR());
    }

    public int memfd(long size) {
        int fd = own(Libc.memfdCreate("sluice", Linux.MFD_CLOEXEC() | Linux.MFD_ALLOW_SEALING()));
        Results.gives(0, Libc.ftruncate(fd, size));
        return fd;
    }

    public Sockets unix(int type) {
        MemorySegment pair = buffer(8);
        Results.gives(0, Libc.socketpair(Linux.AF_UNIX(), type | Linux.O_CLOEXEC(), 0, pair));
        return new Sockets(own(pair.get(ValueLayout.JAVA_INT, 0)), own(pair.get(ValueLayout.JAVA_INT, 4)));
    }

    public Sockets tcp() {
        return new Loopback(this).connect();
    }

    /** Native memory of the heap, for content that is only read or copied. */
    public MemorySegment buffer(long bytes) {
        return Arena.ofAuto().allocate(bytes, 64);
    }

    public MemorySegment buffer(byte[] content) {
        return buffer(Math.max(content.length, 1)).copyFrom(MemorySegment.ofArray(content));
    }

    /** Anonymous private pages. */
    public MemorySegment map(long bytes) {
        return map(bytes, Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS(), -1);
    }

    /** Readable and writable pages. */
    public MemorySegment map(long bytes, int flags, int fd) {
        return adopt(Libc.mmap(0, bytes, Linux.PROT_READ() | Linux.PROT_WRITE(), flags, fd, 0), bytes);
    }

    public MemorySegment adopt(long address, long bytes) {
        assertThat(address).as("mmap: %s", Results.shown(address)).isPositive();
        MemorySegment mapping = MemorySegment.ofAddress(address).reinterpret(bytes);
        mappings.add(mapping);
        return mapping;
    }

    public void unmap(MemorySegment mapping) {
        Results.gives(0, Libc.munmap(mapping.address(), mapping.byteSize()));
        disown(mapping);
    }

    /** Forgets pages that are mapped no more, or somewhere else. */
    public void disown(MemorySegment mapping) {
        assertThat(mappings.remove(mapping)).isTrue();
    }

    /** Pages filled with one character. */
    public MemorySegment pages(long bytes, char fill) {
        return map(bytes).fill((byte) fill);
    }

    /** Content in which every position is recognised: no two of its pages are equal. */
    public static byte[] bytes(int length) {
        byte[] content = new byte[length];
        for (int i = 0; i < length; i++) {
            content[i] = (byte) (i * 31 + (i >>> 8) * 7);
        }
        return content;
    }

    /** One {@code read}. */
    public byte[] read(int fd, int atMost) {
        MemorySegment into = buffer(atMost);
        long n = Syscalls.read(fd, into, atMost);
        assertThat(n).as("read: %s", Results.shown(n)).isNotNegative();
        return into.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE);
    }

    /** Reads until so many bytes have come, or the end. */
    public byte[] readFully(int fd, int length) {
        MemorySegment into = buffer(length);
        int at = 0;
        while (at < length) {
            long n = Syscalls.read(fd, into.asSlice(at), length - at);
            assertThat(n).as("read after %d bytes: %s", at, Results.shown(n)).isNotNegative();
            if (n == 0) {
                break;
            }
            at += (int) n;
        }
        return into.asSlice(0, at).toArray(ValueLayout.JAVA_BYTE);
    }

    /** The content of a file from its start, wherever its position is. */
    public byte[] contentOf(int fd, int length) {
        MemorySegment into = buffer(length);
        Results.gives(length, Libc.pread(fd, into, length, 0));
        return into.toArray(ValueLayout.JAVA_BYTE);
    }

    public void write(int fd, byte[] content) {
        MemorySegment from = buffer(content);
        for (int at = 0; at < content.length; ) {
            long n = Syscalls.write(fd, from.asSlice(at), content.length - at);
            assertThat(n).as("write after %d bytes: %s", at, Results.shown(n)).isPositive();
            at += (int) n;
        }
    }

    public int available(int fd) {
        return Syscalls.ioctl(fd, Linux.FIONREAD());
    }

    public void setNonBlocking(int fd, boolean nonBlocking) {
        int flags = Syscalls.fcntl(fd, Linux.F_GETFL(), 0) & ~Linux.O_NONBLOCK();
        Results.gives(0, Syscalls.fcntl(fd, Linux.F_SETFL(), nonBlocking ? flags | Linux.O_NONBLOCK() : flags));
    }

    /** Writes to a descriptor until it takes no more, and leaves it blocking. */
    public void saturate(int fd) {
        setNonBlocking(fd, true);
        MemorySegment from = buffer(CAPACITY);
        long n;
        do {
            n = Syscalls.write(fd, from, CAPACITY);
        } while (n > 0);
        Results.fails(Linux.EAGAIN(), n);
        setNonBlocking(fd, false);
    }

    /** Skips the test on kernels older than this one. */
    public static void assumeKernel(int major, int minor) {
        String[] version = System.getProperty("os.version").split("[^0-9]+", 3);
        int here = Integer.parseInt(version[0]) * 1000 + Integer.parseInt(version[1]);
        if (here < major * 1000 + minor) {
            abort("needs Linux " + major + "." + minor);
        }
    }

    @Override
    public void close() throws IOException {
        descriptors.forEach(Syscalls::close);
        mappings.forEach(mapping -> Libc.munmap(mapping.address(), mapping.byteSize()));
        for (Path folder : folders) {
            try (Stream<Path> inside = Files.walk(folder)) {
                for (Path path : inside.sorted(Comparator.reverseOrder()).toList()) {
                    Files.delete(path);
                }
            }
        }
    }
}
