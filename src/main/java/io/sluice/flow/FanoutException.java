package io.sluice.flow;

import java.io.IOException;

/**
 * A fan-out that ended early: its source or its primary sink failed, or its thread was interrupted. The cause says what the kernel said.
 *
 * <p>Nothing is lost: what was read from the source and is {@linkplain #undelivered not with the primary} can be read from {@link
 * Fanout#remainder}, and the branches that had not ended were given it.
 */
public final class FanoutException extends IOException {
    private static final long serialVersionUID = 1L;

    /** Bytes that the primary has. */
    private final long delivered;

    /** Bytes that it has not, and that were read. */
    private final long undelivered;

    FanoutException(String where, IOException cause, long delivered, long undelivered) {
        super(
                where + ": " + cause.getMessage() + "; " + delivered + " bytes had been delivered, " + undelivered
                        + " more had been read",
                cause);
        this.delivered = delivered;
        this.undelivered = undelivered;
    }

    /**
     * What the primary has taken.
     *
     * @return bytes
     */
    public long delivered() {
        return delivered;
    }

    /**
     * What was read from the source and not taken by the primary.
     *
     * @return bytes, to be had from {@link Fanout#remainder}
     */
    public long undelivered() {
        return undelivered;
    }
}
