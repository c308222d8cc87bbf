package io.sluice.flow;

import io.sluice.ErrnoException;
import java.io.IOException;
import java.nio.channels.ReadableByteChannel;
import java.util.OptionalInt;

/**
 * A transfer that stopped before its end: at which side, after how many bytes, and where those are that had left the source and did not
 * reach the target.
 *
 * <p>No byte is lost: what the source gave is the {@linkplain #delivered() delivered} bytes and then the {@linkplain #undelivered()
 * undelivered} ones, in this order; everything else is still in the source. The {@linkplain #getCause() cause} is an {@link ErrnoException}
 * where the kernel refused, a {@link java.nio.channels.ClosedChannelException} where a side was closed, an {@link
 * java.io.InterruptedIOException} where the thread was interrupted (its interrupt status stays set, and both sides stay open), and an {@link
 * java.io.EOFException} where the source ended before an {@linkplain Transfer#exactly exact} length was moved.
 */
public final class TransferException extends IOException {
    private static final long serialVersionUID = 1L;

    /** The sides of a transfer. */
    public enum Side {
        /** Where the bytes come from. */
        SOURCE,
        /** Where they go to. */
        TARGET,
        /** The call concerned both, and the kernel did not say which of them it was; or it was neither. */
        UNKNOWN
    }

    /** Where it stopped. */
    private final Side side;

    /** Bytes that reached the target. */
    private final long delivered;

    /** Bytes that did not. */
    private final long left;

    private final transient ReadableByteChannel undelivered;

    TransferException(
            String what, IOException cause, Side side, long delivered, long left, ReadableByteChannel undelivered) {
        super(message(what, cause, side, delivered, left), cause);
        this.side = side;
        this.delivered = delivered;
        this.left = left;
        this.undelivered = undelivered;
    }

    private static String message(String what, IOException cause, Side side, long delivered, long left) {
        String place = switch (side) {
            case SOURCE -> " failed at the source after ";
            case TARGET -> " failed at the target after ";
            case UNKNOWN -> " failed after ";
        };
        return what + place + delivered + (delivered == 1 ? " byte" : " bytes")
                + (left == 0 ? "" : ", with " + left + " more taken from the source that undelivered() has")
                + ": " + (cause.getMessage() == null ? cause.getClass().getSimpleName() : cause.getMessage());
    }

    /**
     * Where it stopped.
     *
     * @return the side that failed
     */
    public Side side() {
        return side;
    }

    /**
     * How much reached the target.
     *
     * @return bytes; for a socket, those that its send buffer took
     */
    public long delivered() {
        return delivered;
    }

    /**
     * How much was taken from the source and did not reach the target.
     *
     * @return bytes that {@link #undelivered} has to give
     */
    public long undeliveredBytes() {
        return left;
    }

    /**
     * What was taken from the source and did not reach the target. It can be the source of another transfer: {@code
     * Transfer.from(e.undelivered()).to(elsewhere).run()}, which splices what never left the kernel. It is the receiver's to close.
     *
     * @return a channel that gives {@link #undeliveredBytes} bytes and then its end, without waiting
     */
    public ReadableByteChannel undelivered() {
        return undelivered;
    }

    /**
     * The error number, where it was the kernel that refused.
     *
     * @return as {@link ErrnoException#errno}
     */
    public OptionalInt errno() {
        return getCause() instanceof ErrnoException e ? OptionalInt.of(e.errno()) : OptionalInt.empty();
    }
}
