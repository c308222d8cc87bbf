package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSource;
import io.sluice.internal.FdAccess;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/** Two one-way paths to a peer and back, and a way of waiting for one byte that comes over them. */
final class PingPong implements AutoCloseable {
    /** Sends a byte and waits for one. */
    interface Trip {
        void make() throws IOException;
    }

    final Trip trip;

    /** Where the peer finds the byte, and where it puts the answer. */
    final int peerReads;

    final int peerWrites;

    private final List<Closeable> owned;

    private PingPong(Trip trip, int peerReads, int peerWrites, List<Closeable> owned) {
        this.trip = trip;
        this.peerReads = peerReads;
        this.peerWrites = peerWrites;
        this.owned = owned;
    }

    /** What to do when there is no byte yet. */
    private interface Wait {
        void await(PipeSource source) throws IOException;
    }

    /** As the library waits. */
    static PingPong sluicePipes() throws IOException {
        MemorySegment one = Arena.ofAuto().allocate(1);
        return sluicePipes(source -> source.read(one));
    }

    /** As the library waits when it does not try again first: a virtual thread parks, and another polls for it. */
    static PingPong sluicePipesAtOnce() throws IOException {
        return waitingPipes(source -> FdAccess.get().await(source, null, Long.MAX_VALUE));
    }

    /** In poll(2), which a virtual thread's carrier is held by. */
    static PingPong sluicePipesPolled() throws IOException {
        return waitingPipes(source -> WaitCalls.poll(source.number(), Linux.POLLIN(), -1, 0, -1));
    }

    private static PingPong waitingPipes(Wait wait) throws IOException {
        MemorySegment one = Arena.ofAuto().allocate(1);
        return sluicePipes(source -> {
            long n;
            while ((n = source.tryRead(one)) == 0) {
                wait.await(source);
            }
            return n;
        });
    }

    private interface Read {
        long read(PipeSource source) throws IOException;
    }

    private static PingPong sluicePipes(Read read) throws IOException {
        Pipe there = Pipe.open();
        Pipe back = Pipe.open();
        MemorySegment one = Arena.ofAuto().allocate(1);
        return new PingPong(
                () -> {
                    one(there.sink().write(one));
                    one(read.read(back.source()));
                },
                there.source().number(),
                back.sink().number(),
                List.of(there, back));
    }

    static PingPong nioPipes() throws IOException {
        java.nio.channels.Pipe there = java.nio.channels.Pipe.open();
        java.nio.channels.Pipe back = java.nio.channels.Pipe.open();
        Fd reads = Fd.of(there.source());
        Fd writes = Fd.of(back.sink());
        return new PingPong(
                trip(there.sink(), back.source()),
                reads.number(),
                writes.number(),
                List.of(there.sink(), there.source(), back.sink(), back.source(), reads, writes));
    }

    static PingPong nioSocket() throws IOException {
        try (ServerSocketChannel server =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
            SocketChannel near = SocketChannel.open(server.getLocalAddress());
            SocketChannel far = server.accept();
            near.setOption(StandardSocketOptions.TCP_NODELAY, true);
            far.setOption(StandardSocketOptions.TCP_NODELAY, true);
            Fd peer = Fd.of(far);
            return new PingPong(trip(near, near), peer.number(), peer.number(), List.of(near, far, peer));
        }
    }

    private static Trip trip(WritableByteChannel to, ReadableByteChannel from) {
        ByteBuffer one = ByteBuffer.allocateDirect(1);
        return () -> {
            one(to.write(one.clear()));
            one(from.read(one.clear()));
        };
    }

    private static void one(long n) throws IOException {
        if (n != 1) {
            throw new IOException("not 1 byte but " + n);
        }
    }

    @Override
    public void close() throws IOException {
        for (Closeable closeable : owned) {
            closeable.close();
        }
    }
}
