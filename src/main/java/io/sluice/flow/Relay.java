package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import java.io.Closeable;
import java.io.IOException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.List;

/**
 * Moves bytes between two connections, both ways, without passing them through Java: {@code splice} from a socket to a pipe and from the
 * pipe to the other socket. What a proxy does once it knows whom to connect.
 *
 * {@snippet :
 * try (SocketChannel upstream = SocketChannel.open(address); client) {
 *     Relay.between(client, upstream).run();
 * }
 * }
 *
 * <p>A relay either waits by itself, in {@link #run}, on a platform thread or a virtual one, or is driven by an event loop through {@link
 * #step}:
 *
 * {@snippet :
 * switch (relay.step()) {
 *     case WAIT -> {
 *         firstKey.interestOps(relay.firstInterest());
 *         secondKey.interestOps(relay.secondInterest());
 *     }
 *     case AGAIN -> loop.execute(this::step);
 *     case DONE -> close();
 * }
 * }
 *
 * <p><b>The end.</b> When one peer has ended its stream and everything it sent was delivered, the other is told: {@code shutdown(fd,
 * SHUT_WR)} for a socket, closing for a pipe. The other direction goes on until it ends too. Nothing else is closed: the connections stay
 * the caller's, to be closed after the relay.
 *
 * <p><b>Failure.</b> A reset is not an end: it is a {@link RelayException} that says which peer and why, and the other peer is not told that
 * the stream was complete. When a peer takes no more, what it had sent before is still delivered to the other, and then the relay fails.
 * What was taken from a source and not delivered is never lost, see {@link #undelivered}. A relay that has ended, well or not, holds neither
 * pipes nor descriptors any more; one that is abandoned earlier is to be {@linkplain #close closed}.
 *
 * <p><b>Splice refused.</b> Where the kernel or a sandbox refuses {@code splice} before the first byte (EINVAL, ENOSYS, EPERM), the relay
 * copies with {@code read} and {@code write} instead; after that, a refusal is a failure like any other.
 *
 * <p><b>Latency.</b> SPLICE_F_MORE is never set, so what has arrived is sent on at once. Set {@link
 * java.net.StandardSocketOptions#TCP_NODELAY} on both connections, or small writes may wait for the acknowledgement of earlier ones.
 *
 * <p>Descriptors are sockets (connected, of a stream type) and, for one direction, pipes; {@link Fd} puts sockets in non-blocking mode. A
 * relay is used by one thread at a time; its byte counters may be read by any.
 *
 * @see <a href="https://man7.org/linux/man-pages/man2/splice.2.html">splice(2)</a>
 */
public final class Relay implements Closeable {
    /** What a relay of both directions does next. */
    public enum Next {
        /** Nothing, until a peer is ready for what {@link Relay#firstInterest} and {@link Relay#secondInterest} say. */
        WAIT,
        /** Much was moved and more may be moved at once, but first others should have their turn. */
        AGAIN,
        /** Both directions have ended, everything was delivered, and both ends were passed on. */
        DONE
    }

    private final Lanes lanes;

    private Relay(Peer first, Peer second, List<Fd> owned, RelayOptions options) {
        this.lanes = new Lanes(first, second, true, owned, options);
    }

    /**
     * A relay between two sockets, both ways.
     *
     * @param first a connected stream socket, which stays open
     * @param second another one, which stays open
     * @return a relay that has not moved anything yet
     * @throws IllegalArgumentException if one is no socket, or both are the same
     */
    public static Relay between(Fd first, Fd second) {
        return between(first, second, RelayOptions.DEFAULT);
    }

    /**
     * As {@link #between(Fd, Fd)}, with options.
     *
     * @param first a connected stream socket, which stays open
     * @param second another one, which stays open
     * @param options how
     * @return a relay that has not moved anything yet
     * @throws IllegalArgumentException if one is no socket, or both are the same
     */
    public static Relay between(Fd first, Fd second, RelayOptions options) {
        requireTwo(first, second);
        return new Relay(Peer.bothWays(first), Peer.bothWays(second), List.of(), options);
    }

