package io.sluice.steady;

import io.sluice.Fd;
import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import io.sluice.send.Sender;
import io.sluice.testing.Await;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/** Memory that is lent to a connection and taken back when the kernel is done with it. */
final class Sends extends Turns {
    private final SocketChannel far;
    private final Sender sender;
    private final PageArena arena = PageArena.open();
    private final ByteBuffer into = ByteBuffer.allocateDirect(CHUNK);
    private MemorySegment segment = arena.allocate(CHUNK, CHUNK);
    private @Nullable Loan loan;

    Sends(Loan.Method method) throws IOException {
        own(arena::close);
        try (ServerSocketChannel listener =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
            SocketChannel near = own(SocketChannel.open(listener.getLocalAddress()));
            far = own(listener.accept());
            sender = own(Sender.over(own(Fd.of(near)), method));
        }
    }

    @Override
    long bytes() {
        return CHUNK;
    }

    @Override
    boolean move() throws IOException {
        if (loan != null) {
            segment = loan.reclaim();
        }
        loan = arena.lend(segment, sender);
        return true;
    }

    /** Until the kernel has said that it is done with what was sent. */
    @Override
    long taken() throws Exception {
        long taken = 0;
        while (taken < CHUNK) {
            taken += far.read(into.clear());
        }
        Loan sent = loan;
        if (sent != null && sent.method() != sender.method()) {
            throw new MissingException("needs more memory that may be locked: the send was copied");
        }
        Await.until(() -> sent != null && sent.state() != Loan.State.IN_PIPE, "the notification");
        return taken;
    }
}
