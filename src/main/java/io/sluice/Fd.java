package io.sluice;

import io.sluice.internal.ChannelFds;
import io.sluice.internal.ChannelWatch;
import io.sluice.internal.Descriptor;
import io.sluice.internal.FdAccess;
import io.sluice.internal.FileCalls;
import io.sluice.internal.Native;
import io.sluice.internal.Offload;
import io.sluice.internal.Proc;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.Closeable;
import java.io.FileDescriptor;
import java.io.IOException;
import java.lang.ref.Cleaner;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectableChannel;
import java.nio.file.FileSystems;
import java.nio.file.OpenOption;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashSet;
import java.util.function.Function;
import jdk.nio.Channels;

/**
 * A file descriptor and what it stands for: the other side of a transfer to or from a {@link Pipe}.
 *
 * <p>It comes {@linkplain #open from a path}, {@linkplain #of(SelectableChannel) from a java.nio channel}, {@linkplain #of(FileDescriptor)
 * from a stream's FileDescriptor} or {@linkplain #borrow from a number}. The first three are the library's own and closed by {@link #close};
 * a borrowed number never is.
 *
 * <p>Safe for use by several threads. Closing while a call is in progress takes effect when that call returns; a thread that waits on the
 * descriptor gets an {@link java.nio.channels.AsynchronousCloseException}. A descriptor that is dropped without being closed is closed some
 * time after it was found unreachable, which is a backstop and not to be relied on.
 */
public final class Fd implements Closeable {
    private static final Cleaner CLEANER = Cleaner.create();
    private static final int DEFAULT_MODE = 0666;

    static {
        FdAccess.grant(new FdVerbs());
    }

    /** What a descriptor stands for, as far as splicing is concerned. */
    public enum Kind {
        /** A regular file: it has offsets, is always ready, and may make the caller wait for a disk. */
        FILE,
        /** A socket of any family. */
        SOCKET,
        /** A pipe or FIFO. */
        PIPE,
        /** The null device: what is spliced to it is gone, and its pages are free. */
        NULL,
        /** Anything else: a directory, a terminal, another device, an eventfd. */
        OTHER
    }

    final Side side;
    private final Descriptor descriptor;
    private final Kind kind;
    private final Cleaner.Cleanable cleanable;

    private Fd(Descriptor descriptor, Kind kind, String words) {
        this.descriptor = descriptor;
        this.kind = kind;
        boolean copies = kind == Kind.NULL || (kind == Kind.FILE && FileCalls.copiesWhatItIsGiven(descriptor.number()));
        this.side = new Side(this, descriptor, kind, copies, words, null);
        this.cleanable = CLEANER.register(this, descriptor::close);
    }

    /**
     * Opens a file: {@code int open(const char *path, int flags, mode_t mode)} with O_CLOEXEC. Opening a FIFO waits for its other side, on a
     * virtual thread without holding the carrier.
     *
     * @param path a path of the default file system
     * @param options as for {@link java.nio.channels.FileChannel#open}, READ if none is given; DELETE_ON_CLOSE is not supported. A file
     *     opened for APPEND cannot be spliced into.
     * @return the descriptor, owned
     * @throws ErrnoException if the kernel refuses: ENOENT, EACCES, EEXIST, EISDIR, EMFILE (open(2), ERRORS)
     * @throws IllegalArgumentException for APPEND with READ or with TRUNCATE_EXISTING
     * @throws UnsupportedOperationException for an option or a file system that is not supported
     */
    public static Fd open(Path path, OpenOption... options) throws IOException {
        Native.require();
        if (!path.getFileSystem().equals(FileSystems.getDefault())) {
            throw new UnsupportedOperationException(
                    "only a path of the default file system has a descriptor: " + path.toUri());
        }
        int flags = OpenFlags.of(new LinkedHashSet<>(Arrays.asList(options)));
        int fd = (int) Offload.call(() -> FileCalls.open(path.toString(), flags, DEFAULT_MODE));
        if (fd < 0) {
            throw Failures.open(path, -fd);
        }
        String opened = (flags & Linux.O_APPEND()) != 0 ? " opened for append" : "";
        return owned(fd, kind -> word(kind) + " " + path + opened);
    }

