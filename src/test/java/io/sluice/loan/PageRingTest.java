package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Pipe;
import io.sluice.testing.Allocations;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What is published comes out as it was, whoever reads; and pages are used again only where nobody has them. */
@ExpectNoLeaks.OfMappings
class PageRingTest {
    private static final int SLOT = 4 * PAGE;

    private Pipe pipe;
    private PageRing ring;

    @BeforeEach
    void open() throws IOException {
        pipe = Pipe.open();
        ring = PageRing.over(pipe.sink(), SLOT, 3);
    }

    @AfterEach
    void close() throws IOException {
        ring.close();
        pipe.close();
    }

    @Test
    void saysWhatItIsMadeOfAndWhereItLeads() throws Exception {
        ring.acquire();
        ring.publish(SLOT);
        assertThat(ring).hasToString("ring of 3 slots of " + SLOT + " bytes → " + pipe.sink());
    }

    @Test
    void aSlotIsOpenFromAcquireToPublish() throws Exception {
        MemorySegment slot = ring.acquire();
        assertThat(slot.byteSize()).isEqualTo(SLOT);
        assertThat(ring.acquire()).isEqualTo(slot);
        fill(slot);
        ring.publish(SLOT);
        Scene.closed(() -> slot.fill((byte) 1));
        Scene.holds(pipe.source(), 0, SLOT);
    }

    @Test
    void tryingToPublishSendsWhatFitsAndTheRestLater() throws Exception {
        Scene.assumePagesAreReferenced();
        assertThat(pipe.sink().capacity(2L * PAGE)).isEqualTo(2L * PAGE);
        MemorySegment slot = ring.acquire();
        fill(slot);
        assertThat(ring.tryPublish(SLOT)).isFalse();
        assertThat(ring.sent()).isEqualTo(2L * PAGE);
        Scene.closed(() -> slot.fill((byte) 1));
        assertThatIllegalStateException().isThrownBy(ring::acquire).withMessageContaining("partly");
        assertThatIllegalArgumentException().isThrownBy(() -> ring.tryPublish(SLOT - 1));
        Scene.holds(pipe.source(), 0, 2 * PAGE);
        assertThat(ring.tryPublish(SLOT)).isTrue();
        Scene.holds(pipe.source(), 2 * PAGE, SLOT);
        assertThat(ring.tryAcquire()).isPresent();
    }

    @Test
    void whatWasPublishedInPartWithoutWaitingIsCompletedByWaiting() throws Exception {
        assertThat(pipe.sink().capacity(2L * PAGE)).isEqualTo(2L * PAGE);
        fill(ring.acquire());
        assertThat(ring.tryPublish(SLOT)).isFalse();
        Scene.holds(pipe.source(), 0, (int) ring.sent());
        long before = ring.sent();
        ring.publish(SLOT);
        assertThat(ring.sent()).isZero();
        Scene.holds(pipe.source(), (int) before, SLOT);
    }

    @Test
    void tryingToPublishWithoutRoomLeavesTheSlotOpen() throws Exception {
        Scene.assumePagesAreReferenced();
        assertThat(pipe.sink().capacity(4L * PAGE)).isEqualTo(4L * PAGE);
        fill(ring.acquire());
        ring.publish(SLOT);
        MemorySegment slot = ring.acquire();
        fill(slot);
        assertThat(ring.tryPublish(SLOT)).isFalse();
        assertThat(ring.acquire()).isEqualTo(slot);
        slot.set(JAVA_BYTE, 0, slot.get(JAVA_BYTE, 0));
        Scene.holds(pipe.source(), 0, SLOT);
        assertThat(ring.tryPublish(SLOT)).isTrue();
    }

    @Test
    void aSlotComesBackInPlaceWhenItsReaderCopied() throws Exception {
        long[] addresses = new long[3];
        for (int i = 0; i < 12; i++) {
            MemorySegment slot = ring.acquire();
            if (i < 3) {
                addresses[i] = slot.address();
                fill(slot);
            }
            assertThat(slot.address()).isEqualTo(addresses[i % 3]);
            Scene.isOpenInPlace(slot);
            ring.publish(SLOT);
            Scene.holds(pipe.source(), 0, SLOT);
        }
    }

