package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.Kernel.Finding;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import io.sluice.flow.TransferException.Side;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.FileChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Moves bytes from one descriptor to another, up to a length or to the end of the stream, by the call that suits the two best.
 *
 * {@snippet :
 * Transfer.from(socket).to(file).run();                              // to the end of the stream
 * Transfer.from(file, offset).to(socket).exactly(length).run();      // a range, or an exception
 * }
 *
 * <table>
 * <caption>What is tried, in this order</caption>
 * <thead><tr><th>from</th><th>to</th><th>calls</th></tr></thead>
 * <tbody>
 * <tr><td>file</td><td>file</td><td>copy_file_range; sendfile, unless the target has an offset; read and write</td></tr>
 * <tr><td>file</td><td>anything else but a pipe</td><td>sendfile; splice through a pipe; read and write</td></tr>
 * <tr><td>anything</td><td>pipe</td><td>splice; read and write</td></tr>
 * <tr><td>pipe</td><td>anything</td><td>splice; read and write</td></tr>
 * <tr><td>anything else</td><td>anything else</td><td>splice through a pipe; read and write</td></tr>
 * <tr><td>anything</td><td>file opened for append</td><td>read and write</td></tr>
 * </tbody>
 * </table>
 *
 * <p>The next one is tried only <b>before the first byte has moved</b>: when the kernel or a sandbox refuses the call (ENOSYS or EPERM; where
 * it is the call and not the descriptor, it is not tried again in this process), or when it does not do this pair (EINVAL, EXDEV,
 * EOPNOTSUPP). The end of a source that has not given anything is believed only when {@code read} says so too, because files of /proc and
 * some file systems say it wrongly to the other calls.
 *
 * <p>A source or target without an offset is read or written at its position, which advances by what was moved. An end with an offset keeps
 * its position. Channels get a descriptor for the length of the run, as {@link Fd#of(SelectableChannel)} says; closing it leaves the channel
 * open. A {@link FileChannel} is found by a lock on a byte far behind its end, taken for a moment; as with any other descriptor of the file
 * that this process closes, the locks which the process has on that file are gone afterwards (fcntl(2), F_SETLK), so pass {@code
 * Fd.open(path)} to keep it in your hand when that is.
 *
 * <p>Safe on virtual threads, whose carrier it never holds, and on platform threads. An interrupt stops it between two calls. It neither
 * closes an end nor shuts a connection down. What is configured here is immutable, and may be run more than once and by several threads.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/copy_file_range.2.html">copy_file_range(2)</a>
 * @see <a href="https://man7.org/linux/man-pages/man2/sendfile.2.html">sendfile(2)</a>
 * @see <a href="https://man7.org/linux/man-pages/man2/splice.2.html">splice(2)</a>
 */
public final class Transfer {
    /** How the bytes were moved. */
    public enum Engine {
        /** {@code copy_file_range}: within the file system, or the kernel. */
        COPY_FILE_RANGE,
        /** {@code sendfile}. */
        SENDFILE,
        /** {@code splice}: one side is a pipe. */
        SPLICE,
        /** {@code splice} into a pipe of the {@link PipePool}, and from it to the target. */
        SPLICE_THROUGH_PIPE,
        /** {@code read} and {@code write}, through memory of this process. */
        READ_WRITE,
        /** None: nothing was to be moved. */
        NONE
    }

    /** What became of the pages that the bytes were in. */
    public enum Pages {
        /** The target was given references to them; nothing was copied on the way. */
        REFERENCED,
        /** The bytes were copied into other pages. */
        COPIED,
        /** It cannot be told: a file system may do either with {@code copy_file_range}, and a device as it likes. */
        UNKNOWN
    }

    static final long NO_OFFSET = -1;
    static final long NO_LIMIT = Long.MAX_VALUE;

    /** One end: an {@link Fd}, an end of a pipe, or a channel, and an offset or {@link #NO_OFFSET}. */
    record End(Closeable what, long offset) {}

    /** How much: at most {@code most}, or exactly that. */
    record Length(long most, boolean exact) {}

    private final End source;
    private final End target;
    private final Length length;
    private final @Nullable LongConsumer progress;
    private final @Nullable PipePool pool;
    private final AtomicLong transferred = new AtomicLong();

    private Transfer(End source, End target, Length length, @Nullable LongConsumer progress, @Nullable PipePool pool) {
        this.source = source;
        this.target = target;
        this.length = length;
        this.progress = progress;
        this.pool = pool;
    }

    /** A transfer of which the source is known. */
    public static final class From {
        private final End source;

        private From(End source) {
            this.source = source;
        }

        /**
         * To a descriptor: a file at its position, a socket, a pipe, a device.
         *
         * @param target open for writing
         * @return a transfer to the end of the stream
         */
        public Transfer to(Fd target) {
            return to(new End(target, NO_OFFSET));
        }

        /**
         * To a place in a file, whose position stays as it is.
         *
         * @param target open for writing
         * @param offset in bytes from the start of the file
         * @return a transfer to the end of the stream
         * @throws IllegalArgumentException if the offset is negative, or the target is a socket or a pipe
         */
        public Transfer to(Fd target, long offset) {
            return to(new End(target, requireOffset(target, offset)));
        }

        /**
         * To a channel: a {@link PipeSink}, a socket, the sink of a java.nio pipe, or a {@link FileChannel} at its position.
         *
         * @param target an open channel
         * @return a transfer to the end of the stream
         * @throws IllegalArgumentException for any other kind of channel
         */
        public Transfer to(WritableByteChannel target) {
            return to(new End(requireEnd(target, target instanceof PipeSink), NO_OFFSET));
        }

        /**
         * To a place in a file channel's file; the channel's position stays as it is.
         *
         * @param target open for writing
         * @param offset in bytes from the start of the file
         * @return a transfer to the end of the stream
         * @throws IllegalArgumentException if the offset is negative
         */
        public Transfer to(FileChannel target, long offset) {
            return to(new End(target, requireNotNegative(offset, "an offset")));
        }

        private Transfer to(End target) {
            return new Transfer(source, target, new Length(NO_LIMIT, false), null, null);
        }
    }

    /**
     * From a descriptor: a file at its position, a socket, a pipe, a device.
     *
     * @param source open for reading
     * @return what is to be completed with {@code to}
     */
    public static From from(Fd source) {
        return new From(new End(source, NO_OFFSET));
    }

    /**
     * From a place in a file, whose position stays as it is.
     *
     * @param source open for reading
     * @param offset in bytes from the start of the file
     * @return what is to be completed with {@code to}
     * @throws IllegalArgumentException if the offset is negative, or the source is a socket or a pipe
     */
    public static From from(Fd source, long offset) {
        return new From(new End(source, requireOffset(source, offset)));
    }

    /**
     * From a channel: a {@link PipeSource}, a socket, the source of a java.nio pipe, a {@link FileChannel} at its position, or what {@link
     * TransferException#undelivered} or {@link Fanout#remainder} gave.
     *
     * @param source an open channel
     * @return what is to be completed with {@code to}
     * @throws IllegalArgumentException for any other kind of channel
     */
    public static From from(ReadableByteChannel source) {
        return new From(
                new End(requireEnd(source, source instanceof PipeSource || source instanceof Remainder), NO_OFFSET));
    }

    /**
     * From a place in a file channel's file; the channel's position stays as it is.
     *
     * @param source open for reading
     * @param offset in bytes from the start of the file
     * @return what is to be completed with {@code to}
     * @throws IllegalArgumentException if the offset is negative
     */
    public static From from(FileChannel source, long offset) {
        return new From(new End(source, requireNotNegative(offset, "an offset")));
    }

    /**
     * With an upper limit: ends when so much has been moved, or at the end of the stream.
     *
     * @param bytes the most to move
     * @return such a transfer
     * @throws IllegalArgumentException if it is negative
     */
    public Transfer limit(long bytes) {
        return new Transfer(source, target, new Length(requireNotNegative(bytes, "a length"), false), progress, pool);
    }

    /**
     * With an exact length: fails if the stream ends before, as that of a file does which is cut short meanwhile.
     *
     * @param bytes how much to move
     * @return such a transfer
     * @throws IllegalArgumentException if it is negative
     */
    public Transfer exactly(long bytes) {
        return new Transfer(source, target, new Length(requireNotNegative(bytes, "a length"), true), progress, pool);
    }

    /**
     * Tells how far it is, in the thread that moves the bytes: whenever some have been delivered and none are on their way, so that nothing
     * is lost if it throws.
     *
     * @param listener takes the number of bytes delivered since the run began
     * @return such a transfer
     */
    public Transfer onProgress(LongConsumer listener) {
        return new Transfer(source, target, length, listener, pool);
    }

    /**
     * With pipes from a pool of one's own, where a pipe is needed between the two.
     *
     * @param pipes an open pool
     * @return such a transfer
     */
    public Transfer pool(PipePool pipes) {
        return new Transfer(source, target, length, progress, pipes);
    }

    /**
     * Moves the bytes, and waits where it has to.
     *
     * @return how many, and how
     * @throws TransferException if it did not come to its end: says at which side, how much was delivered and where the rest is
     * @throws IllegalArgumentException if both ends are the same file, and the ranges overlap or have no end
     */
    public Result run() throws IOException {
        TransferEvent event = new TransferEvent();
        event.begin();
        try (TransferEnd from = opened(Side.SOURCE, event);
                TransferEnd to = opened(Side.TARGET, event)) {
            TransferRun run =
                    new TransferRun(from, to, length, progress, pool == null ? PipePool.shared() : pool, transferred);
            String failure = null;
            try {
                return run.run();
            } catch (IOException | RuntimeException e) {
                failure = e.toString();
                throw e;
            } finally {
                if (event.isEnabled()) {
                    event.tell(from, to, run.delivered(), run.engine(), failure);
                }
            }
        }
    }

    private TransferEnd opened(Side side, TransferEvent event) throws IOException {
        End end = side == Side.SOURCE ? source : target;
        try {
            return side == Side.SOURCE ? TransferEnd.source(end) : TransferEnd.target(end);
        } catch (IOException e) {
            String what = source.what() + " → " + target.what();
            TransferException failure = new TransferException(what, e, side, 0, 0, Remainder.owning(new byte[0], null));
            if (event.isEnabled()) {
                event.tell(source.what(), target.what(), 0, Engine.NONE, failure.toString());
            }
            throw failure;
        }
    }

    /**
     * How much all runs together have delivered until now; may be asked by any thread at any time.
     *
     * @return bytes
     */
    public long transferred() {
        return transferred.get();
    }

    /** What a transfer did. */
    public static final class Result {
        private final long bytes;
        private final Engine engine;
        private final Fd.Kind from;
        private final Fd.Kind to;
        private final boolean targetCopies;

        Result(long bytes, Engine engine, Fd.Kind from, Fd.Kind to, boolean targetCopies) {
            this.bytes = bytes;
            this.engine = engine;
            this.from = from;
            this.to = to;
            this.targetCopies = targetCopies;
        }

        /**
         * How much was moved.
         *
         * @return bytes; less than the limit if the stream ended before
         */
        public long bytes() {
            return bytes;
        }

        /**
         * Which call moved them.
         *
         * @return the engine
         */
        public Engine engine() {
            return engine;
        }

        /**
         * Whether pages were passed on or copied, as far as this kernel was {@linkplain Kernel#observed seen} to do; the first question may
         * take some milliseconds.
         *
         * @return what became of the pages
         */
        public Pages pages() {
            if (engine == Engine.NONE) {
                return Pages.UNKNOWN;
            } else if (engine == Engine.READ_WRITE) {
                return Pages.COPIED;
            } else if (to == Fd.Kind.NULL) {
                return Pages.REFERENCED;
            } else if (to == Fd.Kind.FILE) {
                return targetCopies ? Pages.COPIED : Pages.UNKNOWN;
            } else if (to == Fd.Kind.OTHER || from == Fd.Kind.OTHER || from == Fd.Kind.NULL) {
                return Pages.UNKNOWN;
            }
            return seen(
                    from == Fd.Kind.FILE
                            ? Kernel.observed().fileToPipe()
                            : Kernel.observed().tee());
        }

        private static Pages seen(Finding finding) {
            return switch (finding.outcome()) {
                case REFERENCES -> Pages.REFERENCED;
                case COPIES -> Pages.COPIED;
                case WORKS, DENIED, UNKNOWN -> Pages.UNKNOWN;
            };
        }

        /**
         * The same in words.
         *
         * @return such as {@code 4096 bytes by SENDFILE}
         */
        @Override
        public String toString() {
            return bytes + " bytes by " + engine;
        }
    }

    private static long requireNotNegative(long n, String what) {
        if (n < 0) {
            throw new IllegalArgumentException(what + " cannot be negative: " + n);
        }
        return n;
    }

    private static long requireOffset(Fd fd, long offset) {
        if (fd.kind() == Fd.Kind.SOCKET || fd.kind() == Fd.Kind.PIPE) {
            throw new IllegalArgumentException("a socket or pipe has no offsets: " + fd);
        }
        return requireNotNegative(offset, "an offset");
    }

    private static Channel requireEnd(Channel channel, boolean ofLibrary) {
        if (ofLibrary || channel instanceof SelectableChannel || channel instanceof FileChannel) {
            return Ends.requireStream(channel);
        }
        throw new IllegalArgumentException(
                "there is no descriptor behind this channel, or no public way to it: " + channel);
    }
}
