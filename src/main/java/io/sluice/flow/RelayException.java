package io.sluice.flow;

import io.sluice.ErrnoException;
import java.io.IOException;
import java.io.Serial;
import org.jspecify.annotations.Nullable;

/**
 * A relay that ended otherwise than with the end of its streams: why, at which side, and how much had been delivered.
 *
 * <p>No byte is lost: what was read from a source and not delivered is with {@link OneWay#undelivered} or {@link Relay#undelivered}, and
 * everything else is still in the source. The end of a stream is not passed on once a relay has failed, so the peers have not been told that
 * what they got is complete. Closing a socket does tell them so; to reset its connection instead, set {@link
 * java.net.StandardSocketOptions#SO_LINGER} to 0 before.
 */
public final class RelayException extends IOException {
    @Serial
    private static final long serialVersionUID = 1L;

    /** Why a relay ended. */
    public enum Reason {
        /** The connection was broken off: ECONNRESET, EPIPE, ENOTCONN or ECONNABORTED. That is not the end of its stream. */
        RESET,
        /** Nothing moved in either direction for the idle timeout. */
        IDLE,
        /** The thread was interrupted; its interrupt status is set. */
        INTERRUPTED,
        /** The descriptor or channel, or the relay, was closed meanwhile. */
        CLOSED,
        /** A system call failed for another reason, which the cause has. */
        FAILED
    }

    /** Where it happened. */
    public enum Side {
        /** The peer that is read from. */
        SOURCE,
        /** The peer that is written to. */
        SINK,
        /** The pipe between them, of which there was none to be had. */
        PIPE
    }

    /** Why. */
    private final Reason reason;

    /** In which direction. */
    private final Way way;

    /** At which side. */
    private final Side side;

    /** That side in words. */
    private final String peer;

    /** Bytes delivered in that direction. */
    private final long delivered;

    /** Bytes read and not delivered in that direction. */
    private final long undelivered;

    RelayException(Reason reason, Lane lane, Side side, String what, @Nullable Throwable cause) {
        super(message(lane, side, what, cause), cause);
        this.reason = reason;
        this.way = lane.way;
        this.side = side;
        this.peer = lane.peer(side);
        this.delivered = lane.delivered();
        this.undelivered = lane.pending();
    }

    private static String message(Lane lane, Side side, String what, @Nullable Throwable cause) {
        String where = switch (side) {
            case SOURCE -> "at its source " + lane.peer(side);
            case SINK -> "at its sink " + lane.peer(side);
            case PIPE -> "between them";
        };
        return "relay " + lane + ": " + what + " " + where + ", after " + lane.delivered() + " bytes"
                + (lane.pending() == 0 ? "" : "; " + lane.pending() + " more were read and not delivered")
                + (cause instanceof ErrnoException ? ": " + cause.getMessage() : "");
    }

    /**
     * Why the relay ended.
     *
     * @return the reason
     */
    public Reason reason() {
        return reason;
    }

    /**
     * In which direction it happened.
     *
     * @return {@link Way#FORTH} from the first peer to the second, {@link Way#BACK} from the second to the first
     */
    public Way way() {
        return way;
    }

    /**
     * At which side of that direction it happened; for {@link Reason#IDLE} and {@link Reason#INTERRUPTED}, which side was waited for.
     *
     * @return the side
     */
    public Side side() {
        return side;
    }

    /**
     * The peer at that side.
     *
     * @return how messages call it
     */
    public String peer() {
        return peer;
    }

    /**
     * How much had been delivered in that direction.
     *
     * @return bytes
     */
    public long delivered() {
        return delivered;
    }

    /**
     * How much had been read in that direction and was not delivered.
     *
     * @return bytes, to be had from {@link OneWay#undelivered} or {@link Relay#undelivered}
     */
    public long undelivered() {
        return undelivered;
    }
}
