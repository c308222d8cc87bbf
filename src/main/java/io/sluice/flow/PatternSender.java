package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.internal.Bounce;
import io.sluice.internal.FdAccess;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import org.jspecify.annotations.Nullable;

/**
 * Sends the pattern of a {@link MasterPipe} to one socket, one response after another: {@code tee} from the master into a pipe of its own,
 * then {@code splice} to the socket.
 *
 * <p>A response has a length, perhaps a head before it, and may begin anywhere in the repeated pattern. {@link #send} sends one and waits,
 * on a virtual thread without holding its carrier. For an event loop, {@link #begin} it and {@link #step} until that says {@code DONE}.
 *
 * {@snippet :
 * sender.begin(head, 0, length);
 * if (sender.step() == PatternSender.Step.SINK_WRITABLE) {
 *     key.interestOps(SelectionKey.OP_WRITE);       // and step again when it is
 * }
 * }
 *
 * <p>SPLICE_F_MORE is set where more of the response is certain to follow, and never on its last bytes, which would wait 200 ms for more.
 *
 * <p><b>Failures.</b> A socket that is full is none. A splice that fails before any other of the response has moved something makes all of it
 * come from memory, as does a failure of the calls that do not touch the socket, at any time. If {@code splice} fails after that, or {@code
 * write} or {@code send} at all, the exception is thrown, {@link #sent} says how much the kernel has taken, and stepping again goes on
 * from there, from memory. ENOSYS and EPERM, where they mean every such call, end splicing for the process; EINVAL ends it for this sender.
 *
 * <p>To be used by one thread at a time. Responses that are alike allocate nothing.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/splice.2.html">splice(2)</a>
 */
public final class PatternSender implements Closeable {
    /** Responses, and rests of them, that are shorter than this are written from memory: bytes. */
    public static final int LEAST_SPLICED = 32 << 10;

    /** What to do after {@link #step}. */
    public enum Step {
        /** The socket is full: wait until it is writable, and step again. */
        SINK_WRITABLE,
        /** The kernel has taken the whole response. */
        DONE
    }

    private static final MasterPipeEvent EVENT = new MasterPipeEvent();

    private final MasterPipe master;
    private final Pattern pattern;
    private final Fd socket;
    private final boolean owned;
    private final FdAccess access;

    private final Response response;
    private final ResponsePipe pipe;
    private boolean inProgress;

    private MemorySegment piece = MemorySegment.NULL;
    private long piecePhase = -1;
    private long pieceMost;

    /** What was borrowed last, as far as it was used; nothing but a place, until it is borrowed again. */
    private MemorySegment bounced = MemorySegment.NULL;

    private long waits;
    private @Nullable MasterPipeEvent event;

    PatternSender(MasterPipe master, Fd socket, boolean owned) {
        this.master = master;
        this.pattern = master.pattern;
        this.socket = socket;
        this.owned = owned;
        this.access = FdAccess.get();
        this.response = new Response(master.pattern);
        this.pipe = new ResponsePipe(master, response, socket);
    }

    /**
     * Sends {@code length} bytes from the pattern's beginning, and waits until the kernel has taken them.
     *
     * @param length bytes
     * @return {@code length}
     * @throws ErrnoException EPIPE or ECONNRESET if the peer is gone; {@link #sent} says how much had been taken
     * @throws InterruptedIOException if the thread is interrupted; nothing is closed, the response may be {@linkplain #finish finished}
     * @throws ClosedChannelException if the socket is closed
     * @throws IllegalStateException if the response before is not done
     */
    public long send(long length) throws IOException {
        begin(length);
        return finish();
    }

    /**
     * Begins a response of {@code length} bytes from the pattern's beginning; nothing is sent yet.
     *
     * @param length bytes
     * @throws ClosedChannelException if the master or the socket is closed
     * @throws IllegalArgumentException if the length is negative
     * @throws IllegalStateException if the response before is not done
     */
    public void begin(long length) throws IOException {
        begin(Response.NO_HEAD, 0, length);
    }

    /**
     * Begins a response that has a head, such as that of HTTP, and may begin anywhere in the repeated pattern, as a range does. The head
     * travels in the same segment as what follows it.
     *
     * @param head bytes to send first, which must stay as they are until the response is done
     * @param offset where in the repeated pattern the rest begins, in bytes
     * @param length how much of it to send after the head, in bytes
     * @throws ClosedChannelException if the master or the socket is closed
     * @throws IllegalArgumentException if an offset or length is negative
     * @throws IllegalStateException if the response before is not done
     */
    public void begin(MemorySegment head, long offset, long length) throws IOException {
        if (offset < 0 || length < 0 || length > Long.MAX_VALUE - head.byteSize()) {
            throw new IllegalArgumentException(
                    "a response has a length and begins at a byte, neither negative nor too large: " + length + " from "
                            + offset);
        }
        if (inProgress) {
            throw new IllegalStateException("the response before has " + response.left() + " bytes left to send");
        }
        if (master.isClosed() || !socket.isOpen()) {
            throw new ClosedChannelException();
        }
        response.begin(head, offset, length);
        pipe.begin();
        this.waits = 0;
        this.inProgress = true;
        if (EVENT.isEnabled()) {
            event = new MasterPipeEvent();
            event.begin();
        }
    }

