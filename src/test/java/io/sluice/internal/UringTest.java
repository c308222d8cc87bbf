package io.sluice.internal;

import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Results.shown;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.msghdr;
import io.sluice.testing.Allocations;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Rings;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a ring does with this kernel. */
@ExtendWith(ExpectNoLeaks.class)
@ExpectNoLeaks.OfMappings
class UringTest {
    private static final int PAGE = Workbench.PAGE;
    private static final int COMPLETIONS = 16;
    private static final int SMALL = 4096;

    /** More than a socket and its peer keep. */
    private static final int MUCH = 8 << 20;

    private static final long SHORT_NANOS = 1_000_000;

    private final Workbench bench = new Workbench();
    private Uring ring;

    @BeforeEach
    void open() {
        ring = Rings.open(8, COMPLETIONS);
    }

    @AfterEach
    void close() throws Exception {
        ring.close();
        bench.close();
    }

    @Test
    void oneCallHandsOverASendAndWaitsForResultAndNotification() {
        Sockets tcp = bench.tcp();
        MemorySegment page = bench.pages(PAGE, 'A');
        ring.prepareSend(tcp.near(), page.address(), PAGE, 7);
        gives(1, ring.submit(2, Uring.FOREVER));

        gives(PAGE, Rings.take(ring));
        assertThat(ring.hasMore()).isTrue();
        assertThat(ring.isNotification()).isFalse();
        assertThat(ring.inFlight()).isEqualTo(1);
        Rings.take(ring);
        assertThat(ring.tag()).isEqualTo(7);
        assertThat(ring.isNotification()).isTrue();
        assertThat(ring.hasMore()).isFalse();
        assertThat(ring.wasCopied()).as("on loopback").isTrue();
        assertThat(ring.inFlight()).isZero();
        assertThat(bench.readFully(tcp.far(), PAGE)).containsOnly('A');
    }

    @Test
    void whoWaitsForWhatDoesNotComeGivesUpInTime() {
        Sockets tcp = stalled();
        sendMuch(tcp);
        gives(0, ring.submit(1, SHORT_NANOS));
        assertThat(ring.next()).isFalse();
        assertThat(ring.inFlight()).isEqualTo(1);
    }

    @Test
    void notificationComesWhenThePeerHasTaken() {
        Sockets tcp = stalled();
        int sent = sendMuch(tcp);
        byte[] got = bench.readFully(tcp.far(), sent);
        assertThat(got).hasSize(sent).containsOnly('A');
        Rings.await(ring);
        assertThat(ring.isNotification()).isTrue();
        assertThat(ring.inFlight()).isZero();
    }

    @Test
    void aSendThatWouldBlockSaysSoAndNotifies() {
        Sockets tcp = stalled();
        bench.saturate(tcp.near());
        MemorySegment page = bench.pages(PAGE, 'A');
        ring.prepareSend(tcp.near(), page.address(), PAGE, 1);
        fails(Linux.EAGAIN(), Rings.complete(ring, 2));
        assertThat(ring.hasMore()).isTrue();
        Rings.take(ring);
        assertThat(ring.isNotification()).isTrue();
    }

    @Test
    void aSendThatWouldBlockMayNotifyOnlyWithAnEarlierOne() {
        Sockets tcp = new Loopback(bench).sendBuffer(MUCH).receiveBuffer(SMALL).connect();
        bench.write(tcp.near(), new byte[256 << 10]);
        MemorySegment page = bench.pages(PAGE, 'A');
        int sends = 0;
        int result;
        do {
            ring.prepareSend(tcp.near(), page.address(), 16, sends++);
            result = Rings.complete(ring, 1);
        } while (result > 0);
        fails(Linux.EAGAIN(), result);
        int due = ring.inFlight();
        assertThat(due).isGreaterThanOrEqualTo(sends - 1);
        bench.readFully(tcp.far(), (256 << 10) + 16 * (sends - 1));
        for (int i = 0; i < due; i++) {
            Rings.await(ring);
            assertThat(ring.isNotification()).isTrue();
        }
        assertThat(ring.inFlight()).isZero();
    }