    @Test
    void aSlotComesBackFreshWhenItsReaderPassedItOn() throws Exception {
        Scene.assumePagesAreReferenced();
        try (Pipe second = Pipe.open()) {
            second.capacity(1 << 20);
            for (int i = 0; i < 3; i++) {
                fill(ring.acquire());
                ring.publish(SLOT);
                assertThat(pipe.source().spliceTo(second.sink(), SLOT)).isEqualTo(SLOT);
            }
            for (int i = 0; i < 3; i++) {
                MemorySegment slot = ring.acquire();
                assertThat(slot.toArray(JAVA_BYTE)).containsOnly(0);
                ring.publish(SLOT);
                assertThat(pipe.source().spliceTo(second.sink(), SLOT)).isEqualTo(SLOT);
                slot = ring.acquire();
                assertThat(slot.byteSize()).isEqualTo(SLOT);
            }
            for (int i = 0; i < 3; i++) {
                Scene.holds(second.source(), 0, SLOT);
            }
            assertThat(Scene.read(second.source(), 3 * SLOT)).containsOnly(0);
        }
    }

    @Test
    void littleIsCopiedAndLeavesTheSlotAcquired() throws Exception {
        MemorySegment slot = ring.acquire();
        fill(slot);
        for (int n : new int[] {1, 100, PAGE}) {
            ring.publish(n);
            assertThat(ring.acquire()).isEqualTo(slot);
        }
        slot.fill((byte) 1);
        Scene.holds(pipe.source(), 0, 1);
        Scene.holds(pipe.source(), 0, 100);
        Scene.holds(pipe.source(), 0, PAGE);
        ring.publish(0);
        assertThat(ring.acquire()).isEqualTo(slot);
        assertThat(pipe.available()).isZero();
    }

