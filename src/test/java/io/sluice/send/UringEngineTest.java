package io.sluice.send;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.internal.Hold;
import io.sluice.internal.Ledger.Place;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Rings;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Sends through io_uring: what is held, until when, and what is copied instead. */
@ExtendWith(ExpectNoLeaks.class)
@ExpectNoLeaks.OfMappings
class UringEngineTest {
    private static final int PAGE = Workbench.PAGE;
    private static final int BUFFER = 4096;

    /** More than a window and what a socket keeps. */
    private static final int HELD_UP = 256 << 10;

    private static final int MUCH = 1 << 20;

    private final Workbench bench = new Workbench();
    private final List<Hold> told = new ArrayList<>();
    private @Nullable Fd socket;
    private @Nullable UringEngine engine;

    @BeforeEach
    void assumeAllowed() {
        Rings.assumeAllowed();
    }

    @AfterEach
    void close() throws Exception {
        if (engine != null) {
            engine.close();
            socket.close();
        }
        bench.close();
    }

    @Test
    @DisplayName("lesson 17: a hold ends with the second completion, and not with the first")
    void aHoldEndsWithTheNotification() throws Exception {
        Sockets tcp = heldUp();
        MemorySegment memory = bench.pages(PAGE, 'A');
        assertThat(engine.send(memory.address(), PAGE, told::add)).isEqualTo(PAGE);
        assertThat(told).hasSize(1);
        assertThat(told.getFirst().place()).isEqualTo(Place.IN_PIPE);
        assertThat(engine.reap()).isZero();

        bench.readFully(tcp.far(), HELD_UP);
        Await.until(() -> told.getFirst().place() == Place.RELEASED, "the notification");
        memory.fill((byte) 'B');
        assertThat(bench.readFully(tcp.far(), PAGE)).containsOnly('A');
        assertThat(told.getFirst().isCopied()).as("on loopback").isTrue();
        assertThat(told.getFirst().means()).isEqualTo(Hold.Means.SEND_ZC);
    }

    @Test
    void aSocketWithoutRoomHoldsNothing() throws Exception {
        Sockets tcp = over(
                new Loopback(bench).sendBuffer(BUFFER).receiveBuffer(BUFFER).connect());
        bench.saturate(tcp.near());
        MemorySegment memory = bench.pages(PAGE, 'A');
        assertThat(engine.send(memory.address(), PAGE, told::add)).isZero();
        assertThat(told).isEmpty();
        assertThat(engine.isInVain()).isFalse();
    }

    @Test
    @DisplayName("lesson 17: failed sends may notify too")
    void aSendThatFailsHoldsNothing() throws Exception {
        Sockets tcp = over(bench.tcp());
        Libc.shutdown(tcp.near(), Linux.SHUT_WR());
        MemorySegment memory = bench.pages(PAGE, 'A');
        for (int i = 0; i < 3; i++) {
            assertThatThrownBy(() -> engine.send(memory.address(), PAGE, told::add))
                    .isInstanceOfSatisfying(ErrnoException.class, e -> {
                        assertThat(e.name()).isEqualTo("EPIPE");
                        assertThat(e).hasMessageContaining("4096 bytes, IORING_OP_SEND_ZC");
                    });
        }
        assertThat(told).isEmpty();
        assertThat(engine.reap()).isZero();
    }

    @Test
    void aSocketThatCannotSendSoIsWrittenTo() throws Exception {
        Sockets unix = over(bench.unix(Linux.SOCK_STREAM()));
        MemorySegment memory = bench.pages(PAGE, 'A');
        assertThat(engine.send(memory.address(), PAGE, told::add)).isEqualTo(PAGE);
        assertThat(told).containsExactly(CopiedHold.INSTANCE);
        assertThat(engine.isInVain()).isTrue();
        assertThat(bench.readFully(unix.far(), PAGE)).containsOnly('A');
        @Nullable Hold[] holds = new Hold[1];
        assertThat(engine.send(new long[] {memory.address()}, new long[] {PAGE}, holds))
                .isEqualTo(PAGE);
        assertThat(holds).containsExactly(CopiedHold.INSTANCE);
        assertThat(bench.readFully(unix.far(), PAGE)).containsOnly('A');
    }

