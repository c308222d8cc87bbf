package io.sluice.bench;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.FixedRecvByteBufAllocator;
import io.netty.channel.epoll.Epoll;
import io.netty.channel.epoll.EpollChannelOption;
import io.netty.channel.epoll.EpollEventLoopGroup;
import io.netty.channel.epoll.EpollMode;
import io.netty.channel.epoll.EpollServerSocketChannel;
import io.netty.channel.epoll.EpollSocketChannel;
import io.sluice.flow.PipePool;
import io.sluice.flow.Relay;
import io.sluice.flow.RelayOptions;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;

/** A program that relays connections to a port of this machine in one of several ways, and prints the port it listens on. */
final class RelayContestant {
    private static final int NETTY_BUFFER = 64 << 10;
    private static final int ALL = Integer.MAX_VALUE;

    /** Relays between two connections until both ways have ended. */
    private interface Way {
        void relay(SocketChannel first, SocketChannel second) throws Exception;
    }

    private RelayContestant() {}

    /** Arguments: the way, the number that belongs to it, the port to connect to. */
    public static void main(String[] args) throws Exception {
        String way = args[0];
        int size = Integer.parseInt(args[1]);
        SocketAddress upstream = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[2]));
        RelayOptions options = RelayOptions.DEFAULT.pool(PipePool.of(8, Math.max(size, 1)));
        switch (way) {
            case "sluice" ->
                serve(upstream, false, (a, b) -> Relay.between(a, b, options).run());
            case "sluice-virtual" ->
                serve(upstream, true, (a, b) -> Relay.between(a, b, options).run());
            case "sluice-two-threads" ->
                serve(
                        upstream,
                        true,
                        (a, b) -> bothWays(
                                true,
                                () -> Relay.oneWay(a, b, options).run(),
                                () -> Relay.oneWay(b, a, options).run()));
            case "nio" ->
                serve(upstream, false, (a, b) -> bothWays(false, () -> copy(a, b, size), () -> copy(b, a, size)));
            case "stream" ->
                serve(
                        upstream,
                        false,
                        (a, b) -> bothWays(
                                false, () -> transfer(a.socket(), b.socket()), () -> transfer(b.socket(), a.socket())));
            case "netty-copy" -> netty(upstream, false);
            case "netty-splice" -> netty(upstream, true);
            default -> throw new IllegalArgumentException(way);
        }
    }

    private static void serve(SocketAddress upstream, boolean virtual, Way way) throws IOException {
        try (ServerSocketChannel listener =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
            System.out.println(listener.socket().getLocalPort());
            while (true) {
                SocketChannel first = listener.accept();
                start(virtual, () -> {
                    try (first;
                            SocketChannel second = SocketChannel.open(upstream)) {
                        first.setOption(StandardSocketOptions.TCP_NODELAY, true);
                        second.setOption(StandardSocketOptions.TCP_NODELAY, true);
                        way.relay(first, second);
                    }
                });
            }
        }
    }

    private interface Action {
        void run() throws Exception;
    }

    private static Thread start(boolean virtual, Action action) {
        Runnable body = () -> {
            try {
                action.run();
            } catch (Exception e) {
                e.printStackTrace();
            }
        };
        return virtual
                ? Thread.ofVirtual().start(body)
                : Thread.ofPlatform().daemon().start(body);
    }

    private static void bothWays(boolean virtual, Action there, Action back) throws Exception {
        Thread other = start(virtual, back);
        there.run();
        other.join();
    }

    private static void copy(SocketChannel from, SocketChannel to, int size) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocateDirect(size);
        while (from.read(buffer.clear()) >= 0) {
            buffer.flip();
            while (buffer.hasRemaining()) {
                to.write(buffer);
            }
        }
        to.shutdownOutput();
    }

    private static void transfer(Socket from, Socket to) throws IOException {
        from.getInputStream().transferTo(to.getOutputStream());
        to.shutdownOutput();
    }

    private static void netty(SocketAddress upstream, boolean splice) throws Exception {
        if (!Epoll.isAvailable()) {
            throw new IllegalStateException("Netty's epoll transport is not available", Epoll.unavailabilityCause());
        }
        EpollEventLoopGroup loop = new EpollEventLoopGroup(1);
        Channel listener = new ServerBootstrap()
                .group(loop)
                .channel(EpollServerSocketChannel.class)
                .childOption(EpollChannelOption.EPOLL_MODE, modeFor(splice))
                .childOption(ChannelOption.AUTO_READ, false)
                .childOption(ChannelOption.TCP_NODELAY, true)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childOption(ChannelOption.RCVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(NETTY_BUFFER))
                .childHandler(new ChannelInitializer<EpollSocketChannel>() {
                    @Override
                    protected void initChannel(EpollSocketChannel channel) {
                        channel.pipeline().addLast(new ChannelInboundHandlerAdapter() {
                            @Override
                            public void channelActive(ChannelHandlerContext context) {
                                connect(loop, upstream, channel, splice);
                            }
                        });
                    }
                })
                .bind(InetAddress.getLoopbackAddress(), 0)
                .sync()
                .channel();
        System.out.println(((InetSocketAddress) listener.localAddress()).getPort());
        listener.closeFuture().sync();
    }

    private static void connect(
            EpollEventLoopGroup loop, SocketAddress upstream, EpollSocketChannel first, boolean splice) {
        new Bootstrap()
                .group(loop)
                .channel(EpollSocketChannel.class)
                .option(EpollChannelOption.EPOLL_MODE, modeFor(splice))
                .option(ChannelOption.AUTO_READ, false)
                .option(ChannelOption.TCP_NODELAY, true)
                .option(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .option(ChannelOption.RCVBUF_ALLOCATOR, new FixedRecvByteBufAllocator(NETTY_BUFFER))
                .handler(new ChannelInboundHandlerAdapter())
                .connect(upstream)
                .addListener((ChannelFuture connected) -> {
                    EpollSocketChannel second = (EpollSocketChannel) connected.channel();
                    join(first, second, splice);
                    join(second, first, splice);
                });
    }

    // spliceTo() is refused with the usual edge triggers.
    private static EpollMode modeFor(boolean splice) {
        return splice ? EpollMode.LEVEL_TRIGGERED : EpollMode.EDGE_TRIGGERED;
    }

    @SuppressWarnings("deprecation") // it is what is compared with
    private static void join(EpollSocketChannel from, EpollSocketChannel to, boolean splice) {
        if (splice) {
            from.spliceTo(to, ALL);
            from.pipeline().addLast(new ChannelInboundHandlerAdapter() {
                @Override
                public void userEventTriggered(ChannelHandlerContext context, Object event) {
                    to.shutdownOutput();
                }
            });
            from.config().setAutoRead(true); // or it splices once
            return;
        }
        from.pipeline().addLast(new ChannelInboundHandlerAdapter() {
            @Override
            public void channelRead(ChannelHandlerContext context, Object message) {
                to.writeAndFlush(message).addListener((ChannelFutureListener) written -> context.read());
            }

            @Override
            public void userEventTriggered(ChannelHandlerContext context, Object event) {
                to.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(written -> to.shutdownOutput());
            }
        });
        from.read();
    }
}
