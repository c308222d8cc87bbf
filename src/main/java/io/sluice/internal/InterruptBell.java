package io.sluice.internal;

import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.spi.AbstractInterruptibleChannel;

/** Wakes a platform thread that waits in poll(2) when it is interrupted: only a channel's operation is told of that. */
final class InterruptBell extends AbstractInterruptibleChannel {
    private final Waiter waiter;

    InterruptBell(Waiter waiter) {
        this.waiter = waiter;
    }

    /** From here to {@link #silence} an interrupt, also one that came before, wakes the waiter. */
    void listen() {
        begin();
    }

    /** When this returns, no interrupt is about to signal the waiter. */
    void silence() {
        try {
            end(true);
        } catch (AsynchronousCloseException e) {
            // The caller finds the interrupt status set.
        }
    }

    @Override
    protected void implCloseChannel() {
        waiter.signal();
    }
}
