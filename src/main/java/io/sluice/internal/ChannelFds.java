package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.WeakHashMap;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * Finds the descriptor behind a selectable channel by public means: registers the channel with a private selector and reads from
 * {@code /proc/self/fdinfo} which descriptor that selector's epoll instance has come to watch.
 *
 * <p>The descriptor is duplicated while the channel is registered. Until it is deregistered the channel does not give its number back even
 * when it is closed, so the duplicate is of the right file whatever else happens.
 *
 * <p>A channel keeps its number for as long as it is open, so it is looked for once. It says that it is closed before it gives the number
 * back: if it is still open after the number was duplicated, the duplicate is of the right file.
 */
public final class ChannelFds {
    /** Room for the few lines of a selector that watches one channel. */
    private static final int WATCHED_TEXT = 4096;

    private static final Map<SelectableChannel, Integer> KNOWN = Collections.synchronizedMap(new WeakHashMap<>());

    private static final ReentrantLock LOCK = new ReentrantLock();
    private static @Nullable ChannelFds shared;

    private final Selector selector;
    private final RandomAccessFile watched;
    private final byte[] text = new byte[WATCHED_TEXT];
    private final Set<Integer> own;

    private ChannelFds() throws IOException {
        selector = Selector.open();
        try {
            watched = new RandomAccessFile("/proc/self/fdinfo/" + epollOf(selector), "r");
        } catch (IOException | RuntimeException e) {
            selector.close();
            throw e;
        }
        own = watchedNow();
    }

    /**
     * A duplicate of the channel's descriptor, to be closed by the caller. The first time for a blocking channel, it waits behind a read in
     * progress, because the channel has to be non-blocking for the moment this takes.
     *
     * @return the duplicate, or −errno of {@code fcntl(F_DUPFD_CLOEXEC)}
     * @throws IOException if the channel is closed or its kind cannot be polled
     */
    public static int duplicate(SelectableChannel channel) throws IOException {
        Integer known = KNOWN.get(channel);
        return known == null ? duplicateUnknown(channel) : duplicateKnown(channel, known);
    }

    private static int duplicateKnown(SelectableChannel channel, int number) throws ClosedChannelException {
        if (channel.isOpen()) {
            int duplicate = duplicate(number);
            if (channel.isOpen()) {
                return duplicate;
            } else if (duplicate >= 0) {
                Syscalls.close(duplicate);
            }
        }
        throw new ClosedChannelException();
    }

    private static int duplicate(int number) {
        return Syscalls.fcntl(number, Linux.F_DUPFD_CLOEXEC(), 0);
    }

    private static int duplicateUnknown(SelectableChannel channel) throws IOException {
        // Or another thread that duplicates it too would restore the mode before this one has registered it.
        synchronized (channel.blockingLock()) {
            if (!channel.isBlocking()) {
                return duplicateRegistered(channel);
            }
            channel.configureBlocking(false);
            try {
                return duplicateRegistered(channel);
            } finally {
                restoreBlocking(channel);
            }
        }
    }

    private static void restoreBlocking(SelectableChannel channel) throws IOException {
        try {
            channel.configureBlocking(true);
        } catch (ClosedChannelException e) {
            // Nobody will use it again, in whichever mode.
        }
    }

    private static int duplicateRegistered(SelectableChannel channel) throws IOException {
        LOCK.lock();
        try {
            if (shared == null) {
                shared = new ChannelFds();
            }
            return shared.duplicateOf(channel);
        } finally {
            LOCK.unlock();
        }
    }

    private int duplicateOf(SelectableChannel channel) throws IOException {
        SelectionKey key = channel.register(selector, Integer.lowestOneBit(channel.validOps()));
        try {
            selector.selectNow();
            Set<Integer> fresh = watchedNow();
            fresh.removeAll(own);
            if (!channel.isOpen()) {
                throw new ClosedChannelException();
            } else if (fresh.size() != 1) {
                throw new IOException("cannot tell the descriptor of " + channel + " among " + fresh);
            }
            int number = fresh.iterator().next();
            KNOWN.put(channel, number);
            return duplicate(number);
        } finally {
            key.cancel();
            selector.selectNow();
        }
    }

    private Set<Integer> watchedNow() throws IOException {
        watched.seek(0);
        int length = Math.max(0, watched.read(text));
        Set<Integer> targets = new HashSet<>();
        for (String line : new String(text, 0, length, StandardCharsets.US_ASCII).split("\n")) {
            if (line.startsWith("tfd:")) {
                targets.add(target(line));
            }
        }
        return targets;
    }

    // tfd:        6 events:       19 data:                6  pos:0 ino:2f sdev:9
    private static Integer target(String line) {
        return Integer.valueOf(line.substring(4, line.indexOf("events:")).strip());
    }

    // A selector's epoll instance watches at first nothing but the selector's own eventfd. Only of this one does that
    // eventfd count 1 after wakeup() and 0 after selectNow(), each time.
    private static int epollOf(Selector selector) throws IOException {
        List<Integer> candidates = descriptorsNamed("anon_inode:[eventpoll]");
        for (int round = 0; round < 3; round++) {
            selector.wakeup();
            candidates.removeIf(epoll -> wakeUpCount(epoll) != 1);
            selector.selectNow();
            candidates.removeIf(epoll -> wakeUpCount(epoll) != 0);
        }
        if (candidates.size() != 1) {
            throw new IOException(
                    "cannot tell a selector's epoll descriptor among " + candidates + " (is /proc mounted?)");
        }
        return candidates.getFirst();
    }

    private static long wakeUpCount(int epoll) {
        List<Integer> targets = Proc.description(epoll)
                .lines()
                .filter(line -> line.startsWith("tfd:"))
                .map(ChannelFds::target)
                .toList();
        if (targets.size() != 1) {
            return -1; // as when it is closed meanwhile, so not the one that is looked for
        }
        return Proc.description(targets.getFirst())
                .lines()
                .filter(line -> line.startsWith("eventfd-count:"))
                .mapToLong(line -> Long.parseLong(line.substring(14).strip(), 16))
                .findFirst()
                .orElse(-1);
    }

    private static List<Integer> descriptorsNamed(String name) throws IOException {
        List<Integer> found = new ArrayList<>();
        try (DirectoryStream<Path> fds = Files.newDirectoryStream(Path.of("/proc/self/fd"))) {
            for (Path entry : fds) {
                int fd = Integer.parseInt(entry.getFileName().toString());
                if (Proc.nameOf(fd).filter(name::equals).isPresent()) {
                    found.add(fd);
                }
            }
        }
        return found;
    }
}