    @Test
    void whatDoesNotFitIsRefused() throws Exception {
        assertThatIllegalArgumentException().isThrownBy(() -> PageRing.over(pipe.sink(), PAGE - 1, 2));
        assertThatIllegalArgumentException().isThrownBy(() -> PageRing.over(pipe.sink(), PAGE, 1));
        assertThatIllegalStateException().isThrownBy(() -> ring.publish(1)).withMessageContaining("acquire()");
        MemorySegment slot = ring.acquire();
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> ring.publish(SLOT + 1));
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> ring.publish(-1));
        fill(slot);
        ring.publish(SLOT);
        assertThatIllegalStateException().isThrownBy(() -> ring.publish(1));
        Scene.holds(pipe.source(), 0, SLOT);
    }

    @Test
    void closingLeavesWhatIsInFlight() throws Exception {
        for (int i = 0; i < 3; i++) {
            fill(ring.acquire());
            ring.publish(SLOT);
        }
        ring.close();
        ring.close();
        assertThatIllegalStateException().isThrownBy(ring::acquire);
        assertThatIllegalStateException().isThrownBy(() -> ring.publish(1));
        assertThat(pipe.sink().isOpen()).isTrue();
        try (PageArena other = PageArena.open()) {
            other.allocate(1 << 20).fill((byte) 1);
            for (int i = 0; i < 3; i++) {
                Scene.holds(pipe.source(), 0, SLOT);
            }
        }
    }

    @Test
    void aSlotIsHadWithoutWaitingOrNotAtAll() throws Exception {
        Scene.assumePagesAreReferenced();
        for (int i = 0; i < 3; i++) {
            fill(ring.tryAcquire().orElseThrow());
            ring.publish(SLOT);
        }
        assertThat(ring.tryAcquire()).isEmpty();
        Allocations.awaitNoneBut(1, () -> {
            if (ring.tryAcquire().isPresent()) {
                throw new AssertionError("nothing was read");
            }
        });
        assertThatIllegalStateException().isThrownBy(() -> ring.publish(1)).withMessageContaining("acquire()");
        Scene.holds(pipe.source(), 0, SLOT);
        MemorySegment slot = ring.tryAcquire().orElseThrow();
        Scene.isOpenInPlace(slot);
        assertThat(ring.acquire()).isEqualTo(slot);
        ring.publish(SLOT);
        assertThat(ring.tryAcquire()).isEmpty();
    }

    @Test
    void aSlotThatWasPassedOnIsHadFreshWithoutWaiting() throws Exception {
        try (Pipe second = Pipe.open()) {
            for (int i = 0; i < 3; i++) {
                fill(ring.tryAcquire().orElseThrow());
                ring.publish(SLOT);
            }
            assertThat(pipe.source().spliceTo(second.sink(), SLOT)).isEqualTo(SLOT);
            MemorySegment slot = ring.tryAcquire().orElseThrow();
            Scene.isFresh(slot);
            slot.fill((byte) 1);
            Scene.holds(second.source(), 0, SLOT);
        }
    }

    @Test
    void waitingForASlotIsInterruptible() throws Exception {
        Scene.assumePagesAreReferenced();
        for (int i = 0; i < 3; i++) {
            fill(ring.acquire());
            ring.publish(SLOT);
        }
        Thread.currentThread().interrupt();
        assertThatThrownBy(ring::acquire).isInstanceOf(InterruptedException.class);
        OutputStream stream = ring.outputStream();
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> stream.write(1)).isInstanceOf(InterruptedIOException.class);
        assertThat(Thread.interrupted()).isTrue();
        for (int i = 0; i < 3; i++) {
            Scene.holds(pipe.source(), 0, SLOT);
        }
        Scene.isOpenInPlace(ring.acquire());
    }

    @Test
    void belongsToItsThread() throws Exception {
        start(() -> {
                    assertThatThrownBy(ring::acquire).isInstanceOf(WrongThreadException.class);
                    assertThatThrownBy(ring::tryAcquire).isInstanceOf(WrongThreadException.class);
                    assertThatThrownBy(ring::unsent).isInstanceOf(WrongThreadException.class);
                    assertThatThrownBy(ring::flush).isInstanceOf(WrongThreadException.class);
                    assertThatThrownBy(() -> ring.publish(1)).isInstanceOf(WrongThreadException.class);
                    assertThatThrownBy(ring::close).isInstanceOf(WrongThreadException.class);
                    return null;
                })
                .get();
    }

    @Test
    void theStreamPublishesWhenFullFlushedAndClosed() throws Exception {
        byte[] content = Workbench.bytes(2 * SLOT + 300);
        OutputStream stream = ring.outputStream();
        stream.write(content, 0, SLOT - 1);
        assertThat(pipe.available()).isZero();
        stream.write(content[SLOT - 1]);
        assertThat(pipe.available()).isEqualTo(SLOT);
        stream.write(content, SLOT, SLOT + 200);
        assertThat(pipe.available()).isEqualTo(2 * SLOT);
        stream.flush();
        stream.flush();
        assertThat(pipe.available()).isEqualTo(2 * SLOT + 200);
        stream.write(content, 2 * SLOT + 200, 100);
        stream.close();
        Scene.holds(pipe.source(), 0, content.length);
        assertThatExceptionOfType(IndexOutOfBoundsException.class)
                .isThrownBy(() -> stream.write(content, 1, content.length));
        assertThatThrownBy(() -> stream.write(1)).isInstanceOf(IOException.class);
        try (PrintStream print = new PrintStream(ring.outputStream(), false, StandardCharsets.UTF_8)) {
            print.print("still open: ✓");
        }
        assertThat(new String(Scene.read(pipe.source(), 15), StandardCharsets.UTF_8))
                .isEqualTo("still open: ✓");
    }

    private static void fill(MemorySegment slot) {
        slot.copyFrom(MemorySegment.ofArray(Workbench.bytes((int) slot.byteSize())));
    }

    private static <T> FutureTask<T> start(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }
}