    @Test
    void aSendThatFailsMayNotifyAllTheSame() {
        Sockets tcp = bench.tcp();
        gives(0, Libc.shutdown(tcp.near(), Linux.SHUT_WR()));
        MemorySegment page = bench.pages(PAGE, 'A');
        ring.prepareSend(tcp.near(), page.address(), PAGE, 1);
        gives(1, ring.submit(1, Uring.FOREVER));
        fails(Linux.EPIPE(), Rings.take(ring));
        boolean more = ring.hasMore();
        assertThat(ring.inFlight()).isEqualTo(more ? 1 : 0);
        if (more) {
            Rings.await(ring);
            assertThat(ring.isNotification()).isTrue();
            assertThat(ring.inFlight()).isZero();
        }
    }

    @Test
    void aSendThatFailsMayNotNotify() {
        Sockets tcp = bench.tcp();
        MemorySegment page = bench.pages(PAGE, 'A');
        // The kernel wants to report what succeeds, and refuses before it looks at the memory.
        ring.prepareSend(tcp.near(), page.address(), PAGE, 1).request(Linux.IOSQE_CQE_SKIP_SUCCESS());
        fails(Linux.EINVAL(), Rings.complete(ring, 1));
        assertThat(ring.hasMore()).isFalse();
        assertThat(ring.inFlight()).isZero();
        gives(0, ring.submit(1, SHORT_NANOS));
        assertThat(ring.next()).isFalse();
    }

    @Test
    void socketsThatCannotSendSoSayThat() {
        Sockets unix = bench.unix(Linux.SOCK_STREAM());
        MemorySegment page = bench.pages(PAGE, 'A');
        ring.prepareSend(unix.near(), page.address(), PAGE, 1);
        fails(Linux.EOPNOTSUPP(), Rings.complete(ring, 1));
        ring.prepareSend(bench.pipe().sink(), page.address(), PAGE, 2);
        while (ring.next()) {
            assertThat(ring.isNotification()).isTrue();
        }
        fails(Linux.ENOTSOCK(), Rings.complete(ring, 1));
    }

    @Test
    void severalRangesAreOneSendWithOneNotification() {
        Sockets tcp = bench.tcp();
        MemorySegment first = bench.pages(PAGE, 'A');
        MemorySegment second = bench.pages(3L * PAGE, 'B');
        MemorySegment message = bench.buffer(msghdr.sizeof() + 32).fill((byte) 0);
        long[] ranges = {first.address(), PAGE, second.address(), second.byteSize()};
        MemorySegment.copy(ranges, 0, message, ValueLayout.JAVA_LONG, msghdr.sizeof(), ranges.length);
        msghdr.msg_iov(message, message.asSlice(msghdr.sizeof()));
        msghdr.msg_iovlen(message, 2);

        ring.prepareSendMessage(tcp.near(), message.address(), 1);
        gives(4 * PAGE, Rings.complete(ring, 2));
        message.fill((byte) 0xff);
        Rings.take(ring);
        assertThat(ring.isNotification()).isTrue();
        byte[] got = bench.readFully(tcp.far(), 4 * PAGE);
        assertThat(Arrays.copyOf(got, PAGE)).containsOnly('A');
        assertThat(Arrays.copyOfRange(got, PAGE, 4 * PAGE)).containsOnly('B');
    }

