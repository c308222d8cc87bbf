package io.sluice;

import io.sluice.internal.Descriptor;
import io.sluice.internal.Ledger;
import io.sluice.internal.Lending;
import io.sluice.internal.PipeAccess;
import io.sluice.internal.Proc;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.ProcessBuilder.Redirect;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;

/**
 * The end of a pipe that bytes go into.
 *
 * <p>Every verb has two forms. The <b>blocking</b> form waits, on a virtual thread without holding its carrier; the form named <b>try…</b>
 * never waits for a pipe or a socket. A splice moves what is there and fits, so <b>less than was asked for is normal</b>, and returns −1 at
 * the end of its source. A blocking write, as with the channels of java.nio, returns only when everything is in the pipe. What the pipe
 * can take is counted in {@linkplain #slots slots}, not only in bytes.
 *
 * <p>Safe for use by several threads. A thread that waits is interruptible and asynchronously closeable as with the channels of java.nio:
 * interrupting it closes this end and throws {@link java.nio.channels.ClosedByInterruptException}; closing either side throws {@link
 * java.nio.channels.AsynchronousCloseException}; use after closing throws {@link java.nio.channels.ClosedChannelException}. A thread that
 * fills a pipe and drains it must not use the blocking forms for both, or it may wait for itself.
 *
 * <p>Close the sink when all is written: the reader's end of stream comes when no sink of the pipe is open, in a child process either.
 *
 * @see <a href="https://man7.org/linux/man-pages/man7/pipe.7.html">pipe(7)</a>
 */
public final class PipeSink extends PipeEnd implements WritableByteChannel {
    static {
        PipeAccess.grant(new PipeAccess() {
            @Override
            public Ledger ledger(Channel sink) {
                return ((PipeSink) sink).ledger;
            }

            @Override
            public Lending lending(Channel sink) {
                return ((PipeSink) sink).lending;
            }
        });
    }

    private final Lending lending = new PipeLending(this);

    PipeSink(Descriptor descriptor, Ledger ledger) {
        super(descriptor, ledger, () -> {});
    }

    /**
     * A sink that writes a pipe which was not opened here: standard output that is a pipe, a FIFO, an inherited descriptor. The pipe is
     * opened once more through {@code /proc/self/fd}, so that the original keeps its mode and its owner.
     *
     * @param fd an end of a pipe, or a FIFO
     * @return a sink of its own, to be closed on its own
     * @throws IllegalArgumentException if it is not a pipe
     * @throws ErrnoException EACCES if the pipe belongs to another user, ENXIO if nobody reads it, EMFILE
     */
    public static PipeSink of(Fd fd) throws IOException {
        Descriptor descriptor = reopened(fd, Linux.O_WRONLY());
        Ledger ledger = ledgerOf(descriptor, null);
        ledger.shareSource();
        ledger.shareSink();
        return new PipeSink(descriptor, ledger);
    }

    /**
     * A promise by the caller, to be made only where it is known to be true: <b>every program that reads this pipe copies</b> what it reads,
     * with {@code read} or the like, and passes no page on with {@code splice} or {@code tee}.
     *
     * <p>Without it, memory lent to a pipe that others read is never used again in place, because nobody can know when they let go of it.
     * With it, such memory counts as released when it has left the pipe. If the promise is broken, a reader downstream may see memory that
     * was rewritten.
     *
     * @throws ClosedChannelException if this end is closed
     */
    public void promiseReadersCopy() throws ClosedChannelException {
        if (!isOpen()) {
            throw new ClosedChannelException();
        }
        ledger.promiseReadersCopy();
    }

    /**
     * Moves bytes in from a file, a socket or another descriptor: {@code ssize_t splice(int fd_in, NULL, int fd_out, NULL, size_t size,
     * SPLICE_F_NONBLOCK)}. A file is read at its position, which advances; its pages are referenced, so later writes to the file may show.
     * Waits until at least one byte can be moved.
     *
     * @param source where from
     * @param max the most to move, in bytes; no upper limit, but one call moves less than 2 GiB
     * @return bytes moved, 1 to {@code max}; −1 if the source says that it has no more, which a file of /proc may say too early; 0 only if
     *     {@code max} is 0
     * @throws ErrnoException EINVAL for a source that cannot be spliced from, such as a terminal or most files of /proc; EBADF if it is not
     *     open for reading; EPIPE if no source of this pipe is open (splice(2), ERRORS)
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long spliceFrom(Fd source, long max) throws IOException {
        return spliceWaiting(source.side, -1, side, -1, max);
    }

    /**
     * Moves bytes in from a place in a file: as {@link #spliceFrom(Fd, long)}, with {@code off_t *off_in}. The file's position stays as it
     * is.
     *
     * @param source a descriptor that has offsets
     * @param offset where from, in bytes from the start of the file
     * @param max the most to move, in bytes
     * @return bytes moved, 1 to {@code max}; −1 at or after the end of the file; 0 only if {@code max} is 0
     * @throws ErrnoException ESPIPE or EINVAL for a source without offsets; otherwise as without offset
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long spliceFrom(Fd source, long offset, long max) throws IOException {
        return spliceWaiting(source.side, checkOffset(offset), side, -1, max);
    }

    /**
     * As {@link #spliceFrom(Fd, long)}, without waiting.
     *
     * @param source where from
     * @param max the most to move, in bytes
     * @return bytes moved; 0 if the source has nothing yet or the pipe is full; −1 if the source has no more
     * @throws ErrnoException as the blocking form
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long trySpliceFrom(Fd source, long max) throws IOException {
        return spliceNow(source.side, -1, side, -1, max);
    }

    /**
     * As {@link #spliceFrom(Fd, long, long)}, without waiting.
     *
     * @param source a descriptor that has offsets
     * @param offset where from, in bytes from the start of the file
     * @param max the most to move, in bytes
     * @return bytes moved; 0 if the pipe is full; −1 at or after the end of the file
     * @throws ErrnoException as the blocking form
     * @throws java.nio.channels.ClosedChannelException if either side is closed
     */
    public long trySpliceFrom(Fd source, long offset, long max) throws IOException {
        return spliceNow(source.side, checkOffset(offset), side, -1, max);
    }