    /**
     * The descriptor behind a socket or pipe channel: a {@link java.nio.channels.SocketChannel}, {@link
     * java.nio.channels.ServerSocketChannel}, {@link java.nio.channels.DatagramChannel} or either end of a {@link java.nio.channels.Pipe},
     * in whatever mode it is and with whatever selectors it is registered.
     *
     * <p>What is returned holds a duplicate, so it cannot reach another file if the channel is closed meanwhile. While it is open, closing
     * the channel does not by itself tell the peer; the library notices within about a tenth of a second, shuts the connection down and
     * closes the duplicate, and a thread that waits gets an {@link java.nio.channels.AsynchronousCloseException}. So close this first, and
     * hold it no longer than the transfer lasts.
     *
     * <p>A socket is put in non-blocking mode in the kernel (O_NONBLOCK) and stays in it. Blocking operations of the channel go on working
     * as they do after use by a virtual thread: they wait, but a write may then take only a part of its buffer. The mode that {@link
     * SelectableChannel#isBlocking} reports is not changed. Do not change the channel's mode while this is open, nor read through its {@link
     * java.net.Socket} with a timeout, which changes it too.
     *
     * <p>Takes five to ten microseconds the first time for a channel, and about one later. The first time, for a channel in blocking mode it
     * waits until a read in progress has returned, so call it before input and output begin.
     *
     * @param channel an open channel
     * @return a descriptor of the same open file, owned
     * @throws ClosedChannelException if the channel is closed
     * @throws ErrnoException EMFILE if no descriptor is left
     */
    public static Fd of(SelectableChannel channel) throws IOException {
        Native.require();
        int duplicate = ChannelFds.duplicate(channel);
        if (duplicate < 0) {
            throw Failures.duplicate(channel.toString(), -duplicate);
        }
        Fd fd = owned(duplicate, kind -> kind == Kind.SOCKET ? "socket " + channel : word(kind) + " " + channel);
        if (fd.kind == Kind.SOCKET) {
            try {
                setNonBlocking(duplicate, fd.toString());
            } catch (ErrnoException e) {
                fd.close();
                throw e;
            }
        }
        watch(channel, fd.descriptor, fd.kind);
        return fd;
    }

    /**
     * The descriptor behind a {@link FileDescriptor} that can be polled, such as that of a {@link java.io.FileInputStream} opened on a FIFO
     * or a device. A regular file cannot: open its path. A socket is put in non-blocking mode while this is open, and back afterwards.
     *
     * @param fileDescriptor an open descriptor
     * @return a descriptor of the same open file, owned: a duplicate
     * @throws IOException if it is not valid, or stands for a regular file
     */
    public static Fd of(FileDescriptor fileDescriptor) throws IOException {
        Native.require();
        if (!fileDescriptor.valid()) {
            throw new ClosedChannelException();
        }
        SelectableChannel channel =
                Channels.readWriteSelectableChannel(fileDescriptor, new Channels.SelectableChannelCloser() {
                    @Override
                    public void implCloseChannel(SelectableChannel ignored) {}

                    @Override
                    public void implReleaseChannel(SelectableChannel ignored) {}
                });
        try (channel) {
            int duplicate = ChannelFds.duplicate(channel);
            if (duplicate < 0) {
                throw Failures.duplicate("a FileDescriptor", -duplicate);
            }
            try {
                return nonBlockingWhileOpen(duplicate, () -> Syscalls.close(duplicate));
            } catch (ErrnoException e) {
                Syscalls.close(duplicate);
                throw e;
            }
        } catch (ErrnoException e) {
            throw e;
        } catch (IOException e) {
            throw new IOException(
                    "this FileDescriptor cannot be polled, so it cannot be told which descriptor it is; open a regular file by its path: "
                            + "Fd.open(path)",
                    e);
        }
    }

    /**
     * A descriptor number of this process that somebody else opened and will close: 0, 1, 2, one that was inherited, or one from another
     * native library. A socket is put in non-blocking mode while this is open, and back afterwards; so borrow it once at a time.
     *
     * @param number an open descriptor; it must stay open until this is closed
     * @return the descriptor, borrowed: {@link #close} leaves the number open
     * @throws ErrnoException EBADF if no such descriptor is open
     */
    public static Fd borrow(int number) throws IOException {
        Native.require();
        return nonBlockingWhileOpen(number, () -> {});
    }

