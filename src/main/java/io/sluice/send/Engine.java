package io.sluice.send;

import io.sluice.internal.Hold;
import java.io.IOException;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One way of sending memory over a connected socket.
 *
 * <p>All of it may be called by any thread. An engine makes its calls on the socket between {@code FdAccess.enter} and {@code exit}, and
 * never waits but in {@link #await}. Whoever has sent bytes as the kernel's reference to their pages has told a hold, and the hold is in
 * nobody's way: it settles whether it is asked or not.
 */
interface Engine extends AutoCloseable {
    /** What it is called by in a loan that it made. */
    Hold.Means means();

    /**
     * One attempt to send one range, or its first part.
     *
     * @param lent told the hold on what was sent
     * @return bytes sent, which are then never sent again; 0 if the socket has no room
     * @throws IOException if the socket refuses; nothing was sent by this call, and nothing holds the range
     */
    long send(long address, long length, Consumer<Hold> lent) throws IOException;

    /**
     * One attempt to send several ranges one behind the other.
     *
     * @param lent {@code lent[i]} is set if anything of range i was sent; one hold may stand for several ranges
     * @return bytes sent, which may end within a range; 0 if the socket has no room
     */
    long send(long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException;

    /**
     * Takes the notifications that are there.
     *
     * @return how many sends they settled
     */
    int reap();

    /** Whether of late every notification said that the kernel had copied after all, which costs more than copying at once. */
    boolean isInVain();

    /** Parks the thread until this hold may have settled, or for {@code nanos}; returns early now and then. No carrier is held. */
    void await(SentHold hold, long nanos);

    /** Settles what can be settled; what is still in the kernel's hands is retired: FORWARDED. Does not close the socket. */
    @Override
    void close();
}
