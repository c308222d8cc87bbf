package io.sluice.faults;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.flow.OneWay;
import io.sluice.flow.PipePool;
import io.sluice.flow.Relay;
import io.sluice.flow.RelayException;
import io.sluice.flow.RelayOptions;
import io.sluice.internal.Syscalls;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/**
 * A relay from one connection to another through a small pipe. When it has failed, the next run delivers what it handed back, and a new relay
 * goes on from there.
 */
final class Relayed extends Job {
    /** Four slots, so that the content takes several turns. */
    private static final long SMALL = 16 << 10;

    private static final int PIECE = LENGTH / 10;

    private final PipePool pool = own(PipePool.of(1, SMALL));
    private final RelayOptions options = RelayOptions.DEFAULT.pool(pool);
    private final SocketChannel receiver;
    private final SocketChannel sink;
    private final Fd in;
    private final Fd out;
    private final Fd received;
    private final ByteArrayOutputStream arrived = new ByteArrayOutputStream();
    private @Nullable OneWay relay;
    private boolean done;
    private boolean copied;

    Relayed() throws IOException {
        SocketChannel[] upstream = Sockets.connection(this);
        SocketChannel[] downstream = Sockets.connection(this);
        // Piece by piece, of which each takes a slot at least.
        ByteBuffer content = ByteBuffer.wrap(content());
        while (content.hasRemaining()) {
            upstream[1].write(content.limit(content.position() + PIECE));
            content.limit(content.capacity());
        }
        upstream[1].shutdownOutput();
        sink = downstream[0];
        receiver = downstream[1];
        receiver.configureBlocking(false);
        in = own(Fd.of(upstream[0]));
        out = own(Fd.of(sink));
        received = own(Fd.of(receiver));
    }

    @Override
    void run() throws IOException {
        if (done) {
            return;
        }
        if (relay != null) {
            sink.write(ByteBuffer.wrap(relay.undelivered()));
        }
        relay = Relay.oneWay(in, out, options);
        try {
            relay.run();
            done = true;
        } catch (RelayException e) {
            if (e.getCause() instanceof ErrnoException cause) {
                throw cause;
            }
            throw e;
        } finally {
            copied |= relay.copies();
        }
    }

    @Override
    long accounted() throws IOException {
        return Syscalls.available(in.number())
                + (relay == null ? 0 : relay.undelivered().length)
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

    /** 1 if bytes were copied because splice was refused. */
    @Override
    long remarkable() {
        return copied ? 1 : 0;
    }
}