    /**
     * Sends what the socket takes, and never waits.
     *
     * @return what to do next
     * @throws ErrnoException EPIPE or ECONNRESET if the peer is gone; or another failure of {@code splice} after something was sent
     * @throws ClosedChannelException if the socket is closed
     */
    public Step step() throws IOException {
        // Invariant: the first sent bytes of the response are with the kernel, and the pipe holds those that follow.
        while (response.left() > 0) {
            long n = pipe.holdsNext() ? splice() : write();
            if (n == 0) {
                waits++;
                return Step.SINK_WRITABLE;
            }
            response.taken(n);
        }
        if (inProgress) {
            master.responses.increment();
            end();
        }
        return Step.DONE;
    }

    /**
     * Steps until the response is done, waiting in between.
     *
     * @return bytes of the whole response, with its head
     * @throws ErrnoException as {@link #step}
     * @throws InterruptedIOException if the thread is or was interrupted; its status stays set, and the response may be finished later
     * @throws ClosedChannelException if the socket is closed
     */
    @SuppressWarnings("ThreadPriorityCheck") // a virtual thread's yield is often all that the reader needs
    public long finish() throws IOException {
        long before = -1;
        while (step() == Step.SINK_WRITABLE) {
            if (Thread.currentThread().isInterrupted()) {
                InterruptedIOException e = new InterruptedIOException(
                        "interrupted after " + sent() + " of " + response.total() + " bytes were sent to " + socket);
                e.bytesTransferred = (int) Math.min(sent(), Integer.MAX_VALUE);
                throw e;
            } else if (sent() != before && Thread.currentThread().isVirtual()) {
                Thread.yield();
            } else {
                access.await(null, socket, Long.MAX_VALUE);
            }
            before = sent();
        }
        return sent();
    }

    /**
     * How much of the response the kernel has taken.
     *
     * @return bytes, with the head
     */
    public long sent() {
        return response.sent();
    }

    private long splice() throws IOException {
        try {
            return pipe.splice();
        } catch (ErrnoException e) {
            return instead(e);
        }
    }

    private long instead(ErrnoException failure) throws IOException {
        if (pipe.spliced() > 0) {
            throw failure;
        }
        try {
            return write();
        } catch (IOException e) {
            failure.addSuppressed(e);
            throw failure;
        }
    }

    private long write() throws IOException {
        long phase = response.phase();
        long left = response.patternLeft();
        long until = pattern.untilBeginning(phase);
        boolean splicesThen = pipe.isFor(left - until);
        long n = response.headLeft() > 0
                ? writeWithHead(Math.min(left, splicesThen ? until : LEAST_SPLICED), splicesThen)
                : writePattern(phase, splicesThen && until > 0 ? until : left);
        master.written.add(n);
        return n;
    }

    // The piece is kept, because responses that are alike end with the same one.
    private long writePattern(long phase, long most) throws IOException {
        if (phase != piecePhase || most != pieceMost) {
            piece = pattern.from(phase, most);
            piecePhase = phase;
            pieceMost = most;
        }
        return access.tryWrite(socket, piece);
    }

    // In one call, or with MSG_MORE, or the head would travel alone. The slice is kept, because responses that are
    // alike write the same one.
    private long writeWithHead(long mostOfPattern, boolean moreIsCertain) throws IOException {
        MemorySegment bounce = Bounce.take();
        try {
            long n = response.copy(bounce, Bounce.SIZE, mostOfPattern);
            if (n != bounced.byteSize() || bounce.address() != bounced.address()) {
                bounced = bounce.asSlice(0, n);
            }
            return moreIsCertain ? access.tryWriteMore(socket, bounced) : access.tryWrite(socket, bounced);
        } finally {
            Bounce.giveBack(bounce);
        }
    }

    private void end() throws IOException {
        inProgress = false;
        response.end();
        pipe.giveBack();
        MasterPipeEvent ended = event;
        if (ended != null) {
            event = null;
            ended.target = socket.toString();
            ended.length = response.total();
            ended.spliced = pipe.spliced();
            ended.written = sent() - pipe.spliced();
            ended.waits = waits;
            ended.commit();
        }
    }

    /**
     * Gives up the response that is in progress, if any, and its pipe. The socket stays open; what was made of a channel of java.nio for
     * this sender is closed.
     *
     * @throws IOException if the pipe cannot be closed
     */
    @Override
    public void close() throws IOException {
        try {
            if (inProgress) {
                end();
            }
        } finally {
            if (owned) {
                socket.close();
            }
        }
    }
}
