package io.sluice.internal;

import java.io.FileInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import java.util.OptionalLong;

/** What /proc says about this process and its limits; empty where it does not say. */
public final class Proc {
    private Proc() {}

    /** The number in a file of one line, such as {@code /proc/sys/fs/pipe-max-size}. */
    public static OptionalLong number(String file) {
        // In one read: a file of /proc/sys has nothing more to say to a second one.
        byte[] text = new byte[64];
        try (FileInputStream in = new FileInputStream(file)) {
            int length = Math.max(0, in.read(text));
            return OptionalLong.of(Long.parseLong(new String(text, 0, length, StandardCharsets.US_ASCII).strip()));
        } catch (IOException | NumberFormatException e) {
            return OptionalLong.empty();
        }
    }

    /** What a descriptor of this process is called: a path, {@code pipe:[4711]}, {@code socket:[4712]}. */
    public static Optional<String> nameOf(int fd) {
        try {
            return Optional.of(Files.readSymbolicLink(descriptor(fd)).toString());
        } catch (IOException e) {
            return Optional.empty();
        }
    }

    /** What {@code /proc/self/fdinfo} says about a descriptor of this process; nothing if it is closed. */
    public static String description(int fd) {
        try (FileInputStream in = new FileInputStream("/proc/self/fdinfo/" + fd)) {
            return new String(in.readNBytes(Integer.MAX_VALUE), StandardCharsets.US_ASCII);
        } catch (IOException e) {
            return "";
        }
    }

    /** Where in its file a descriptor of this process is. */
    public static OptionalLong position(int fd) {
        return description(fd)
                .lines()
                .filter(line -> line.startsWith("pos:"))
                .mapToLong(line -> Long.parseLong(line.substring(4).strip()))
                .findFirst();
    }

    /** The path under which a descriptor of this process can be opened again. */
    public static Path descriptor(int fd) {
        return Path.of("/proc/self/fd/" + fd);
    }
}
