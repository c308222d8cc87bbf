package io.sluice.faults;

import io.sluice.Fd;
import io.sluice.internal.Syscalls;
import io.sluice.internal.Uring;
import io.sluice.internal.UringFailedException;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/** The content through a ring over TCP, from memory that the kernel references. */
final class RingSends extends Job {
    private final SocketChannel receiver;
    private final Fd near;
    private final Fd far;
    private final MemorySegment memory = Arena.ofAuto().allocate(LENGTH).copyFrom(MemorySegment.ofArray(content()));
    private @Nullable Uring ring;
    private int sent;
    private int refused;

    RingSends() throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            near = own(Fd.of(own(SocketChannel.open(server.getLocalAddress()))));
            receiver = own(server.accept());
            far = own(Fd.of(receiver));
        }
    }

    @Override
    void run() throws IOException {
        if (ring == null) {
            try {
                ring = Uring.open(2, 8);
            } catch (UringFailedException e) {
                refused = e.errno();
                return;
            }
            own(ring::close);
        }
        while (sent < LENGTH) {
            ring.prepareSend(near.number(), memory.address() + sent, LENGTH - sent, sent);
            int submitted = ring.submit(1, Uring.FOREVER);
            if (submitted < 0) {
                refused = -submitted;
                return;
            }
            take();
        }
    }

    private void take() {
        while (ring.next()) {
            if (!ring.isNotification()) {
                sent += ring.result();
            }
        }
    }

    @Override
    long accounted() throws IOException {
        return LENGTH - sent + Syscalls.available(far.number());
    }

    @Override
    byte[] delivered() throws IOException {
        ByteBuffer got = ByteBuffer.allocate(LENGTH);
        while (got.hasRemaining() && receiver.read(got) >= 0) {}
        while (ring.inFlight() > 0) {
            ring.submit(1, Uring.FOREVER);
            take();
        }
        return Arrays.copyOf(got.array(), got.position());
    }

    /** The errno with which the ring was refused. */
    @Override
    long remarkable() {
        return refused;
    }
}
