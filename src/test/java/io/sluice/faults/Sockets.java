package io.sluice.faults;

import static io.sluice.faults.Waits.drained;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Libc;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Jobs on sockets of the unix family, where what one end has written is with the other at once. */
final class Sockets {
    private Sockets() {}

    static SocketChannel[] connection(Job owner) throws IOException {
        Path path = Files.createTempDirectory("sluice-faults").resolve("socket");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(path));
            SocketChannel near = owner.own(SocketChannel.open(server.getLocalAddress()));
            return new SocketChannel[] {near, owner.own(server.accept())};
        } finally {
            Files.delete(path);
            Files.delete(path.getParent());
        }
    }

    /** From one connection to another. */
    static final class Pumped extends Pump {
        private final Pipe pipe = pipe();
        private final SocketChannel receiver;
        private final Fd in;
        private final Fd out;
        private final Fd received;
        private final ByteArrayOutputStream arrived = new ByteArrayOutputStream();

        Pumped() throws IOException {
            SocketChannel[] upstream = connection(this);
            SocketChannel[] downstream = connection(this);
            upstream[1].write(ByteBuffer.wrap(content()));
            upstream[1].shutdownOutput();
            receiver = downstream[1];
            receiver.configureBlocking(false);
            in = own(Fd.of(upstream[0]));
            out = own(Fd.of(downstream[0]));
            received = own(Fd.of(receiver));
        }

        @Override
        long fill(long max) throws IOException {
            return pipe.sink().spliceFrom(in, max);
        }

        @Override
        long drain(long max) throws IOException {
            return pipe.source().spliceTo(out, max);
        }

        @Override
        long accounted() throws IOException {
            return Syscalls.available(in.number())
                    + pipe.available()
                    + Syscalls.available(received.number())
                    + arrived.size();
        }

        @Override
        byte[] delivered() throws IOException {
            ByteBuffer buffer = ByteBuffer.allocate(PIECE);
            while (receiver.read(buffer.clear()) > 0) {
                arrived.write(buffer.array(), 0, buffer.position());
            }
            return arrived.toByteArray();
        }
    }

    /** The content waits in a socket, to be taken out through the descriptor that was made of it. */
    private abstract static class Opened extends Opens {
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();
        private @Nullable Fd fd;

        Opened() throws IOException {}

        abstract Fd make() throws IOException;

        abstract int number() throws IOException;

        @Override
        void run() throws IOException {
            fd = own(make());
        }

        @Override
        long accounted() throws IOException {
            return Syscalls.available(number());
        }

        @Override
        byte[] delivered() throws IOException {
            while (pipe.sink().trySpliceFrom(fd, LENGTH) > 0) {
                out.writeBytes(drained(pipe));
            }
            return out.toByteArray();
        }
    }

    static final class Borrowed extends Opened {
        private final int near;

        Borrowed() throws IOException {
            MemorySegment pair = Arena.ofAuto().allocate(8, 8);
            Libc.socketpair(Linux.AF_UNIX(), Linux.SOCK_STREAM() | Linux.O_CLOEXEC(), 0, pair);
            near = pair.get(ValueLayout.JAVA_INT, 0);
            int far = pair.get(ValueLayout.JAVA_INT, 4);
            own(() -> Syscalls.close(near));
            own(() -> Syscalls.close(far));
            MemorySegment content = Arena.ofAuto().allocate(LENGTH).copyFrom(MemorySegment.ofArray(content()));
            Syscalls.write(far, content, LENGTH);
        }

        @Override
        Fd make() throws IOException {
            return Fd.borrow(near);
        }

        @Override
        int number() {
            return near;
        }

        /** 1 if the socket is in non-blocking mode. */
        @Override
        long remarkable() {
            return (Syscalls.fcntl(near, Linux.F_GETFL(), 0) & Linux.O_NONBLOCK()) == 0 ? 0 : 1;
        }
    }

    static final class OfChannel extends Opened {
        private final SocketChannel near;
        private final Fd view;

        OfChannel() throws IOException {
            SocketChannel[] connection = connection(this);
            connection[1].write(ByteBuffer.wrap(content()));
            near = connection[0];
            // Then java.nio has no reason to change the mode, by an fcntl of its own, when the descriptor is looked
            // for.
            near.configureBlocking(false);
            view = own(Fd.of(near));
        }

        @Override
        Fd make() throws IOException {
            return Fd.of(near);
        }

        @Override
        int number() throws IOException {
            return view.number();
        }
    }
}
