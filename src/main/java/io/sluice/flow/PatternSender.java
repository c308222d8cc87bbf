package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSource;
import io.sluice.internal.Bounce;
import io.sluice.internal.FdAccess;
import io.sluice.internal.ffi.Linux;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.Objects;
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
 * <p><b>Failures.</b> A socket that is full is none. A call that fails before anything of the response was sent makes the rest of it come
 * from memory, as does a failure of the calls that do not touch the socket, at any time. If {@code splice} fails after that, or {@code
 * write} at all, the exception is thrown, {@link #sent} says how much the kernel has taken, and stepping again goes on from there, from
 * memory. ENOSYS and EPERM, where they mean every such call, end splicing for the process; EINVAL ends it for this sender.
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

    /** Up to so much goes into a pipe together or not at all. */
    private static final long PIPE_BUF = 4096;

    private static final MemorySegment NO_HEAD = MemorySegment.NULL;
    private static final MasterPipeEvent EVENT = new MasterPipeEvent();

    private final MasterPipe master;
    private final Pattern pattern;
    private final Fd socket;
    private final boolean owned;
    private final FdAccess access;

    private MemorySegment head = NO_HEAD;
    private long start;
    private long total;
    private long sent;
    private boolean inProgress;

    /** This socket does not take what is spliced. */
    private boolean refused;

    /** What is left of this response comes from memory. */
    private boolean fromMemory;

    private @Nullable Pipe pipe;

    /** Bytes in the pipe: those that follow the ones sent. */
    private long inPipe;

    private MemorySegment piece = MemorySegment.NULL;
    private long piecePhase = -1;
    private long pieceMost;

    private long spliced;
    private long waits;
    private @Nullable MasterPipeEvent event;

    PatternSender(MasterPipe master, Fd socket, boolean owned) {
        this.master = master;
        this.pattern = master.pattern;
        this.socket = socket;
        this.owned = owned;
        this.access = FdAccess.get();
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
        begin(NO_HEAD, 0, length);
    }

    /**
     * Begins a response that has a head, such as that of HTTP, and may begin anywhere in the repeated pattern, as a range does. A head of up
     * to 4096 bytes takes the same way, and travels in the same segment as what follows it.
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
            throw new IllegalStateException("the response before has " + (total - sent) + " bytes left to send");
        }
        if (master.isClosed() || !socket.isOpen()) {
            throw new ClosedChannelException();
        }
        this.head = head;
        this.start = offset;
        this.total = head.byteSize() + length;
        this.sent = 0;
        this.spliced = 0;
        this.waits = 0;
        this.fromMemory = refused;
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
        // Invariant: the first sent bytes of the response are with the kernel, and the pipe holds the inPipe bytes
        // after them.
        while (sent < total) {
            long n = inPipe > 0 || fill() ? splice() : write();
            if (n == 0) {
                waits++;
                return Step.SINK_WRITABLE;
            }
            sent += n;
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
                        "interrupted after " + sent + " of " + total + " bytes were sent to " + socket);
                e.bytesTransferred = (int) Math.min(sent, Integer.MAX_VALUE);
                throw e;
            } else if (sent != before && Thread.currentThread().isVirtual()) {
                Thread.yield();
            } else {
                access.await(null, socket, Long.MAX_VALUE);
            }
            before = sent;
        }
        return sent;
    }

    /**
     * How much of the response the kernel has taken.
     *
     * @return bytes, with the head
     */
    public long sent() {
        return sent;
    }

    /** Whether the pipe now holds what comes next; if not, that is to be written. */
    private boolean fill() throws IOException {
        long headLeft = headLeft();
        long left = total - sent - headLeft;
        if (fromMemory || left < LEAST_SPLICED || !master.isOfUse()) {
            return false;
        }
        try {
            if (headLeft > 0) {
                fillWithHead(headLeft);
            } else {
                fill(phase(0), left);
            }
        } catch (ErrnoException e) {
            Denials.consider(e);
            goOnFromMemory();
        } catch (ClosedChannelException e) {
            goOnFromMemory(); // the master was closed; the socket has no part in this
        }
        return inPipe > 0;
    }

    // Alone, and sent with SPLICE_F_MORE: the kernel hands a socket 16 pages at a time, of which a head would take one.
    private void fillWithHead(long headLeft) throws IOException {
        if (sent == 0 && headLeft <= PIPE_BUF) {
            inPipe = ownPipe().sink().tryWrite(head);
        }
    }

    private void fill(long phase, long left) throws IOException {
        long most = master.most(master.pool.capacity(), phase + left);
        // Where the next beginning is near, writing up to it is cheaper.
        boolean isNear = phase > 0 && pattern.untilBeginning(phase) < LEAST_SPLICED;
        if (most - phase < LEAST_SPLICED || isNear || (phase > 0 && master.nullDevice() == null)) {
            return;
        }
        Pipe into = ownPipe();
        long teed = master.tee(into.sink(), most);
        if (phase == 0) {
            inPipe = teed;
        } else if (teed > phase && dropped(into, phase)) {
            inPipe = teed - phase;
        } else {
            goOnFromMemory();
        }
        // A pipe that small is not worth filling again.
        fromMemory |= teed - phase < LEAST_SPLICED;
    }

    private Pipe ownPipe() throws IOException {
        Pipe own = pipe == null ? master.pool.take() : pipe;
        pipe = own;
        return own;
    }

    private boolean dropped(Pipe from, long n) throws IOException {
        Fd to = Objects.requireNonNull(master.nullDevice());
        for (long left = n; left > 0; ) {
            long some = from.source().trySpliceTo(to, left);
            if (some <= 0) {
                return false;
            }
            left -= some;
        }
        return true;
    }

    private long splice() throws IOException {
        PipeSource from = Objects.requireNonNull(pipe).source();
        boolean moreIsCertain = total - sent > inPipe;
        long n;
        try {
            n = moreIsCertain ? access.trySpliceMore(from, socket, inPipe) : from.trySpliceTo(socket, inPipe);
        } catch (ErrnoException e) {
            Denials.consider(e);
            refused |= e.errno() == Linux.EINVAL();
            goOnFromMemory();
            return instead(e);
        }
        if (n < 0) {
            throw new IllegalStateException("somebody else took what was in " + pipe);
        }
        inPipe -= n;
        spliced += n;
        master.spliced.add(n);
        return n;
    }

    private long instead(ErrnoException failure) throws IOException {
        if (sent > 0) {
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
        long headLeft = headLeft();
        long phase = phase(headLeft);
        long left = total - sent - headLeft;
        long until = pattern.untilBeginning(phase);
        boolean splicesThen = !fromMemory && left - until >= LEAST_SPLICED && master.isOfUse();
        long n;
        if (headLeft > 0) {
            n = writeWithHead(headLeft, phase, Math.min(left, splicesThen ? until : LEAST_SPLICED));
        } else {
            n = writePattern(phase, splicesThen && until > 0 ? until : left);
        }
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

    // In one call, or the head would travel alone.
    private long writeWithHead(long headLeft, long phase, long most) throws IOException {
        MemorySegment bounce = Bounce.take();
        try {
            long ofHead = Math.min(headLeft, Bounce.SIZE);
            MemorySegment.copy(head, head.byteSize() - headLeft, bounce, 0, ofHead);
            long ofPattern = Math.min(most, Bounce.SIZE - ofHead);
            pattern.copy(phase, bounce, ofHead, ofPattern);
            return access.tryWrite(socket, bounce.asSlice(0, ofHead + ofPattern));
        } finally {
            Bounce.giveBack(bounce);
        }
    }

    private long headLeft() {
        return Math.max(0, head.byteSize() - sent);
    }

    /** Which byte of the pattern comes next after what is left of the head. */
    private long phase(long headLeft) {
        return pattern.phase(start, sent + headLeft - head.byteSize());
    }

    private void goOnFromMemory() throws IOException {
        fromMemory = true;
        master.fallbacks.increment();
        giveBackPipe();
    }

    // The pool keeps it only if it is empty.
    private void giveBackPipe() throws IOException {
        Pipe used = pipe;
        pipe = null;
        inPipe = 0;
        if (used != null) {
            master.pool.giveBack(used);
        }
    }

    private void end() throws IOException {
        inProgress = false;
        head = NO_HEAD;
        giveBackPipe();
        MasterPipeEvent ended = event;
        if (ended != null) {
            event = null;
            ended.target = socket.toString();
            ended.length = total;
            ended.spliced = spliced;
            ended.written = sent - spliced;
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
