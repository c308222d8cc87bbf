package io.sluice;

import io.sluice.internal.MemoryCalls;
import io.sluice.internal.Native;
import io.sluice.internal.Proc;
import java.util.Locale;
import java.util.OptionalLong;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What the running kernel was <b>seen</b> to do with pages that pass through pipes and sockets, and its limits for pipes.
 *
 * <p>Nothing here is concluded from a version number. Each finding comes from a small experiment: lend a page to a pipe, store something
 * else in it, read the pipe, and look which of the two comes out. A kernel may reference pages or copy them, and a sandbox may deny a call;
 * all of these are found in use.
 *
 * @param vmsplice whether {@code vmsplice} puts the caller's own pages into the pipe
 * @param fileToPipe whether {@code splice} from a regular file puts pages of the page cache into the pipe, so that a later write to the file
 *     shows in the reader
 * @param tee whether {@code tee} makes two pipes hold the same pages
 * @param messageZerocopy whether {@code send} with MSG_ZEROCOPY on a TCP socket reports completion; on loopback the kernel copies
 * @param ioUring whether a ring can be set up with {@code io_uring_setup}
 * @param memfd whether {@code memfd_create} gives memory that can be sealed
 * @param newPipeCapacity bytes that a pipe opened just now holds; less than 16 pages means that this user's pipes are past their soft limit
 * @param pipeMaxSize bytes, the largest capacity for a process without CAP_SYS_RESOURCE: {@code /proc/sys/fs/pipe-max-size}; empty where
 *     /proc does not say
 * @param userPagesSoft pages that all pipes of one user may hold before new ones shrink: {@code /proc/sys/fs/pipe-user-pages-soft}; 0 for no
 *     limit
 * @param userPagesHard pages that all pipes of one user may hold at all: {@code /proc/sys/fs/pipe-user-pages-hard}; 0 for no limit
 * @param pageSize bytes in a page, and so in a slot of a pipe
 */
public record Kernel(
        Finding vmsplice,
        Finding fileToPipe,
        Finding tee,
        Finding messageZerocopy,
        Finding ioUring,
        Finding memfd,
        long newPipeCapacity,
        OptionalLong pipeMaxSize,
        OptionalLong userPagesSoft,
        OptionalLong userPagesHard,
        int pageSize) {

    /** How an experiment ended. */
    public enum Outcome {
        /** Pages were shared: what was stored later came out. */
        REFERENCES,
        /** Pages were copied: what was there at the time of the call came out. */
        COPIES,
        /** The call works; the question of pages does not arise, or cannot be seen here. */
        WORKS,
        /** The call is refused, by this kernel or by a sandbox around this process. */
        DENIED,
        /** The experiment could not be made. */
        UNKNOWN
    }

    /**
     * The result of one experiment.
     *
     * @param outcome how it ended
     * @param detail the same in words, with the error where there was one
     */
    public record Finding(Outcome outcome, String detail) {
        /**
         * Whether the call can be used at all.
         *
         * @return false if it is denied, or nothing is known of it
         */
        public boolean isUsable() {
            return outcome != Outcome.DENIED && outcome != Outcome.UNKNOWN;
        }
    }

    private static final String OPTMEM_MAX = "/proc/sys/net/core/optmem_max";
    private static final ReentrantLock OBSERVING = new ReentrantLock();
    private static volatile @Nullable Kernel observed;

    /**
     * The findings for the running kernel. The experiments are made at the first call, and take some milliseconds.
     *
     * @return the same each time
     * @throws IllegalCallerException if native access is not enabled for this module; the message has the flag
     * @throws UnsupportedOperationException if this is not Linux on x86-64 or arm64
     */
    public static Kernel observed() {
        Native.require();
        Kernel known = observed;
        return known != null ? known : observedOnce();
    }

    // Not in a class initializer: virtual threads waiting for one hold their carriers, and an experiment may need a
    // carrier.
    private static Kernel observedOnce() {
        OBSERVING.lock();
        try {
            Kernel known = observed;
            if (known == null) {
                known = observe();
                observed = known;
            }
            return known;
        } finally {
            OBSERVING.unlock();
        }
    }

    private static Kernel observe() {
        Finding vmsplice = Experiments.vmsplice();
        Finding fileToPipe = Experiments.fileToPipe();
        return new Kernel(
                vmsplice,
                fileToPipe,
                Experiments.tee(vmsplice.outcome() == Outcome.REFERENCES),
                Experiments.messageZerocopy(),
                Experiments.ioUring(),
                Experiments.memfd(),
                Experiments.newPipeCapacity(),
                Proc.number("/proc/sys/fs/pipe-max-size"),
                Proc.number("/proc/sys/fs/pipe-user-pages-soft"),
                Proc.number("/proc/sys/fs/pipe-user-pages-hard"),
                MemoryCalls.pageSize());
    }

    /**
     * The findings as a text for people, a line for each.
     *
     * @return several lines, the last with a line end
     */
    public String report() {
        StringBuilder text = new StringBuilder();
        text.append("Seen on %s %s (%s), Java %s:%n%n"
                .formatted(
                        System.getProperty("os.name"),
                        System.getProperty("os.version"),
                        System.getProperty("os.arch"),
                        Runtime.version()));
        line(text, "vmsplice", vmsplice);
        line(text, "file → pipe", fileToPipe);
        line(text, "tee", tee);
        line(text, "MSG_ZEROCOPY", messageZerocopy);
        line(text, "io_uring", ioUring);
        line(text, "memfd", memfd);
        text.append(System.lineSeparator());
        line(text, "new pipe", newPipeCapacity < 0 ? "none" : newPipeCapacity + " bytes", budget());
        line(text, "largest pipe", words(pipeMaxSize, " bytes"), "/proc/sys/fs/pipe-max-size");
        line(text, "pipes per user", words(userPagesSoft, " pages"), "/proc/sys/fs/pipe-user-pages-soft");
        line(text, "", words(userPagesHard, " pages"), "/proc/sys/fs/pipe-user-pages-hard");
        line(text, "page", pageSize + " bytes", "");
        text.append(System.lineSeparator());
        line(text, "sends", sends(), "what a sender takes here at first");
        line(text, "notifications", words(Proc.number(OPTMEM_MAX), " bytes"), OPTMEM_MAX + ", per socket");
        return text.toString();
    }

    private String budget() {
        if (newPipeCapacity < 0) {
            return "a pipe could not be opened";
        }
        return newPipeCapacity < 16L * pageSize
                ? "this user's pipes are past the soft limit, so new ones are small and cannot grow"
                : "this user's pipes are within the soft limit";
    }

    private static String words(OptionalLong limit, String unit) {
        if (limit.isEmpty()) {
            return "unknown";
        }
        return limit.getAsLong() == 0 ? "no limit" : limit.getAsLong() + unit;
    }

    private String sends() {
        return ioUring.isUsable() ? "io_uring" : messageZerocopy.isUsable() ? "MSG_ZEROCOPY" : "write";
    }

    private static void line(StringBuilder text, String name, Finding finding) {
        line(text, name, finding.outcome().name().toLowerCase(Locale.ROOT), finding.detail());
    }

    private static void line(StringBuilder text, String name, String value, String detail) {
        text.append("  %-15s %-14s %s".formatted(name, value, detail).stripTrailing())
                .append(System.lineSeparator());
    }
}
