package io.sluice.internal;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Await;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Calls pass a gate together or alone, and none after it is closed. */
class GateTest {
    private final AtomicInteger emptied = new AtomicInteger();
    private final Closeable gate = new Closeable();

    private final class Closeable extends Gate {
        boolean close() {
            return shut();
        }

        @Override
        protected void lastLeft() {
            emptied.incrementAndGet();
        }
    }

    @Test
    void callsThatDoNotAskToBeAlonePassBesideOneThatDoes() {
        assertThat(gate.enterAlone()).isTrue();
        assertThat(gate.enter()).isTrue();
        assertThat(gate.tryTakeAlone()).isFalse();
        gate.exit();
        gate.exitAlone();
        assertThat(gate.tryTakeAlone()).isTrue();
        gate.exitAlone();
    }

    @Test
    void aClosedGateLetsNobodyInButWhoLooks() {
        assertThat(gate.close()).isTrue();
        assertThat(gate.close()).isFalse();
        assertThat(gate.enter()).isFalse();
        assertThat(gate.enterAlone()).isFalse();
        gate.takeAlone();
        assertThat(gate.tryTakeAlone()).isFalse();
        gate.exitAlone();
        assertThat(gate.isOpen()).isFalse();
    }

    @Test
    void theLastToLeaveAClosedGateIsTold() {
        gate.enter();
        gate.enterAlone();
        gate.close();
        gate.exitAlone();
        assertThat(emptied).hasValue(0);
        gate.exit();
        assertThat(emptied.get()).isPositive();
    }

    @Test
    void whoWaitsForItsTurnIsTurnedAwayByClosing() throws Exception {
        gate.enterAlone();
        FutureTask<Boolean> waiter = new FutureTask<>(gate::enterAlone);
        Thread.ofPlatform().start(waiter);
        Await.until(gate::hasQueue, "a call that waits for its turn");
        gate.close();
        gate.exitAlone();
        assertThat(waiter.get()).isFalse();
        assertThat(emptied.get()).isPositive();
    }

    @Test
    void anInterruptedCallStillWaitsForItsTurn() throws Exception {
        gate.enterAlone();
        FutureTask<Boolean> waiter = new FutureTask<>(
                () -> gate.enterAlone() && Thread.currentThread().isInterrupted());
        Thread thread = Thread.ofPlatform().start(waiter);
        Await.until(gate::hasQueue, "a call that waits for its turn");
        thread.interrupt();
        assertThat(waiter.isDone()).isFalse();
        gate.exitAlone();
        assertThat(waiter.get()).isTrue();
        gate.exitAlone();
    }

    @Test
    void whatIsDoneAloneIsDoneByOneAtATime() throws Exception {
        int[] count = {0};
        int each = 100_000;
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            threads.add((t % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual()).start(() -> {
                for (int i = 0; i < each; i++) {
                    gate.enterAlone();
                    count[0]++;
                    gate.exitAlone();
                    gate.enter();
                    gate.exit();
                }
            }));
        }
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(count[0]).isEqualTo(threads.size() * each);
        assertThat(gate.close()).isTrue();
        assertThat(emptied.get()).isPositive();
    }
}
