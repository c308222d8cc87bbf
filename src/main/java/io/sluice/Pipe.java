package io.sluice;

import io.sluice.internal.Arch;
import io.sluice.internal.Descriptor;
import io.sluice.internal.FileCalls;
import io.sluice.internal.Ledger;
import io.sluice.internal.Native;
import io.sluice.internal.Proc;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;

/**
 * A Linux pipe: a kernel buffer made of reference-counted pages, with a {@linkplain #sink sink} where bytes go in and a {@linkplain #source
 * source} where they come out. It is the buffer through which {@code splice} moves bytes between any two descriptors without passing them
 * through Java.
 *
 * {@snippet :
 * try (Pipe pipe = Pipe.open();
 *         Fd file = Fd.open(Path.of("big"));
 *         Fd socket = Fd.of(channel)) {
 *     for (long n; (n = pipe.sink().spliceFrom(file, pipe.capacity())) >= 0; ) {
 *         while (n > 0) {
 *             n -= pipe.source().spliceTo(socket, n);
 *         }
 *     }
 * }
 * }
 *
 * <p>A new pipe holds 64 KiB in 16 slots unless the user's pipes are past {@code pipe-user-pages-soft}, where it holds two pages. Opening
 * and closing one takes some microseconds.
 *
 * @see <a href="https://man7.org/linux/man-pages/man7/pipe.7.html">pipe(7)</a>
 */
public final class Pipe implements Closeable {
    /** How a pipe is opened. */
    public enum Option {
        /**
         * Packet mode (O_DIRECT): every write of up to PIPE_BUF (4096) bytes is a packet of its own, and a read returns one packet. A read
         * that has no room for the packet loses the rest of it (pipe(2), O_DIRECT).
         */
        PACKETS,
        /**
         * One descriptor, open for reading and writing, for both ends. It halves what the pipe costs of the limit on open files, and gives up
         * the two signals that need two: the end of the stream and EPIPE never come while either end is open.
         */
        SINGLE_DESCRIPTOR
    }

    private final PipeSource source;
    private final PipeSink sink;

    private Pipe(Descriptor read, Descriptor write, boolean packets) {
        Ledger ledger = PipeEnd.ledgerOf(write, read);
        if (packets) {
            // What a short read drops is not counted, so positions mean as little as with a foreign writer.
            ledger.shareSink();
        }
        this.source = new PipeSource(read, ledger);
        this.sink = new PipeSink(write, ledger);
    }

    /**
     * Opens a pipe: {@code int pipe2(int pipefd[2], O_CLOEXEC | O_NONBLOCK)}.
     *
     * @param options none, or how it differs from an ordinary pipe
     * @return an open pipe, empty
     * @throws ErrnoException EMFILE if the process has no descriptor left, ENFILE if the system has none or the user's pipes are at {@code
     *     pipe-user-pages-hard} (pipe(2), ERRORS)
     * @throws IllegalCallerException if native access is not enabled for this module; the message has the flag
     * @throws UnsupportedOperationException if this is not Linux on x86-64 or arm64
     */
    public static Pipe open(Option... options) throws IOException {
        Native.require();
        Set<Option> chosen = EnumSet.noneOf(Option.class);
        chosen.addAll(Arrays.asList(options));
        int packets = chosen.contains(Option.PACKETS) ? Arch.current().oDirect : 0;
        int flags = Linux.O_CLOEXEC() | Linux.O_NONBLOCK() | packets;
        long ends = Syscalls.pipe2(flags);
        if (ends < 0) {
            throw Failures.pipe2((int) -ends, words(chosen));
        }
        int read = (int) ends;
        int write = (int) (ends >>> 32);
        if (!chosen.contains(Option.SINGLE_DESCRIPTOR)) {
            return new Pipe(Descriptor.owned(read), Descriptor.owned(write), packets != 0);
        }
        int both = bothEnds(read, write, packets);
        AtomicInteger users = new AtomicInteger(2);
        Runnable giveBack = () -> {
            if (users.decrementAndGet() == 0) {
                Syscalls.close(both);
            }
        };
        return new Pipe(new Descriptor(both, giveBack), new Descriptor(both, giveBack), packets != 0);
    }

    /**
     * The end where bytes come out.
     *
     * @return the source, the same each time
     */
    public PipeSource source() {
        return source;
    }

    /**
     * The end where bytes go in.
     *
     * @return the sink, the same each time
     */
    public PipeSink sink() {
        return sink;
    }

    /**
     * The size of the buffer; see {@link PipeSource#capacity()}.
     *
     * @return bytes
     * @throws java.nio.channels.ClosedChannelException if both ends are closed
     * @throws ErrnoException if the kernel refuses
     */
    public long capacity() throws IOException {
        return openEnd().capacity();
    }

    /**
     * Asks for another buffer size; see {@link PipeSource#capacity(long)}.
     *
     * @param bytes the size wanted
     * @return the size granted, in bytes
     * @throws ErrnoException EPERM above the limits, EBUSY if what is in the pipe does not fit
     * @throws java.nio.channels.ClosedChannelException if both ends are closed
     */
    public long capacity(long bytes) throws IOException {
        return openEnd().capacity(bytes);
    }

    /**
     * The number of slots; see {@link PipeSource#slots()}.
     *
     * @return capacity divided by the page size
     * @throws java.nio.channels.ClosedChannelException if both ends are closed
     * @throws ErrnoException if the kernel refuses
     */
    public int slots() throws IOException {
        return openEnd().slots();
    }

    /**
     * How much is in the pipe; see {@link PipeSource#available()}.
     *
     * @return bytes
     * @throws java.nio.channels.ClosedChannelException if both ends are closed
     * @throws ErrnoException if the kernel refuses
     */
    public int available() throws IOException {
        return openEnd().available();
    }

    /**
     * Whether either end is open.
     *
     * @return false after {@link #close}
     */
    public boolean isOpen() {
        return source.isOpen() || sink.isOpen();
    }

    /**
     * Closes both ends; what is in the pipe is gone unless another process has it open. Does nothing the second time.
     *
     * @throws IOException never, as things stand
     */
    @Override
    public void close() throws IOException {
        // In this order, or a waiting reader could take the closing for the end of the stream.
        source.close();
        sink.close();
    }

    /**
     * The numbers of both ends.
     *
     * @return such as {@code pipe 7 → pipe 6}
     */
    @Override
    public String toString() {
        return sink + " → " + source;
    }

    private PipeEnd openEnd() {
        return source.isOpen() ? source : sink;
    }

    // Opening the pipe again through /proc is the only way to one descriptor for both ends. Packet mode belongs to a
    // descriptor, and is set
    // afterwards because open(2) refuses it.
    private static int bothEnds(int read, int write, int packets) throws ErrnoException {
        Path path = Proc.descriptor(read);
        int both = FileCalls.open(path.toString(), Linux.O_RDWR() | Linux.O_CLOEXEC() | Linux.O_NONBLOCK(), 0);
        Syscalls.close(read);
        Syscalls.close(write);
        if (both < 0) {
            throw Failures.open(path, -both);
        }
        int set = packets == 0 ? 0 : Syscalls.fcntl(both, Linux.F_SETFL(), Linux.O_NONBLOCK() | packets);
        if (set < 0) {
            Syscalls.close(both);
            throw Failures.mode("pipe " + both, -set);
        }
        return both;
    }

    private static String words(Set<Option> options) {
        return options.isEmpty()
                ? "O_CLOEXEC | O_NONBLOCK"
                : options.stream().map(Option::name).collect(Collectors.joining(" | "));
    }
}
