package io.sluice.send;

import io.sluice.Fd;
import io.sluice.internal.FdAccess;
import io.sluice.internal.Hold;
import io.sluice.internal.Lending;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.ClosedChannelException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** Lends memory to a socket, or copies where that is cheaper. */
final class SocketLending implements Lending {
    /** Up to here a copy costs less than the notification. */
    static final long COPY_UP_TO = 16 << 10;

    /** Bytes that are copied after lending was in vain, before it is tried again. */
    private static final long COPY_BEFORE_NEXT_TRY = 64 << 20;

    private interface Attempt {
        long make() throws IOException;
    }

    private final Fd socket;
    private final Engine engine;
    private final Engine write;
    private final boolean chosen;
    private volatile boolean closed;
    private volatile long copyFor;

    /** @param chosen whether the program wants this engine whatever it costs */
    SocketLending(Fd socket, Engine engine, boolean chosen) {
        this.socket = socket;
        this.engine = engine;
        this.write = engine instanceof WriteEngine ? engine : new WriteEngine(socket);
        this.chosen = chosen;
    }

    Engine engine() {
        return engine;
    }

    @Override
    public long lend(long address, long length, boolean wait, Consumer<Hold> lent) throws IOException {
        Engine by = engineFor(length);
        long n = attempt(by, address, length, lent, wait);
        return n != 0 || !wait ? n : untilSent(() -> attempt(by, address, length, lent, true));
    }

    private long attempt(Engine by, long address, long length, Consumer<Hold> lent, boolean wait) throws IOException {
        begin(wait);
        return by.send(address, length, lent);
    }

    @Override
    public long lend(long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException {
        long length = 0;
        for (long each : lengths) {
            length += each;
        }
        Engine by = engineFor(length);
        Attempt attempt = () -> {
            begin(true);
            return by.send(addresses, lengths, lent);
        };
        long n = attempt.make();
        return n != 0 ? n : untilSent(attempt);
    }

    @Override
    public long write(long address, long length, boolean wait) throws IOException {
        long n = attempt(write, address, length, SocketLending::forget, wait);
        return n != 0 || !wait ? n : untilSent(() -> attempt(write, address, length, SocketLending::forget, true));
    }

    private static void forget(Hold copied) {}

    @Override
    public long copyUpTo() {
        return engine instanceof WriteEngine ? Long.MAX_VALUE : chosen ? 0 : COPY_UP_TO;
    }

    // Whoever sends at the same time may see the count a little too high or too low.
    @SuppressWarnings("NonAtomicVolatileUpdate")
    private Engine engineFor(long length) {
        if (chosen) {
            return engine;
        }
        if (length <= COPY_UP_TO) {
            return write;
        }
        if (copyFor > 0) {
            copyFor -= length;
            return write;
        }
        if (engine.isInVain()) {
            copyFor = COPY_BEFORE_NEXT_TRY;
        }
        return engine;
    }

    private void begin(boolean wait) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        if (wait && Thread.currentThread().isInterrupted()) {
            throw new InterruptedIOException("interrupted before the socket had room");
        }
    }

    /** Waits for room, and tries again. Notifications are taken before, or they would be reported instead of it. */
    private long untilSent(Attempt attempt) throws IOException {
        long n;
        do {
            engine.reap();
            FdAccess.get().await(null, socket, Long.MAX_VALUE);
            n = attempt.make();
        } while (n == 0);
        return n;
    }

    /** Ends all sending. The socket stays as it is. */
    void close() {
        closed = true;
        engine.close();
    }

    @Override
    public String toString() {
        return socket.toString();
    }
}
