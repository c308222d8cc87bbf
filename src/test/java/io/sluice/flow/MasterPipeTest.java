package io.sluice.flow;

import static io.sluice.flow.PatternSender.Step.DONE;
import static io.sluice.flow.PatternSender.Step.SINK_WRITABLE;
import static io.sluice.flow.Wire.pattern;
import static io.sluice.flow.Wire.repeated;
import static io.sluice.flow.Wire.segment;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.testing.Allocations;
import io.sluice.testing.Await;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.UncheckedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Byte k of what arrives is byte k of the pattern, whatever its length, whoever reads it, and whatever goes wrong. */
class MasterPipeTest {
    private static final int PIPE = 64 << 10;
    private static final int PATIENCE_SECONDS = 60;

    private PipePool pool;

    @BeforeEach
    void openPool() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            assumeTrue(pipe.capacity() >= PIPE, "needs a user whose new pipes are not small");
        }
        pool = PipePool.of(8, PIPE);
    }

    @AfterEach
    void closePool() throws IOException {
        pool.close();
    }

    @ParameterizedTest
    @ValueSource(
            ints = {
                0,
                1,
                4095,
                4096,
                4097,
                32767,
                32768,
                32769,
                PIPE - 1,
                PIPE,
                PIPE + 1,
                3 * PIPE + 7,
                2 * PIPE + 4096,
                10 << 20
            })
    void aResponseOfAnyLengthIsThePatternRepeated(int length) throws Exception {
        byte[] pattern = pattern(4096);
        try (MasterPipe master = master(pattern);
                Wire wire = Wire.open();
                PatternSender sender = master.to(wire.near())) {
            for (int again = 0; again < 2; again++) {
                Callable<byte[]> reader = () -> wire.receive(length, PIPE);
                assertThat(sent(sender, length, reader)).isEqualTo(repeated(pattern, 0, length));
            }
            assertThat(master.responses()).isEqualTo(2);
            assertThat(master.bytesSpliced() + master.bytesWritten()).isEqualTo(2L * length);
            assertThat(master.bytesSpliced() > 0).isEqualTo(length >= PatternSender.LEAST_SPLICED);
            assertThat(wire.surplus()).isZero();
        }
    }

    @ParameterizedTest(name = "a pattern of {0} bytes")
    @ValueSource(ints = {1, 64, 1000, 4095, 4097, 30_000, 65_535, 65_537, 300_007})
    void aPatternOfAnyLengthKeepsItsPhaseFromAnyOffset(int period) throws Exception {
        byte[] pattern = pattern(period);
        try (MasterPipe master = master(pattern)) {
            for (int length : new int[] {1, 50_000, 200_003, 700_001}) {
                for (long offset : new long[] {0, 1, period - 1, period / 2, 40_000, (1L << 40) + 3}) {
                    try (Wire wire = Wire.narrow();
                            PatternSender sender = master.to(wire.near())) {
                        byte[] head = pattern(77);
                        sender.begin(segment(head), offset, length);
                        byte[] got = received(sender, () -> wire.receive(head.length + length, PIPE));
                        assertThat(Arrays.copyOf(got, head.length)).isEqualTo(head);
                        assertThat(Arrays.copyOfRange(got, head.length, got.length))
                                .as("%d bytes from %d", length, offset)
                                .isEqualTo(repeated(pattern, offset, length));
                        assertThat(wire.surplus()).isZero();
                    }
                }
            }
            assertThat(master.fallbacks()).isZero();
        }
    }

    @ParameterizedTest(name = "a head of {0} bytes")
    @ValueSource(ints = {1, 4095, 4096, 4097, 70_000, 150_000})
    void aHeadOfAnyLengthGoesFirst(int length) throws Exception {
        byte[] pattern = pattern(1000);
        byte[] head = pattern(length);
        byte[] expected = ByteBuffer.allocate(length + 2 * PIPE)
                .put(head)
                .put(repeated(pattern, 5, 2 * PIPE))
                .array();
        try (MasterPipe master = master(pattern);
                Wire wire = Wire.narrow();
                PatternSender sender = master.to(wire.near());
                Arena arena = Arena.ofConfined()) {
            for (MemorySegment memory :
                    List.of(segment(head), arena.allocate(length).copyFrom(segment(head)))) {
                sender.begin(memory, 5, 2 * PIPE);
                assertThat(received(sender, () -> wire.receive(expected.length, 10_007)))
                        .isEqualTo(expected);
                sender.begin(memory, 0, 0);
                assertThat(received(sender, () -> wire.receive(length, 10_007))).isEqualTo(head);
            }
        }
    }

    @ParameterizedTest(name = "reads of {0} bytes")
    @ValueSource(ints = {1, 7, 1013, 4099, 65_537})
    void aSlowReaderMakesStepsThatNeverWait(int piece) throws Exception {
        byte[] pattern = pattern(1000);
        int length = piece == 1 ? 200_003 : 1_000_003;
        try (MasterPipe master = master(pattern);
                Wire wire = Wire.narrow();
                Fd socket = Fd.of(wire.near());
                PatternSender sender = master.to(socket)) {
            wire.far().configureBlocking(false);
            ByteBuffer received = ByteBuffer.allocate(length + 1);
            int full = 0;
            sender.begin(length);
            for (PatternSender.Step step; (step = sender.step()) != DONE; full++) {
                assertThat(step).isEqualTo(SINK_WRITABLE);
                assertThat(sender.sent()).isBetween((long) received.position(), (long) length);
                wire.far().read(received.limit(Math.min(received.capacity(), received.position() + piece)));
            }
            wire.far().configureBlocking(true);
            received.limit(length);
            while (received.hasRemaining()) {
                wire.far().read(received);
            }
            assertThat(full).isPositive();
            assertThat(Arrays.copyOf(received.array(), length)).isEqualTo(repeated(pattern, 0, length));
            assertThat(wire.surplus()).isZero();
        }
    }

    @Test
    void manyVirtualThreadsShareOneMaster() throws Exception {
        byte[] pattern = pattern(64);
        try (MasterPipe master = master(pattern)) {
            List<FutureTask<Void>> tasks = new ArrayList<>();
            for (int i = 0; i < 40; i++) {
                int seed = i;
                FutureTask<Void> task = new FutureTask<>(() -> {
                    try (Wire wire = Wire.narrow();
                            PatternSender sender = master.to(wire.near())) {
                        for (int length : new int[] {100 + seed, PIPE + seed, 3 * PIPE + 7 * seed, 500_000 + seed}) {
                            assertThat(sent(sender, length, () -> wire.receive(length, 8_191)))
                                    .isEqualTo(repeated(pattern, 0, length));
                        }
                    }
                    return null;
                });
                tasks.add(task);
                Thread.ofVirtual().start(task);
            }
            for (FutureTask<Void> task : tasks) {
                task.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            }
            assertThat(master.responses()).isEqualTo(160);
            assertThat(master.fallbacks()).isZero();
        }
    }

    @Test
    void aConnectionThatIsResetKeepsItsPipeFromThePoolAndLeavesTheMasterWhole() throws Exception {
        byte[] pattern = pattern(1000);
        try (MasterPipe master = master(pattern)) {
            try (Wire wire = Wire.narrow();
                    PatternSender sender = master.to(wire.near())) {
                sender.begin(10 << 20);
                assertThat(sender.step()).isEqualTo(SINK_WRITABLE);
                wire.far().setOption(StandardSocketOptions.SO_LINGER, 0).close();
                ErrnoException e = catchThrowableOfType(ErrnoException.class, sender::finish);
                assertThat(e.name()).isIn("EPIPE", "ECONNRESET");
                assertThat(sender.sent()).isBetween(1L, (10L << 20) - 1);
                assertThat(pool.idle()).isZero();
            }
            assertThat(pool.idle()).isZero();
            assertThat(master.responses()).isZero();
            isWhole(master, pattern);
        }
    }

    @Test
    @DisplayName("lesson 6: a pipe that still holds a response is not used for the next one")
    void lesson6DirtyPipesAreNotPooled() throws Exception {
        byte[] pattern = pattern(1000);
        try (MasterPipe master = master(pattern);
                Wire wire = Wire.narrow();
                Fd socket = Fd.of(wire.near())) {
            PatternSender sender = master.to(socket);
            sender.begin(10 << 20);
            assertThat(sender.step()).isEqualTo(SINK_WRITABLE);
            sender.close();
            assertThat(pool.idle()).isZero();
            isWhole(master, pattern);
        }
        assertThat(pool.idle()).isEqualTo(1); // which the master had kept for the next response
    }

    @Test
    @DisplayName("lesson 2: what is lent is constant: a copy of the pattern that nobody can write")
    void lesson2TheContentIsConstant() throws Exception {
        byte[] pattern = pattern(1000);
        byte[] given = pattern.clone();
        try (MasterPipe master = master(given)) {
            Arrays.fill(given, (byte) 0);
            assertThat(master.pattern.from(0, PIPE).isReadOnly()).isTrue();
            for (int i = 0; i < 5; i++) {
                isWhole(master, pattern);
            }
            assertThat(Wire.content(master.pattern.from(0, PIPE))).isEqualTo(repeated(pattern, 0, (int)
                    master.pattern.from(0, PIPE).byteSize()));
        }
    }

    @ParameterizedTest(name = "a pattern of {0} bytes")
    @CsvSource({"1, 65536", "64, 65536", "4096, 65536", "1000, 65000", "5000, 65000", "30001, 60002", "100000, 65536"})
    @DisplayName("lesson 13: aligned pages need no slot beyond the capacity, where unaligned ones need 5/4 of it")
    void lesson13NoSlotIsWasted(int period, int content) throws Exception {
        try (MasterPipe master = master(pattern(period))) {
            assertThat(master.capacity()).isEqualTo(PIPE);
            assertThat(master.content()).isEqualTo(content);
            assertThat(master.shortfall()).isEmpty();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4096, 16384})
    @DisplayName("lesson 14: a master that is too small is not used, and says so")
    void lesson14ASmallMasterSendsFromMemory(int capacity) throws Exception {
        byte[] pattern = pattern(1000);
        try (MasterPipe master = MasterPipe.of(segment(pattern), capacity, pool);
                Wire wire = Wire.open();
                PatternSender sender = master.to(wire.near())) {
            assertThat(master.content()).isZero();
            assertThat(master.shortfall())
                    .hasValueSatisfying(words -> assertThat(words).contains("from memory"));
            assertThat(sent(sender, 3 * PIPE, () -> wire.receive(3 * PIPE, PIPE)))
                    .isEqualTo(repeated(pattern, 0, 3 * PIPE));
            assertThat(master.bytesSpliced()).isZero();
            assertThat(pool.idle()).isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 8192, 16384})
    void responsesWhosePipesAreSmallAreWhole(int capacity) throws Exception {
        byte[] pattern = pattern(1000);
        try (PipePool small = PipePool.of(2, capacity);
                MasterPipe master = MasterPipe.of(segment(pattern), PIPE, small);
                Wire wire = Wire.narrow();
                PatternSender sender = master.to(wire.near())) {
            for (int offset : new int[] {0, 3}) {
                sender.begin(segment(pattern(50)), offset, 5 * PIPE);
                byte[] got = received(sender, () -> wire.receive(50 + 5 * PIPE, PIPE));
                assertThat(Arrays.copyOfRange(got, 50, got.length)).isEqualTo(repeated(pattern, offset, 5 * PIPE));
            }
        }
    }

    @Test
    @DisplayName("lesson 16: what comes before a range is dropped into a null device that was seen to be one")
    void lesson16WhatComesBeforeIsDropped() throws Exception {
        byte[] pattern = pattern(200_000);
        try (PipePool large = PipePool.of(2, 256 << 10);
                MasterPipe master = MasterPipe.of(segment(pattern), 256 << 10, large);
                Wire wire = Wire.open();
                PatternSender sender = master.to(wire.near())) {
            assumeTrue(master.capacity() == 256 << 10, "needs a user who may have large pipes");
            assertThat(master.nullDevice().kind()).isEqualTo(Fd.Kind.NULL);
            sender.begin(segment(new byte[0]), 60_001, 100_000);
            assertThat(received(sender, () -> wire.receive(100_000, PIPE)))
                    .isEqualTo(repeated(pattern, 60_001, 100_000));
            assertThat(master.bytesSpliced()).isEqualTo(100_000);
            assertThat(master.bytesWritten()).isZero();
        }
    }

    @Test
    void aMasterThatIsClosedFinishesWhatHasBegunFromMemory() throws Exception {
        byte[] pattern = pattern(1000);
        MasterPipe master = master(pattern);
        try (Wire wire = Wire.narrow();
                Fd socket = Fd.of(wire.near());
                PatternSender sender = master.to(socket)) {
            sender.begin(1 << 20);
            assertThat(sender.step()).isEqualTo(SINK_WRITABLE);
            master.close();
            assertThat(received(sender, () -> wire.receive(1 << 20, PIPE))).isEqualTo(repeated(pattern, 0, 1 << 20));
            assertThatThrownBy(() -> sender.begin(1)).isInstanceOf(ClosedChannelException.class);
            assertThatThrownBy(() -> master.to(socket)).isInstanceOf(ClosedChannelException.class);
        } finally {
            master.close();
        }
    }

    @Test
    void anInterruptedSenderSaysHowMuchItSentAndCanBeFinished() throws Exception {
        byte[] pattern = pattern(1000);
        try (MasterPipe master = master(pattern);
                Wire wire = Wire.narrow();
                PatternSender sender = master.to(wire.near())) {
            AtomicReference<Throwable> thrown = new AtomicReference<>();
            Thread thread = Thread.ofVirtual().start(() -> {
                try {
                    sender.send(4 << 20);
                } catch (Throwable t) {
                    thrown.set(t);
                }
            });
            Await.until(() -> thread.getState() == Thread.State.WAITING, "a sender that waits");
            thread.interrupt();
            thread.join();
            assertThat(thrown.get())
                    .isInstanceOfSatisfying(
                            InterruptedIOException.class,
                            e -> assertThat(e.bytesTransferred).isEqualTo((int) sender.sent()));
            assertThat(sender.sent()).isPositive();
            assertThat(received(sender, () -> wire.receive(4 << 20, PIPE))).isEqualTo(repeated(pattern, 0, 4 << 20));
        }
    }

    @Test
    void aSocketThatIsClosedEndsTheResponse() throws Exception {
        try (MasterPipe master = master(pattern(64));
                Wire wire = Wire.narrow()) {
            PatternSender sender = master.to(wire.near());
            sender.begin(1 << 20);
            assertThat(sender.step()).isEqualTo(SINK_WRITABLE);
            sender.close();
            assertThatThrownBy(() -> sender.begin(1)).isInstanceOf(ClosedChannelException.class);
        }
    }

    @Test
    void badInputIsRefusedAndLosesNothing(@TempDir Path folder) throws Exception {
        assertThatIllegalArgumentException().isThrownBy(() -> MasterPipe.of(segment(new byte[0])));
        assertThatIllegalArgumentException().isThrownBy(() -> MasterPipe.of(segment(new byte[1]), 0, pool));
        Path path = Files.createFile(folder.resolve("file"));
        try (MasterPipe master = master(pattern(64));
                Fd file = Fd.open(path, StandardOpenOption.WRITE);
                Wire wire = Wire.open();
                PatternSender sender = master.to(wire.near())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> master.to(file))
                    .withMessageContaining(path.toString());
            assertThatIllegalArgumentException().isThrownBy(() -> sender.begin(-1));
            assertThatIllegalArgumentException().isThrownBy(() -> sender.begin(segment(new byte[1]), -1, 1));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> sender.begin(segment(new byte[1]), 0, Long.MAX_VALUE));
            sender.begin(5);
            assertThatIllegalStateException().isThrownBy(() -> sender.begin(1)).withMessageContaining("5 bytes left");
            assertThat(sender.finish()).isEqualTo(5);
            assertThat(wire.receive(5, 5)).isEqualTo(repeated(pattern(64), 0, 5));
            assertThat(wire.surplus()).isZero();
        }
    }

    @ParameterizedTest(name = "{0} bytes")
    @ValueSource(ints = {1000, 200_000})
    void aSteadyStateAllocatesNothing(int length) throws Exception {
        byte[] head = pattern(100);
        try (MasterPipe master = master(pattern(64));
                Fd nowhere = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
                PatternSender sender = master.to(nowhere);
                Arena arena = Arena.ofConfined()) {
            MemorySegment memory = arena.allocate(head.length).copyFrom(segment(head));
            Allocations.awaitNoneBut(3, () -> {
                try {
                    sender.begin(memory, 0, length);
                    sender.finish();
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
        }
    }

    @Test
    void aResponseIsSeenByTheFlightRecorder(@TempDir Path folder) throws Exception {
        Path file = folder.resolve("events.jfr");
        try (Recording recording = new Recording();
                MasterPipe master = master(pattern(64));
                Wire wire = Wire.open();
                PatternSender sender = master.to(wire.near())) {
            recording.enable("io.sluice.MasterPipe").withoutThreshold();
            recording.start();
            sent(sender, 2 * PIPE + 5, () -> wire.receive(2 * PIPE + 5, PIPE));
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(events).singleElement().satisfies(event -> {
            assertThat(event.getString("target")).startsWith("socket ");
            assertThat(event.getLong("length")).isEqualTo(2 * PIPE + 5);
            assertThat(event.getLong("spliced")).isEqualTo(2 * PIPE);
            assertThat(event.getLong("written")).isEqualTo(5);
        });
    }

    private MasterPipe master(byte[] pattern) {
        return MasterPipe.of(segment(pattern), PIPE, pool);
    }

    private static void isWhole(MasterPipe master, byte[] pattern) throws Exception {
        try (Wire wire = Wire.open();
                PatternSender sender = master.to(wire.near())) {
            assertThat(sent(sender, 3 * PIPE, () -> wire.receive(3 * PIPE, PIPE)))
                    .isEqualTo(repeated(pattern, 0, 3 * PIPE));
            assertThat(wire.surplus()).isZero();
        }
    }

    private static byte[] sent(PatternSender sender, int length, Callable<byte[]> reader) throws Exception {
        sender.begin(length);
        return received(sender, reader);
    }

    /** What the reader gets while the sender, on this thread, finishes. */
    private static byte[] received(PatternSender sender, Callable<byte[]> reader) throws Exception {
        FutureTask<byte[]> reading = new FutureTask<>(reader);
        Thread.ofVirtual().start(reading);
        sender.finish();
        return reading.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }
}