    /**
     * A relay between two channels, both ways. Their descriptors are looked up by {@link Fd#of(SelectableChannel)}, which see, held for as
     * long as the relay lasts, and closed then; the channels stay open. They may be in blocking mode or registered with selectors, but
     * nobody else must read or write them meanwhile.
     *
     * <p>Close the channels only when the relay has ended: until then the relay's descriptors keep the connections up. One that is closed
     * earlier ends the relay with {@link RelayException.Reason#CLOSED} within about a tenth of a second.
     *
     * @param first a connected socket channel
     * @param second another one
     * @return a relay that has not moved anything yet; to be run, stepped to its end, or closed
     * @throws IllegalArgumentException if one is no stream socket, or both are the same
     * @throws NotYetConnectedException if one is not connected
     * @throws IOException if one is closed, or no descriptor is left
     */
    public static Relay between(SelectableChannel first, SelectableChannel second) throws IOException {
        return between(first, second, RelayOptions.DEFAULT);
    }

    /**
     * As {@link #between(SelectableChannel, SelectableChannel)}, with options.
     *
     * @param first a connected socket channel
     * @param second another one
     * @param options how
     * @return a relay that has not moved anything yet; to be run, stepped to its end, or closed
     * @throws IllegalArgumentException if one is no stream socket, or both are the same
     * @throws NotYetConnectedException if one is not connected
     * @throws IOException if one is closed, or no descriptor is left
     */
    public static Relay between(SelectableChannel first, SelectableChannel second, RelayOptions options)
            throws IOException {
        requireTwo(first, second);
        return ofChannels(
                first,
                second,
                (one, other) -> new Relay(Peer.bothWays(one), Peer.bothWays(other), List.of(one, other), options));
    }

    /**
     * A relay of one direction.
     *
     * @param from a socket or a pipe, which stays open
     * @param to a socket, a pipe or the null device; a pipe is closed when the source has ended, everything else stays open
     * @return a relay that has not moved anything yet
     * @throws IllegalArgumentException if one is no stream that can be waited for, such as a regular file
     */
    public static OneWay oneWay(Fd from, Fd to) {
        return oneWay(from, to, RelayOptions.DEFAULT);
    }

    /**
     * As {@link #oneWay(Fd, Fd)}, with options.
     *
     * @param from a socket or a pipe, which stays open
     * @param to a socket, a pipe or the null device; a pipe is closed when the source has ended, everything else stays open
     * @param options how
     * @return a relay that has not moved anything yet
     * @throws IllegalArgumentException if one is no stream that can be waited for, such as a regular file
     */
    public static OneWay oneWay(Fd from, Fd to, RelayOptions options) {
        return new OneWay(Peer.source(from), Peer.sink(to), List.of(), options);
    }

    /**
     * As {@link #oneWay(Fd, Fd, RelayOptions)}, out of a pipe.
     *
     * @param from a pipe's source, which stays open
     * @param to a socket, a pipe or the null device
     * @param options how
     * @return a relay that has not moved anything yet
     * @throws IllegalArgumentException if the sink is no stream that can be waited for
     */
    public static OneWay oneWay(PipeSource from, Fd to, RelayOptions options) {
        return new OneWay(Peer.source(from), Peer.sink(to), List.of(), options);
    }

    /**
     * As {@link #oneWay(Fd, Fd, RelayOptions)}, into a pipe.
     *
     * @param from a socket or a pipe, which stays open
     * @param to a pipe's sink, closed when the source has ended and everything was delivered
     * @param options how
     * @return a relay that has not moved anything yet
     * @throws IllegalArgumentException if the source is no stream that can be waited for
     */
    public static OneWay oneWay(Fd from, PipeSink to, RelayOptions options) {
        return new OneWay(Peer.source(from), Peer.sink(to), List.of(), options);
    }

    /**
     * A relay of one direction between two channels: as {@link #between(SelectableChannel, SelectableChannel)}.
     *
     * @param from a connected socket channel, or the source of a {@link java.nio.channels.Pipe}
     * @param to a connected socket channel, or the sink of a {@link java.nio.channels.Pipe}, which the caller closes to pass on the end
     * @return a relay that has not moved anything yet; to be run, stepped to its end, or closed
     * @throws IllegalArgumentException if one is no stream
     * @throws NotYetConnectedException if one is not connected
     * @throws IOException if one is closed, or no descriptor is left
     */
    public static OneWay oneWay(SelectableChannel from, SelectableChannel to) throws IOException {
        return oneWay(from, to, RelayOptions.DEFAULT);
    }