    @Test
    void manySendsAreHandedOverInOneCallAndArriveInOrder() {
        Sockets tcp = bench.tcp();
        int sends = ring.room();
        for (int i = 0; i < sends; i++) {
            ring.prepareSend(tcp.near(), bench.pages(PAGE, (char) ('A' + i)).address(), PAGE, i);
        }
        gives(sends, ring.submit(2 * sends, Uring.FOREVER));
        int notifications = 0;
        while (ring.next()) {
            notifications += ring.isNotification() ? 1 : 0;
        }
        assertThat(notifications).isEqualTo(sends);
        assertThat(ring.inFlight()).isZero();
        byte[] got = bench.readFully(tcp.far(), sends * PAGE);
        for (int i = 0; i < sends; i++) {
            assertThat(Arrays.copyOfRange(got, i * PAGE, (i + 1) * PAGE)).containsOnly('A' + i);
        }
    }

    @Test
    void ofLinkedSendsNoneOvertakesOneThatWasCutShort() {
        Sockets tcp = stalled();
        MemorySegment much = bench.pages(MUCH, 'A');
        int flags = Linux.MSG_DONTWAIT() | Linux.MSG_NOSIGNAL() | Linux.MSG_WAITALL();
        ring.prepareSend(tcp.near(), much.address(), MUCH, 0).operation(flags).request(Linux.IOSQE_IO_LINK());
        ring.prepareSend(tcp.near(), much.address(), PAGE, 1).operation(flags);
        gives(2, ring.submit(2, Uring.FOREVER));
        assertThat(Rings.take(ring)).isBetween(1, MUCH - 1);
        assertThat(ring.tag()).isZero();
        fails(Linux.ECANCELED(), Rings.take(ring));
        assertThat(ring.tag()).isEqualTo(1);
    }

    @Test
    void registeredBuffersAreSentFrom() {
        Sockets tcp = bench.tcp();
        MemorySegment pages = bench.pages(4L * PAGE, 'A');
        pages.asSlice(PAGE, PAGE).fill((byte) 'B');
        gives(0, ring.register().buffers(new long[] {pages.address()}, new long[] {pages.byteSize()}));
        ring.prepareSend(tcp.near(), pages.address() + PAGE, 2 * PAGE, 1).buffer(0);
        gives(2 * PAGE, Rings.complete(ring, 2));
        Rings.take(ring);
        byte[] got = bench.readFully(tcp.far(), 2 * PAGE);
        assertThat(Arrays.copyOf(got, PAGE)).containsOnly('B');
        assertThat(Arrays.copyOfRange(got, PAGE, 2 * PAGE)).containsOnly('A');
        gives(0, ring.register().noBuffers());
    }

    @Test
    void aRegisteredBufferGoesOnMeaningPagesThatWereReplaced() {
        Sockets tcp = bench.tcp();
        MemorySegment page = bench.pages(PAGE, 'A');
        gives(0, ring.register().buffers(new long[] {page.address()}, new long[] {PAGE}));
        gives(0, Libc.madvise(page.address(), PAGE, Linux.MADV_DONTNEED()));
        page.fill((byte) 'B');
        ring.prepareSend(tcp.near(), page.address(), PAGE, 1).buffer(0);
        gives(PAGE, Rings.complete(ring, 2));
        assertThat(bench.readFully(tcp.far(), PAGE)).containsOnly('A');
    }

    @Test
    void bytesAreSplicedAndTeed() {
        Ends from = bench.pipeHolding(Workbench.bytes(2 * PAGE));
        Ends to = bench.pipe();
        Ends copy = bench.pipe();
        ring.prepareTee(from.source(), copy.sink(), PAGE, 1);
        gives(PAGE, Rings.complete(ring, 1));
        ring.prepareSplice(from.source(), -1, to.sink(), -1, 2 * PAGE, 2);
        gives(2 * PAGE, Rings.complete(ring, 1));
        assertThat(bench.read(copy.source(), 2 * PAGE)).isEqualTo(Arrays.copyOf(Workbench.bytes(2 * PAGE), PAGE));
        assertThat(bench.read(to.source(), 2 * PAGE)).isEqualTo(Workbench.bytes(2 * PAGE));
    }

