package io.sluice.flow;

import io.netty.channel.Channel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.channel.socket.nio.NioSocketChannel;
import java.io.IOException;
import java.nio.channels.SocketChannel;
import java.util.List;

/**
 * Netty's socket channel, whose java.nio channel can be had: {@code javaChannel()} is protected, so that a subclass may make it public.
 * Bootstraps are given its constructor and that of its {@link Listener}.
 */
final class NettyPeer extends NioSocketChannel {
    NettyPeer() {}

    private NettyPeer(Channel parent, SocketChannel socket) {
        super(parent, socket);
    }

    @Override
    public SocketChannel javaChannel() {
        return super.javaChannel();
    }

    /** Accepts connections as such channels. */
    static final class Listener extends NioServerSocketChannel {
        @Override
        protected int doReadMessages(List<Object> accepted) throws IOException {
            SocketChannel socket = javaChannel().accept();
            if (socket == null) {
                return 0;
            }
            accepted.add(new NettyPeer(this, socket));
            return 1;
        }
    }
}
