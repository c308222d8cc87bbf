package io.sluice;

import io.sluice.internal.Descriptor;
import io.sluice.internal.Ledger;
import io.sluice.internal.Proc;
import io.sluice.internal.Reopenings;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ReadableByteChannel;

/**
 * The end of a pipe that bytes come out of.
 *
 * <p>Every verb has two forms. The <b>blocking</b> form waits until something can be moved, on a virtual thread without holding its carrier.
 * The form named <b>try…</b> never waits for a pipe or a socket. Both return the number of bytes moved and −1 at the end of the stream,
 * which is when the pipe is empty and no sink is open; the second returns 0 where it would have had to wait. <b>Moving less than was asked
 * for is normal</b>: as much as is there, and as the other side takes at once. Whatever was not moved is still in the pipe, after an
 * exception too.
 *
 * <p>Safe for use by several threads. A thread that waits is interruptible and asynchronously closeable as with the channels of java.nio:
 * interrupting it closes this end and throws {@link java.nio.channels.ClosedByInterruptException}; closing either side throws {@link
 * java.nio.channels.AsynchronousCloseException}; use after closing throws {@link java.nio.channels.ClosedChannelException}. A thread that
 * fills a pipe and drains it must not use the blocking forms for both, or it may wait for itself.
 *
 * <p>A regular file at the other side may make even a try… form wait for its disk.
 *
 * @see <a href="https://man7.org/linux/man-pages/man7/pipe.7.html">pipe(7)</a>
 */
public final class PipeSource extends PipeEnd implements ReadableByteChannel {
    PipeSource(Descriptor descriptor, Ledger ledger) {
        this(descriptor, ledger, ledger::abandon);
    }

    private PipeSource(Descriptor descriptor, Ledger ledger, Runnable closed) {
        super(descriptor, ledger, closed);
    }

    /**
     * A source that reads a pipe which was not opened here: standard input that is a pipe, a FIFO, an inherited descriptor. The pipe is
     * opened once more through {@code /proc/self/fd}, so that the original keeps its mode and its owner.
     *
     * @param fd an end of a pipe, or a FIFO
     * @return a source of its own, to be closed on its own
     * @throws IllegalArgumentException if it is not a pipe
     * @throws ErrnoException EACCES if the pipe belongs to another user, EMFILE
     */
    public static PipeSource of(Fd fd) throws IOException {
        Descriptor descriptor = reopened(fd, Linux.O_RDONLY());
        Ledger ledger = ledgerOf(null, descriptor);
        long inode = ledger.pipe();
        Reopenings.opened(inode);
        return new PipeSource(descriptor, ledger, () -> Reopenings.closed(inode));
    }

