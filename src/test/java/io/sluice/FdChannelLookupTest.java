package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Looking up the descriptor behind a channel, often, at once, and while others do something else. */
class FdChannelLookupTest {
    private static final int MANY = 100_000;
    private static final int RACES = 3000;
    private static final long SEED = 20_240_722;

    @Test
    void anInterruptedThreadCanAskToo() throws Exception {
        try (Connection connection = Connection.tcp()) {
            Started<Boolean> asked = Started.On.PLATFORM.call(() -> {
                Thread.currentThread().interrupt();
                try (Fd fd = Fd.of(connection.near())) {
                    return fd.isOpen();
                }
            });
            assertThat(asked.result()).isTrue();
            assertThat(asked.endedInterrupted()).isTrue();
            assertThat(connection.near().isOpen()).isTrue();
        }
    }

    @Test
    void threadsThatAskAtOnceEachGetTheirOwn() throws Exception {
        List<Started<Void>> started = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            started.add(Started.On.values()[i % 2].call(FdChannelLookupTest::sendThroughFreshDescriptors));
        }
        for (Started<Void> thread : started) {
            thread.result();
        }
    }

    // As two relays of one direction each do, which are begun at once.
    @ParameterizedTest
    @EnumSource(Started.On.class)
    void threadsThatAskForTheSameChannelAtOnceEachGetADescriptorOfIt(Started.On on) throws Exception {
        try (Connection connection = Connection.tcp()) {
            CyclicBarrier together = new CyclicBarrier(2);
            Callable<Void> asking = () -> {
                for (int round = 0; round < 500; round++) {
                    together.await();
                    Fd.of(connection.near()).close();
                }
                return null;
            };
            Started<Void> one = on.call(asking);
            Started<Void> other = on.call(asking);
            one.result();
            other.result();
            assertThat(connection.near().isBlocking()).isTrue();
            assertThat(connection.near().isRegistered()).isFalse();
        }
    }

    private static Void sendThroughFreshDescriptors() throws IOException {
        try (Connection connection = Connection.tcp();
                Pipe pipe = Pipe.open()) {
            ByteBuffer arrived = ByteBuffer.allocate(100);
            for (int round = 0; round < 200; round++) {
                String text = Thread.currentThread().threadId() + " " + round;
                Content.put(pipe, text);
                try (Fd fd = Fd.of(connection.near())) {
                    pipe.source().spliceTo(fd, Long.MAX_VALUE);
                }
                connection.far().read(arrived.clear());
                assertThat(arrived.flip()).isEqualTo(ByteBuffer.wrap(Content.ascii(text)));
            }
            return null;
        }
    }

    @Test
    void aHundredThousandDescriptorsLeaveNothingBehind() throws IOException {
        try (Connection connection = Connection.tcp()) {
            connection.far().configureBlocking(false);
            Fd.of(connection.near()).close();
            int before = OpenFiles.count();
            for (int i = 0; i < MANY / 2; i++) {
                Fd.of(connection.near()).close();
                Fd.of(connection.far()).close();
            }
            OpenFiles.assertAsManyAs(before);
            assertThat(connection.near().isRegistered()).isFalse();
        }
    }

    @ParameterizedTest(name = "looked up before: {0}")
    @ValueSource(booleans = {false, true})
    void aChannelClosedWhileItIsLookedUpIsFoundClosedOrNot(boolean known) throws Exception {
        Random random = new Random(SEED);
        try (DatagramChannel warm = DatagramChannel.open()) {
            Fd.of(warm).close();
        }
        int before = OpenFiles.count();
        for (int round = 0; round < RACES; round++) {
            java.nio.channels.Pipe javaPipe = java.nio.channels.Pipe.open();
            if (known) {
                Fd.of(javaPipe.source()).close();
            }
            CountDownLatch both = new CountDownLatch(2);
            int spins = random.nextInt(2000);
            Started<Void> close = Started.On.PLATFORM.call(() -> {
                both.countDown();
                both.await();
                for (int i = 0; i < spins; i++) {
                    Thread.onSpinWait();
                }
                javaPipe.source().close();
                FileChannel.open(Path.of("/dev/null")).close(); // which is given the number
                return null;
            });
            both.countDown();
            both.await();
            try (Fd fd = Fd.of(javaPipe.source())) {
                assertThat(fd.kind()).isEqualTo(Fd.Kind.PIPE);
            } catch (ClosedChannelException e) {
                assertThat(javaPipe.source().isOpen()).isFalse();
            }
            close.result();
            javaPipe.sink().close();
        }
        OpenFiles.assertAsManyAs(before);
    }
}
