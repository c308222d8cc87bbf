package io.sluice.flow;

import static io.sluice.flow.Bytes.bytes;
import static io.sluice.flow.Wires.reset;
import static io.sluice.flow.Wires.send;
import static io.sluice.flow.Wires.sendAndEnd;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.testing.Allocations;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import java.util.stream.Stream;
import jdk.jfr.Event;
import jdk.jfr.Recording;
import jdk.jfr.ValueDescriptor;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** What the flight recorder gets of each job, whether it went well or not, and what it costs while nobody records. */
class FlightRecorderTest {
    private static final int LENGTH = 100_000;
    private static final String EVERYTHING = "io.sluice.";

    @TempDir
    private Path folder;

    private RecordedEvent recorded(String job, Callable<?> work) throws Exception {
        Path dump = folder.resolve(job + ".jfr");
        try (Recording recording = new Recording()) {
            for (String name : List.of("Transfer", "Gather", "Relay", "Fanout", "MasterPipe")) {
                recording.enable(EVERYTHING + name).withoutThreshold();
            }
            recording.start();
            work.call();
            recording.stop();
            recording.dump(dump);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(dump);
        assertThat(events).hasSize(1);
        RecordedEvent event = events.getFirst();
        assertThat(event.getEventType().getName()).isEqualTo(EVERYTHING + job);
        assertThat(event.getEventType().getLabel()).isNotBlank();
        assertThat(event.getEventType().getCategoryNames()).containsExactly("Sluice");
        assertThat(event.getEventType().getFields())
                .extracting(ValueDescriptor::getLabel)
                .doesNotContainNull();
        assertThat(event.getStackTrace()).isNull();
        assertThat(event.getDuration()).isPositive();
        assertThat(event.getThread()).isNotNull();
        return event;
    }

    private Fd source() throws IOException {
        return Fd.open(Files.write(folder.resolve("source"), bytes(LENGTH, 1)));
    }

    private Fd target(String name) throws IOException {
        return Fd.open(folder.resolve(name), CREATE, WRITE);
    }

    private static Fd full() throws IOException {
        return Fd.open(Path.of("/dev/full"), WRITE);
    }

    @Test
    void aTransferSaysFromWhereToWhereHowMuchAndHow() throws Exception {
        try (Fd source = source();
                Fd target = target("target")) {
            RecordedEvent event =
                    recorded("Transfer", () -> Transfer.from(source).to(target).run());
            assertThat(event.getString("source")).contains("source");
            assertThat(event.getString("target")).contains("target");
            assertThat(event.getLong("delivered")).isEqualTo(LENGTH);
            assertThat(event.getString("engine")).isEqualTo("COPY_FILE_RANGE");
            assertThat(event.getString("failure")).isNull();
        }
    }

    @Test
    void aTransferThatFailsSaysWhy() throws Exception {
        try (Fd source = source();
                Fd full = full()) {
            RecordedEvent event = recorded(
                    "Transfer",
                    () -> assertThatExceptionOfType(TransferException.class)
                            .isThrownBy(() -> Transfer.from(source).to(full).run()));
            assertThat(event.getLong("delivered")).isZero();
            assertThat(event.getString("failure")).contains("ENOSPC").contains("/dev/full");
        }
    }

    @Test
    void aTransferWhoseTargetIsClosedAlreadySaysSo() throws Exception {
        try (Fd source = source()) {
            SocketChannel closed = SocketChannel.open();
            closed.close();
            RecordedEvent event = recorded(
                    "Transfer",
                    () -> assertThatExceptionOfType(TransferException.class)
                            .isThrownBy(() -> Transfer.from(source).to(closed).run()));
            assertThat(event.getString("source")).contains("source");
            assertThat(event.getString("engine")).isEqualTo("NONE");
            assertThat(event.getString("failure")).contains("closed");
        }
    }

    @Test
    void aGatheringSaysHowManyPartsAndHowMuchOfThem() throws Exception {
        try (Fd source = source();
                Fd target = target("target");
                Gather gather = Gather.to(target)) {
            gather.bytes(new byte[10]).file(source, 0, LENGTH).bytes(new byte[3]);
            RecordedEvent event = recorded("Gather", gather::run);
            assertThat(event.getString("sink")).contains("target");
            assertThat(event.getInt("parts")).isEqualTo(3);
            assertThat(event.getLong("length"))
                    .isEqualTo(event.getLong("delivered"))
                    .isEqualTo(LENGTH + 13);
        }
        try (Fd full = full();
                Gather gather = Gather.to(full).bytes(new byte[10])) {
            RecordedEvent event = recorded(
                    "Gather",
                    () -> assertThatExceptionOfType(GatherException.class).isThrownBy(gather::run));
            assertThat(event.getLong("length")).isEqualTo(10);
            assertThat(event.getLong("delivered")).isZero();
        }
    }

    @Test
    void aRelaySaysBetweenWhomHowMuchEachWayAndHowItEnded() throws Exception {
        try (Wires wires = Wires.unix();
                PipePool pool = PipePool.of(2, 1 << 16)) {
            sendAndEnd(wires.left(), bytes(100, 1));
            sendAndEnd(wires.right(), bytes(200, 2));
            RecordedEvent event = recorded("Relay", () -> {
                Relay.between(wires.first(), wires.second(), RelayOptions.DEFAULT.pool(pool))
                        .run();
                return null;
            });
            assertThat(event.getString("first")).startsWith("socket ");
            assertThat(event.getString("second")).startsWith("socket ").isNotEqualTo(event.getString("first"));
            assertThat(event.getBoolean("bothWays")).isTrue();
            assertThat(event.getLong("deliveredForth")).isEqualTo(100);
            assertThat(event.getLong("deliveredBack")).isEqualTo(200);
            assertThat(event.getLong("undelivered")).isZero();
            assertThat(event.getBoolean("copies")).isFalse();
            assertThat(event.getString("outcome")).isEqualTo("DONE");
        }
    }

    @Test
    void aRelayThatFailsSaysWhyAndWhatItHeld() throws Exception {
        try (Wires wires = Wires.tcp();
                Pipe gone = Pipe.open();
                Fd first = Fd.of(wires.first());
                PipePool pool = PipePool.of(2, 1 << 16)) {
            gone.source().close();
            send(wires.left(), bytes(100, 1));
            RelayOptions options = RelayOptions.DEFAULT.pool(pool);
            RecordedEvent event = recorded(
                    "Relay",
                    () -> assertThatExceptionOfType(RelayException.class)
                            .isThrownBy(Relay.oneWay(first, gone.sink(), options)::run));
            assertThat(event.getBoolean("bothWays")).isFalse();
            assertThat(event.getLong("deliveredForth")).isZero();
            assertThat(event.getLong("undelivered")).isEqualTo(100);
            assertThat(event.getString("outcome")).isEqualTo("RESET");
            reset(wires.left());
        }
    }

    @Test
    void aFanOutSaysFromWhereHowMuchAndWhatBecameOfItsBranches() throws Exception {
        try (Fd source = source();
                Fd primary = target("primary");
                Pipe gone = Pipe.open();
                Pipe stuck = Pipe.open();
                PipePool pool = PipePool.of(4, 4096);
                Fanout fanout = Fanout.from(source, pool).to(primary)) {
            gone.source().close();
            fanout.add(gone.sink(), WhenSlow.waitForIt());
            stuck.capacity(4096);
            fanout.add(stuck.sink(), WhenSlow.spillAfter(Duration.ZERO, folder, LENGTH / 2));
            RecordedEvent event = recorded("Fanout", fanout::run);
            assertThat(event.getString("source")).contains("source");
            assertThat(event.getLong("delivered")).isEqualTo(LENGTH);
            assertThat(event.getLong("undelivered")).isZero();
            assertThat(event.getLong("spilled")).isBetween(1L, LENGTH / 2L);
            assertThat(event.getInt("branches")).isEqualTo(2);
            assertThat(event.getInt("lost")).isEqualTo(2);
        }
    }

    @Test
    void aFanOutThatFailsSaysWhatItHeld() throws Exception {
        try (Fd source = source();
                Fd full = full();
                PipePool pool = PipePool.of(4, 1 << 18);
                Fanout fanout = Fanout.from(source, pool).to(full)) {
            RecordedEvent event = recorded(
                    "Fanout",
                    () -> assertThatExceptionOfType(FanoutException.class).isThrownBy(fanout::run));
            assertThat(event.getLong("delivered")).isZero();
            assertThat(event.getLong("undelivered"))
                    .isEqualTo(fanout.undelivered())
                    .isPositive();
            assertThat(event.getInt("branches")).isZero();
        }
    }

    @Test
    void aResponseOfAMasterPipeSaysToWhomHowMuchAndHow() throws Exception {
        try (Wires wires = Wires.unix();
                PipePool pool = PipePool.of(4, 1 << 16);
                MasterPipe master = MasterPipe.of(MemorySegment.ofArray(bytes(64, 1)), 1 << 16, pool);
                PatternSender sender = master.to(wires.first())) {
            RecordedEvent event = recorded("MasterPipe", () -> sender.send(LENGTH));
            assertThat(event.getString("target")).startsWith("socket ");
            assertThat(event.getLong("length"))
                    .isEqualTo(event.getLong("spliced") + event.getLong("written"))
                    .isEqualTo(LENGTH);
            assertThat(event.getLong("waits")).isNotNegative();
        }
    }

    static Stream<Arguments> events() {
        return Stream.of(
                Arguments.of("transfer", (Supplier<Event>) TransferEvent::new),
                Arguments.of("gathering", (Supplier<Event>) GatherEvent::new),
                Arguments.of("relay", (Supplier<Event>) RelayEvent::new),
                Arguments.of("fan-out", (Supplier<Event>) FanoutEvent::new),
                Arguments.of("master pipe", (Supplier<Event>) MasterPipeEvent::new));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("events")
    void whatNobodyRecordsIsNotWritten(String job, Supplier<Event> maker) throws Exception {
        Event unrecorded = maker.get();
        assertThat(unrecorded.isEnabled()).as(job).isFalse();
        Allocations.awaitNone(() -> {
            unrecorded.begin();
            if (unrecorded.isEnabled()) {
                unrecorded.commit();
            }
        });
        try (Recording recording = new Recording()) {
            recording.enable(unrecorded.getClass());
            recording.start();
            assertThat(maker.get().isEnabled())
                    .as("the branch that is taken only then")
                    .isTrue();
        }
    }
}
