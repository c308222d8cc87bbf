package io.sluice.testing;

import java.io.File;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;

/** What this process has open, and perhaps mapped, at one moment. */
public final class Inventory {
    /**
     * Descriptors of each of these kinds that may exist in the whole JVM. The JDK opens an epoll instance for every thread that polls for
     * its virtual threads and an eventfd for every selector; the library has an epoll instance for each direction, a selector by which it
     * looks channels up, whose fdinfo it keeps open, and eventfds for its waiting platform threads: all at first use, and for good.
     */
    static final int POLLERS = 16;

    private static final Pattern POLLER = Pattern.compile("anon_inode:\\[event(poll|fd)]|/proc/\\d+/fdinfo/\\d+");

    /** What the JVM opens when it first loads a class from it, or needs a random number, and keeps. */
    private static final Pattern KEPT_BY_THE_JVM = Pattern.compile(
            ".*\\.jar|.*/lib/modules|/dev/u?random|" + Pattern.quote(System.getProperty("java.home")) + "/.*");

    /** Mappings that say what they are. Anonymous private memory does not; most of it is the JVM's. */
    private static final Pattern COUNTED_MAPPING =
            Pattern.compile("/memfd:(?!java_heap).*|/dev/zero.*|anon_inode:\\[io_uring]|.*\\(deleted\\)");

    static {
        openWhatTheJdkKeeps();
    }

    private final Set<String> descriptors;
    private final Set<String> mappings;

    private Inventory(Set<String> descriptors, Set<String> mappings) {
        this.descriptors = descriptors;
        this.mappings = mappings;
    }

    public static Inventory ofDescriptors() {
        return new Inventory(descriptors(), null);
    }

    public static Inventory ofDescriptorsAndMappings() {
        return new Inventory(descriptors(), mappings());
    }

    /** Fails unless everything that was opened since is closed within a time. */
    public void expectNothingLeft(Duration patience) throws Exception {
        if (!Await.within(patience, () -> left().isEmpty())) {
            List<String> left = left();
            if (!left.isEmpty()) {
                throw new AssertionError("left open: " + String.join(", ", left));
            }
        }
    }

    /** What is there now, was not then, and is not there for good. */
    List<String> left() {
        Set<String> now = descriptors();
        List<String> left = new ArrayList<>();
        for (String descriptor : now) {
            String target = target(descriptor);
            if (!descriptors.contains(descriptor) && !isKeptByTheJvm(target) && !isPoller(target, now)) {
                left.add(descriptor);
            }
        }
        if (mappings != null) {
            mappings().stream().filter(mapping -> !mappings.contains(mapping)).forEach(left::add);
        }
        return left;
    }

    private static boolean isKeptByTheJvm(String target) {
        return KEPT_BY_THE_JVM.matcher(target).matches();
    }

    private static boolean isPoller(String target, Set<String> now) {
        return POLLER.matcher(target).matches()
                && now.stream()
                                .filter(other -> kind(target(other)).equals(kind(target)))
                                .count()
                        <= POLLERS;
    }

    private static String kind(String target) {
        return target.replaceAll("\\d+", "N");
    }

    private static String target(String descriptor) {
        return descriptor.substring(descriptor.indexOf(' ') + 1);
    }

    private static Set<String> descriptors() {
        Set<String> descriptors = new TreeSet<>();
        for (String number : new File("/proc/self/fd").list()) {
            try {
                String target =
                        Files.readSymbolicLink(Path.of("/proc/self/fd", number)).toString();
                descriptors.add(number + " " + target);
            } catch (NoSuchFileException closed) {
                continue;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
        return descriptors;
    }

    private static Set<String> mappings() {
        Set<String> counted = new TreeSet<>();
        try {
            for (String line : Files.readAllLines(Path.of("/proc/self/maps"))) {
                String[] columns = line.split(" +", 6);
                if (COUNTED_MAPPING.matcher(columns[5].strip()).matches()) {
                    counted.add(columns[0] + " " + columns[5].strip());
                }
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return counted;
    }

    private static void openWhatTheJdkKeeps() {
        try {
            // The first channel that closes leaves a socket behind, onto which all later ones are moved before they
            // close.
            SocketChannel.open().close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
