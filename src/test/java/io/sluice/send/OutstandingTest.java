package io.sluice.send;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Hold;
import io.sluice.internal.Ledger.Place;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The kernel's numbers, without a kernel. */
class OutstandingTest {
    private static final int BEFORE_WRAP = -3;

    private final Engine engine = new Silent();
    private final List<SentHold> sent = new ArrayList<>();

    @ParameterizedTest
    @ValueSource(ints = {0, BEFORE_WRAP, Integer.MAX_VALUE - 2})
    void aRangeSettlesAllInItAndNoOther(int first) {
        Outstanding outstanding = filled(first, 8);
        assertThat(outstanding.settle(first + 2, first + 5, false)).isEqualTo(4);
        arePlaced("..RRRR..");
        assertThat(outstanding.settle(first, first + 1, false)).isEqualTo(2);
        assertThat(outstanding.settle(first + 6, first + 7, true)).isEqualTo(2);
        arePlaced("RRRRRRRR");
        assertThat(sent.get(5).isCopied()).isFalse();
        assertThat(sent.get(6).isCopied()).isTrue();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, BEFORE_WRAP, Integer.MAX_VALUE - 2})
    void whatIsReportedTwiceOrLongAgoSettlesNothingMore(int first) {
        Outstanding outstanding = filled(first, 6);
        assertThat(outstanding.settle(first, first + 3, false)).isEqualTo(4);
        assertThat(outstanding.settle(first, first + 3, false)).isZero();
        assertThat(outstanding.settle(first - 9, first + 2, false)).isZero();
        assertThat(outstanding.settle(first + 1, first + 4, false)).isEqualTo(1);
        arePlaced("RRRRR.");
    }

    @Test
    void aReportForASendThatNobodyMadeReleasesNothing() {
        Outstanding outstanding = filled(7, 4);
        assertThat(outstanding.hasStrangers()).isFalse();
        outstanding.settle(9, 11, false);
        arePlaced("FFFF");
        assertThat(outstanding.hasStrangers()).isTrue();
    }

    @Test
    void numbersBeginAgainWhileManyAreOutInAnyOrder() {
        Random random = new Random(7);
        int first = -2000;
        Outstanding outstanding = new Outstanding(first);
        List<Integer> out = new ArrayList<>();
        for (int i = 0; i < 6000; i++) {
            add(outstanding);
            out.add(i);
            while (out.size() > 1 && random.nextInt(3) == 0) {
                int each = out.remove(random.nextInt(out.size()));
                assertThat(outstanding.settle(first + each, first + each, false))
                        .isEqualTo(1);
                assertThat(sent.get(each).isSettled()).isTrue();
            }
        }
        for (int each : out) {
            assertThat(sent.get(each).isSettled()).isFalse();
        }
        assertThat(outstanding.settle(first, first + 5999, false)).isEqualTo(out.size());
        assertThat(outstanding.next()).isEqualTo(4000);
    }

    @Test
    void aClosedEngineRetiresItsOwnAndLeavesTheOthers() {
        Outstanding outstanding = filled(0, 2);
        Engine other = new Silent();
        SentHold others = new SentHold(other);
        outstanding.add(others);
        assertThat(outstanding.retire(engine)).isEqualTo(2);
        arePlaced("FF");
        assertThat(others.isSettled()).isFalse();
        assertThat(outstanding.settle(0, 2, false)).isEqualTo(1);
        arePlaced("FF");
        assertThat(others.place()).isEqualTo(Place.RELEASED);
    }

    private Outstanding filled(int first, int count) {
        Outstanding outstanding = new Outstanding(first);
        for (int i = 0; i < count; i++) {
            add(outstanding);
        }
        return outstanding;
    }

    private void add(Outstanding outstanding) {
        SentHold hold = new SentHold(engine);
        sent.add(hold);
        outstanding.add(hold);
    }

    private void arePlaced(String expected) {
        StringBuilder found = new StringBuilder();
        for (SentHold hold : sent) {
            found.append(
                    switch (hold.place()) {
                        case IN_PIPE -> '.';
                        case RELEASED -> 'R';
                        case FORWARDED -> 'F';
                    });
        }
        assertThat(found).hasToString(expected);
    }

    /** An engine whose kernel says nothing. */
    private static final class Silent implements Engine {
        @Override
        public Hold.Means means() {
            return Hold.Means.MSG_ZEROCOPY;
        }

        @Override
        public long send(long address, long length, Consumer<Hold> lent) throws IOException {
            throw new UnsupportedOperationException();
        }

        @Override
        public long send(long[] addresses, long[] lengths, Hold[] lent) throws IOException {
            throw new UnsupportedOperationException();
        }

        @Override
        public int reap() {
            return 0;
        }

        @Override
        public boolean isInVain() {
            return false;
        }

        @Override
        public void await(SentHold hold, long nanos) {}

        @Override
        public void close() {}
    }
}
