package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.internal.FileChannelFds;
import io.sluice.internal.Proc;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.nio.channels.Channel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.channels.SelectableChannel;
import java.nio.file.OpenOption;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.ThreadLocalRandom;
import org.jspecify.annotations.Nullable;

/**
 * Makes a descriptor of a channel for the length of a job.
 *
 * <p>A file channel tells nobody which descriptor it has. So a lock is taken through it for a moment, on one byte far behind any file's end,
 * and the descriptor is the one of which {@code /proc/self/fdinfo} lists that lock. The file is then opened once more through {@code
 * /proc/self/fd}, so a position is not shared, and a channel that is closed meanwhile takes nothing away.
 */
final class Ends {
    /** No file is that long, and few programs lock there. */
    private static final long FAR_AWAY = 1L << 62;

    private Ends() {}

    /** What a job makes of a channel, unless it is a pipe's end or a file. */
    static Fd of(SelectableChannel channel) throws IOException {
        return Fd.of(requireStream(channel));
    }

    /** Throws unless bytes come out of the channel, or go into it, as one stream. */
    static <C extends Channel> C requireStream(C channel) {
        if (channel instanceof DatagramChannel) {
            throw new IllegalArgumentException(
                    "datagrams are no stream of bytes, and a transfer would join and split them: " + channel);
        }
        return channel;
    }

    /** A descriptor that reads the channel's file, with a position of its own. */
    static Fd reading(FileChannel channel) throws IOException {
        return opened(channel, true);
    }

    /** A descriptor that writes the channel's file, with a position of its own; opened for append if the channel is. */
    static Fd writing(FileChannel channel) throws IOException {
        return opened(channel, false);
    }

    private static Fd opened(FileChannel channel, boolean reading) throws IOException {
        if (!channel.isOpen()) {
            throw new ClosedChannelException();
        }
        long at = FAR_AWAY + ThreadLocalRandom.current().nextLong(FAR_AWAY / 2);
        try (FileLock lock = channel.tryLock(at, 1, reading)) {
            int number = lock == null ? -1 : FileChannelFds.holderOf(at, channel);
            if (number < 0) {
                throw unresolved(channel, null);
            }
            Fd fd = Fd.open(Proc.descriptor(number), reading ? StandardOpenOption.READ : writing(number));
            // The number still has the lock, so it had it when it was opened.
            if (!FileChannelFds.hasLock(number, at)) {
                fd.close();
                throw new ClosedChannelException();
            }
            return fd;
        } catch (OverlappingFileLockException e) {
            throw unresolved(channel, e);
        }
    }

    private static OpenOption writing(int number) {
        long flags = Syscalls.fcntl(number, Linux.F_GETFL(), 0);
        return flags >= 0 && (flags & Linux.O_APPEND()) != 0 ? StandardOpenOption.APPEND : StandardOpenOption.WRITE;
    }

    private static IOException unresolved(FileChannel channel, @Nullable Throwable cause) {
        return new IOException(
                "it cannot be told which descriptor this FileChannel has, because it takes no lock that /proc/self/fdinfo shows: "
                        + channel + "; open the file by its path: Fd.open(path)",
                cause);
    }
}
