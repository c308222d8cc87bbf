package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Pipe;
import io.sluice.flow.OneWay.Next;
import io.sluice.flow.RelayException.Reason;
import io.sluice.flow.RelayException.Side;
import io.sluice.internal.Bounce;
import io.sluice.internal.ffi.Linux;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * One direction: source → pipe → sink.
 *
 * <p>It has a pipe only while there is something to put into it: a lane that waits for its source holds none, so a thousand idle connections
 * hold no pipes at all.
 */
final class Lane {
    /** How often a pipe is filled and drained before others get their turn. */
    private static final int ROUNDS = 16;

    private static final byte[] NOTHING = {};

    final Way way;
    private final Peer from;
    private final Peer to;
    private final Spare spare;

    private @Nullable Pipe pipe;
    private @Nullable CopyBuffer copy;

    /** Bytes taken from the source and delivered to the sink; mirrored below for other threads. */
    private long in;

    private long out;
    private volatile long taken;
    private volatile long delivered;
    private volatile boolean copies;

    private boolean ended;
    private byte[] rest = NOTHING;
    private Next next = Next.AGAIN;

    Lane(Way way, Peer from, Peer to, Spare spare) {
        this.way = way;
        this.from = from;
        this.to = to;
        this.spare = spare;
    }

    /** Moves what can be moved now. */
    void step(boolean passEnd) throws RelayException {
        if (copy == null && in == 0 && Call.SPLICE.isDenied()) {
            startCopying();
        }
        next = advance(passEnd);
        if (next == Next.SOURCE_READABLE) {
            giveBackPipe();
        }
    }

    // Invariant: the source is read only when everything taken from it was delivered. So "would block" can only be the
    // source's word and never means that the pipe is full, an error of the source finds nothing in the pipe, and the
    // end
    // is passed on with nothing left before it.
    private Next advance(boolean passEnd) throws RelayException {
        if (!drained()) {
            return Next.SINK_WRITABLE;
        }
        for (int round = 0; round < ROUNDS; round++) {
            long n = fill();
            if (n == 0) {
                return Next.SOURCE_READABLE;
            } else if (n < 0) {
                end(passEnd);
                return Next.DONE;
            }
            taken = in += n;
            if (!drained()) {
                return Next.SINK_WRITABLE;
            }
        }
        return Next.AGAIN;
    }

    private long fill() throws RelayException {
        try {
            return copy == null ? from.fill(pipe()) : copy.readFrom(from.readable());
        } catch (ErrnoException e) {
            if (copy == null && in == 0 && Call.SPLICE.isRefused(e)) {
                startCopying();
                return fill();
            }
            throw failed(Side.SOURCE, e);
        } catch (IOException e) {
            throw failed(Side.SOURCE, e);
        }
    }

    /** Delivers what was taken; false if the sink has no room. */
    private boolean drained() throws RelayException {
        while (in > out) {
            long n = drain();
            if (n <= 0) {
                return false;
            }
            delivered = out += n;
        }
        return true;
    }

    private long drain() throws RelayException {
        try {
            if (copy == null) {
                return to.drain(pipe(), in - out);
            }
            if (copy.held() == 0) {
                copy.readFrom(pipe().source()); // what was spliced before the sink refused to be spliced to
            }
            return copy.writeTo(to.writable());
        } catch (ErrnoException e) {
            if (copy == null && out == 0 && Call.SPLICE.isRefused(e)) {
                startCopying();
                return drain();
            }
            throw failed(Side.SINK, e);
        } catch (IOException e) {
            throw failed(Side.SINK, e);
        }
    }

    private void startCopying() {
        copy = new CopyBuffer();
        copies = true;
    }

    private Pipe pipe() throws RelayException {
        if (pipe == null) {
            try {
                pipe = spare.take();
            } catch (IOException e) {
                throw failed(Side.PIPE, e);
            }
        }
        return pipe;
    }

    private void giveBackPipe() throws RelayException {
        if (pipe != null) {
            Pipe idle = pipe;
            pipe = null;
            try {
                spare.keep(idle);
            } catch (IOException e) {
                throw failed(Side.PIPE, e);
            }
        }
    }

    private void end(boolean passEnd) throws RelayException {
        if (passEnd) {
            try {
                to.passEnd();
            } catch (IOException e) {
                throw failed(Side.SINK, e);
            }
        }
        release();
    }

    private RelayException failed(Side side, IOException e) {
        if (e instanceof RelayException failure) {
            return failure;
        } else if (e instanceof ClosedChannelException) {
            return new RelayException(Reason.CLOSED, this, side, "closed meanwhile", e);
        } else if (e instanceof ErrnoException errno && isReset(errno.errno())) {
            return new RelayException(Reason.RESET, this, side, "the connection was reset", e);
        }
        return new RelayException(Reason.FAILED, this, side, "failed", e);
    }

    private static boolean isReset(int errno) {
        return errno == Linux.ECONNRESET()
                || errno == Linux.EPIPE()
                || errno == Linux.ENOTCONN()
                || errno == Linux.ECONNABORTED();
    }

    /** Gives back what this holds, after taking out what was not delivered. Does nothing the second time. */
    void release() {
        if (ended) {
            return;
        }
        ended = true;
        next = Next.DONE;
        try {
            takeRest();
        } catch (IOException e) {
            // It stays in the pipe; undelivered() tries again, and says so.
        }
    }

    private void takeRest() throws IOException {
        if (copy != null) {
            rest = copy.release();
            copy = null;
        }
        Pipe dirty = pipe;
        if (dirty != null && in - out > rest.length) {
            // A pipe that was left with something in it is used by nobody again, whatever it says afterwards.
            rest = joined(rest, contentOf(dirty));
            pipe = null;
            dirty.close();
        }
        giveBackPipe();
        from.release();
        to.release();
    }

    private static byte[] contentOf(Pipe pipe) throws IOException {
        ByteArrayOutputStream content = new ByteArrayOutputStream();
        byte[] piece = new byte[Bounce.SIZE];
        for (long n; (n = pipe.source().tryRead(MemorySegment.ofArray(piece))) > 0; ) {
            content.write(piece, 0, (int) n);
        }
        return content.toByteArray();
    }

    private static byte[] joined(byte[] first, byte[] second) {
        byte[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }

    Next next() {
        return next;
    }

    boolean hasEnded() {
        return ended;
    }

    boolean copies() {
        return copies;
    }

    long taken() {
        return taken;
    }

    long delivered() {
        return delivered;
    }

    long pending() {
        return in - out;
    }

    byte[] undelivered() throws IOException {
        if (!ended) {
            throw new IllegalStateException("the relay " + this + " has not ended: nothing is undelivered yet");
        }
        takeRest();
        return rest.clone();
    }

    String peer(Side side) {
        return side == Side.SOURCE ? from.toString() : side == Side.SINK ? to.toString() : from + " and " + to;
    }

    @Override
    public String toString() {
        return from + " → " + to;
    }
}
