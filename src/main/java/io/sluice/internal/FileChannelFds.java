package io.sluice.internal;

import io.sluice.internal.FileCalls.Status;
import io.sluice.internal.ffi.Linux;
import java.io.File;
import java.io.IOException;
import java.nio.channels.FileChannel;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.WeakHashMap;
import java.util.function.Predicate;

/**
 * Finds the descriptor behind a file channel by public means: it is the one of which {@code /proc/self/fdinfo} lists a lock that was taken
 * through the channel.
 *
 * <p>A channel keeps its number for as long as it is open, so it is looked for once, and later only looked at again.
 */
public final class FileChannelFds {
    private static final Map<FileChannel, Integer> KNOWN = Collections.synchronizedMap(new WeakHashMap<>());

    private FileChannelFds() {}

    /**
     * The descriptor behind the channel, which holds a lock on this one byte that nothing else in this process holds; −1 if no descriptor
     * shows that lock.
     */
    public static int holderOf(long lockedByte, FileChannel channel) throws IOException {
        Integer known = KNOWN.get(channel);
        if (known != null && hasLock(known, lockedByte)) {
            return known;
        }
        int found = search(lockedByte, channel.size());
        if (found >= 0) {
            KNOWN.put(channel, found);
        }
        return found;
    }

    // To ask for a file's size is much cheaper than to read a description, and what was opened last mostly has one of
    // the highest numbers. A size can change meanwhile, and a device has none: then all are read.
    private static int search(long lockedByte, long size) {
        List<Integer> numbers = openNumbers();
        Status[] status = new Status[1];
        Predicate<Integer> isAlike = number -> FileCalls.status(number, status) == 0
                && status[0].type() == Linux.S_IFREG()
                && status[0].size() == size;
        return numbers.stream()
                .filter(isAlike)
                .filter(number -> hasLock(number, lockedByte))
                .findFirst()
                .or(() -> numbers.stream()
                        .filter(number -> hasLock(number, lockedByte))
                        .findFirst())
                .orElse(-1);
    }

    private static List<Integer> openNumbers() {
        String[] names = Objects.requireNonNullElse(new File("/proc/self/fd").list(), new String[0]);
        return Arrays.stream(names)
                .map(Integer::valueOf)
                .sorted(Comparator.reverseOrder())
                .toList();
    }

    /** Whether this descriptor shows a lock on this one byte; false also if it is closed. */
    public static boolean hasLock(int number, long lockedByte) {
        String range = " " + lockedByte + " " + lockedByte;
        return Proc.description(number).lines().anyMatch(line -> line.startsWith("lock:") && line.endsWith(range));
    }
}
