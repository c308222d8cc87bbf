package io.sluice.internal;

import io.sluice.internal.ffi.Linux;
import org.jspecify.annotations.Nullable;

/** What differs between the two architectures; the bindings are those of x86-64. */
public enum Arch {
    X86_64(Linux.O_DIRECT(), Linux.O_NOFOLLOW(), 12, 4),
    AARCH64(0200000, 0100000, 16, 8);

    /** The architecture this JVM runs on, or null if it is neither. */
    static final @Nullable Arch CURRENT = switch (System.getProperty("os.arch")) {
        case "amd64", "x86_64" -> X86_64;
        case "aarch64" -> AARCH64;
        default -> null;
    };

    /** {@code O_DIRECT}: packet mode in {@code pipe2}. */
    public final int oDirect;

    /** {@code O_NOFOLLOW}. */
    public final int oNofollow;

    /** {@code sizeof(struct epoll_event)}: packed on x86-64 only. */
    public final int epollEventSize;

    /** {@code offsetof(struct epoll_event, data)}. */
    public final int epollDataOffset;

    Arch(int oDirect, int oNofollow, int epollEventSize, int epollDataOffset) {
        this.oDirect = oDirect;
        this.oNofollow = oNofollow;
        this.epollEventSize = epollEventSize;
        this.epollDataOffset = epollDataOffset;
    }

    /**
     * The architecture this JVM runs on.
     *
     * @return the architecture
     * @throws UnsupportedOperationException if it is neither
     */
    public static Arch current() {
        if (CURRENT == null) {
            Native.require();
            throw new UnsupportedOperationException(System.getProperty("os.arch"));
        }
        return CURRENT;
    }
}