    /**
     * Copies bytes in: {@code ssize_t write(int fd, const void *buf, size_t size)}, as often as it takes. The memory is free again when this
     * returns. In packet mode it becomes packets of up to PIPE_BUF (4096) bytes.
     *
     * @param from native or heap memory, all of it
     * @return its size in bytes
     * @throws ErrnoException EPIPE if no source of the pipe is open; {@link ErrnoException#transferred} says how much had been written
     * @throws java.nio.channels.ClosedChannelException if this end is closed; how much had been written is then known only with {@link
     *     #write(ByteBuffer)}, from the buffer's position
     */
    public long write(MemorySegment from) throws IOException {
        if (nothingToMove(from.byteSize())) {
            return 0;
        }
        long done = 0;
        try {
            // Invariant: the first done bytes are in the pipe, or have passed through it, and no others.
            while (done < from.byteSize()) {
                done += writeSome(done == 0 ? from : from.asSlice(done));
            }
            return done;
        } catch (ErrnoException e) {
            throw e.after(done);
        }
    }

    /**
     * As {@link #write(MemorySegment)}, from a buffer's position to its limit. The position advances with every byte that is in the pipe,
     * also when an exception ends the write.
     *
     * @param from a heap or direct buffer
     * @return bytes written: all that remained
     * @throws ErrnoException EPIPE if no source of the pipe is open
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    @Override
    public int write(ByteBuffer from) throws IOException {
        int start = from.position();
        if (nothingToMove(from.remaining())) {
            return 0;
        }
        try {
            while (from.hasRemaining()) {
                long n = writeSome(MemorySegment.ofBuffer(from));
                from.position(from.position() + (int) n);
            }
            return from.position() - start;
        } catch (ErrnoException e) {
            throw e.after(from.position() - start);
        }
    }

    /**
     * Copies in what fits: one {@code write}, without waiting. Up to PIPE_BUF (4096) bytes go in together or not at all.
     *
     * @param from native or heap memory, taken from its start
     * @return bytes written; 0 if the pipe is full
     * @throws ErrnoException EPIPE if no source of the pipe is open
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    public long tryWrite(MemorySegment from) throws IOException {
        return nothingToMove(from.byteSize()) ? 0 : Moves.write(side, from);
    }

    /**
     * As {@link #tryWrite(MemorySegment)}, from a buffer's position; the position advances.
     *
     * @param from a heap or direct buffer
     * @return bytes written; 0 if the pipe is full
     * @throws ErrnoException EPIPE if no source of the pipe is open
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    public int tryWrite(ByteBuffer from) throws IOException {
        int n = (int) tryWrite(MemorySegment.ofBuffer(from));
        from.position(from.position() + n);
        return n;
    }

    /**
     * For {@link ProcessBuilder#redirectOutput(Redirect)} and {@link ProcessBuilder#redirectError(Redirect)}: the child writes straight into
     * the pipe, through a descriptor of its own that waits. The pipe must be open when the process is started; afterwards close this end, or
     * the end of the stream will not come when the child exits.
     *
     * @return a redirection to this pipe
     * @throws java.nio.channels.ClosedChannelException if this end is closed
     */
    public Redirect redirect() throws IOException {
        if (!isOpen()) {
            throw new ClosedChannelException();
        }
        ledger.shareSink();
        return Redirect.to(Proc.descriptor(side.number()).toFile());
    }

    /** One write of at least a byte, after waiting for room. */
    long writeSome(MemorySegment from) throws IOException {
        if (!Thread.currentThread().isInterrupted()) {
            long n = Moves.write(side, from);
            return n != 0 ? n : afterWaiting(null, side, () -> Moves.write(side, from));
        }
        return untilMoved(null, side, () -> Moves.write(side, from));
    }
}
