package io.sluice;

import io.sluice.internal.Arch;
import io.sluice.internal.ffi.Linux;
import java.nio.file.LinkOption;
import java.nio.file.OpenOption;
import java.nio.file.StandardOpenOption;
import java.util.Set;

/** What {@code open(2)} is told for the options of java.nio, with the meaning that {@code FileChannel.open} gives them. */
final class OpenFlags {
    private OpenFlags() {}

    /**
     * The flags for these options.
     *
     * @throws IllegalArgumentException if two do not go together
     * @throws UnsupportedOperationException if one is not supported
     */
    static int of(Set<OpenOption> options) {
        boolean append = options.contains(StandardOpenOption.APPEND);
        boolean write = append || options.contains(StandardOpenOption.WRITE);
        boolean read = options.contains(StandardOpenOption.READ) || !write;
        if (append
                && (options.contains(StandardOpenOption.READ)
                        || options.contains(StandardOpenOption.TRUNCATE_EXISTING))) {
            throw new IllegalArgumentException("APPEND goes neither with READ nor with TRUNCATE_EXISTING: " + options);
        }
        int flags = Linux.O_CLOEXEC() | (!write ? Linux.O_RDONLY() : read ? Linux.O_RDWR() : Linux.O_WRONLY());
        for (OpenOption option : options) {
            flags |= switch (option) {
                case StandardOpenOption.READ, StandardOpenOption.WRITE, StandardOpenOption.SPARSE -> 0;
                case StandardOpenOption.APPEND -> Linux.O_APPEND();
                case StandardOpenOption.CREATE -> write ? Linux.O_CREAT() : 0;
                case StandardOpenOption.CREATE_NEW -> write ? Linux.O_CREAT() | Linux.O_EXCL() : 0;
                case StandardOpenOption.TRUNCATE_EXISTING -> write ? Linux.O_TRUNC() : 0;
                case StandardOpenOption.SYNC -> Linux.O_SYNC();
                case StandardOpenOption.DSYNC -> Linux.O_DSYNC();
                case LinkOption.NOFOLLOW_LINKS -> Arch.current().oNofollow;
                default -> throw new UnsupportedOperationException("cannot open a descriptor with " + option);
            };
        }
        return flags;
    }
}
