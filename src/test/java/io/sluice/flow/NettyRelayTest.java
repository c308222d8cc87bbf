package io.sluice.flow;

import static io.sluice.flow.Bytes.all;
import static io.sluice.flow.Bytes.bytes;
import static io.sluice.flow.Wires.receive;
import static io.sluice.flow.Wires.reset;
import static io.sluice.flow.Wires.send;
import static io.sluice.flow.Wires.sendAndEnd;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.bootstrap.Bootstrap;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBuf;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFuture;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.nio.NioEventLoop;
import io.netty.channel.nio.NioEventLoopGroup;
import io.sluice.flow.Aside.On;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A TCP proxy made of Netty and a relay: Netty's handlers see the first byte, and the relay moves everything after it. */
class NettyRelayTest {
    private static final int LENGTH = 3_000_001;
    private static final int CONNECTIONS = 1_000;
    private static final int BACKLOG = 1_024;
    private static final int SHORT = 2_000;
    private static final int PATIENCE_SECONDS = 60;

    static {
        // What newer JDKs say about its use of Unsafe is none of these tests' affair.
        System.setProperty("io.netty.noUnsafe", "true");
    }

    private final PipePool pool = PipePool.of(8, 64 << 10);
    private final BlockingQueue<String> outcomes = new LinkedBlockingQueue<>();
    private ServerSocketChannel upstream;
    private NioEventLoopGroup netty;
    private NioEventLoopGroup relays;
    private Channel proxy;

    /** Connects to the server when the first byte has come, which it keeps, and hands over. */
    private final class Handler extends ChannelInboundHandlerAdapter {
        @Override
        public void channelActive(ChannelHandlerContext client) {
            client.read();
        }

        @Override
        public void channelRead(ChannelHandlerContext client, Object message) throws IOException {
            ByteBuf rest = ((ByteBuf) message).skipBytes(1);
            new Bootstrap()
                    .group(netty)
                    .channelFactory(NettyPeer::new)
                    .option(ChannelOption.AUTO_READ, false)
                    .handler(new ChannelInboundHandlerAdapter())
                    .connect(upstream.getLocalAddress())
                    .addListener((ChannelFuture connected) -> connected
                            .channel()
                            .writeAndFlush(rest)
                            .addListener((ChannelFuture written) -> NettyRelay.start(
                                    (NioEventLoop) relays.next(),
                                    (NettyPeer) client.channel(),
                                    (NettyPeer) written.channel(),
                                    RelayOptions.DEFAULT.pool(pool),
                                    outcomes::add)));
        }
    }

    @BeforeEach
    void start() throws Exception {
        upstream = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), BACKLOG);
        netty = new NioEventLoopGroup(1);
        relays = new NioEventLoopGroup(1);
        proxy = new ServerBootstrap()
                .group(netty)
                .channelFactory(NettyPeer.Listener::new)
                .option(ChannelOption.SO_BACKLOG, BACKLOG)
                .childOption(ChannelOption.AUTO_READ, false)
                .childHandler(new ChannelInitializer<>() {
                    @Override
                    protected void initChannel(Channel client) {
                        client.pipeline().addLast(new Handler());
                    }
                })
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .sync()
                .channel();
    }

    @AfterEach
    void stop() throws Exception {
        proxy.close().sync();
        netty.shutdownGracefully(0, PATIENCE_SECONDS, TimeUnit.SECONDS).sync();
        relays.shutdownGracefully(0, PATIENCE_SECONDS, TimeUnit.SECONDS).sync();
        upstream.close();
        pool.close();
    }

    private SocketChannel connect() throws IOException {
        SocketAddress address = proxy.localAddress();
        return SocketChannel.open(address);
    }

    private String outcome() throws InterruptedException {
        return outcomes.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    @Test
    void handlersSeeTheFirstByteAndTheRelayMovesTheRest() throws Exception {
        byte[] question = bytes(LENGTH, 1);
        byte[] answer = bytes(LENGTH, 2);
        try (SocketChannel client = connect()) {
            Aside<Void> asking = Aside.of(() -> {
                send(client, new byte[1]);
                sendAndEnd(client, question);
            });
            try (SocketChannel server = upstream.accept()) {
                assertThat(all(server)).isEqualTo(question);
                Aside<Void> answering = Aside.of(() -> sendAndEnd(server, answer));
                assertThat(all(client)).isEqualTo(answer);
                answering.result();
            }
            asking.result();
        }
        assertThat(outcome()).isEqualTo("DONE");
    }

    @Test
    void aThousandConnectionsAtOnceShareOneEventLoop() throws Exception {
        Aside<Void> echoing = Aside.of(() -> {
            for (int i = 0; i < CONNECTIONS; i++) {
                SocketChannel server = upstream.accept();
                Aside.of(() -> {
                    try (server) {
                        byte[] first = receive(server, SHORT);
                        send(server, first);
                        sendAndEnd(server, all(server));
                    }
                });
            }
        });
        CountDownLatch allRelayed = new CountDownLatch(CONNECTIONS);
        List<Aside<byte[]>> clients = new ArrayList<>();
        for (int i = 0; i < CONNECTIONS; i++) {
            byte[] content = bytes(2 * SHORT, i);
            clients.add(On.VIRTUAL.start(() -> {
                try (SocketChannel client = connect()) {
                    send(client, new byte[1]);
                    send(client, Arrays.copyOf(content, SHORT));
                    byte[] first = receive(client, SHORT);
                    // Every one has its relay running before any goes on.
                    allRelayed.countDown();
                    if (!allRelayed.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                        throw new IOException(allRelayed.getCount() + " are not relayed");
                    }
                    sendAndEnd(client, Arrays.copyOfRange(content, SHORT, 2 * SHORT));
                    byte[] echoed = Arrays.copyOf(first, 2 * SHORT);
                    byte[] rest = all(client);
                    System.arraycopy(rest, 0, echoed, SHORT, rest.length);
                    return echoed;
                }
            }));
        }
        for (int i = 0; i < CONNECTIONS; i++) {
            assertThat(clients.get(i).result()).isEqualTo(bytes(2 * SHORT, i));
            assertThat(outcome()).isEqualTo("DONE");
        }
        echoing.result();
    }

    @Test
    void aResetEndsTheRelayAndNotTheLoop() throws Exception {
        try (SocketChannel client = connect()) {
            send(client, new byte[2]);
            try (SocketChannel server = upstream.accept()) {
                assertThat(receive(server, 1)).hasSize(1);
                reset(client);
                assertThat(outcome()).isEqualTo("RESET");
            }
        }
        handlersSeeTheFirstByteAndTheRelayMovesTheRest();
    }
}
