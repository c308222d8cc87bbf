package io.sluice.flow;

import static io.sluice.flow.Bytes.all;
import static io.sluice.flow.Bytes.bytes;
import static io.sluice.flow.Wires.flood;
import static io.sluice.flow.Wires.receive;
import static io.sluice.flow.Wires.reset;
import static io.sluice.flow.Wires.send;
import static io.sluice.flow.Wires.sendAndEnd;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.Aside.On;
import io.sluice.flow.RelayException.Reason;
import io.sluice.flow.RelayException.Side;
import io.sluice.testing.Allocations;
import io.sluice.testing.Await;
import io.sluice.testing.Libc;
import io.sluice.testing.Turns;
import io.sluice.testing.Workbench;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.NotYetConnectedException;
import java.nio.channels.SelectionKey;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a relay delivers, passes on and hands back, waiting by itself. */
class RelayTest {
    private static final int LENGTH = 3_000_001;
    private static final int SHORT = 100;

    private final PipePool pool = PipePool.of(4, 64 << 10);
    private final RelayOptions options = RelayOptions.DEFAULT.pool(pool);

    @AfterEach
    void closePool() throws IOException {
        pool.close();
    }

    private Aside<Relay> running(Relay relay, On on) {
        return on.start(() -> {
            relay.run();
            return relay;
        });
    }

    /** Has the source send until the sink has no room and bytes are held between them; returns how much was sent. */
    private static int stall(OneWay relay, SocketChannel left, byte[] content) throws IOException {
        left.configureBlocking(false);
        int sent = 0;
        do {
            sent += left.write(ByteBuffer.wrap(content, sent, Math.min(64 << 10, content.length - sent)));
        } while (relay.step() != OneWay.Next.SINK_WRITABLE);
        assertThat(relay.taken()).isGreaterThan(relay.delivered());
        return sent;
    }

