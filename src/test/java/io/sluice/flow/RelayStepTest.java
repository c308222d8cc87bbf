package io.sluice.flow;

import static io.sluice.flow.Bytes.all;
import static io.sluice.flow.Bytes.bytes;
import static io.sluice.flow.Wires.reset;
import static io.sluice.flow.Wires.send;
import static io.sluice.flow.Wires.sendAndEnd;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.sluice.Fd;
import io.sluice.flow.Aside.On;
import io.sluice.flow.RelayException.Reason;
import io.sluice.internal.Syscalls;
import io.sluice.testing.Allocations;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Relays driven by event loops: a step never waits, and says what to wait for. */
class RelayStepTest {
    private static final int LENGTH = 5_000_001;
    private static final int PATIENCE_SECONDS = 60;

    private final PipePool pool = PipePool.of(8, 64 << 10);
    private final RelayOptions options = RelayOptions.DEFAULT.pool(pool);

    @AfterEach
    void closePool() throws IOException {
        pool.close();
    }

    @Test
    void eachStepSaysWhichSideToWaitFor() throws Exception {
        try (Wires wires = Wires.unix();
                OneWay relay = Relay.oneWay(wires.first(), wires.second(), options)) {
            assertThat(relay.step()).isEqualTo(OneWay.Next.SOURCE_READABLE);
            send(wires.left(), bytes(10, 1));
            assertThat(relay.step()).isEqualTo(OneWay.Next.SOURCE_READABLE);
            assertThat(relay.delivered()).isEqualTo(10);
            wires.left().configureBlocking(false);
            OneWay.Next next;
            do {
                wires.left().write(ByteBuffer.allocate(64 << 10));
                next = relay.step();
            } while (next == OneWay.Next.SOURCE_READABLE);
            assertThat(next).isEqualTo(OneWay.Next.SINK_WRITABLE);
            wires.left().shutdownOutput();
            Aside<byte[]> right = On.VIRTUAL.start(() -> all(wires.right()));
            while (next != OneWay.Next.DONE) {
                next = relay.step();
            }
            assertThat(right.result()).hasSize((int) relay.taken());
            assertThat(relay.step()).isEqualTo(OneWay.Next.DONE);
        }
    }

    @Test
    void bothWaysEachPeerHasItsInterest() throws Exception {
        try (Wires wires = Wires.unix();
                Relay relay = Relay.between(wires.first(), wires.second(), options)) {
            assertThat(relay.step()).isEqualTo(Relay.Next.WAIT);
            assertThat(relay.firstInterest()).isEqualTo(SelectionKey.OP_READ);
            assertThat(relay.secondInterest()).isEqualTo(SelectionKey.OP_READ);
            wires.left().configureBlocking(false);
            do {
                wires.left().write(ByteBuffer.allocate(64 << 10));
                relay.step();
            } while (relay.firstInterest() == SelectionKey.OP_READ);
            assertThat(relay.firstInterest()).isZero();
            assertThat(relay.secondInterest()).isEqualTo(SelectionKey.OP_READ | SelectionKey.OP_WRITE);
            sendAndEnd(wires.right(), bytes(10, 2));
            relay.step();
            assertThat(relay.secondInterest()).isEqualTo(SelectionKey.OP_WRITE);
            assertThat(relay.delivered(Way.BACK)).isEqualTo(10);
        }
    }

    @Test
    void aFloodIsMovedInBoundedSteps() throws Exception {
        try (PipePool small = PipePool.of(1, 16 << 10);
                Wires wires = Wires.tcp();
                OneWay relay = Relay.oneWay(wires.first(), wires.second(), RelayOptions.DEFAULT.pool(small))) {
            wires.left().configureBlocking(false);
            Wires.flood(wires.left(), bytes(LENGTH, 3));
            assertThat(relay.step()).isEqualTo(OneWay.Next.AGAIN);
            assertThat(relay.delivered()).isPositive();
        }
    }

