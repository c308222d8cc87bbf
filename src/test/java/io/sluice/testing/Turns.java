package io.sluice.testing;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Predicate;

/** How often threads of this process were given a processor, and for how long: a thread that spins cannot hide it, one that waits has none. */
public final class Turns {
    private static final Path THREADS = Path.of("/proc/self/task");

    /** Naps of the observer, in each of which a thread that pauses for a millisecond would have a turn. */
    private static final int NAPS = 40;

    private static final long NAP_NANOS = 1_000_000;

    private final Predicate<Path> chosen;

    private Turns(Predicate<Path> chosen) {
        this.chosen = chosen;
    }

    /** The turns of one thread, by the kernel's number for it. */
    public static Turns ofThread(int number) {
        return new Turns(thread -> thread.getFileName().toString().equals(Integer.toString(number)));
    }

    /** The turns of all threads that carry virtual ones. */
    public static Turns ofCarriers() {
        return new Turns(thread -> {
            try {
                return Files.readString(thread.resolve("comm")).startsWith("ForkJoinPool-1-");
            } catch (IOException e) {
                return false; // it has ended
            }
        });
    }

    /** Returns once there was none for a while, and fails if that never comes. */
    public void awaitNone() throws Exception {
        assumeTrue(Files.isReadable(Path.of("/proc/self/schedstat")), "needs a kernel with schedstat");
        Await.until(
                () -> {
                    String before = counted();
                    for (int i = 0; i < NAPS; i++) {
                        LockSupport.parkNanos(NAP_NANOS);
                    }
                    return !before.isEmpty() && counted().equals(before);
                },
                "threads that wait instead of spinning");
    }

    // Nanoseconds on a processor, nanoseconds waiting for one, and turns, of each thread.
    private String counted() throws IOException {
        StringBuilder all = new StringBuilder();
        for (String number : new File(THREADS.toString()).list()) {
            Path thread = THREADS.resolve(number);
            try {
                if (chosen.test(thread)) {
                    all.append(number).append(' ').append(Files.readString(thread.resolve("schedstat")));
                }
            } catch (NoSuchFileException e) {
                // it has ended
            }
        }
        return all.toString();
    }
}
