package io.sluice.loan.torture;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.ErrnoException;
import io.sluice.Pipe;
import io.sluice.internal.Gate;
import io.sluice.internal.Ledger;
import io.sluice.internal.Ledger.Entry;
import io.sluice.internal.Ledger.Place;
import io.sluice.internal.Syscalls;
import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import io.sluice.testing.Workbench;
import java.io.File;
import java.lang.ProcessBuilder.Redirect;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What random interleavings brought to light once, by the shortest way that leads there each time. */
class FoundByTortureTest {
    private static final int PAGE = Workbench.PAGE;

    private final Workbench bench = new Workbench();

    @AfterEach
    void clear() throws Exception {
        bench.close();
    }

    @Test
    void aRangeIsNotForgottenBetweenItsLeavingAndItsMark() throws InterruptedException {
        int[] inPipe = {0};
        Gate leaving = new Gate();
        Ledger ledger = new Ledger(() -> inPipe[0], new Gate(), leaving);
        ledger.shareSink();
        Entry entry = lend(ledger, inPipe);
        leaving.takeAlone();
        inPipe[0] = 0;
        Thread.ofPlatform().start(() -> lend(ledger, inPipe)).join();
        ledger.leave(PAGE, true);
        leaving.exitAlone();
        assertThat(ledger.place(entry)).isEqualTo(Place.FORWARDED);
    }

    /** What enters while the kernel is asked is not what it was asked about. */
    @Test
    void bytesThatEnterMeanwhileDoNotPushOthersOut() {
        AtomicReference<Ledger> it = new AtomicReference<>();
        int[] inPipe = {0};
        Ledger ledger = new Ledger(
                () -> {
                    int level = inPipe[0];
                    inPipe[0] += PAGE;
                    it.get().enter(PAGE);
                    return level;
                },
                new Gate(),
                new Gate());
        it.set(ledger);
        Entry entry = lend(ledger, inPipe);
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
        ledger.shareSink();
        assertThat(ledger.place(entry)).isEqualTo(Place.IN_PIPE);
    }

    /** A reader who copies takes bytes that are not counted, and then ours passes a page on. */
    @Test
    void whatIsPassedOnBehindUncountedBytesIsKnown() throws Exception {
        try (Pipe pipe = Pipe.open();
                Pipe second = Pipe.open();
                PageArena arena = PageArena.open()) {
            int foreign = bench.open(pipe.source().redirect().file().toPath(), 0);
            pipe.sink().promiseReadersCopy();
            for (int i = 0; i < 2; i++) {
                pipe.sink().write(MemorySegment.ofArray(new byte[PAGE]));
                assertThat(Syscalls.read(foreign, bench.buffer(PAGE), PAGE)).isEqualTo(PAGE);
            }
            Loan loan = arena.lend(arena.allocate(PAGE).fill((byte) 'A'), pipe.sink());
            assertThat(pipe.source().spliceTo(second.sink(), PAGE)).isEqualTo(PAGE);
            loan.await();
            loan.reclaim().fill((byte) 'B');
            MemorySegment got = bench.buffer(PAGE);
            second.source().read(got);
            assertThat(got.get(JAVA_BYTE, 0)).isEqualTo((byte) 'A');
        }
    }

    /** A read that is too short for a packet loses the rest of it, which left without being counted. */
    @Test
    void whatIsPassedOnBehindALostRestIsKnown() throws Exception {
        try (Pipe pipe = Pipe.open(Pipe.Option.PACKETS);
                Pipe second = Pipe.open();
                PageArena arena = PageArena.open()) {
            for (int i = 0; i < 2; i++) {
                pipe.sink().write(MemorySegment.ofArray(new byte[PAGE]));
                assertThat(pipe.source().read(bench.buffer(1))).isEqualTo(1);
            }
            Loan loan = arena.lend(arena.allocate(PAGE).fill((byte) 'A'), pipe.sink());
            assertThat(pipe.source().spliceTo(second.sink(), PAGE)).isEqualTo(PAGE);
            for (int i = 0; i < 3; i++) {
                pipe.sink().write(MemorySegment.ofArray(new byte[PAGE]));
                assertThat(pipe.source().read(bench.buffer(PAGE))).isEqualTo(PAGE);
            }
            loan.await();
            loan.reclaim().fill((byte) 'B');
            MemorySegment got = bench.buffer(PAGE);
            second.source().read(got);
            assertThat(got.get(JAVA_BYTE, 0)).isEqualTo((byte) 'A');
        }
    }

    /** Otherwise whoever lends the rest until it is in would never learn that nobody reads any more. */
    @Test
    void lendingTheRestSaysThatTheReaderIsGone() throws Exception {
        try (Pipe pipe = Pipe.open();
                PageArena arena = PageArena.open()) {
            pipe.capacity(PAGE);
            Loan loan = arena.tryLend(arena.allocate(2 * PAGE), pipe.sink()).orElseThrow();
            assertThat(loan.accepted()).isEqualTo(PAGE);
            pipe.source().close();
            assertThatThrownBy(loan::tryLendRest)
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageContaining("EPIPE");
        }
    }

    /** Nobody reads the pipe any more, neither here nor elsewhere, so the wait would never end. */
    @Test
    void memoryThatNobodyWillReadIsNotWaitedFor() throws Exception {
        try (Pipe pipe = Pipe.open();
                PageArena arena = PageArena.open()) {
            int foreign = bench.open(pipe.source().redirect().file().toPath(), 0);
            pipe.source().close();
            Loan loan = arena.lend(arena.allocate(PAGE), pipe.sink());
            assertThat(loan.state()).isEqualTo(Loan.State.IN_PIPE);
            bench.close(foreign);
            assertThat(loan.await()).isEqualTo(Loan.State.FORWARDED);
        }
    }

    /** As many virtual threads as there are carriers must not wait for each other in a class initializer. */
    @Test
    void manyVirtualThreadsMayBeTheFirst() throws Exception {
        Process program = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-Djdk.virtualThreadScheduler.parallelism=2",
                        "-Djdk.virtualThreadScheduler.maxPoolSize=2",
                        "-cp",
                        "target/classes" + File.pathSeparator + "target/test-classes",
                        FirstUse.class.getName())
                .redirectErrorStream(true)
                .redirectOutput(Redirect.DISCARD)
                .start();
        try {
            assertThat(program.waitFor(60, TimeUnit.SECONDS)).as("has ended").isTrue();
            assertThat(program.exitValue()).isZero();
        } finally {
            program.destroyForcibly();
        }
    }

    private static Entry lend(Ledger ledger, int[] inPipe) {
        Entry entry = ledger.lend(0, PAGE);
        inPipe[0] += PAGE;
        ledger.lent(entry, PAGE);
        return entry;
    }
}
