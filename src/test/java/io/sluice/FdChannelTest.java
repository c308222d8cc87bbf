package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.sluice.Fd.Kind;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectableChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The descriptor behind a channel of java.nio, which goes on being used by its owner. */
class FdChannelTest {
    private static final int SMALL = 100_000;

    private final List<AutoCloseable> opened = new ArrayList<>();

    /** What can be behind a SelectableChannel. */
    enum Sort {
        TCP,
        UNIX,
        TCP_UNCONNECTED,
        UNIX_UNCONNECTED,
        TCP_SERVER,
        UNIX_SERVER,
        DATAGRAM,
        PIPE_SOURCE,
        PIPE_SINK;

        boolean isSocket() {
            return this != PIPE_SOURCE && this != PIPE_SINK;
        }
    }

    /** In which state its owner has it. */
    enum Mode {
        BLOCKING,
        NON_BLOCKING,
        REGISTERED
    }

    @AfterEach
    void close() throws Exception {
        for (AutoCloseable closeable : opened.reversed()) {
            closeable.close();
        }
    }

    private <C extends AutoCloseable> C opened(C closeable) {
        opened.add(closeable);
        return closeable;
    }

    private SelectableChannel open(Sort sort) throws IOException {
        return switch (sort) {
            case TCP -> opened(Connection.tcp()).near();
            case UNIX -> opened(Connection.unix()).near();
            case TCP_UNCONNECTED -> opened(Connection.Over.TCP.unconnected());
            case UNIX_UNCONNECTED -> opened(Connection.Over.UNIX.unconnected());
            case TCP_SERVER -> opened(Connection.Over.TCP.server());
            case UNIX_SERVER -> opened(Connection.Over.UNIX.server());
            case DATAGRAM -> opened(DatagramChannel.open());
            case PIPE_SOURCE -> javaPipe().source();
            case PIPE_SINK -> javaPipe().sink();
        };
    }

    private java.nio.channels.Pipe javaPipe() throws IOException {
        java.nio.channels.Pipe pipe = java.nio.channels.Pipe.open();
        opened(pipe.source());
        opened(pipe.sink());
        return pipe;
    }

    static Stream<Arguments> sortsInEveryMode() {
        return Arrays.stream(Sort.values())
                .flatMap(sort -> Arrays.stream(Mode.values()).map(mode -> Arguments.of(sort, mode)));
    }

