package io.sluice;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.sluice.Kernel.Finding;
import io.sluice.Kernel.Outcome;
import io.sluice.internal.Errno;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * The experiments behind {@link Kernel}. Each puts a page that holds {@link #BEFORE} in front of the call, stores {@link #AFTER} in it
 * behind the call's back, and looks at what the reader gets.
 */
final class Experiments {
    private static final byte BEFORE = 'A';
    private static final byte AFTER = 'B';
    private static final int NOTIFICATION_MILLIS = 1000;
    private static final int RING_PARAMS_SIZE = 120;

    private Experiments() {}

    static Finding vmsplice() {
        try (Pipe pipe = Pipe.open();
                Page page = new Page()) {
            long n = page.lendTo(pipe);
            if (n < 0) {
                return denied(-n);
            }
            page.store(AFTER);
            return readBack(
                    pipe, "the pipe holds the caller's own pages", "the pipe holds copies of the caller's pages");
        } catch (IOException e) {
            return unknown(e);
        }
    }

    static Finding fileToPipe() {
        try {
            Path file = Files.createTempFile("sluice", ".page");
            try (Pipe pipe = Pipe.open();
                    FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE);
                    Fd source = Fd.open(file)) {
                channel.write(filled(BEFORE), 0);
                pipe.sink().trySpliceFrom(source, MemoryCalls.pageSize());
                channel.write(filled(AFTER), 0);
                return readBack(
                        pipe, "the pipe holds pages of the page cache", "the pipe holds copies of the file's pages");
            } finally {
                Files.delete(file);
            }
        } catch (ErrnoException e) {
            return e.call().equals("splice") ? denied(e.errno()) : unknown(e);
        } catch (IOException e) {
            return unknown(e);
        }
    }

    static Finding tee(boolean vmspliceReferences) {
        try (Pipe original = Pipe.open();
                Pipe copy = Pipe.open();
                Page page = new Page()) {
            if (vmspliceReferences) {
                page.lendTo(original);
            } else {
                original.sink().write(filled(BEFORE));
            }
            original.source().tryTeeTo(copy.sink(), MemoryCalls.pageSize());
            if (!vmspliceReferences) {
                return new Finding(Outcome.WORKS, "whether by reference cannot be seen without vmsplice");
            }
            page.store(AFTER);
            return readBack(copy, "both pipes hold the same pages", "the second pipe holds copies");
        } catch (ErrnoException e) {
            return e.call().equals("tee") ? denied(e.errno()) : unknown(e);
        } catch (IOException e) {
            return unknown(e);
        }
    }

    static Finding messageZerocopy() {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            try (SocketChannel client = SocketChannel.open(server.getLocalAddress());
                    SocketChannel peer = server.accept();
                    Fd socket = Fd.of(client);
                    Page page = new Page()) {
                return peer.isOpen() ? messageZerocopy(socket.number(), page) : denied(Linux.ECONNRESET());
            }
        } catch (IOException e) {
            return unknown(e);
        }
    }

    private static Finding messageZerocopy(int socket, Page page) {
        int set = SocketCalls.setOption(socket, Linux.SOL_SOCKET(), Linux.SO_ZEROCOPY(), 1);
        if (set < 0) {
            return denied(-set);
        }
        long sent = SocketCalls.send(socket, page.address, MemoryCalls.pageSize(), Linux.MSG_ZEROCOPY());
        if (sent < 0) {
            return denied(-sent);
        }
        if (WaitCalls.poll(socket, 0, NOTIFICATION_MILLIS) <= 0) {
            return new Finding(Outcome.UNKNOWN, "no notification came");
        }
        SocketCalls.ErrorEntry notification = new SocketCalls.ErrorEntry();
        int received = SocketCalls.receiveError(socket, notification);
        if (received < 0 || notification.origin != Linux.SO_EE_ORIGIN_ZEROCOPY()) {
            return new Finding(Outcome.UNKNOWN, "the notification could not be read");
        }
        boolean copied = (notification.code & Linux.SO_EE_CODE_ZEROCOPY_COPIED()) != 0;
        return copied
                ? new Finding(Outcome.WORKS, "completion is reported; loopback copies")
                : new Finding(Outcome.REFERENCES, "completion is reported; loopback referenced the page");
    }

    static Finding ioUring() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = arena.allocate(RING_PARAMS_SIZE, Long.BYTES);
            long ring = MemoryCalls.syscall(Linux.SYS_io_uring_setup(), 1, params.address());
            if (ring < 0) {
                return denied(-ring);
            }
            Syscalls.close((int) ring);
            return new Finding(Outcome.WORKS, "a ring can be set up");
        }
    }

    static Finding memfd() {
        int fd = MemoryCalls.memfd("sluice", Linux.MFD_CLOEXEC() | Linux.MFD_ALLOW_SEALING());
        if (fd < 0) {
            return denied(-fd);
        }
        int sealed = Syscalls.fcntl(fd, Linux.F_ADD_SEALS(), Linux.F_SEAL_WRITE());
        Syscalls.close(fd);
        return sealed < 0
                ? denied(-sealed)
                : new Finding(Outcome.WORKS, "memory with a descriptor, and it can be sealed");
    }

    static long newPipeCapacity() {
        try (Pipe pipe = Pipe.open()) {
            return pipe.capacity();
        } catch (IOException e) {
            return -1;
        }
    }

    private static Finding readBack(Pipe pipe, String references, String copies) throws IOException {
        ByteBuffer got = ByteBuffer.allocate(1);
        if (pipe.source().tryRead(got) != 1) {
            return new Finding(Outcome.UNKNOWN, "nothing came out of the pipe");
        }
        return got.get(0) == AFTER ? new Finding(Outcome.REFERENCES, references) : new Finding(Outcome.COPIES, copies);
    }

    private static ByteBuffer filled(byte value) {
        ByteBuffer page = ByteBuffer.allocate(MemoryCalls.pageSize());
        while (page.hasRemaining()) {
            page.put(value);
        }
        return page.flip();
    }

    private static Finding denied(long errno) {
        return new Finding(Outcome.DENIED, Errno.describe((int) errno));
    }

    private static Finding unknown(IOException e) {
        return new Finding(Outcome.UNKNOWN, String.valueOf(e.getMessage()));
    }

    /** A page mapped for one experiment and unmapped after it, which is safe whoever still holds it. */
    private static final class Page implements AutoCloseable {
        final long address;
        private final MemorySegment memory;

        Page() throws IOException {
            int size = MemoryCalls.pageSize();
            address = MemoryCalls.map(0, size, Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS(), -1);
            if (address < 0) {
                throw new IOException("mmap(" + size + " bytes): " + Errno.describe((int) -address));
            }
            memory = MemorySegment.ofAddress(address).reinterpret(size);
            store(BEFORE);
        }

        void store(byte value) {
            memory.set(JAVA_BYTE, 0, value);
        }

        long lendTo(Pipe pipe) throws IOException {
            return Syscalls.vmsplice(pipe.sink().side.number(), address, memory.byteSize(), Linux.SPLICE_F_NONBLOCK());
        }

        @Override
        public void close() {
            MemoryCalls.unmap(address, memory.byteSize());
        }
    }
}
