package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSource;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** What takes bytes out of a pipe, in one of the ways a reader can, until they end. */
interface Drain extends Closeable {
    /** The most that is taken at once, and what the pipes hold. */
    int AT_ONCE = 256 << 10;

    /** Waits for some, and returns how many it took, or −1 at the end. */
    long take(PipeSource source) throws IOException;

    /** Says to the peer that this was all. */
    default void end() throws IOException {}

    /** What a peer does meanwhile, on a thread of its own. */
    default void peer() throws IOException {}

    @Override
    default void close() throws IOException {}

    /** The reader copies. */
    static Drain read() {
        MemorySegment into = Arena.ofAuto().allocate(AT_ONCE, 4096);
        return source -> source.read(into);
    }

    /** Splices to the null device. */
    static Drain discard() throws IOException {
        Fd nullDevice = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
        return new Drain() {
            @Override
            public long take(PipeSource source) throws IOException {
                return source.spliceTo(nullDevice, AT_ONCE);
            }

            @Override
            public void close() throws IOException {
                nullDevice.close();
            }
        };
    }

    /** Splices to a file, over the same 64 MiB again and again, so that it is the page cache that is measured. */
    static Drain file(Path path) throws IOException {
        Fd file = Fd.open(path, StandardOpenOption.WRITE, StandardOpenOption.CREATE);
        return new Drain() {
            private static final long LENGTH = 64 << 20;
            private long offset;

            @Override
            public long take(PipeSource source) throws IOException {
                long n = source.spliceTo(file, offset, Math.min(AT_ONCE, LENGTH - offset));
                offset = offset + n >= LENGTH ? 0 : offset + Math.max(n, 0);
                return n;
            }

            @Override
            public void close() throws IOException {
                file.close();
            }
        };
    }

    /** Passes the pages on to a second pipe, and reads them there. */
    static Drain pipe() throws IOException {
        Pipe second = Pipe.open();
        second.sink().capacity(AT_ONCE);
        MemorySegment into = Arena.ofAuto().allocate(AT_ONCE, 4096);
        return new Drain() {
            @Override
            public long take(PipeSource source) throws IOException {
                long n = source.spliceTo(second.sink(), AT_ONCE);
                for (long left = n; left > 0; ) {
                    left -= second.source().read(into);
                }
                return n;
            }

            @Override
            public void close() throws IOException {
                second.close();
            }
        };
    }

    /** Passes the pages on to a TCP socket of this host, whose peer reads. */
    static Drain socket() throws IOException {
        SocketChannel near;
        SocketChannel far;
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            near = SocketChannel.open(server.getLocalAddress());
            far = server.accept();
        }
        Fd fd = Fd.of(near);
        return new Drain() {
            @Override
            public long take(PipeSource source) throws IOException {
                return source.spliceTo(fd, AT_ONCE);
            }

            @Override
            public void end() throws IOException {
                near.shutdownOutput();
            }

            @Override
            public void peer() throws IOException {
                ByteBuffer into = ByteBuffer.allocateDirect(AT_ONCE);
                while (far.read(into) >= 0) {
                    into.clear();
                }
            }

            @Override
            public void close() throws IOException {
                fd.close();
                near.close();
                far.close();
            }
        };
    }
}
