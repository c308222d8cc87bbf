package io.sluice.flow;

import io.netty.channel.Channel;
import io.netty.channel.nio.NioEventLoop;
import io.netty.channel.nio.NioTask;
import java.io.IOException;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.util.function.Consumer;

/**
 * A relay that steps on an event loop of Netty.
 *
 * <p>Netty reads its channels itself, so a relay gets them when Netty has let go of them: they are deregistered, and their java.nio channels
 * are registered as a {@link NioTask} with the loop that is to drive the relay. That should be another than they come from, because a
 * selector does not take a channel again before it has selected once more.
 */
final class NettyRelay implements NioTask<SelectableChannel> {
    private static final int KEY_WANTED = SelectionKey.OP_WRITE;

    private final NioEventLoop loop;
    private final NettyPeer first;
    private final NettyPeer second;
    private final Relay relay;
    private final Consumer<String> outcome;
    private SelectionKey firstKey;
    private SelectionKey secondKey;

    /** The loop may have been about to show the second key when the first ended the relay. */
    private boolean ended;

    private NettyRelay(
            NioEventLoop loop, NettyPeer first, NettyPeer second, RelayOptions options, Consumer<String> outcome)
            throws IOException {
        this.loop = loop;
        this.first = first;
        this.second = second;
        this.outcome = outcome;
        this.relay = Relay.between(first.javaChannel(), second.javaChannel(), options);
    }

    /** Takes two channels away from Netty, and relays between them until both have ended; then closes them and says how it went. */
    static void start(
            NioEventLoop loop, NettyPeer first, NettyPeer second, RelayOptions options, Consumer<String> outcome) {
        first.deregister()
                .addListener(one -> second.deregister()
                        .addListener(other -> loop.execute(() -> {
                            try {
                                new NettyRelay(loop, first, second, options, outcome).register();
                            } catch (IOException e) {
                                outcome.accept(e.toString());
                            }
                        })));
    }

    // The loop shows a key only with its first event, and a socket with nothing in its buffer is writable at once.
    private void register() {
        loop.register(first.javaChannel(), KEY_WANTED, this);
        loop.register(second.javaChannel(), KEY_WANTED, this);
    }

    @Override
    public void channelReady(SelectableChannel channel, SelectionKey key) {
        if (firstKey == null || secondKey == null) {
            key.interestOps(0);
            firstKey = channel == first.javaChannel() ? key : firstKey;
            secondKey = channel == second.javaChannel() ? key : secondKey;
        }
        if (firstKey != null && secondKey != null) {
            step();
        }
    }

    private void step() {
        if (ended) {
            return;
        }
        try {
            switch (relay.step()) {
                case WAIT -> {
                    firstKey.interestOps(relay.firstInterest());
                    secondKey.interestOps(relay.secondInterest());
                }
                case AGAIN -> loop.execute(this::step);
                case DONE -> end("DONE");
            }
        } catch (RelayException e) {
            end(e.reason().name());
        }
    }

    private void end(String how) {
        ended = true;
        close(first);
        close(second);
        outcome.accept(how);
    }

    private static void close(Channel channel) {
        channel.close();
    }

    @Override
    public void channelUnregistered(SelectableChannel channel, Throwable cause) {
        relay.close();
    }
}