    @Test
    void severalRangesShareOneHold() throws Exception {
        Sockets tcp = heldUp();
        long[] addresses = {
            bench.pages(PAGE, 'A').address(), bench.pages(PAGE, 'B').address()
        };
        @Nullable Hold[] holds = new Hold[2];
        assertThat(engine.send(addresses, new long[] {PAGE, PAGE}, holds)).isEqualTo(2 * PAGE);
        assertThat(holds[0]).isNotNull().isSameAs(holds[1]);
        assertThat(holds[0].place()).isEqualTo(Place.IN_PIPE);
        bench.readFully(tcp.far(), HELD_UP);
        byte[] got = bench.readFully(tcp.far(), 2 * PAGE);
        assertThat(Arrays.copyOf(got, PAGE)).containsOnly('A');
        assertThat(Arrays.copyOfRange(got, PAGE, 2 * PAGE)).containsOnly('B');
        Await.until(() -> holds[0].place() == Place.RELEASED, "the notification");
    }

    @Test
    void moreRangesThanOneCallTakesAreSentInPart() throws Exception {
        Sockets tcp = over(bench.tcp());
        long[] addresses = new long[40];
        long[] lengths = new long[40];
        Arrays.fill(addresses, bench.pages(PAGE, 'A').address());
        Arrays.fill(lengths, 10);
        @Nullable Hold[] holds = new Hold[40];
        long n = engine.send(addresses, lengths, holds);
        assertThat(n).isPositive().isLessThan(400).matches(sent -> sent % 10 == 0, "whole ranges");
        assertThat(holds[(int) n / 10 - 1]).isNotNull();
        assertThat(holds[(int) n / 10]).isNull();
        assertThat(bench.readFully(tcp.far(), (int) n)).containsOnly('A');
    }

    @Test
    void beyondWhatTheRingHasRoomForIsCopied() throws Exception {
        Sockets tcp = new Loopback(bench).sendBuffer(MUCH).receiveBuffer(BUFFER).connect();
        socket = Fd.borrow(tcp.near());
        engine = UringEngine.open(socket, 16);
        bench.write(tcp.near(), new byte[HELD_UP]);
        MemorySegment memory = bench.pages(PAGE, 'A');
        int sends = 30;
        for (int i = 0; i < sends; i++) {
            assertThat(engine.send(memory.address(), 16, told::add)).isEqualTo(16);
        }
        assertThat(told.subList(0, 14)).allMatch(hold -> hold.place() == Place.IN_PIPE);
        assertThat(told.subList(14, sends)).containsOnly(CopiedHold.INSTANCE);
        bench.readFully(tcp.far(), HELD_UP);
        assertThat(bench.readFully(tcp.far(), 16 * sends)).hasSize(16 * sends).containsOnly('A');
        Await.until(() -> told.stream().allMatch(hold -> hold.place() == Place.RELEASED), "all notifications");
    }

    @Test
    @DisplayName("lesson 17: a send that failed may notify late, and is held until then")
    void aSocketFilledByManySmallSendsHoldsWhateverIsDue() throws Exception {
        Sockets tcp = heldUp();
        MemorySegment memory = bench.pages(PAGE, 'A');
        int sends = 0;
        long n;
        while ((n = engine.send(memory.address(), 16, told::add)) > 0) {
            assertThat(n).isEqualTo(16);
            sends++;
        }
        assertThat(sends).isGreaterThan(20);
        assertThat(engine.send(memory.address(), 16, told::add)).isZero();
        assertThat(engine.isInVain()).isFalse();
        bench.readFully(tcp.far(), HELD_UP);
        assertThat(bench.readFully(tcp.far(), 16 * sends)).hasSize(16 * sends).containsOnly('A');
        Await.until(() -> told.stream().allMatch(hold -> hold.place() == Place.RELEASED), "all notifications");
    }

