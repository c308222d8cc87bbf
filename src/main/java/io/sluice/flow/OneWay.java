package io.sluice.flow;

import io.sluice.Fd;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;

/**
 * A relay of one direction: source → pipe → sink, until the source ends. Made by {@link Relay#oneWay(Fd, Fd)}; what {@link Relay} says holds
 * for this too.
 */
public final class OneWay implements Closeable {
    /** What a relay of one direction waits for. */
    public enum Next {
        /** The source had nothing more: step again when it can be read. */
        SOURCE_READABLE,
        /** The sink had no room: step again when it can be written. */
        SINK_WRITABLE,
        /** Neither: much was moved and more may be moved at once, but first others should have their turn. */
        AGAIN,
        /** The source has ended, everything was delivered, and the end was passed on. */
        DONE
    }

    private final Lanes lanes;

    OneWay(Peer from, Peer to, List<Fd> owned, RelayOptions options) {
        this.lanes = new Lanes(from, to, false, owned, options);
    }

    /**
     * Moves what can be moved now, and never waits: for event loops. Allocates nothing. Moves a bounded number of pipefuls.
     *
     * <p>Each answer is what the kernel said last about that side, so it may be waited for with edge triggers, and only that side needs to be
     * waited for. With {@link Next#AGAIN} call again without waiting, after other work.
     *
     * @return what to wait for
     * @throws RelayException if the relay has failed or was idle too long, also when called again; everything it held is given back by then
     */
    public Next step() throws RelayException {
        lanes.step();
        return lanes.lane(Way.FORTH).next();
    }

    /**
     * Relays until the source has ended, and waits as necessary: on a virtual thread without holding its carrier. To end it from another
     * thread, interrupt this one, or close the source or the sink.
     *
     * @return bytes delivered
     * @throws RelayException if it ends otherwise
     */
    public long run() throws RelayException {
        lanes.run();
        return delivered();
    }

    /**
     * How long until {@link #step} will find that nothing has moved for the idle timeout: call it then.
     *
     * @return nanoseconds; {@link Long#MAX_VALUE} if there is no timeout
     */
    public long nanosToIdle() {
        return lanes.nanosToIdle();
    }

    /**
     * Bytes taken from the source. May be called by any thread at any time.
     *
     * @return bytes so far
     */
    public long taken() {
        return lanes.lane(Way.FORTH).taken();
    }

    /**
     * Bytes handed to the sink. May be called by any thread at any time.
     *
     * @return bytes so far
     */
    public long delivered() {
        return lanes.lane(Way.FORTH).delivered();
    }

    /**
     * What was taken from the source and not delivered, in order; nothing if the relay is done.
     *
     * @return the bytes
     * @throws IllegalStateException if the relay has not ended
     * @throws IOException if they cannot be taken out of the pipe; may be tried again
     */
    public byte[] undelivered() throws IOException {
        return lanes.lane(Way.FORTH).undelivered();
    }

    /**
     * Whether splice was refused before the first byte, so that bytes are copied through memory. May be called by any thread at any time.
     *
     * @return true if {@code read} and {@code write} do the work
     */
    public boolean copies() {
        return lanes.lane(Way.FORTH).copies();
    }

    /** Ends the relay where it is, if it has not ended. Source and sink stay open. To be called by the thread that steps. */
    @Override
    public void close() {
        lanes.close();
    }

    /**
     * Both sides.
     *
     * @return such as {@code socket 5 → socket 7}
     */
    @Override
    public String toString() {
        return lanes.toString();
    }
}
