package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSink;
import io.sluice.internal.Native;
import io.sluice.internal.ffi.Linux;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * A pattern that is put into a pipe once and sent from there any number of times, to any number of sockets, without being copied: what a
 * load generator or a test server answers with.
 *
 * {@snippet :
 * try (MasterPipe master = MasterPipe.of(pattern);
 *         PatternSender sender = master.to(channel)) {
 *     sender.send(10 << 20);        // the pattern again and again, until that is 10 MiB
 * }
 * }
 *
 * <p>The pattern is frozen in memory, and references to its pages fill the <em>master pipe</em>: {@code vmsplice}. A response duplicates
 * the references into a pipe of its own, {@code tee}, which takes nothing out of the master, and {@code splice}s that into the socket. On a
 * kernel where vmsplice copies or is denied the master is filled by {@code write}, once, and the rest is as before.
 *
 * <p><b>Byte k of the stream is byte k of the pattern, repeated.</b> A tee always begins at the front of the master, so at the beginning of
 * the pattern: the master holds whole repetitions of it as far as it holds one, each tee ends at the end of a repetition or of the response,
 * and what does not begin where the pattern does is brought there, by dropping what comes before from the response's own pipe, {@code
 * splice} to the null device, or by writing up to the next beginning from memory. A pattern that fits the pipes several times, best one
 * whose length divides a page, needs neither.
 *
 * <p><b>When it is worth it.</b> Duplicating and splicing costs two calls more than a write, and work for each page; a copy costs its
 * length. Over loopback, where the receiver copies either way, it does not pay below 32 KiB; what it is worth beyond that is to be
 * measured where it is used. Less than {@value PatternSender#LEAST_SPLICED} bytes are always written from memory. A master of which less than
 * {@value #LEAST_CONTENT} bytes could be had is not used at all. Then, and where tee or splice is denied, everything is sent from memory;
 * {@link #shortfall} says what could not be had when it was made.
 *
 * <p>Safe for use by several threads. Senders of one master may be used at the same time, each by one thread; the calls on the master take
 * turns.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/tee.2.html">tee(2)</a>
 * @see <a href="https://man7.org/linux/man-pages/man2/vmsplice.2.html">vmsplice(2)</a>
 */
public final class MasterPipe implements Closeable {
    /** What a master holds unless another capacity is asked for, in bytes. */
    public static final long DEFAULT_CAPACITY = 1 << 20;

    /** With less than this in the pipe, in bytes, everything is sent from memory. */
    public static final long LEAST_CONTENT = 32 << 10;

    final Pattern pattern;
    final PipePool pool;
    private final @Nullable Pipe pipe;
    private final @Nullable Fd nullDevice;
    private final long capacity;
    private final long content;
    private final @Nullable String shortfall;

    final LongAdder responses = new LongAdder();
    final LongAdder spliced = new LongAdder();
    final LongAdder written = new LongAdder();
    final LongAdder fallbacks = new LongAdder();

    private final AtomicReference<@Nullable Pipe> spare = new AtomicReference<>();
    private volatile boolean closed;

    private MasterPipe(Pattern pattern, PipePool pool, long asked) {
        this.pattern = pattern;
        this.pool = pool;
        long granted = 0;
        long filled = 0;
        String cause = null;
        Pipe opened = null;
        try {
            opened = Pipe.open();
            granted = grow(opened, asked);
            filled = pattern.fill(opened.sink(), granted);
        } catch (IOException e) {
            cause = e.getMessage();
        }
        this.capacity = granted;
        this.content = filled < LEAST_CONTENT ? 0 : pattern.whole(filled);
        if (content == 0) {
            shortfall = "responses are sent from memory, because the master pipe holds "
                    + (cause == null ? filled + " bytes of " + asked : "nothing: " + cause);
        } else {
            shortfall = granted < asked ? "the pipe was granted " + granted + " bytes of " + asked : null;
        }
        this.pipe = content == 0 ? null : opened;
        if (content == 0 && opened != null) {
            closeQuietly(opened);
        }
        this.nullDevice = content == 0 ? null : openNullDevice();
    }

    /**
     * A master pipe of {@link #DEFAULT_CAPACITY}, whose responses take pipes from {@link PipePool#shared}.
     *
     * @param pattern what to repeat, at least one byte; it is copied
     * @return a master, to be closed
     * @throws IllegalArgumentException if the pattern is empty
     */
    public static MasterPipe of(MemorySegment pattern) {
        return of(pattern, DEFAULT_CAPACITY, PipePool.shared());
    }

    /**
     * A master pipe of another size. Where the kernel grants less, it has less; {@link #shortfall} says so.
     *
     * @param pattern what to repeat, at least one byte; it is copied
     * @param capacity what the pipe should hold, in bytes: {@code fcntl(fd, F_SETPIPE_SZ, capacity)}
     * @param pool where responses take their own pipes from; it is not closed with the master
     * @return a master, to be closed
     * @throws IllegalArgumentException if the pattern is empty or the capacity is not positive
     */
    public static MasterPipe of(MemorySegment pattern, long capacity, PipePool pool) {
        Native.require();
        Objects.requireNonNull(pool);
        if (capacity <= 0) {
            throw new IllegalArgumentException("a master pipe holds at least one byte: " + capacity);
        }
        return new MasterPipe(Pattern.of(pattern, capacity), pool, capacity);
    }

    /**
     * Something that sends the pattern to one socket, response after response.
     *
     * @param socket a stream socket, which must stay open until the sender is closed and is not closed with it; or the null device
     * @return a sender, to be closed
     * @throws IllegalArgumentException if it is neither a socket nor the null device
     * @throws ClosedChannelException if this or the socket is closed
     */
    public PatternSender to(Fd socket) throws IOException {
        return sender(socket, false);
    }

    /**
     * As {@link #to(Fd)}, for a channel of java.nio in whatever mode it is. See {@link Fd#of(java.nio.channels.SelectableChannel)} for what
     * that does to it; close the sender before the channel.
     *
     * @param socket a connected channel
     * @return a sender, to be closed
     * @throws ClosedChannelException if this or the channel is closed
     * @throws ErrnoException EMFILE if no descriptor is left
     */
    public PatternSender to(SocketChannel socket) throws IOException {
        Fd fd = Fd.of(socket);
        try {
            return sender(fd, true);
        } catch (IOException | RuntimeException | Error e) {
            fd.close();
            throw e;
        }
    }

    private PatternSender sender(Fd socket, boolean owned) throws IOException {
        if (closed || !socket.isOpen()) {
            throw new ClosedChannelException();
        }
        if (socket.kind() != Fd.Kind.SOCKET && socket.kind() != Fd.Kind.NULL) {
            throw new IllegalArgumentException(
                    socket + " is no socket; a master pipe sends to sockets, where nothing waits for a disk");
        }
        return new PatternSender(this, socket, owned);
    }

    /** Whether responses may be sent by reference. */
    boolean isOfUse() {
        return pipe != null && !closed && !Call.TEE.isDenied() && !Call.SPLICE.isDenied();
    }

    /** How much of {@code wanted} bytes one tee is to put into {@code room} bytes of an empty pipe: all, or whole repetitions. */
    long most(long room, long wanted) {
        long most = Math.min(room, content);
        return wanted <= most ? wanted : pattern.whole(most);
    }

    /** Duplicates up to {@code n} bytes from the beginning of the pattern: {@code tee}. */
    long tee(PipeSink into, long n) throws IOException {
        return pipe == null ? 0 : Math.max(0, pipe.source().tryTeeTo(into, n));
    }

    /** A pipe for a response: one that the last response left, or one of the pool's. */
    Pipe takePipe() throws IOException {
        Pipe last = spare.getAndSet(null);
        return last == null ? pool.take() : last;
    }

    /**
     * After a response.
     *
     * @param isEmpty whether all that was put into the pipe was taken out again; then the next response has it, and the kernel need not be
     *     asked, as the pool would
     */
    void giveBackPipe(Pipe used, boolean isEmpty) throws IOException {
        if (!isEmpty || !spare.compareAndSet(null, used)) {
            pool.giveBack(used);
        } else if (closed) {
            giveBackSpare();
        }
    }

    private void giveBackSpare() throws IOException {
        Pipe last = spare.getAndSet(null);
        if (last != null) {
            pool.giveBack(last);
        }
    }

    /** Where bytes may be dropped, or null. */
    @Nullable
    Fd nullDevice() {
        return nullDevice;
    }

    /**
     * What the master pipe was granted: {@code fcntl(fd, F_GETPIPE_SZ)}.
     *
     * @return bytes; 0 if there is no pipe
     */
    public long capacity() {
        return capacity;
    }

    /**
     * How much of the pattern one tee may duplicate: whole repetitions, if there is room for one.
     *
     * @return bytes; 0 if everything is sent from memory
     */
    public long content() {
        return content;
    }

    /**
     * What could not be had when this was made.
     *
     * @return a sentence, or empty if the master pipe is as large as was asked for
     */
    public Optional<String> shortfall() {
        return Optional.ofNullable(shortfall);
    }

    /**
     * Responses that were sent to their end.
     *
     * @return how many, by all senders
     */
    public long responses() {
        return responses.sum();
    }

    /**
     * What was sent by reference, with the heads that went the same way.
     *
     * @return bytes, by all senders
     */
    public long bytesSpliced() {
        return spliced.sum();
    }

    /**
     * What was sent from memory.
     *
     * @return bytes, by all senders
     */
    public long bytesWritten() {
        return written.sum();
    }

    /**
     * How often a response went on from memory because a call had failed.
     *
     * @return how many times
     */
    public long fallbacks() {
        return fallbacks.sum();
    }

    /** Closes the master pipe. Responses that have begun are finished from memory; none begins any more. */
    @Override
    public void close() throws IOException {
        closed = true;
        giveBackSpare();
        if (pipe != null) {
            pipe.close();
        }
        if (nullDevice != null) {
            nullDevice.close();
        }
    }

    boolean isClosed() {
        return closed;
    }

    /**
     * What it holds.
     *
     * @return such as {@code master pipe with 262144 bytes}
     */
    @Override
    public String toString() {
        return "master pipe with " + content + " bytes" + (shortfall == null ? "" : " (" + shortfall + ")");
    }

    private static long grow(Pipe pipe, long asked) throws IOException {
        long granted = pipe.capacity();
        if (asked < granted) {
            return pipe.capacity(asked);
        }
        // Invariant: the pipe has granted bytes, and nothing larger that was asked for was to be had.
        for (long wanted = asked; wanted > granted; wanted /= 2) {
            try {
                return pipe.capacity(wanted);
            } catch (ErrnoException e) {
                if (e.errno() != Linux.EPERM()) {
                    break;
                }
            }
        }
        return granted;
    }

    // What is behind the path is verified by its device number, or a response could end up in somebody's file.
    private static @Nullable Fd openNullDevice() {
        try {
            Fd fd = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
            if (fd.kind() == Fd.Kind.NULL) {
                return fd;
            }
            fd.close();
        } catch (IOException e) {
            return null; // then nothing is dropped, and more is written
        }
        return null;
    }

    private static void closeQuietly(Pipe pipe) {
        try {
            pipe.close();
        } catch (IOException e) {
            throw new IllegalStateException("closing a pipe never fails", e);
        }
    }
}
