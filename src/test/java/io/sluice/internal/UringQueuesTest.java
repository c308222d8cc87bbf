package io.sluice.internal;

import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.internal.ffi.Linux;
import io.sluice.testing.ExpectNoLeaks;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a ring makes of its queues, with a kernel that says what a test wants. */
@ExtendWith(ExpectNoLeaks.class)
class UringQueuesTest {
    private FakeKernel kernel = new FakeKernel(0);
    private Uring ring = kernel.ring();

    @AfterEach
    void close() {
        ring.close();
    }

    @ParameterizedTest(name = "from {0}")
    @ValueSource(ints = {Integer.MAX_VALUE - 5, -6})
    void indicesWrapWithoutLosingARequestOrACompletion(int start) {
        restart(new FakeKernel(start));
        for (int i = 0; i < 20; i++) {
            for (int k = 0; k < 3; k++) {
                nop(3 * i + k);
            }
            gives(3, ring.submit(3, Uring.FOREVER));
            assertThat(ring.inFlight()).isEqualTo(3);
            for (int k = 0; k < 3; k++) {
                takes(3 * i + k);
            }
            assertThat(ring.next()).isFalse();
            assertThat(ring.inFlight()).isZero();
        }
    }

    @ParameterizedTest(name = "from {0}")
    @ValueSource(ints = {0, Integer.MAX_VALUE - 1, -3})
    void thereIsRoomForAsManyAsTheRingHas(int start) {
        restart(new FakeKernel(start));
        for (int i = 0; i < FakeKernel.ENTRIES; i++) {
            assertThat(ring.room()).isEqualTo(FakeKernel.ENTRIES - i);
            nop(i);
        }
        assertThatThrownBy(() -> nop(9))
                .isInstanceOf(IllegalStateException.class)
                .hasMessageContaining("no room");
        gives(FakeKernel.ENTRIES, ring.submit(0, 0));
        assertThat(ring.room()).isEqualTo(FakeKernel.ENTRIES);
    }

    @Test
    void whatTheKernelKeepsElsewhereIsAskedFor() {
        for (int i = 0; i < 4 * FakeKernel.ENTRIES; i++) {
            nop(i);
            gives(1, ring.submit(0, 0));
        }
        int before = kernel.entered();
        for (int i = 0; i < 4 * FakeKernel.ENTRIES; i++) {
            takes(i);
        }
        assertThat(ring.next()).isFalse();
        assertThat(kernel.entered() - before).isEqualTo(1);
        assertThat(ring.lost()).isZero();
    }

    @Test
    void anEmptyQueueCostsNoCall() {
        assertThat(ring.next()).isFalse();
        gives(0, ring.submit(0, 0));
        assertThat(kernel.entered()).isZero();
    }

    @Test
    void requestsTakenByPartsAreAllHandedOver() {
        kernel.answer(1);
        kernel.answer(2);
        nop(0);
        nop(1);
        nop(2);
        gives(3, ring.submit(3, Uring.FOREVER));
        takes(0);
        takes(1);
        takes(2);
    }

    @Test
    void aCallThatASignalInterruptedIsMadeAgain() {
        kernel.answer(-Linux.EINTR());
        kernel.answer(-Linux.EINTR());
        nop(7);
        gives(1, ring.submit(1, Uring.FOREVER));
        takes(7);
        assertThat(kernel.entered()).isEqualTo(3);
    }

    @Test
    void aWaitThatASignalInterruptedReturns() {
        kernel.answer(-Linux.EINTR());
        gives(0, ring.submit(1, Uring.FOREVER));
        assertThat(kernel.entered()).isEqualTo(1);
    }

    @Test
    void aWaitThatTakesTooLongReturns() {
        kernel.answer(-Linux.ETIME());
        gives(0, ring.submit(1, 1_000_000));
    }

    @Test
    void aRefusedRequestIsDroppedAndNotHandedOverLater() {
        kernel.answer(-Linux.EBUSY());
        nop(1);
        fails(Linux.EBUSY(), ring.submit(0, 0));
        assertThat(ring.inFlight()).isZero();
        assertThat(ring.room()).isEqualTo(FakeKernel.ENTRIES);

        nop(2);
        gives(1, ring.submit(1, Uring.FOREVER));
        takes(2);
        assertThat(ring.next()).isFalse();
    }

    @Test
    void requestsThatTheKernelStopsBeforeAreDropped() {
        kernel.answer(1);
        kernel.answer(-Linux.EAGAIN());
        nop(1);
        nop(2);
        gives(1, ring.submit(0, 0));
        assertThat(ring.inFlight()).isEqualTo(1);
        takes(1);
        assertThat(ring.next()).isFalse();
        assertThat(ring.room()).isEqualTo(FakeKernel.ENTRIES);
    }

    @Test
    void lostCompletionsAreCounted() {
        kernel.loseOne();
        kernel.loseOne();
        assertThat(ring.lost()).isEqualTo(2);
    }

    @Test
    void aClosedRingIsNotTouched() {
        ring.close();
        ring.close();
        assertThatThrownBy(() -> nop(0))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("the ring is closed");
        assertThatThrownBy(() -> ring.next()).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> ring.submit(0, 0)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> ring.room()).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> ring.lost()).isInstanceOf(IllegalStateException.class);
    }

    private void restart(FakeKernel other) {
        ring.close();
        kernel = other;
        ring = kernel.ring();
    }

    private void nop(long tag) {
        ring.prepare(Linux.IORING_OP_NOP(), -1, tag);
    }

    private void takes(long tag) {
        assertThat(ring.next()).isTrue();
        assertThat(ring.tag()).isEqualTo(tag);
    }
}