    /**
     * Moves bytes to a file, a socket or another descriptor: {@code ssize_t splice(int fd_in, NULL, int fd_out, NULL, size_t size,
     * SPLICE_F_NONBLOCK)}. A file is written at its position, which advances. Waits until at least one byte can be moved.
     *
     * @param target where to
     * @param max the most to move, in bytes; no upper limit, but one call moves less than 2 GiB
     * @return bytes moved, 1 to {@code max}; −1 at the end of the stream; 0 only if {@code max} is 0
     * @throws ErrnoException EINVAL for a target that cannot be spliced to, such as a file opened for append; EBADF if it is not open for
     *     writing; EPIPE or ECONNRESET if the peer is gone; ENOSPC, EFBIG (splice(2), ERRORS)
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long spliceTo(Fd target, long max) throws IOException {
        return spliceWaiting(side, -1, target.side, -1, max);
    }

    /**
     * Moves bytes to a place in a file: as {@link #spliceTo(Fd, long)}, with {@code off_t *off_out}. The file's position stays as it is.
     *
     * @param target a descriptor that has offsets
     * @param offset where to, in bytes from the start of the file
     * @param max the most to move, in bytes
     * @return bytes moved, 1 to {@code max}; −1 at the end of the stream; 0 only if {@code max} is 0
     * @throws ErrnoException ESPIPE for a target without offsets; otherwise as without offset
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long spliceTo(Fd target, long offset, long max) throws IOException {
        return spliceWaiting(side, -1, target.side, checkOffset(offset), max);
    }

    /**
     * Moves bytes to another pipe: {@code splice} between two pipes, which moves references to pages and copies nothing.
     *
     * @param target the sink of another pipe
     * @param max the most to move, in bytes
     * @return bytes moved, 1 to {@code max}; −1 at the end of the stream; 0 only if {@code max} is 0
     * @throws ErrnoException EINVAL if it is the sink of this pipe; EPIPE if no source of it is open
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long spliceTo(PipeSink target, long max) throws IOException {
        return spliceWaiting(side, -1, target.side, -1, max);
    }

    /**
     * As {@link #spliceTo(Fd, long)}, without waiting.
     *
     * @param target where to
     * @param max the most to move, in bytes
     * @return bytes moved; 0 if the pipe is empty or the target has no room; −1 at the end of the stream
     * @throws ErrnoException as the blocking form
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long trySpliceTo(Fd target, long max) throws IOException {
        return spliceNow(side, -1, target.side, -1, max);
    }

    /**
     * As {@link #spliceTo(Fd, long, long)}, without waiting.
     *
     * @param target a descriptor that has offsets
     * @param offset where to, in bytes from the start of the file
     * @param max the most to move, in bytes
     * @return bytes moved; 0 if the pipe is empty; −1 at the end of the stream
     * @throws ErrnoException as the blocking form
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long trySpliceTo(Fd target, long offset, long max) throws IOException {
        return spliceNow(side, -1, target.side, checkOffset(offset), max);
    }

    /**
     * As {@link #spliceTo(PipeSink, long)}, without waiting.
     *
     * @param target the sink of another pipe
     * @param max the most to move, in bytes
     * @return bytes moved; 0 if this pipe is empty or the other one full; −1 at the end of the stream
     * @throws ErrnoException as the blocking form
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long trySpliceTo(PipeSink target, long max) throws IOException {
        return spliceNow(side, -1, target.side, -1, max);
    }

    /**
     * Duplicates bytes into another pipe and leaves them in this one: {@code ssize_t tee(int fd_in, int fd_out, size_t size,
     * SPLICE_F_NONBLOCK)}. Both pipes then hold the same pages. It always starts at the first byte of this pipe, so the next call duplicates
     * the same bytes again unless they were taken out. Waits until at least one byte can be duplicated.
     *
     * @param target the sink of another pipe
     * @param max the most to duplicate, in bytes
     * @return bytes duplicated, 1 to {@code max}; −1 at the end of the stream; 0 only if {@code max} is 0
     * @throws ErrnoException EINVAL if it is the sink of this pipe; EPIPE if no source of it is open (tee(2), ERRORS)
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long teeTo(PipeSink target, long max) throws IOException {
        if (nothingToMove(max)) {
            return 0;
        }
        if (!Thread.currentThread().isInterrupted()) {
            long n = Moves.tee(side, target.side, max);
            return n != 0 ? n : afterWaiting(side, target.side, () -> Moves.tee(side, target.side, max));
        }
        return untilMoved(side, target.side, () -> Moves.tee(side, target.side, max));
    }

    /**
     * As {@link #teeTo}, without waiting.
     *
     * @param target the sink of another pipe
     * @param max the most to duplicate, in bytes
     * @return bytes duplicated; 0 if this pipe is empty or the other one full; −1 at the end of the stream
     * @throws ErrnoException as the blocking form
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long tryTeeTo(PipeSink target, long max) throws IOException {
        return nothingToMove(max) ? 0 : Moves.tee(side, target.side, max);
    }

    /**
     * Copies bytes out: {@code ssize_t read(int fd, void *buf, size_t size)}. Waits until there is at least one. In packet mode a segment
     * shorter than the packet loses the rest of it.
     *
     * @param into native or heap memory, to be filled from its start
     * @return bytes read, 1 to its size; −1 at the end of the stream; 0 only if it is empty
     * @throws IllegalArgumentException if the segment is read-only
     * @throws ErrnoException if the kernel refuses (read(2), ERRORS)
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    public long read(MemorySegment into) throws IOException {
        requireWritable(into.isReadOnly());
        if (nothingToMove(into.byteSize())) {
            return 0;
        }
        if (!Thread.currentThread().isInterrupted()) {
            long n = Moves.read(side, into);
            return n != 0 ? n : afterWaiting(side, null, () -> Moves.read(side, into));
        }
        return untilMoved(side, null, () -> Moves.read(side, into));
    }

    /**
     * As {@link #read(MemorySegment)}, into a buffer from its position to its limit; the position advances.
     *
     * @param into a heap or direct buffer
     * @return bytes read; −1 at the end of the stream; 0 only if nothing remains in the buffer
     * @throws IllegalArgumentException if the buffer is read-only
     * @throws ErrnoException if the kernel refuses (read(2), ERRORS)
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    @Override
    public int read(ByteBuffer into) throws IOException {
        requireWritable(into.isReadOnly());
        return advance(into, read(MemorySegment.ofBuffer(into)));
    }

    /**
     * As {@link #read(MemorySegment)}, without waiting.
     *
     * @param into native or heap memory, to be filled from its start
     * @return bytes read; 0 if the pipe is empty; −1 at the end of the stream
     * @throws IllegalArgumentException if the segment is read-only
     * @throws ErrnoException if the kernel refuses
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    public long tryRead(MemorySegment into) throws IOException {
        requireWritable(into.isReadOnly());
        return nothingToMove(into.byteSize()) ? 0 : Moves.read(side, into);
    }

    /**
     * As {@link #read(ByteBuffer)}, without waiting.
     *
     * @param into a heap or direct buffer
     * @return bytes read; 0 if the pipe is empty; −1 at the end of the stream
     * @throws IllegalArgumentException if the buffer is read-only
     * @throws ErrnoException if the kernel refuses
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    public int tryRead(ByteBuffer into) throws IOException {
        requireWritable(into.isReadOnly());
        return advance(into, tryRead(MemorySegment.ofBuffer(into)));
    }

    /**
     * For {@link ProcessBuilder#redirectInput(Redirect)}: the child reads the pipe as its standard input, through a descriptor of its own
     * that waits. The pipe must be open when the process is started; afterwards close this end, so that the writer learns when the child
     * has gone.
     *
     * @return a redirection from this pipe
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    public Redirect redirect() throws IOException {
        if (!isOpen()) {
            throw new ClosedChannelException();
        }
        ledger.shareSource();
        return Redirect.from(Proc.descriptor(side.number()).toFile());
    }

    private static void requireWritable(boolean readOnly) {
        if (readOnly) {
            throw new IllegalArgumentException("cannot read into read-only memory");
        }
    }

    private static int advance(ByteBuffer buffer, long n) {
        if (n > 0) {
            buffer.position(buffer.position() + (int) n);
        }
        return (int) n;
    }
}