    @Test
    void completionsBeyondTheRoomForThemAreKept() {
        int all = 10 * COMPLETIONS;
        for (int i = 0; i < all; i++) {
            ring.prepare(Linux.IORING_OP_NOP(), -1, i);
            gives(1, ring.submit(0, 0));
        }
        for (int i = 0; i < all; i++) {
            gives(0, Rings.take(ring));
            assertThat(ring.tag()).isEqualTo(i);
        }
        assertThat(ring.next()).isFalse();
        assertThat(ring.lost()).isZero();
        assertThat(ring.inFlight()).isZero();
    }

    @Test
    void aRingIsClosedWithRequestsInFlight() throws Exception {
        Ends pipe = bench.pipe();
        Sockets tcp = stalled();
        MemorySegment much = bench.pages(MUCH, 'A');
        ring.prepareSend(tcp.near(), much.address(), MUCH, 1);
        int sent = Rings.complete(ring, 1);
        ring.prepareSplice(pipe.source(), -1, tcp.near(), -1, PAGE, 2);
        gives(1, ring.submit(0, 0));
        assertThat(ring.inFlight()).isEqualTo(2);
        ring.close();
        // Nobody says any more when the kernel is done with the memory. It may be given away, and must not be
        // rewritten.
        bench.unmap(much);
        assertThat(bench.readFully(tcp.far(), sent)).hasSize(sent).containsOnly('A');
        // The splice was cancelled, or nobody could be told that the pipe has no writer any more.
        bench.close(pipe.source());
        Await.until(
                () -> (WaitCalls.poll(pipe.sink(), 0, 0) & Linux.POLLERR()) != 0,
                "the cancelled splice to give up the read end of its pipe");
    }

    @Test
    void whoWaitsForTheRingIsWokenWhenItIsClosed() throws Exception {
        for (boolean virtual : new boolean[] {false, true}) {
            Uring other = Rings.open(1, 2);
            FutureTask<Boolean> waiter = new FutureTask<>(() -> {
                while (other.descriptor().isOpen()) {
                    Waiter.await(other.descriptor(), Linux.POLLIN(), other.descriptor(), Long.MAX_VALUE);
                }
                return true;
            });
            Thread thread = virtual
                    ? Thread.ofVirtual().start(waiter)
                    : Thread.ofPlatform().daemon().start(waiter);
            Await.until(() -> thread.isAlive(), "the waiter");
            other.close();
            assertThat(waiter.get()).isTrue();
        }
    }

    @ParameterizedTest(name = "on a virtual thread: {0}")
    @ValueSource(booleans = {false, true})
    void aThreadWaitsForNotificationsByTheDescriptorOfTheRing(boolean virtual) throws Exception {
        Sockets tcp = stalled();
        int sent = sendMuch(tcp);
        FutureTask<Boolean> waiter = new FutureTask<>(() -> {
            while (!ring.next()) {
                Waiter.await(ring.descriptor(), Linux.POLLIN(), ring.descriptor(), Long.MAX_VALUE);
            }
            return ring.isNotification();
        });
        if (virtual) {
            Thread.ofVirtual().start(waiter);
        } else {
            Thread.ofPlatform().daemon().start(waiter);
        }
        bench.readFully(tcp.far(), sent);
        assertThat(waiter.get()).isTrue();
    }

    @Test
    void theThreadThatSentMayEndBeforeTheNotification() throws Exception {
        Sockets tcp = stalled();
        FutureTask<Integer> sender = new FutureTask<>(() -> sendMuch(tcp));
        Thread thread = Thread.ofPlatform().start(sender);
        thread.join();
        bench.readFully(tcp.far(), sender.get());
        Rings.await(ring);
        assertThat(ring.isNotification()).isTrue();
    }

