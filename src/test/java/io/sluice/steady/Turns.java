package io.sluice.steady;

import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Libc;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * A job that does the same again and again.
 *
 * <p>A turn has three parts, one after the other: another thread feeds the job, its own thread moves the bytes, and the other takes what has
 * arrived. So how many calls a move makes does not depend on when anybody runs.
 */
abstract class Turns implements Closeable {
    static final int MEBIBYTE = 1 << 20;

    /** What a socket and a pipe of any size take at once. */
    static final int CHUNK = 64 << 10;

    private final Deque<Closeable> opened = new ArrayDeque<>();
    private final MemorySegment memory = Arena.ofAuto().allocate(MEBIBYTE, 4096).fill((byte) 'x');

    /** What this machine does not grant; its message says what. */
    static final class MissingException extends IOException {
        private static final long serialVersionUID = 1L;

        MissingException(String what) {
            super(what);
        }
    }

    /** Bytes that a turn moves. */
    abstract long bytes();

    /** Does what must have happened before the job moves anything. */
    void feed() throws Exception {}

    /**
     * What is counted.
     *
     * @return false if it has to be made once more, when what has arrived was taken
     */
    abstract boolean move() throws Exception;

    /**
     * Takes what has arrived.
     *
     * @return how many bytes
     */
    abstract long taken() throws Exception;

    /** Closed with the job, the last opened first. */
    final <T extends Closeable> T own(T resource) {
        opened.push(resource);
        return resource;
    }

    final int own(int descriptor) throws IOException {
        if (descriptor < 0) {
            throw new IOException("errno " + -descriptor);
        }
        own(() -> Syscalls.close(descriptor));
        return descriptor;
    }

    /** The source and the sink of a pipe that holds so much. */
    final int[] pipe(int capacity) throws IOException {
        long ends = Syscalls.pipe2(Linux.O_CLOEXEC());
        int[] pipe = {own((int) ends), own((int) (ends >>> 32))};
        if (Syscalls.fcntl(pipe[1], Linux.F_SETPIPE_SZ(), capacity) < capacity) {
            throw new MissingException("needs pipes of " + capacity + " bytes");
        }
        return pipe;
    }

    /** Two sockets connected to each other: what one is given the other has before the call returns. */
    final int[] sockets() throws IOException {
        return sockets(2 * MEBIBYTE);
    }

    /** @param sendBuffer what either may have sent without the other having taken it, or half of that; the kernel may grant less */
    final int[] sockets(int sendBuffer) throws IOException {
        MemorySegment pair = Arena.ofAuto().allocate(8, 8);
        if (Libc.socketpair(Linux.AF_UNIX(), Linux.SOCK_STREAM() | Linux.O_CLOEXEC(), 0, pair) < 0) {
            throw new IOException("socketpair");
        }
        int[] sockets = {own(pair.get(ValueLayout.JAVA_INT, 0)), own(pair.get(ValueLayout.JAVA_INT, 4))};
        for (int socket : sockets) {
            Libc.setsockopt(socket, Linux.SOL_SOCKET(), Linux.SO_SNDBUF(), sendBuffer);
        }
        return sockets;
    }

    /** A file in memory, so that no disk has a part in this. */
    final int file(long length) throws IOException {
        int file = own(Libc.memfdCreate("steady", Linux.MFD_CLOEXEC()));
        give(file, length);
        Libc.lseek(file, 0, 0);
        return file;
    }

    final void give(int descriptor, long length) throws IOException {
        for (long left = length; left > 0; ) {
            long n = Syscalls.write(descriptor, memory, Math.min(left, memory.byteSize()));
            if (n <= 0) {
                throw new IOException("write: " + n + " with " + left + " bytes left");
            }
            left -= n;
        }
    }

    /** Takes what is there. */
    final long take(int descriptor) throws IOException {
        long taken = 0;
        for (long there; (there = Syscalls.available(descriptor)) > 0; ) {
            long n = Syscalls.read(descriptor, memory, Math.min(there, memory.byteSize()));
            if (n <= 0) {
                throw new IOException("read: " + n);
            }
            taken += n;
        }
        return taken;
    }

    @Override
    public void close() throws IOException {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
    }
}