    /**
     * As {@link #oneWay(SelectableChannel, SelectableChannel)}, with options.
     *
     * @param from a connected socket channel, or the source of a {@link java.nio.channels.Pipe}
     * @param to a connected socket channel, or the sink of a {@link java.nio.channels.Pipe}, which the caller closes to pass on the end
     * @param options how
     * @return a relay that has not moved anything yet; to be run, stepped to its end, or closed
     * @throws IllegalArgumentException if one is no stream
     * @throws NotYetConnectedException if one is not connected
     * @throws IOException if one is closed, or no descriptor is left
     */
    public static OneWay oneWay(SelectableChannel from, SelectableChannel to, RelayOptions options) throws IOException {
        return ofChannels(
                from, to, (one, other) -> new OneWay(Peer.source(one), Peer.sink(other), List.of(one, other), options));
    }

    private interface Maker<T> {
        T make(Fd first, Fd second);
    }

    private static <T> T ofChannels(SelectableChannel first, SelectableChannel second, Maker<T> maker)
            throws IOException {
        requireStream(first);
        requireStream(second);
        Fd one = Fd.of(first);
        try {
            Fd other = Fd.of(second);
            try {
                return maker.make(one, other);
            } catch (RuntimeException | Error e) {
                other.close();
                throw e;
            }
        } catch (IOException | RuntimeException | Error e) {
            one.close();
            throw e;
        }
    }

    private static void requireStream(SelectableChannel channel) {
        if (channel instanceof DatagramChannel || channel instanceof ServerSocketChannel) {
            throw new IllegalArgumentException(channel + " is no stream of bytes: relay socket channels and pipes");
        } else if (channel instanceof SocketChannel socket && socket.isOpen() && !socket.isConnected()) {
            throw new NotYetConnectedException();
        }
    }

    private static void requireTwo(Object first, Object second) {
        if (first.equals(second)) {
            throw new IllegalArgumentException("a relay is between two: " + first + " cannot be both");
        }
    }

    /**
     * Moves what can be moved now, in both directions, and never waits: for event loops. Allocates nothing. Moves a bounded number of
     * pipefuls.
     *
     * <p>What each side is to be waited for is what the kernel said last about it, so it may be waited for with edge triggers. A peer with
     * interest 0 must not be waited for at all: it might report an error that cannot be dealt with before the other peer is ready.
     *
     * @return whether to wait, to call again after other work, or that it is over
     * @throws RelayException if the relay has failed or was idle too long, also when called again; everything it held is given back by then
     */
    public Next step() throws RelayException {
        return lanes.step();
    }

    /**
     * What to wait for at the first peer, after the last {@link #step}.
     *
     * @return {@link SelectionKey#OP_READ}, {@link SelectionKey#OP_WRITE}, both, or 0
     */
    public int firstInterest() {
        return lanes.firstInterest();
    }

    /**
     * What to wait for at the second peer, after the last {@link #step}.
     *
     * @return {@link SelectionKey#OP_READ}, {@link SelectionKey#OP_WRITE}, both, or 0
     */
    public int secondInterest() {
        return lanes.secondInterest();
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
     * Relays until both directions have ended, and waits as necessary: on a virtual thread without holding its carrier. One thread serves
     * both directions. To end it from another thread, interrupt this one, or close one of the descriptors or channels.
     *
     * @throws RelayException if it ends otherwise
     */
    public void run() throws RelayException {
        lanes.run();
    }

    /**
     * Bytes taken from the source of a direction. May be called by any thread at any time.
     *
     * @param way which direction
     * @return bytes so far
     */
    public long taken(Way way) {
        return lanes.lane(way).taken();
    }

    /**
     * Bytes handed to the sink of a direction. May be called by any thread at any time.
     *
     * @param way which direction
     * @return bytes so far
     */
    public long delivered(Way way) {
        return lanes.lane(way).delivered();
    }

    /**
     * What was taken from the source of a direction and not delivered, in order; nothing if the relay is done.
     *
     * @param way which direction
     * @return the bytes
     * @throws IllegalStateException if the relay has not ended
     * @throws IOException if they cannot be taken out of the pipe; may be tried again
     */
    public byte[] undelivered(Way way) throws IOException {
        return lanes.lane(way).undelivered();
    }

    /**
     * Whether splice was refused before the first byte, so that bytes are copied through memory. May be called by any thread at any time.
     *
     * @param way which direction
     * @return true if {@code read} and {@code write} do the work
     */
    public boolean copies(Way way) {
        return lanes.lane(way).copies();
    }

    /** Ends the relay where it is, if it has not ended. Both peers stay open. To be called by the thread that steps. */
    @Override
    public void close() {
        lanes.close();
    }

    /**
     * Both peers.
     *
     * @return such as {@code socket 5 ↔ socket 7}
     */
    @Override
    public String toString() {
        return lanes.toString();
    }
}
