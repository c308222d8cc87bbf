package io.sluice.bench;

import io.sluice.flow.PipePool;
import io.sluice.flow.Relay;
import io.sluice.flow.RelayOptions;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayDeque;
import java.util.Queue;

/** A program that relays many connections to a port of this machine in one of several ways, and prints the port it listens on. */
final class ConnectionsContestant {
    private static final int BACKLOG = 1024;
    private static final int PIPE = 1 << 20;

    /** Relays between two connections until both ways have ended. */
    private interface Way {
        void relay(SocketChannel first, SocketChannel second) throws Exception;
    }

    private ConnectionsContestant() {}

    /** Arguments: the way, the port to connect to, and for the copying way the bytes of a buffer, for that with a pool its idle pipes. */
    public static void main(String[] args) throws Exception {
        SocketAddress upstream = new InetSocketAddress(InetAddress.getLoopbackAddress(), Integer.parseInt(args[1]));
        ServerSocketChannel listener =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), BACKLOG);
        System.out.println(listener.socket().getLocalPort());
        switch (args[0]) {
            case "sluice-virtual" ->
                onVirtualThreads(
                        listener, upstream, (a, b) -> Relay.between(a, b).run());
            case "sluice-pool" -> {
                RelayOptions options = RelayOptions.DEFAULT.pool(pool(Integer.parseInt(args[2])));
                onVirtualThreads(
                        listener,
                        upstream,
                        (a, b) -> Relay.between(a, b, options).run());
            }
            case "sluice-loop" -> new Loop(listener, upstream).run();
            case "nio-virtual" ->
                onVirtualThreads(listener, upstream, (a, b) -> copyBothWays(a, b, Integer.parseInt(args[2])));
            default -> throw new IllegalArgumentException(args[0]);
        }
    }

    private static PipePool pool(int idle) throws IOException {
        PipePool pool = PipePool.of(Math.max(1, idle), PIPE);
        if (idle == 0) {
            pool.close(); // it goes on, and keeps none
        }
        return pool;
    }

    private static void onVirtualThreads(ServerSocketChannel listener, SocketAddress upstream, Way way)
            throws IOException {
        while (true) {
            SocketChannel first = listener.accept();
            Thread.startVirtualThread(() -> {
                try (first;
                        SocketChannel second = connect(first, upstream)) {
                    way.relay(first, second);
                } catch (Exception e) {
                    System.err.println("a connection failed: " + e);
                }
            });
        }
    }

    private static SocketChannel connect(SocketChannel first, SocketAddress upstream) throws IOException {
        SocketChannel second = SocketChannel.open(upstream);
        first.setOption(StandardSocketOptions.TCP_NODELAY, true);
        second.setOption(StandardSocketOptions.TCP_NODELAY, true);
        return second;
    }

    private static void copyBothWays(SocketChannel first, SocketChannel second, int size) throws Exception {
        Thread back = Thread.startVirtualThread(() -> {
            try {
                copy(second, first, size);
            } catch (IOException e) {
                System.err.println("a connection failed: " + e);
            }
        });
        copy(first, second, size);
        back.join();
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

    /** One thread that steps every relay when a selector says that a peer is ready. */
    private static final class Loop {
        private final Selector selector = Selector.open();
        private final ServerSocketChannel listener;
        private final SocketAddress upstream;

        /** Those that had more to move when others got their turn. */
        private final Queue<Connection> again = new ArrayDeque<>();

        Loop(ServerSocketChannel listener, SocketAddress upstream) throws IOException {
            this.listener = listener;
            this.upstream = upstream;
            listener.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
        }

        void run() throws IOException {
            while (true) {
                if (again.isEmpty()) {
                    selector.select(this::ready);
                } else {
                    selector.selectNow(this::ready);
                }
                for (int i = again.size(); i > 0; i--) {
                    again.remove().step();
                }
            }
        }

        private void ready(SelectionKey key) {
            try {
                if (key.attachment() instanceof Connection connection) {
                    connection.step();
                } else {
                    SocketChannel first = listener.accept();
                    if (first != null) {
                        new Connection(first, connect(first, upstream)).step();
                    }
                }
            } catch (IOException e) {
                System.err.println("a connection failed: " + e);
            }
        }

        private final class Connection {
            private final SocketChannel first;
            private final SocketChannel second;
            private final Relay relay;
            private final SelectionKey firstKey;
            private final SelectionKey secondKey;

            Connection(SocketChannel first, SocketChannel second) throws IOException {
                this.first = first;
                this.second = second;
                first.configureBlocking(false);
                second.configureBlocking(false);
                relay = Relay.between(first, second);
                firstKey = first.register(selector, 0, this);
                secondKey = second.register(selector, 0, this);
            }

            void step() throws IOException {
                if (!first.isOpen()) {
                    return; // the other channel's event of the same turn
                }
                try {
                    switch (relay.step()) {
                        case AGAIN -> again.add(this);
                        case WAIT -> {
                            firstKey.interestOps(relay.firstInterest());
                            secondKey.interestOps(relay.secondInterest());
                        }
                        case DONE -> close();
                    }
                } catch (IOException e) {
                    close();
                    throw e;
                }
            }

            private void close() throws IOException {
                first.close();
                second.close();
            }
        }
    }
}