    @ParameterizedTest
    @MethodSource("sortsInEveryMode")
    void theOwnerSeesNoDifference(Sort sort, Mode mode) throws IOException {
        SelectableChannel channel = open(sort);
        try (Selector selector = Selector.open()) {
            channel.configureBlocking(mode == Mode.BLOCKING);
            SelectionKey key = mode == Mode.REGISTERED ? channel.register(selector, channel.validOps()) : null;
            try (Fd fd = Fd.of(channel)) {
                assertThat(fd.kind()).isEqualTo(sort.isSocket() ? Kind.SOCKET : Kind.PIPE);
                assertThat(fd).hasToString((sort.isSocket() ? "socket " : "pipe ") + channel);
                assertThat(OpenFiles.named(OpenFiles.nameOf(fd.number()))).contains(fd.number());
                if (sort.isSocket()) {
                    assertThat(OpenFiles.flags(fd.number()) & Linux.O_NONBLOCK())
                            .isNotZero();
                }
            }
            assertThat(channel.isOpen()).isTrue();
            assertThat(channel.isBlocking()).isEqualTo(mode == Mode.BLOCKING);
            assertThat(channel.isRegistered()).isEqualTo(mode == Mode.REGISTERED);
            if (key != null) {
                assertThat(key.isValid()).isTrue();
                assertThat(selector.keys()).containsExactly(key);
            } else {
                channel.configureBlocking(true);
                channel.configureBlocking(false);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void aClosedChannelHasNoDescriptor(Sort sort) throws IOException {
        SelectableChannel channel = open(sort);
        channel.close();
        assertThatThrownBy(() -> Fd.of(channel)).isExactlyInstanceOf(ClosedChannelException.class);
    }

    @ParameterizedTest
    @EnumSource
    void itIsADescriptorOfItsOwn(Sort sort) throws IOException {
        SelectableChannel channel = open(sort);
        try (Fd one = Fd.of(channel);
                Fd two = Fd.of(channel)) {
            assertThat(one.number()).isNotEqualTo(two.number());
            assertThat(OpenFiles.nameOf(one.number())).isEqualTo(OpenFiles.nameOf(two.number()));
            assertThat(OpenFiles.named(OpenFiles.nameOf(one.number()))).hasSizeGreaterThanOrEqualTo(3);
            assertThat(OpenFiles.flags(one.number()) & Linux.O_CLOEXEC()).isNotZero();
        }
    }

    @Test
    void theOwnersSelectorGoesOnSelecting() throws IOException {
        Connection connection = opened(Connection.tcp());
        try (Selector selector = Selector.open()) {
            connection.near().configureBlocking(false);
            SelectionKey key = connection.near().register(selector, SelectionKey.OP_READ);
            try (Fd fd = Fd.of(connection.near());
                    Pipe pipe = Pipe.open()) {
                connection.far().write(ByteBuffer.wrap(Content.ascii("first")));
                assertThat(selector.select()).isEqualTo(1);
                assertThat(selector.selectedKeys()).containsExactly(key);
                assertThat(pipe.sink().trySpliceFrom(fd, 100)).isEqualTo(5);
                selector.selectedKeys().clear();
                assertThat(selector.selectNow()).isZero();
            }
            connection.far().write(ByteBuffer.wrap(Content.ascii("second")));
            assertThat(selector.select()).isEqualTo(1);
            assertThat(connection.near().read(ByteBuffer.allocate(100))).isEqualTo(6);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theOwnersBlockingReadsAndWritesGoOnWaiting(Started.On on) throws Exception {
        for (Connection.Over over : Connection.Over.values()) {
            Connection connection = opened(over.open());
            Fd fd = Fd.of(connection.near());
            exchange(on, connection);
            fd.close();
            exchange(on, connection);
        }
    }

    private static void exchange(Started.On on, Connection connection) throws Exception {
        Started<Integer> read =
                on.call(() -> connection.near().read(ByteBuffer.allocate(100))).waiting();
        connection.far().write(ByteBuffer.wrap(Content.ascii("content")));
        assertThat(read.result()).isEqualTo(7);
        // Two buffers that do not grow, and more than both of them hold.
        connection.near().setOption(StandardSocketOptions.SO_SNDBUF, SMALL);
        connection.far().setOption(StandardSocketOptions.SO_RCVBUF, SMALL);
        byte[] large = Content.bytes(20 * SMALL);
        ByteBuffer rest = ByteBuffer.wrap(large);
        // As after use by a virtual thread, one write may take a part only.
        Started<Void> write = on.<Void>call(() -> {
                    while (rest.hasRemaining()) {
                        connection.near().write(rest);
                    }
                    return null;
                })
                .waiting();
        ByteBuffer received = ByteBuffer.allocate(large.length);
        while (received.hasRemaining() && connection.far().read(received) >= 0) {}
        write.result();
        assertThat(received.array()).isEqualTo(large);
    }

    @ParameterizedTest
    @EnumSource
    void theOwnersBlockingAcceptConnectAndReceiveGoOnWaiting(Started.On on) throws Exception {
        InetSocketAddress any = new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
        ServerSocketChannel server = opened(ServerSocketChannel.open().bind(any));
        DatagramChannel datagrams = opened(DatagramChannel.open().bind(any));
        SocketChannel client = opened(SocketChannel.open());
        try (Fd serverFd = Fd.of(server);
                Fd clientFd = Fd.of(client);
                Fd datagramFd = Fd.of(datagrams)) {
            assertThat(serverFd.isOpen() && clientFd.isOpen() && datagramFd.isOpen())
                    .isTrue();
            Started<SocketChannel> accept = on.call(server::accept).waiting();
            assertThat(client.connect(server.getLocalAddress())).isTrue();
            accept.result().close();
            ByteBuffer into = ByteBuffer.allocate(100);
            Started<?> receive = on.call(() -> datagrams.receive(into)).waiting();
            try (DatagramChannel sender = DatagramChannel.open()) {
                sender.send(ByteBuffer.wrap(Content.ascii("content")), datagrams.getLocalAddress());
            }
            receive.result();
            assertThat(into.position()).isEqualTo(7);
        }
    }

    @ParameterizedTest
    @EnumSource(Connection.Over.class)
    void aSocketThatIsNotConnectedCannotBeSplicedYet(Connection.Over over) throws IOException {
        SocketChannel channel = opened(over.unconnected());
        try (Fd fd = Fd.of(channel);
                Pipe pipe = Pipe.open()) {
            Content.put(pipe, "content");
            ErrnoException e = catchThrowableOfType(
                    ErrnoException.class, () -> pipe.source().trySpliceTo(fd, 100));
            assertThat(e.name()).isIn("ENOTCONN", "EPIPE");
            assertThat(pipe.available()).isEqualTo(7);
        }
    }

    @Test
    void aDescriptorTakenBeforeConnectingIsOfTheConnection() throws IOException {
        try (ServerSocketChannel server =
                        ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                SocketChannel channel = SocketChannel.open();
                Fd fd = Fd.of(channel);
                Pipe pipe = Pipe.open()) {
            channel.connect(server.getLocalAddress());
            Content.put(pipe, "content");
            assertThat(pipe.source().spliceTo(fd, 100)).isEqualTo(7);
            try (SocketChannel far = server.accept()) {
                assertThat(far.read(ByteBuffer.allocate(100))).isEqualTo(7);
            }
        }
    }
}