    @Test
    void theIdleTimeoutIsFoundByTheStepThatIsDue() throws Exception {
        try (Wires wires = Wires.tcp();
                Relay relay = Relay.between(wires.first(), wires.second(), options.idleTimeout(Duration.ofNanos(1)))) {
            assertThat(relay.step()).isEqualTo(Relay.Next.WAIT);
            assertThat(relay.nanosToIdle()).isBetween(0L, 1L);
            RelayException e = catchThrowableOfType(RelayException.class, relay::step);
            assertThat(e.reason()).isEqualTo(Reason.IDLE);
            assertThatThrownBy(relay::step).isSameAs(e);
        }
        try (Wires wires = Wires.tcp();
                Relay relay = Relay.between(wires.first(), wires.second(), options)) {
            relay.step();
            assertThat(relay.nanosToIdle()).isEqualTo(Long.MAX_VALUE);
        }
    }

    @Test
    void aStepAllocatesNothing() throws Exception {
        try (Workbench bench = new Workbench()) {
            Workbench.Sockets left = bench.tcp();
            Workbench.Sockets right = bench.tcp();
            bench.setNonBlocking(right.far(), true);
            MemorySegment memory = bench.buffer(1000);
            try (Fd first = Fd.borrow(left.far());
                    Fd second = Fd.borrow(right.near());
                    Relay relay = Relay.between(first, second, options.idleTimeout(Duration.ofHours(1)))) {
                Allocations.awaitNoneBut(10, () -> {
                    Syscalls.write(left.near(), memory, 1000);
                    step(relay);
                    while (Syscalls.read(right.far(), memory, 1000) > 0) {}
                });
                assertThat(relay.delivered(Way.FORTH)).isPositive();
            }
        }
    }

    private static void step(Relay relay) {
        try {
            relay.step();
        } catch (RelayException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Drives relays as any program with a selector would. */
    private static final class Loop {
        private final Selector selector = Selector.open();

        Loop() throws IOException {}

        void drive(Relay relay, SocketChannel first, SocketChannel second) throws IOException {
            first.configureBlocking(false);
            second.configureBlocking(false);
            SelectionKey firstKey = first.register(selector, 0);
            SelectionKey secondKey = second.register(selector, 0);
            try (selector) {
                for (Relay.Next next; (next = relay.step()) != Relay.Next.DONE; ) {
                    firstKey.interestOps(relay.firstInterest());
                    secondKey.interestOps(relay.secondInterest());
                    if (next == Relay.Next.WAIT) {
                        selector.select(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
                        selector.selectedKeys().clear();
                    }
                }
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void aSelectorDrivesIt(Wires.Over over) throws Exception {
        byte[] there = bytes(LENGTH, 4);
        byte[] back = bytes(LENGTH, 5);
        try (Wires wires = over.open()) {
            Relay relay = Relay.between(wires.first(), wires.second(), options);
            Aside<Void> loop = Aside.of(() -> new Loop().drive(relay, wires.first(), wires.second()));
            Aside<Void> left = Aside.of(() -> sendAndEnd(wires.left(), there));
            Aside<Void> right = Aside.of(() -> sendAndEnd(wires.right(), back));
            Aside<byte[]> atLeft = On.VIRTUAL.start(() -> all(wires.left()));
            assertThat(all(wires.right())).isEqualTo(there);
            assertThat(atLeft.result()).isEqualTo(back);
            left.result();
            right.result();
            loop.result();
        }
    }

    @Test
    void aSelectorSeesAReset() throws Exception {
        try (Wires wires = Wires.tcp()) {
            Relay relay = Relay.between(wires.first(), wires.second(), options);
            Aside<Void> loop = Aside.of(() -> new Loop().drive(relay, wires.first(), wires.second()));
            reset(wires.right());
            RelayException e = loop.failure();
            assertThat(e.reason()).isEqualTo(Reason.RESET);
            assertThat(e.way()).isEqualTo(Way.BACK);
        }
    }

    @Test
    @DisplayName("lesson 18: an event loop takes over in mid-stream, from bytes that came before, on any event loop")
    void lesson18AnEventLoopTakesOverInMidStream() throws Exception {
        try (Wires wires = Wires.tcp()) {
            send(wires.left(), bytes(LENGTH / 100, 6));
            wires.left().shutdownOutput();
            wires.right().shutdownOutput();
            Relay relay = Relay.between(wires.first(), wires.second(), options);
            Aside<Void> loop = Aside.of(() -> new Loop().drive(relay, wires.first(), wires.second()));
            assertThat(all(wires.right())).isEqualTo(bytes(LENGTH / 100, 6));
            loop.result();
        }
    }
}
