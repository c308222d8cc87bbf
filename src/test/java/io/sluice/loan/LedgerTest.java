package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Gate;
import io.sluice.internal.Ledger;
import io.sluice.internal.Ledger.Entry;
import io.sluice.internal.Ledger.Place;
import io.sluice.testing.Await;
import java.lang.ref.Reference;
import java.lang.ref.WeakReference;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.FutureTask;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** The ledger counts right, against a pipe that is a number. */
class LedgerTest {
    /** What FIONREAD would say. */
    private volatile int level;

    private final Gate entering = new Gate();
    private final Gate leaving = new Gate();
    private final Ledger ledger = new Ledger(() -> level, entering, leaving);

    @Test
    void aRangeIsReleasedWhenItsLastByteWasRead() {
        Entry entry = lend(PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        read(PAGE - 1);
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        read(1);
        assertThat(ledger.place(entry)).isEqualTo(Place.RELEASED);
    }

    @Test
    void aRangeIsForwardedIfAnyByteOfItWas() {
        Entry entry = lend(PAGE);
        read(100);
        splice(1);
        read(PAGE - 102);
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        read(1);
        assertThat(ledger.place(entry)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void bytesThatTouchARangeDoNotCountForIt() {
        write(10);
        Entry entry = lend(PAGE);
        write(10);
        splice(10);
        read(PAGE);
        splice(10);
        assertThat(ledger.place(entry)).isEqualTo(Place.RELEASED);
    }

    @Test
    void aTeeCountsForTheRangesItReached() {
        Entry first = lend(PAGE);
        Entry second = lend(PAGE);
        Entry third = lend(PAGE);
        ledger.duplicate(PAGE + 1);
        read(3 * PAGE);
        assertThat(Stream.of(first, second, third).map(ledger::place))
                .containsExactly(Place.FORWARDED, Place.FORWARDED, Place.RELEASED);
    }

    @Test
    void aRangeIsAsLongAsWhatWentIn() {
        Entry entry = ledger.lend(0, 10 * PAGE);
        level += PAGE;
        ledger.lent(entry, PAGE);
        assertThat(entry.length()).isEqualTo(PAGE);
        Entry next = lend(PAGE);
        read(PAGE);
        splice(PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.RELEASED);
        assertThat(ledger.place(next)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aReaderMayBeFasterThanTheCallThatLends() {
        Entry entry = ledger.lend(0, 2 * PAGE);
        ledger.leave(PAGE, true);
        ledger.lent(entry, PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.FORWARDED);
        entry = ledger.lend(0, 2 * PAGE);
        ledger.leave(PAGE, false);
        ledger.lent(entry, PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.RELEASED);
    }

    @Test
    void whatAForeignReaderTookIsForwardedUnlessHePromised() {
        ledger.shareSource();
        Entry first = lend(PAGE);
        level -= PAGE - 1;
        assertThat(ledger.place(first)).isEqualTo(Place.IN_PIPE);
        level = 0;
        assertThat(ledger.place(first)).isEqualTo(Place.FORWARDED);
        ledger.promiseReadersCopy();
        Entry second = lend(PAGE);
        level = 0;
        assertThat(ledger.place(second)).isEqualTo(Place.RELEASED);
    }

    @Test
    void aForeignReadersPromiseDoesNotCoverWhatTheLibraryPassesOn() {
        ledger.shareSource();
        ledger.promiseReadersCopy();
        lend(PAGE);
        level = 0;
        Entry spliced = lend(PAGE);
        splice(PAGE);
        assertThat(ledger.place(spliced)).isEqualTo(Place.FORWARDED);
        Entry copied = lend(PAGE);
        ledger.duplicate(PAGE);
        level = 0;
        assertThat(ledger.place(copied)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aForeignWritersBytesAreNotTakenForOurs() {
        ledger.shareSink();
        level = 5 * PAGE;
        Entry entry = lend(PAGE);
        read(5 * PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        level += PAGE;
        read(PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        read(PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.RELEASED);
    }

    @Test
    void withAForeignWriterEveryRangeIsSuspectOfWhatWasPassedOn() {
        ledger.shareSink();
        Entry entry = lend(PAGE);
        level += PAGE;
        read(PAGE);
        splice(PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aReaderNobodyKnewOfIsNoticedWhenBytesAreGoneUncounted() {
        Entry entry = lend(PAGE);
        level = 0;
        assertThat(ledger.place(entry)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aReaderNobodyKnewOfIsNoticedThoughAsMuchWasCountedLater() {
        Entry taken = lend(PAGE);
        Entry next = lend(PAGE);
        level -= PAGE;
        read(PAGE);
        assertThat(ledger.place(taken)).isEqualTo(Place.FORWARDED);
        assertThat(ledger.place(next)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aReaderNobodyKnewOfIsNotBoundByAPromise() {
        ledger.promiseReadersCopy();
        Entry taken = lend(PAGE);
        level -= PAGE;
        assertThat(ledger.place(taken)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aWriterNobodyKnewOfIsNoticedThoughAsMuchWasCounted() {
        level = PAGE;
        Entry entry = lend(PAGE);
        read(PAGE);
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
    }

    @Test
    void aReaderWhoFindsThePipeEmptySparesAskingTheKernel() {
        Entry entry = lend(PAGE);
        long before = ledger.entered();
        level -= PAGE;
        ledger.leaveEmpty(PAGE, before);
        level = -1;
        assertThat(ledger.place(entry)).isEqualTo(Place.RELEASED);
    }

    @Test
    void anEmptyPipeProvesNothingIfSomethingElseWasRead() {
        level = PAGE; // written by a stranger
        long before = ledger.entered();
        read(PAGE);
        Entry entry = lend(PAGE);
        ledger.leaveEmpty(0, before);
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
    }

    @Test
    void anEmptyPipeProvesNothingWhileAnotherCallPutsBytesIn() {
        Entry entry = lend(PAGE);
        long before = ledger.entered();
        level -= PAGE;
        entering.takeAlone();
        ledger.leaveEmpty(PAGE, before);
        entering.exitAlone();
        level = -1;
        assertThat(ledger.place(entry)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aComparisonIsVoidIfACallTookBytesMeanwhile() {
        level = PAGE; // written by a stranger
        Ledger[] asked = {null};
        asked[0] = new Ledger(
                () -> {
                    int before = level;
                    if (level == PAGE) {
                        level = 0;
                        asked[0].leave(PAGE, false);
                    }
                    return Math.min(before, level);
                },
                entering,
                leaving);
        Entry entry = asked[0].lend(0, PAGE);
        asked[0].lent(entry, PAGE);
        asked[0].leave(PAGE, false);
        assertThat(asked[0].place(entry)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aComparisonIsVoidIfACallPutsBytesInMeanwhile() {
        boolean[] writes = {true};
        Ledger asked = new Ledger(
                () -> {
                    if (writes[0]) {
                        entering.takeAlone();
                        writes[0] = false;
                        return PAGE; // of which that call has not told the ledger
                    }
                    return level;
                },
                entering,
                leaving);
        Entry taken = asked.lend(0, PAGE);
        asked.lent(taken, PAGE); // and taken by a stranger
        asked.enter(PAGE);
        asked.leave(PAGE, false);
        asked.place(taken);
        entering.exitAlone();
        assertThat(asked.place(taken)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void whatWasNotComparedBeforeTheEndsWereClosedIsForwarded() {
        Entry compared = lend(PAGE);
        read(PAGE);
        ledger.closing();
        Entry notCompared = lend(PAGE);
        read(PAGE);
        level = -1;
        ledger.abandon();
        assertThat(ledger.place(compared)).isEqualTo(Place.RELEASED);
        assertThat(ledger.place(notCompared)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void whatIsLeftInAnAbandonedPipeIsForwarded() {
        Entry read = lend(PAGE);
        Entry left = lend(PAGE);
        read(PAGE);
        ledger.abandon();
        assertThat(ledger.place(read)).isEqualTo(Place.RELEASED);
        assertThat(ledger.place(left)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void aForeignReaderOutlivesTheSource() {
        ledger.shareSource();
        ledger.promiseReadersCopy();
        Entry entry = lend(PAGE);
        ledger.abandon();
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        level = 0;
        assertThat(ledger.place(entry)).isEqualTo(Place.RELEASED);
    }

    @Test
    void bytesThatEnterWhileTheKernelIsAskedDoNotLookLikeBytesThatLeft() {
        for (boolean foreign : new boolean[] {false, true}) {
            Ledger[] busy = {null};
            busy[0] = new Ledger(
                    () -> {
                        int before = level;
                        busy[0].enter(PAGE);
                        level += PAGE;
                        return before;
                    },
                    new Gate(),
                    new Gate());
            if (foreign) {
                busy[0].shareSource();
                busy[0].promiseReadersCopy();
            }
            level = PAGE;
            Entry entry = busy[0].lend(0, PAGE);
            busy[0].lent(entry, PAGE);
            assertThat(busy[0].place(entry)).as("foreign reader: %s", foreign).isEqualTo(Place.IN_PIPE);
        }
    }

    @Test
    void bytesThatACallOfOursJustTookAreNotReleasedBeforeItSaidHow() {
        ledger.shareSink();
        Entry entry = lend(PAGE);
        leaving.takeAlone();
        level -= PAGE;
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        ledger.leave(PAGE, true);
        leaving.exitAlone();
        assertThat(ledger.place(entry)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void whoAsksDuringACallIsAnsweredByIt() {
        Entry entry = lend(PAGE);
        leaving.takeAlone();
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        read(PAGE);
        level = -1;
        assertThat(ledger.place(entry)).isEqualTo(Place.RELEASED);
        leaving.exitAlone();
    }

    @Test
    void whoWaitsIsWokenByALeavingAndByABreak() throws Exception {
        for (Runnable event : List.<Runnable>of(() -> read(PAGE), ledger::abandon)) {
            Entry entry = lend(PAGE);
            FutureTask<Place> waiter = new FutureTask<>(() -> {
                while (ledger.place(entry) == Place.IN_PIPE) {
                    ledger.awaitChange(entry, Long.MAX_VALUE);
                }
                return ledger.place(entry);
            });
            Thread thread = Thread.ofPlatform().start(waiter);
            Await.until(() -> thread.getState() == Thread.State.TIMED_WAITING, "a thread that waits");
            event.run();
            assertThat(waiter.get()).isNotEqualTo(Place.IN_PIPE);
        }
    }

    @Test
    void aRangeThatIsKeptDoesNotKeepTheLaterOnes() throws Exception {
        Entry kept = lend(PAGE);
        List<WeakReference<Entry>> later = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            later.add(new WeakReference<>(lend(PAGE)));
            read(PAGE);
        }
        read(PAGE);
        lend(PAGE);
        areGone(later.subList(0, 99));
        Reference.reachabilityFence(kept);
    }

    @Test
    void attemptsThatFindNoRoomLeaveNothing() throws Exception {
        Entry kept = lend(PAGE);
        List<WeakReference<Entry>> attempts = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            Entry attempt = ledger.lend(0, PAGE);
            ledger.lent(attempt, 0);
            attempts.add(new WeakReference<>(attempt));
        }
        Entry next = lend(PAGE);
        attempts.removeIf(attempt -> attempt.refersTo(next));
        areGone(attempts);
        splice(2 * PAGE);
        assertThat(ledger.place(kept)).isEqualTo(Place.FORWARDED);
        assertThat(ledger.place(next)).isEqualTo(Place.FORWARDED);
    }

    @Test
    void rangesThatAForeignReaderTookLeaveNothingThoughNobodyAsked() throws Exception {
        ledger.shareSource();
        List<WeakReference<Entry>> taken = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            taken.add(new WeakReference<>(lend(PAGE)));
            level = 0;
        }
        lend(PAGE);
        areGone(taken);
    }

    /** Waits until the garbage collector has found them all. */
    static void areGone(Iterable<? extends WeakReference<?>> references) throws Exception {
        Await.until(
                () -> {
                    System.gc();
                    for (WeakReference<?> reference : references) {
                        if (!reference.refersTo(null)) {
                            return false;
                        }
                    }
                    return true;
                },
                "objects that nobody needs to be collected");
    }

    private Entry lend(int n) {
        Entry entry = ledger.lend(0, n);
        level += n;
        ledger.lent(entry, n);
        return entry;
    }

    private void write(int n) {
        level += n;
        ledger.enter(n);
    }

    private void read(int n) {
        level -= n;
        ledger.leave(n, false);
    }

    private void splice(int n) {
        level -= n;
        ledger.leave(n, true);
    }
}