    @Test
    void aNotificationComesThoughTheThreadThatSentComputesOn() throws Exception {
        Sockets tcp = stalled();
        AtomicInteger sent = new AtomicInteger();
        AtomicBoolean notified = new AtomicBoolean();
        FutureTask<Boolean> sender = new FutureTask<>(() -> {
            sent.set(sendMuch(tcp));
            while (!notified.get()) {
                Thread.onSpinWait();
            }
            return true;
        });
        Thread.ofPlatform().daemon().start(sender);
        Await.until(() -> sent.get() > 0, "the send");
        bench.readFully(tcp.far(), sent.get());
        while (!ring.next()) {
            Waiter.await(ring.descriptor(), Linux.POLLIN(), ring.descriptor(), Long.MAX_VALUE);
        }
        assertThat(ring.isNotification()).isTrue();
        notified.set(true);
        assertThat(sender.get()).isTrue();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"EPERM, 1", "ENOSYS, 38"})
    void whereSetupIsDeniedThereIsNoRing(String name, int errno) throws Exception {
        Seccomp.refusing(Map.of(SystemCall.IO_URING_SETUP, errno), () -> {
            assertThatThrownBy(() -> Uring.open(8, COMPLETIONS))
                    .isInstanceOfSatisfying(UringFailedException.class, e -> {
                        assertThat(e.errno()).isEqualTo(errno);
                        assertThat(e.call()).isEqualTo("io_uring_setup");
                        assertThat(e).hasMessageStartingWith("io_uring_setup: " + name + " (");
                    });
            return null;
        });
    }

    @Test
    void whereEnteringIsDeniedNothingIsInFlight() throws Exception {
        int denied = Seccomp.refusing(Map.of(SystemCall.IO_URING_ENTER, Linux.EPERM()), () -> {
            ring.prepare(Linux.IORING_OP_NOP(), -1, 1);
            return ring.submit(1, Uring.FOREVER);
        });
        fails(Linux.EPERM(), denied);
        assertThat(ring.inFlight()).isZero();
        ring.prepare(Linux.IORING_OP_NOP(), -1, 2);
        gives(0, Rings.complete(ring, 1));
        assertThat(ring.tag()).isEqualTo(2);
        assertThat(ring.next()).isFalse();
    }

    @Test
    void whereRegisteringIsDeniedNoOperationIsKnown() throws Exception {
        boolean known = Seccomp.refusing(
                Map.of(SystemCall.IO_URING_REGISTER, Linux.EPERM()),
                () -> ring.register().knows(Linux.IORING_OP_NOP()));
        assertThat(known).isFalse();
        assertThat(ring.register().knows(Linux.IORING_OP_NOP(), Linux.IORING_OP_SEND_ZC()))
                .isTrue();
        assertThat(ring.register().knows(255)).isFalse();
    }

    @Test
    void inTheSteadyStateNothingIsAllocated() throws Exception {
        Sockets tcp = bench.tcp();
        MemorySegment page = bench.pages(SMALL, 'A');
        MemorySegment into = bench.buffer(SMALL);
        Allocations.awaitNone(() -> {
            ring.prepareSend(tcp.near(), page.address(), SMALL, 1);
            ring.submit(1, Uring.FOREVER);
            // Loopback too reports a send only once it is acknowledged, which the peer delays until he reads.
            Syscalls.read(tcp.far(), into, SMALL);
            while (ring.inFlight() > 0) {
                if (!ring.next()) {
                    ring.submit(1, Uring.FOREVER);
                }
            }
        });
    }

    /** A connection whose peer does not read, and takes little. */
    private Sockets stalled() {
        return new Loopback(bench).sendBuffer(SMALL).receiveBuffer(SMALL).connect();
    }

    /** Sends more than the peer takes, so that the notification is due until he reads; returns how much was sent. */
    private int sendMuch(Sockets tcp) {
        MemorySegment much = bench.pages(MUCH, 'A');
        ring.prepareSend(tcp.near(), much.address(), MUCH, 1);
        int sent = Rings.complete(ring, 1);
        assertThat(sent).as(shown(sent)).isBetween(1, MUCH - 1);
        assertThat(ring.hasMore()).isTrue();
        return sent;
    }
}
