package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Await;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What happens when the owner of a channel closes it while the library still has its descriptor. */
class FdChannelCloseTest {
    private static final long SEED = 20_240_722;

    static Stream<Arguments> connectionsAndThreads() {
        return Arrays.stream(Connection.Over.values())
                .flatMap(over -> Arrays.stream(Started.On.values()).map(on -> Arguments.of(over, on)));
    }

    @ParameterizedTest
    @MethodSource("connectionsAndThreads")
    void whoWaitsIsToldAndSoIsThePeer(Connection.Over over, Started.On on) throws Exception {
        try (Connection connection = over.open();
                Fd fd = Fd.of(connection.near());
                Pipe pipe = Pipe.open()) {
            Started<Long> splice =
                    on.call(() -> pipe.sink().spliceFrom(fd, 100)).waiting();
            connection.near().close();
            assertThat(splice.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThat(fd.isOpen()).isFalse();
            assertThat(pipe.sink().isOpen()).isTrue();
            assertThat(connection.far().read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @MethodSource("connectionsAndThreads")
    void whoWaitsForRoomIsToldToo(Connection.Over over, Started.On on) throws Exception {
        try (Connection connection = over.open();
                Fd fd = Fd.of(connection.near());
                Pipe pipe = Pipe.open()) {
            Started<Long> splice = on.<Long>call(() -> {
                        while (true) {
                            Content.fill(pipe.sink());
                            pipe.source().spliceTo(fd, Long.MAX_VALUE);
                        }
                    })
                    .waiting();
            connection.near().close();
            assertThat(splice.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThat(pipe.available()).isPositive();
        }
    }

    @ParameterizedTest
    @EnumSource(Connection.Over.class)
    void thePeerIsToldEvenIfNobodyWaits(Connection.Over over) throws Exception {
        try (Connection connection = over.open();
                Fd fd = Fd.of(connection.near())) {
            connection.near().close();
            assertThat(connection.far().read(ByteBuffer.allocate(1))).isEqualTo(-1);
            Await.until(() -> !fd.isOpen(), "the descriptor closed");
        }
    }

    @ParameterizedTest
    @EnumSource(Connection.Over.class)
    void closedFirstItLeavesTheChannelToItsOwner(Connection.Over over) throws IOException {
        try (Connection connection = over.open()) {
            Fd.of(connection.near()).close();
            connection.near().write(ByteBuffer.wrap(Content.ascii("content")));
            connection.near().close();
            assertThat(Content.takeAll(connection.far())).asString().isEqualTo("content");
        }
    }

    @Test
    void theEndOfAJavaPipeComesWhenItsSinkIsClosed() throws Exception {
        java.nio.channels.Pipe javaPipe = java.nio.channels.Pipe.open();
        try (Fd fd = Fd.of(javaPipe.sink())) {
            javaPipe.sink().close();
            assertThat(javaPipe.source().read(ByteBuffer.allocate(1))).isEqualTo(-1);
            Await.until(() -> !fd.isOpen(), "the descriptor closed");
        } finally {
            javaPipe.source().close();
        }
    }

    @Test
    void noByteReachesAConnectionThatGotTheNumberAfterwards() throws Exception {
        Random random = new Random(SEED);
        for (int round = 0; round < 20; round++) {
            List<Connection> later = new ArrayList<>();
            try (Connection connection = Connection.tcp();
                    Fd fd = Fd.of(connection.near());
                    Pipe pipe = Pipe.open()) {
                Content.put(pipe, "for the first connection only");
                connection.near().close();
                for (int i = random.nextInt(10); i >= 0; i--) {
                    later.add(Connection.tcp());
                }
                assertThat(arrivesOrFails(pipe.source(), fd, connection.far())).isTrue();
                for (Connection other : later) {
                    other.near().shutdownOutput();
                    assertThat(Content.takeAll(other.far())).isEmpty();
                }
            } finally {
                for (Connection other : later) {
                    other.close();
                }
            }
        }
    }

    /** Whether the bytes came out where they belong, or the descriptor was found closed first. */
    private static boolean arrivesOrFails(PipeSource source, Fd fd, SocketChannel far) throws IOException {
        try {
            long n = source.trySpliceTo(fd, 100);
            return Content.takeAll(far).length == n;
        } catch (ClosedChannelException e) {
            return Content.takeAll(far).length == 0;
        } catch (ErrnoException e) {
            return e.name().equals("EPIPE") && Content.takeAll(far).length == 0;
        }
    }
}
