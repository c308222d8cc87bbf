package io.sluice.flow;

import java.io.IOException;

/**
 * A gathering that ended early: which part was being delivered, how far it was, and in the cause what the kernel said. Everything before that
 * part was delivered, and nothing after it. {@link Gather#run} goes on from there.
 */
public final class GatherException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Its index. */
    private final int part;

    /** Bytes of that part. */
    private final long partDelivered;

    /** Bytes of all parts. */
    private final long delivered;

    GatherException(
            int part, int parts, String words, long partDelivered, long length, long delivered, IOException cause) {
        super(
                "part " + (part + 1) + " of " + parts + ", " + words + ": " + cause.getMessage() + "; " + partDelivered
                        + " of its " + length + " bytes had been delivered, " + delivered + " bytes in all",
                cause);
        this.part = part;
        this.partDelivered = partDelivered;
        this.delivered = delivered;
    }

    /**
     * The part that was being delivered.
     *
     * @return its index, 0 for the first
     */
    public int part() {
        return part;
    }

    /**
     * How much of that part was delivered.
     *
     * @return bytes
     */
    public long partDelivered() {
        return partDelivered;
    }

    /**
     * How much was delivered of all parts.
     *
     * @return bytes
     */
    public long delivered() {
        return delivered;
    }
}
