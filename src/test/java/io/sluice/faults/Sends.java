package io.sluice.faults;

import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.PageArena;
import io.sluice.send.Sender;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;

/** The content lent to a connection piece by piece, in memory that is used again as soon as it is released. */
final class Sends extends Job {
    private static final int PIECE = 5000;
    private static final int PIECES_OUT = 3;

    private final SocketChannel peer;
    private final Sender sender;
    private final int piecesAtOnce;
    private final ByteBuffer arrived = ByteBuffer.allocate(LENGTH);
    private int sent;
    private int written;

    Sends(Method method, int piecesAtOnce) throws IOException {
        this.piecesAtOnce = piecesAtOnce;
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            SocketChannel channel = own(SocketChannel.open(server.getLocalAddress()));
            peer = own(server.accept());
            sender = own(Sender.over(channel, method));
        }
    }

    @Override
    void run() throws IOException {
        Deque<Loan> out = new ArrayDeque<>();
        try (PageArena arena = PageArena.open()) {
            while (sent < LENGTH) {
                List<MemorySegment> pieces = new ArrayList<>();
                for (int at = sent; at < LENGTH && pieces.size() < piecesAtOnce; at += PIECE) {
                    MemorySegment memory =
                            out.size() < PIECES_OUT ? arena.allocate(PIECE) : released(out.removeFirst());
                    int n = Math.min(PIECE, LENGTH - at);
                    MemorySegment.copy(MemorySegment.ofArray(content()), at, memory, 0, n);
                    pieces.add(memory.asSlice(0, n));
                }
                for (Loan loan : lend(arena, pieces)) {
                    sent += (int) loan.accepted();
                    written += loan.method() == Method.WRITE ? (int) loan.accepted() : 0;
                    out.add(loan);
                }
            }
            while (!out.isEmpty()) {
                released(out.removeFirst());
            }
        }
    }

    private List<Loan> lend(PageArena arena, List<MemorySegment> pieces) throws IOException {
        return piecesAtOnce == 1 ? List.of(arena.lend(pieces.getFirst(), sender)) : arena.lend(pieces, sender);
    }

    private static MemorySegment released(Loan loan) throws IOException {
        try {
            loan.await();
            return loan.reclaim().fill((byte) 0xEE);
        } catch (InterruptedException e) {
            throw (IOException) new InterruptedIOException().initCause(e);
        }
    }

    @Override
    long accounted() throws IOException {
        return LENGTH - sent + delivered().length;
    }

    @Override
    byte[] delivered() throws IOException {
        while (arrived.position() < sent) {
            if (peer.read(arrived.limit(sent)) < 0) {
                break;
            }
        }
        byte[] bytes = new byte[arrived.position()];
        arrived.get(0, bytes);
        return bytes;
    }

    /** How many of the bytes were copied by the library. */
    @Override
    long remarkable() {
        return written;
    }
}