    // The mode belongs to the open file, which others share: it is put back before the number is given back.
    private static Fd nonBlockingWhileOpen(int number, Runnable giveBack) throws ErrnoException {
        Kind kind = kindOf(number);
        String words = word(kind) + " " + nameOf(number);
        boolean restore = kind == Kind.SOCKET && setNonBlocking(number, words);
        Descriptor descriptor = new Descriptor(number, () -> {
            if (restore) {
                int flags = Syscalls.fcntl(number, Linux.F_GETFL(), 0);
                Syscalls.fcntl(number, Linux.F_SETFL(), flags & ~Linux.O_NONBLOCK());
            }
            giveBack.run();
        });
        return new Fd(descriptor, kind, words);
    }

    /**
     * What the descriptor stands for, as it was when this was made.
     *
     * @return the kind
     */
    public Kind kind() {
        return kind;
    }

    /**
     * The descriptor's number, for native code of one's own. It must not be used after this is closed.
     *
     * @return the number
     * @throws ClosedChannelException if this is closed
     */
    public int number() throws ClosedChannelException {
        if (!isOpen()) {
            throw new ClosedChannelException();
        }
        return descriptor.number();
    }

    /**
     * Whether it can be used.
     *
     * @return false after {@link #close}, and after the channel it was made of was found closed
     */
    public boolean isOpen() {
        return descriptor.isOpen();
    }

    /** Closes the descriptor if it is owned, and wakes all who wait on it. Does nothing the second time. */
    @Override
    public void close() {
        ChannelWatch.remove(descriptor);
        cleanable.clean();
    }

    /**
     * The kind and the name.
     *
     * @return such as {@code file /var/log/x}
     */
    @Override
    public String toString() {
        return side.words();
    }

    private static Fd owned(int number, Function<Kind, String> words) throws IOException {
        try {
            Kind kind = kindOf(number);
            return new Fd(Descriptor.owned(number), kind, words.apply(kind));
        } catch (ErrnoException e) {
            Syscalls.close(number);
            throw e;
        }
    }

    private static Kind kindOf(int number) throws ErrnoException {
        FileCalls.Status[] status = new FileCalls.Status[1];
        int result = FileCalls.status(number, status);
        if (result < 0) {
            throw Failures.status(number, -result);
        }
        int type = status[0].type();
        if (type == Linux.S_IFREG()) {
            return Kind.FILE;
        } else if (type == Linux.S_IFSOCK()) {
            return Kind.SOCKET;
        } else if (type == Linux.S_IFIFO()) {
            return Kind.PIPE;
        }
        boolean isNull = type == Linux.S_IFCHR() && status[0].deviceMajor() == 1 && status[0].deviceMinor() == 3;
        return isNull ? Kind.NULL : Kind.OTHER;
    }

    // SPLICE_F_NONBLOCK covers the pipe's side only: a socket that blocks would hold the thread in the kernel.
    private static boolean setNonBlocking(int number, String words) throws ErrnoException {
        int flags = Syscalls.fcntl(number, Linux.F_GETFL(), 0);
        if (flags >= 0 && (flags & Linux.O_NONBLOCK()) != 0) {
            return false;
        }
        int set = flags < 0 ? flags : Syscalls.fcntl(number, Linux.F_SETFL(), flags | Linux.O_NONBLOCK());
        if (set < 0) {
            throw Failures.mode(words, -set);
        }
        return true;
    }

    // What is registered must not reach the Fd, which would then never be found unreachable.
    private static void watch(SelectableChannel channel, Descriptor descriptor, Kind kind) {
        ChannelWatch.add(descriptor, channel, () -> channelClosed(descriptor, kind));
    }

    // The duplicate keeps the connection up, so closing the channel did not send a FIN. It is marked closed before the
    // connection is shut down, or a thread that waits would take the one for the end of the stream.
    private static void channelClosed(Descriptor descriptor, Kind kind) {
        if (descriptor.enter()) {
            descriptor.close();
            if (kind == Kind.SOCKET) {
                SocketCalls.shutdown(descriptor.number(), Linux.SHUT_RDWR());
            }
            descriptor.exit();
        }
    }

    private static String word(Kind kind) {
        return switch (kind) {
            case FILE -> "file";
            case SOCKET -> "socket";
            case PIPE -> "pipe";
            case NULL -> "null device";
            case OTHER -> "descriptor";
        };
    }

    private static String nameOf(int number) {
        return number + Proc.nameOf(number).map(name -> " (" + name + ")").orElse("");
    }
}