    @Test
    void allWhoWaitSeeTheNotificationWhoeverTakesIt() throws Exception {
        Sockets tcp = heldUp();
        MemorySegment memory = bench.pages(PAGE, 'A');
        engine.send(memory.address(), PAGE, told::add);
        SentHold hold = (SentHold) told.getFirst();
        CountDownLatch started = new CountDownLatch(4);
        List<FutureTask<Place>> waiters = new ArrayList<>();
        for (int i = 0; i < 4; i++) {
            FutureTask<Place> waiter = new FutureTask<>(() -> {
                started.countDown();
                while (!hold.isSettled()) {
                    hold.awaitChange(Long.MAX_VALUE);
                }
                return hold.place();
            });
            waiters.add(waiter);
            if (i % 2 == 0) {
                Thread.ofVirtual().start(waiter);
            } else {
                Thread.ofPlatform().daemon().start(waiter);
            }
        }
        started.await();
        bench.readFully(tcp.far(), HELD_UP + PAGE);
        for (FutureTask<Place> waiter : waiters) {
            assertThat(waiter.get()).isEqualTo(Place.RELEASED);
        }
    }

    @Test
    void whatIsDueWhenItIsClosedIsRetired() throws Exception {
        Sockets tcp = heldUp();
        MemorySegment memory = bench.pages(PAGE, 'A');
        engine.send(memory.address(), PAGE, told::add);
        engine.close();
        engine.close();
        assertThat(told.getFirst().place()).isEqualTo(Place.FORWARDED);
        assertThat(engine.reap()).isZero();
        told.getFirst().awaitChange(Long.MAX_VALUE);
        assertThatThrownBy(() -> engine.send(memory.address(), PAGE, told::add))
                .isInstanceOf(ClosedChannelException.class);
        bench.unmap(memory);
        bench.readFully(tcp.far(), HELD_UP);
        assertThat(bench.readFully(tcp.far(), PAGE)).containsOnly('A');
    }

    @Test
    void theNotificationComesAlsoAfterTheSocketWasClosed() throws Exception {
        Sockets tcp = heldUp();
        MemorySegment memory = bench.pages(PAGE, 'A');
        engine.send(memory.address(), PAGE, told::add);
        socket.close();
        bench.close(tcp.near());
        assertThatThrownBy(() -> engine.send(memory.address(), PAGE, told::add))
                .isInstanceOf(ClosedChannelException.class);
        assertThat(told.getFirst().place()).isEqualTo(Place.IN_PIPE);
        bench.close(tcp.far());
        Await.until(() -> told.getFirst().place() == Place.RELEASED, "the connection to be reset");
    }

    @ParameterizedTest(name = "{0} refused with {1}")
    @CsvSource({"IO_URING_SETUP, 1", "IO_URING_SETUP, 38", "IO_URING_REGISTER, 1"})
    void whereItIsDeniedThereIsNoEngine(SystemCall call, int errno) throws Exception {
        socket = Fd.borrow(bench.tcp().near());
        engine = Seccomp.refusing(Map.of(call, errno), () -> UringEngine.open(socket));
        assertThat(engine).isNull();
        socket.close();
    }

    @ParameterizedTest(name = "errno {0}")
    @CsvSource({"1", "38", "12"})
    void whereEnteringIsRefusedLaterBytesAreCopied(int errno) throws Exception {
        Sockets tcp = over(bench.tcp());
        MemorySegment memory = bench.pages(PAGE, 'A');
        long sent = Seccomp.refusing(
                Map.of(SystemCall.IO_URING_ENTER, errno), () -> engine.send(memory.address(), PAGE, told::add));
        assertThat(sent).isEqualTo(PAGE);
        assertThat(told).containsExactly(CopiedHold.INSTANCE);
        assertThat(engine.isInVain()).isEqualTo(errno != Linux.ENOMEM());
        assertThat(bench.readFully(tcp.far(), PAGE)).containsOnly('A');
    }

    /** A connection on which nothing arrives before the peer has read {@link #HELD_UP} bytes. */
    private Sockets heldUp() throws IOException {
        Sockets tcp =
                over(new Loopback(bench).sendBuffer(MUCH).receiveBuffer(BUFFER).connect());
        bench.write(tcp.near(), new byte[HELD_UP]);
        return tcp;
    }

    private Sockets over(Sockets sockets) throws IOException {
        socket = Fd.borrow(sockets.near());
        engine = UringEngine.open(socket);
        return sockets;
    }
}