    @ParameterizedTest
    @EnumSource
    void bytesPassBothWays(On on) throws Exception {
        byte[] there = bytes(LENGTH, 1);
        byte[] back = bytes(LENGTH / 2, 2);
        try (Wires wires = Wires.tcp()) {
            Aside<Relay> relay = running(Relay.between(wires.first(), wires.second(), options), on);
            Aside<Void> left = Aside.of(() -> sendAndEnd(wires.left(), there));
            Aside<Void> right = Aside.of(() -> sendAndEnd(wires.right(), back));
            Aside<byte[]> atLeft = On.VIRTUAL.start(() -> all(wires.left()));
            assertThat(all(wires.right())).isEqualTo(there);
            assertThat(atLeft.result()).isEqualTo(back);
            left.result();
            right.result();
            Relay done = relay.result();
            assertThat(done.delivered(Way.FORTH)).isEqualTo(LENGTH).isEqualTo(done.taken(Way.FORTH));
            assertThat(done.delivered(Way.BACK)).isEqualTo(LENGTH / 2).isEqualTo(done.taken(Way.BACK));
            assertThat(done.undelivered(Way.FORTH)).isEmpty();
            assertThat(done.copies(Way.FORTH)).isFalse();
            assertThat(wires.first().isOpen()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void oneDirectionEndsWithItsSource(On on) throws Exception {
        byte[] content = bytes(LENGTH, 3);
        try (Wires wires = Wires.unix()) {
            OneWay relay = Relay.oneWay(wires.first(), wires.second(), options);
            Aside<Long> running = on.start(relay::run);
            Aside<Void> left = Aside.of(() -> sendAndEnd(wires.left(), content));
            assertThat(all(wires.right())).isEqualTo(content);
            assertThat(running.result()).isEqualTo(LENGTH).isEqualTo(relay.delivered());
            left.result();
        }
    }

    /** Who ends its stream first. */
    enum Order {
        LEFT_FIRST,
        RIGHT_FIRST,
        TOGETHER
    }

    @ParameterizedTest
    @EnumSource
    void eachHalfIsClosedWhenItsSourceEnds(Order order) throws Exception {
        try (Wires wires = Wires.tcp()) {
            Aside<Relay> relay = running(Relay.between(wires.first(), wires.second(), options), On.VIRTUAL);
            SocketChannel early = order == Order.RIGHT_FIRST ? wires.right() : wires.left();
            SocketChannel late = order == Order.RIGHT_FIRST ? wires.left() : wires.right();
            byte[] question = bytes(SHORT, 4);
            byte[] answer = bytes(LENGTH, 5);
            sendAndEnd(early, question);
            if (order != Order.TOGETHER) {
                assertThat(all(late)).isEqualTo(question);
            }
            Aside<Void> answering = Aside.of(() -> sendAndEnd(late, answer));
            assertThat(all(early)).isEqualTo(answer);
            answering.result();
            relay.result();
            if (order == Order.TOGETHER) {
                assertThat(all(late)).isEqualTo(question);
            }
        }
    }

    @Test
    @DisplayName("lesson 5: a shutdown is never passed on while the pipe holds data")
    void lesson5NoShutdownOvertakesTheData() throws Exception {
        byte[] content = bytes(LENGTH, 6);
        try (Wires wires = Wires.unix();
                OneWay relay = Relay.oneWay(wires.first(), wires.second(), options)) {
            int sent = stall(relay, wires.left(), content);
            wires.left().shutdownOutput();
            assertThat(relay.step()).isEqualTo(OneWay.Next.SINK_WRITABLE);
            assertThat(relay.taken()).isGreaterThan(relay.delivered());
            wires.right().configureBlocking(false);
            ByteArrayOutputStream received = new ByteArrayOutputStream();
            ByteBuffer buffer = ByteBuffer.allocate(4096);
            int n;
            while ((n = wires.right().read(buffer.clear())) >= 0) {
                received.write(buffer.array(), 0, n);
                relay.step();
                if (received.size() < sent) {
                    assertThat(n).isPositive();
                }
            }
            assertThat(received.toByteArray()).isEqualTo(Arrays.copyOf(content, sent));
        }
    }

    @ParameterizedTest
    @EnumSource
    void aResetIsNotAnEnd(On on) throws Exception {
        try (Wires wires = Wires.tcp()) {
            Relay relay = Relay.between(wires.first(), wires.second(), options);
            Aside<Relay> running = running(relay, on);
            byte[] content = bytes(SHORT, 7);
            send(wires.left(), content);
            assertThat(receive(wires.right(), SHORT)).isEqualTo(content);
            reset(wires.left());
            RelayException e = running.failure();
            assertThat(e.reason()).isEqualTo(Reason.RESET);
            assertThat(e.way()).isEqualTo(Way.FORTH);
            assertThat(e.side()).isEqualTo(Side.SOURCE);
            assertThat(e.peer()).contains(wires.first().getLocalAddress().toString());
            assertThat(e.delivered()).isEqualTo(SHORT);
            assertThat(e).hasCauseInstanceOf(ErrnoException.class).hasMessageContaining("ECONNRESET");
            wires.right().configureBlocking(false);
            assertThat(wires.right().read(ByteBuffer.allocate(1)))
                    .as("the end is not passed on")
                    .isZero();
            assertThatThrownBy(relay::step).isSameAs(e);
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatASinkDidNotTakeIsHandedBack(On on) throws Exception {
        byte[] content = bytes(LENGTH, 8);
        try (Wires wires = Wires.unix();
                Pipe target = Pipe.open();
                Fd from = Fd.of(wires.first())) {
            OneWay relay = Relay.oneWay(from, target.sink(), options);
            stall(relay, wires.left(), content);
            byte[] head = drained(target);
            target.source().close();
            RelayException e = on.start(relay::run).failure();
            assertThat(e.reason()).isEqualTo(Reason.RESET);
            assertThat(e.side()).isEqualTo(Side.SINK);
            assertThat(e).hasMessageContaining("EPIPE").hasMessageContaining("more were read and not delivered");
            assertThat(head).isEqualTo(Arrays.copyOf(content, (int) relay.delivered()));
            assertThat(relay.undelivered())
                    .isNotEmpty()
                    .isEqualTo(Arrays.copyOfRange(content, head.length, (int) relay.taken()))
                    .hasSize((int) e.undelivered());
        }
    }

    private static byte[] drained(Pipe pipe) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(pipe.available());
        while (buffer.hasRemaining() && pipe.source().tryRead(buffer) > 0) {}
        return buffer.array();
    }

    @ParameterizedTest
    @EnumSource
    void whatAPeerHadSentBeforeItTookNoMoreIsDelivered(On on) throws Exception {
        byte[] answer = bytes(LENGTH, 9);
        try (Wires wires = Wires.unix()) {
            Aside<Relay> running = running(Relay.between(wires.first(), wires.second(), options), on);
            wires.right().shutdownInput();
            send(wires.left(), bytes(SHORT, 10));
            Aside<Void> answering = Aside.of(() -> sendAndEnd(wires.right(), answer));
            assertThat(receive(wires.left(), LENGTH)).isEqualTo(answer);
            answering.result();
            RelayException e = running.failure();
            assertThat(e.reason()).isEqualTo(Reason.RESET);
            assertThat(e.way()).isEqualTo(Way.FORTH);
            assertThat(e.side()).isEqualTo(Side.SINK);
            assertThat(e.undelivered()).isEqualTo(SHORT);
            wires.left().configureBlocking(false);
            assertThat(wires.left().read(ByteBuffer.allocate(1)))
                    .as("the end is not passed on")
                    .isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void twoPeersThatFloodAndDoNotReadHoldEachOtherUpAndNothingElse(On on) throws Exception {
        byte[] there = bytes(8 * LENGTH, 11);
        byte[] back = bytes(8 * LENGTH, 12);
        try (Wires wires = Wires.tcp()) {
            Relay relay = Relay.between(wires.first(), wires.second(), options);
            Aside<Relay> running = running(relay, on);
            Aside<Void> left = Aside.of(() -> sendAndEnd(wires.left(), there));
            Aside<Void> right = Aside.of(() -> sendAndEnd(wires.right(), back));
            Await.until(
                    () -> relay.taken(Way.FORTH) > relay.delivered(Way.FORTH)
                            && relay.taken(Way.BACK) > relay.delivered(Way.BACK),
                    "both directions stalled");
            running.waiting();
            Aside<byte[]> atLeft = On.VIRTUAL.start(() -> all(wires.left()));
            assertThat(all(wires.right())).isEqualTo(there);
            assertThat(atLeft.result()).isEqualTo(back);
            left.result();
            right.result();
            running.result();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aDirectionThatIsStalledDoesNotHoldUpTheOther(On on) throws Exception {
        byte[] back = bytes(LENGTH, 13);
        try (Wires wires = Wires.tcp()) {
            Relay relay = Relay.between(wires.first(), wires.second(), options);
            Aside<Relay> running = running(relay, on);
            Aside<Void> left = Aside.of(() -> sendAndEnd(wires.left(), bytes(8 * LENGTH, 14)));
            Await.until(() -> relay.taken(Way.FORTH) > relay.delivered(Way.FORTH), "one direction stalled");
            Aside<Void> right = Aside.of(() -> sendAndEnd(wires.right(), back));
            assertThat(all(wires.left())).isEqualTo(back);
            right.result();
            assertThat(running.isDone()).isFalse();
            assertThat(all(wires.right())).isEqualTo(bytes(8 * LENGTH, 14));
            left.result();
            running.result();
        }
    }

    @Test
    void relaysThatNeverWaitLeaveTheirCarriersToOthers() throws Exception {
        List<Wires> floods = new ArrayList<>();
        List<Aside<Relay>> relays = new ArrayList<>();
        List<Aside<Void>> peers = new ArrayList<>();
        for (int i = 0; i < 6; i++) {
            Wires wires = Wires.tcp();
            floods.add(wires);
            relays.add(running(Relay.between(wires.first(), wires.second(), options), On.VIRTUAL));
            peers.add(On.PLATFORM.start(() -> flooded(wires.left())));
            peers.add(On.PLATFORM.start(() -> drainedUntilClosed(wires.right())));
        }
        Aside<Void> other = Aside.of(() -> {
            for (int i = 0; i < 20; i++) {
                Thread.sleep(1);
            }
        });
        other.result();
        for (Wires wires : floods) {
            wires.left().close();
        }
        for (Aside<Relay> relay : relays) {
            relay.result();
        }
        for (Wires wires : floods) {
            wires.close();
        }
        for (Aside<Void> peer : peers) {
            peer.result();
        }
    }

    private static Void flooded(SocketChannel channel) {
        ByteBuffer content = ByteBuffer.allocateDirect(1 << 20);
        try {
            while (channel.write(content.clear()) > 0) {}
        } catch (IOException e) {
            assertThat(e).isInstanceOf(ClosedChannelException.class);
        }
        return null;
    }

    private static Void drainedUntilClosed(SocketChannel channel) throws IOException {
        ByteBuffer content = ByteBuffer.allocateDirect(1 << 20);
        while (channel.read(content.clear()) >= 0) {}
        channel.shutdownOutput();
        return null;
    }

    @ParameterizedTest
    @EnumSource
    void aRelayThatIsIdleTooLongSaysSo(On on) throws Exception {
        try (Wires wires = Wires.tcp()) {
            Relay relay = Relay.between(wires.first(), wires.second(), options.idleTimeout(Duration.ofMillis(30)));
            long start = System.nanoTime();
            RelayException e = running(relay, on).failure();
            assertThat(System.nanoTime() - start).isGreaterThanOrEqualTo(30_000_000);
            assertThat(e.reason()).isEqualTo(Reason.IDLE);
            assertThat(e).hasMessageContaining("nothing moved for PT0.03S").hasMessageContaining("source");
        }
    }

    @ParameterizedTest
    @EnumSource
    void whatWasNotDeliveredWhenTheTimeWasOverIsHandedBack(On on) throws Exception {
        byte[] content = bytes(LENGTH, 15);
        try (Wires wires = Wires.unix()) {
            OneWay relay = Relay.oneWay(wires.first(), wires.second(), options.idleTimeout(Duration.ofMillis(200)));
            stall(relay, wires.left(), content);
            RelayException e = on.start(relay::run).failure();
            assertThat(e.reason()).isEqualTo(Reason.IDLE);
            assertThat(e.side()).isEqualTo(Side.SINK);
            isAccountedFor(content, relay, wires.right());
        }
    }

    private static void isAccountedFor(byte[] content, OneWay relay, SocketChannel right) throws IOException {
        byte[] received = receive(right, (int) relay.delivered());
        byte[] rest = relay.undelivered();
        assertThat(received.length + rest.length).isEqualTo((int) relay.taken());
        assertThat(received).isEqualTo(Arrays.copyOf(content, received.length));
        assertThat(rest).isNotEmpty().isEqualTo(Arrays.copyOfRange(content, received.length, (int) relay.taken()));
    }

    @ParameterizedTest
    @EnumSource
    void anInterruptEndsTheRelayAndNothingIsLost(On on) throws Exception {
        byte[] content = bytes(LENGTH, 16);
        try (Wires wires = Wires.unix()) {
            OneWay relay = Relay.oneWay(wires.first(), wires.second(), options);
            stall(relay, wires.left(), content);
            Aside<Long> running = on.start(relay::run).waiting();
            running.interrupt();
            RelayException e = running.failure();
            assertThat(e.reason()).isEqualTo(Reason.INTERRUPTED);
            assertThat(running.endedInterrupted()).isTrue();
            assertThat(wires.first().isOpen()).isTrue();
            isAccountedFor(content, relay, wires.right());
        }
    }

    @ParameterizedTest
    @EnumSource
    void closingAChannelEndsTheRelay(On on) throws Exception {
        try (Wires wires = Wires.tcp()) {
            Aside<Relay> running = running(Relay.between(wires.first(), wires.second(), options), on)
                    .waiting();
            wires.second().close();
            RelayException e = running.failure();
            assertThat(e.reason()).isEqualTo(Reason.CLOSED);
            assertThat(e.peer()).startsWith("socket");
            assertThat(e).hasCauseInstanceOf(ClosedChannelException.class);
            assertThat(all(wires.right())).isEmpty();
        }
    }

    @ParameterizedTest
    @EnumSource
    @SuppressWarnings("try") // closing early is what is tested
    void closingADescriptorEndsTheRelayAtThatSide(On on) throws Exception {
        try (Wires wires = Wires.tcp();
                Fd from = Fd.of(wires.first());
                Fd to = Fd.of(wires.second())) {
            Aside<Long> running = on.start(Relay.oneWay(from, to, options)::run).waiting();
            from.close();
            RelayException e = running.failure();
            assertThat(e.reason()).isEqualTo(Reason.CLOSED);
            assertThat(e.side()).isEqualTo(Side.SOURCE);
        }
    }

    @Test
    void theEndOfAChannelRelayReachesThePeerWhileTheChannelIsOpen() throws Exception {
        try (Wires wires = Wires.tcp()) {
            Aside<Relay> running = running(Relay.between(wires.first(), wires.second(), options), On.PLATFORM);
            wires.left().shutdownOutput();
            assertThat(all(wires.right())).isEmpty();
            wires.right().shutdownOutput();
            assertThat(all(wires.left())).isEmpty();
            running.result();
            assertThat(wires.second().isOpen()).isTrue();
        }
    }

    @Test
    void pipesAreRelayedAndClosedAtTheEnd() throws Exception {
        byte[] content = bytes(SHORT, 17);
        try (Wires wires = Wires.unix();
                Pipe in = Pipe.open();
                Pipe out = Pipe.open();
                Fd first = Fd.of(wires.first());
                Fd second = Fd.of(wires.second())) {
            in.sink().write(ByteBuffer.wrap(content));
            in.sink().close();
            assertThat(Relay.oneWay(in.source(), first, options).run()).isEqualTo(SHORT);
            assertThat(all(wires.left())).isEqualTo(content);
            sendAndEnd(wires.right(), content);
            assertThat(Relay.oneWay(second, out.sink(), options).run()).isEqualTo(SHORT);
            assertThat(out.sink().isOpen()).isFalse();
            assertThat(drained(out)).isEqualTo(content);
        }
    }

    @Test
    void theNullDeviceTakesEverything() throws Exception {
        try (Wires wires = Wires.tcp();
                Fd nothing = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
                Fd from = Fd.of(wires.first())) {
            Aside<Void> left = Aside.of(() -> sendAndEnd(wires.left(), bytes(LENGTH, 18)));
            assertThat(Relay.oneWay(from, nothing, options).run()).isEqualTo(LENGTH);
            left.result();
        }
    }

    @Test
    @DisplayName("lesson 3: the pipe is empty whenever the source is read, so \"would block\" is the source's word")
    void lesson3TheDrainStageIsEnteredWithAnEmptyPipe() throws Exception {
        byte[] content = bytes(LENGTH, 19);
        try (Wires wires = Wires.unix();
                OneWay relay = Relay.oneWay(wires.first(), wires.second(), options)) {
            stall(relay, wires.left(), content);
            // The source has more, yet it is the sink that is waited for, and no event of the source is needed later.
            wires.right().configureBlocking(false);
            ByteBuffer buffer = ByteBuffer.allocate(LENGTH);
            OneWay.Next next = OneWay.Next.SINK_WRITABLE;
            while (next == OneWay.Next.SINK_WRITABLE) {
                assertThat(wires.right().read(buffer)).isPositive();
                next = relay.step();
            }
            assertThat(next).isEqualTo(OneWay.Next.SOURCE_READABLE);
            assertThat(relay.taken()).isEqualTo(relay.delivered());
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("lesson 4: data and hang-up come together; the data is delivered, then the end")
    void lesson4ReadableAndHungUpAtOnce(On on) throws Exception {
        byte[] content = bytes(SHORT, 20);
        try (Wires wires = Wires.unix()) {
            send(wires.left(), content);
            wires.left().close();
            OneWay relay = Relay.oneWay(wires.first(), wires.second(), options);
            assertThat(on.start(relay::run).result()).isEqualTo(SHORT);
            assertThat(all(wires.right())).isEqualTo(content);
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("lesson 4: a peer that hung up while the other stalls is no reason to spin")
    @SuppressWarnings("try") // closing early is what makes the far side end
    void lesson4HungUpPeerIsNoSpin(On on) throws Exception {
        byte[] content = bytes(LENGTH, 21);
        try (Wires wires = Wires.tcp();
                Fd first = Fd.of(wires.first());
                Fd second = Fd.of(wires.second())) {
            Relay relay = Relay.between(first, second, options);
            do {
                flood(wires.left(), content);
            } while (relay.step() != Relay.Next.WAIT || relay.taken(Way.FORTH) == relay.delivered(Way.FORTH));
            reset(wires.left());
            // From here on the first peer reports errors for ever, which can be dealt with only when the second has
            // taken what it was sent.
            Await.until(() -> TcpInfo.isClosed(first.number()), "the reset has come");
            assertThat(relay.step()).isEqualTo(Relay.Next.WAIT);
            assertThat(relay.firstInterest()).isZero();
            assertThat(relay.secondInterest()).isEqualTo(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
            AtomicInteger thread = new AtomicInteger();
            Aside<Relay> running = on.start(() -> {
                        thread.set(Libc.gettid());
                        relay.run();
                        return relay;
                    })
                    .waiting();
            (on == On.VIRTUAL ? Turns.ofCarriers() : Turns.ofThread(thread.get())).awaitNone();
            Aside<Void> right = Aside.of(() -> {
                try {
                    receive(wires.right(), Integer.MAX_VALUE / 64);
                } catch (IOException e) {
                    // the reset that the test's own closing passes on
                }
            });
            assertThat(running.failure().reason()).isEqualTo(Reason.RESET);
            second.close();
            wires.second().close();
            right.result();
        }
    }

    @Test
    @DisplayName("lesson 6: a pipe that was left dirty is never pooled, and the next relay's bytes are its own")
    @SuppressWarnings("try") // closing early is what is tested
    void lesson6DirtyPipesAreNotPooled() throws Exception {
        byte[] content = bytes(LENGTH, 22);
        try (Wires wires = Wires.unix();
                OneWay relay = Relay.oneWay(wires.first(), wires.second(), options)) {
            stall(relay, wires.left(), content);
            relay.close();
            assertThat(pool.idle()).isZero();
            isAccountedFor(content, relay, wires.right());
        }
        try (Wires wires = Wires.unix()) {
            sendAndEnd(wires.left(), bytes(SHORT, 23));
            Relay.oneWay(wires.first(), wires.second(), options).run();
            assertThat(all(wires.right())).isEqualTo(bytes(SHORT, 23));
        }
        assertThat(pool.idle()).isOne();
    }

    @Test
    @DisplayName(
            "lesson 7: everything is released on every path out, and a relay that waits for its source holds no pipe")
    void lesson7NothingIsHeldAfterAFailureNorWhileIdle() throws Exception {
        try (Wires wires = Wires.tcp();
                Relay relay = Relay.between(wires.first(), wires.second(), options)) {
            assertThat(relay.step()).isEqualTo(Relay.Next.WAIT);
            assertThat(pool.idle()).as("pipes that were used and given back").isPositive();
            int pipes = pool.idle();
            send(wires.left(), bytes(SHORT, 24));
            assertThat(relay.step()).isEqualTo(Relay.Next.WAIT);
            assertThat(pool.idle()).isEqualTo(pipes);
            reset(wires.left());
            assertThatThrownBy(() -> Await.until(() -> relay.step() == Relay.Next.DONE, "the reset"))
                    .isInstanceOf(RelayException.class);
            assertThat(pool.idle()).isEqualTo(pipes);
        } // that descriptors are closed is looked at after every test
    }

    @Test
    @DisplayName("lesson 7: pipe descriptors are within the budget: a hundred relays that wait hold none")
    void lesson7RelaysThatWaitHoldNoPipes() throws Exception {
        long before = pipeDescriptors();
        List<Wires> connections = new ArrayList<>();
        List<Aside<Relay>> relays = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            Wires wires = Wires.unix();
            connections.add(wires);
            relays.add(running(Relay.between(wires.first(), wires.second(), options), On.VIRTUAL));
            send(wires.left(), bytes(SHORT, i));
            assertThat(receive(wires.right(), SHORT)).isEqualTo(bytes(SHORT, i));
        }
        for (Aside<Relay> relay : relays) {
            relay.waiting();
        }
        Await.until(() -> pipeDescriptors() - before <= 2L * pool.idle(), "no pipes but those that wait in the pool");
        assertThat(pool.idle()).isBetween(1, 4);
        for (Wires wires : connections) {
            wires.left().shutdownOutput();
            wires.right().shutdownOutput();
        }
        for (Aside<Relay> relay : relays) {
            relay.result();
        }
        for (Wires wires : connections) {
            wires.close();
        }
    }

    private static long pipeDescriptors() throws IOException {
        long pipes = 0;
        for (String number : new File("/proc/self/fd").list()) {
            try {
                Path target = Files.readSymbolicLink(Path.of("/proc/self/fd", number));
                pipes += target.toString().startsWith("pipe:") ? 1 : 0;
            } catch (NoSuchFileException e) {
                // closed meanwhile
            }
        }
        return pipes;
    }

    @ParameterizedTest
    @EnumSource
    void howMuchPassesMakesNoDifferenceToMemory(On on) throws Exception {
        long length = 64L << 20;
        try (Wires wires = Wires.tcp()) {
            Relay relay = Relay.between(wires.first(), wires.second(), options);
            AtomicLong allocated = new AtomicLong();
            Aside<Relay> running = on.start(() -> {
                long before = Allocations.ofThisThread();
                relay.run();
                allocated.set(Allocations.ofThisThread() - before);
                return relay;
            });
            Aside<Void> left = On.PLATFORM.start(() -> {
                ByteBuffer piece = ByteBuffer.allocateDirect(64 << 10);
                for (long sent = 0; sent < length; sent += wires.left().write(piece)) {
                    piece.clear();
                }
                wires.left().shutdownOutput();
                return null;
            });
            Aside<Void> right = On.PLATFORM.start(() -> drainedUntilClosed(wires.right()));
            left.result();
            right.result();
            assertThat(running.result().delivered(Way.FORTH)).isEqualTo(length);
            // Waiting allocates a little; bytes do not.
            assertThat(allocated.get()).isLessThan(length / 4);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 16 << 10, 64 << 10, 256 << 10, 1 << 20})
    @DisplayName("lessons 12 and 13: whatever size of pipe was granted, the bytes are the same")
    void lesson12And13AnySizeOfPipeWill(long capacity) throws Exception {
        byte[] content = bytes(LENGTH, 25);
        try (PipePool other = PipePool.of(2, capacity);
                Wires wires = Wires.tcp()) {
            Aside<Long> running = On.VIRTUAL.start(
                    Relay.oneWay(wires.first(), wires.second(), RelayOptions.DEFAULT.pool(other))::run);
            Aside<Void> left = Aside.of(() -> sendAndEnd(wires.left(), content));
            assertThat(all(wires.right())).isEqualTo(content);
            assertThat(running.result()).isEqualTo(LENGTH);
            left.result();
        }
    }

    @Test
    @DisplayName("lesson 11: what has arrived is sent on at once, whether or not more is coming")
    void lesson11NothingIsHeldBackForMore() throws Exception {
        byte[] content = bytes(SHORT, 31);
        try (Wires wires = Wires.tcp();
                Fd second = Fd.of(wires.second());
                Fd first = Fd.of(wires.first());
                OneWay relay = Relay.oneWay(first, second, options)) {
            // Otherwise a small segment would wait until the one before is acknowledged.
            wires.second().setOption(StandardSocketOptions.TCP_NODELAY, true);
            for (int i = 1; i <= 20; i++) {
                send(wires.left(), content);
                while (relay.delivered() < (long) i * SHORT) {
                    relay.step();
                }
                assertThat(TcpInfo.bytesNotSent(second.number())).isZero();
            }
        }
    }

    @Test
    @DisplayName("lesson 12: a relay that was asked for nothing holds 1 MiB at most, however much comes")
    void lesson12AStalledRelayHoldsNoMoreThanAModeratePipe() throws Exception {
        byte[] content = bytes(LENGTH, 32);
        try (Wires wires = Wires.tcp();
                OneWay relay = Relay.oneWay(wires.first(), wires.second());
                Pipe pipe = PipePool.shared().take()) {
            assumeTrue(pipe.capacity() > 8192, "needs a user who may have large pipes");
            assertThat(pipe.capacity()).isEqualTo(1 << 20);
            // With a sink that is full already, what is held is as much as goes into the pipe.
            flood(wires.second(), content);
            flood(wires.left(), content);
            Await.until(() -> relay.step() == OneWay.Next.SINK_WRITABLE, "a relay that is stalled");
            for (int i = 0; i < 10; i++) {
                flood(wires.left(), content);
                relay.step();
            }
            assertThat(relay.taken() - relay.delivered()).isBetween(1L, 1L << 20);
        } finally {
            PipePool.shared().close();
        }
    }

    @ParameterizedTest
    @EnumSource
    @DisplayName("lesson 18: a relay may begin in mid-stream, with bytes read before and bytes that wait already")
    void lesson18ARelayBeginsInMidStream(On on) throws Exception {
        byte[] content = bytes(SHORT, 26);
        try (Wires wires = Wires.tcp()) {
            send(wires.left(), content);
            assertThat(receive(wires.first(), 10)).isEqualTo(Arrays.copyOf(content, 10));
            send(wires.second(), Arrays.copyOf(content, 10));
            Aside<Long> running = on.start(Relay.oneWay(wires.first(), wires.second(), options)::run);
            assertThat(receive(wires.right(), SHORT)).isEqualTo(content);
            wires.left().shutdownOutput();
            assertThat(running.result()).isEqualTo(SHORT - 10);
        }
    }

    @Test
    void aClosedRelayHandsBackWhatItHeld() throws Exception {
        byte[] content = bytes(LENGTH, 27);
        try (Wires wires = Wires.unix()) {
            OneWay relay = Relay.oneWay(wires.first(), wires.second(), options);
            assertThatThrownBy(relay::undelivered).isInstanceOf(IllegalStateException.class);
            stall(relay, wires.left(), content);
            relay.close();
            relay.close();
            isAccountedFor(content, relay, wires.right());
            RelayException e = catchThrowableOfType(RelayException.class, relay::step);
            assertThat(e.reason()).isEqualTo(Reason.CLOSED);
        }
    }

    @Test
    void whatCannotBeRelayedIsSaidAtOnce(@TempDir Path folder) throws Exception {
        Path path = Files.writeString(folder.resolve("file"), "x");
        try (Wires wires = Wires.tcp();
                Fd socket = Fd.of(wires.first());
                Fd file = Fd.open(path);
                Workbench bench = new Workbench();
                Fd pipe = Fd.borrow(bench.pipe().source());
                DatagramChannel datagrams = DatagramChannel.open();
                ServerSocketChannel server = ServerSocketChannel.open();
                SocketChannel unconnected = SocketChannel.open()) {
            assertThatThrownBy(() -> Relay.oneWay(file, socket))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(path.toString())
                    .hasMessageContaining("Transfer");
            assertThatThrownBy(() -> Relay.oneWay(socket, file)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> Relay.between(socket, pipe))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("one direction");
            assertThatThrownBy(() -> Relay.between(socket, socket)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> Relay.between(wires.second(), datagrams))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> Relay.between(server, wires.second()))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> Relay.between(wires.second(), unconnected))
                    .isInstanceOf(NotYetConnectedException.class);
            assertThatThrownBy(() -> options.idleTimeout(Duration.ZERO)).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> options.pool(null)).isInstanceOf(NullPointerException.class);
            wires.second().close();
            assertThatThrownBy(() -> Relay.between(wires.first(), wires.second()))
                    .isInstanceOf(ClosedChannelException.class);
        }
    }

    @Test
    void aSinkThatIsOnlyReadableIsNamed() throws Exception {
        try (Wires wires = Wires.tcp();
                Workbench bench = new Workbench();
                Fd from = Fd.of(wires.first());
                Fd to = Fd.borrow(bench.pipe().source())) {
            send(wires.left(), bytes(SHORT, 28));
            OneWay relay = Relay.oneWay(from, to, options);
            RelayException e = On.PLATFORM.start(relay::run).failure();
            assertThat(e.reason()).isEqualTo(Reason.FAILED);
            assertThat(e.side()).isEqualTo(Side.SINK);
            assertThat(e).hasMessageContaining("EBADF").hasMessageContaining("open for reading");
            assertThat(relay.undelivered()).isEqualTo(bytes(SHORT, 28));
        }
    }

    @Test
    void eachRelayIsOneEvent(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("recording");
        try (Recording recording = new Recording();
                Wires wires = Wires.tcp()) {
            recording.enable("io.sluice.Relay");
            recording.start();
            Aside<Relay> running = running(Relay.between(wires.first(), wires.second(), options), On.VIRTUAL);
            sendAndEnd(wires.left(), bytes(SHORT, 29));
            sendAndEnd(wires.right(), bytes(2 * SHORT, 30));
            running.result();
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(events).singleElement().satisfies(event -> {
            assertThat(event.getLong("deliveredForth")).isEqualTo(SHORT);
            assertThat(event.getLong("deliveredBack")).isEqualTo(2 * SHORT);
            assertThat(event.getBoolean("bothWays")).isTrue();
            assertThat(event.getString("outcome")).isEqualTo("DONE");
        });
    }
}
