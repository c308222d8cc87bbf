package io.sluice.flow;

import static io.sluice.flow.Bytes.all;
import static io.sluice.flow.Bytes.bytes;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.Pipe;
import io.sluice.flow.Aside.On;
import io.sluice.flow.FlowScene.Sockets;
import io.sluice.loan.FrozenPages;
import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import io.sluice.testing.Allocations;
import io.sluice.testing.Await;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

class GatherTest {
    private static final byte[] HEADER = "header\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] TRAILER = "\r\ntrailer".getBytes(StandardCharsets.US_ASCII);
    private static final int LENGTH = 3_000_001;
    private static final int LARGE = 16 << 20;

    private final FlowScene scene = new FlowScene();
    private final PipePool pool = PipePool.of(4, 64 << 10);
    private final byte[] content = bytes(LENGTH);

    @TempDir
    private Path folder;

    private Path file;

    @BeforeEach
    void write() throws IOException {
        file = Files.write(folder.resolve("file"), content);
    }

    @AfterEach
    void close() throws IOException {
        scene.close();
        pool.close();
    }

    private static byte[] joined(byte[]... parts) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        for (byte[] part : parts) {
            all.writeBytes(part);
        }
        return all.toByteArray();
    }

    private byte[] range(int offset, int length) {
        return Arrays.copyOfRange(content, offset, offset + length);
    }

    /** A part of every kind. */
    private Gather everything(Gather gather, PageArena arena, MemorySegment lent, Pipe pipe) throws IOException {
        FrozenPages frozen = FrozenPages.filled(LENGTH, memory -> memory.copyFrom(MemorySegment.ofArray(content)));
        lent.copyFrom(MemorySegment.ofArray(content).asSlice(0, lent.byteSize()));
        pipe.sink().write(ByteBuffer.wrap(content, 0, 5_000));
        ByteBuffer direct =
                ByteBuffer.allocateDirect(100_000).put(content, 0, 100_000).flip();
        return gather.bytes(HEADER)
                .bytes(direct)
                .file(file)
                .bytes(new byte[0])
                .pages(frozen, 1, LENGTH - 1)
                .pages(frozen, 7, 1000)
                .lend(arena, lent)
                .pipe(pipe.source(), 4_999)
                .file(scene.own(Fd.open(file)), 4_095, 70_000)
                .bytes(TRAILER);
    }

    private byte[] everything(int lent) {
        return joined(
                HEADER,
                range(0, 100_000),
                content,
                range(1, LENGTH - 1),
                range(7, 1000),
                range(0, lent),
                range(0, 4_999),
                range(4_095, 70_000),
                TRAILER);
    }

    @ParameterizedTest
    @EnumSource
    void partsOfEveryKindArriveInOrderAsOneStream(On on) throws Exception {
        Sockets sockets = scene.tcp();
        Aside<byte[]> taken = FlowScene.taking(sockets.far());
        Aside<Long> run = on.start(() -> {
            try (PageArena arena = PageArena.open();
                    Pipe pipe = Pipe.open();
                    Fd socket = Fd.of(sockets.near());
                    Gather gather = Gather.to(socket, pool)) {
                everything(gather, arena, arena.allocate(300_000), pipe);
                long n = gather.run();
                assertThat(gather.delivered()).isEqualTo(gather.length()).isEqualTo(n);
                assertThat(gather.delivered(2)).isEqualTo(LENGTH);
                Loan loan = gather.loan(6).orElseThrow();
                assertThat(loan.accepted()).isEqualTo(300_000);
                assertThat(gather.loan(0)).isEmpty();
                return n;
            }
        });
        byte[] expected = everything(300_000);
        assertThat(run.result()).isEqualTo(expected.length);
        sockets.near().shutdownOutput();
        assertThat(taken.result()).isEqualTo(expected);
        assertThat(pool.idle()).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource
    void aFileOrAPipeIsASinkToo(On on) throws Exception {
        Path target = folder.resolve("target");
        Pipe pipe = scene.smallPipe();
        Aside<byte[]> taken = FlowScene.taking(pipe.source());
        on.start(() -> {
                    try (Fd out = Fd.open(target, CREATE, WRITE);
                            Gather toFile = Gather.to(out);
                            Gather toPipe = Gather.to(pipe.sink())) {
                        toFile.bytes(HEADER).file(file).bytes(TRAILER).run();
                        return toPipe.bytes(HEADER).file(file).bytes(TRAILER).run();
                    }
                })
                .result();
        pipe.sink().close();
        assertThat(taken.result()).isEqualTo(joined(HEADER, content, TRAILER));
        assertThat(Files.readAllBytes(target)).isEqualTo(joined(HEADER, content, TRAILER));
    }

    @Test
    @DisplayName("lesson 10: a file opened for append is written, because it takes neither splice nor sendfile")
    void aFileOpenedForAppendIsWritten() throws Exception {
        Path target = Files.write(folder.resolve("target"), new byte[] {1});
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open();
                Fd out = Fd.open(target, APPEND);
                Gather gather = Gather.to(out, pool)) {
            everything(gather, arena, arena.allocate(300_000), pipe).run();
        }
        assertThat(Files.readAllBytes(target)).isEqualTo(joined(new byte[] {1}, everything(300_000)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"/proc/version", "/proc/self/limits", "/sys/kernel/mm/transparent_hugepage/enabled"})
    @DisplayName("lesson 9: a first 0 of a file of /proc or /sys is not taken for its end")
    void lesson9RangesOfPseudoFilesAreRead(Path pseudo) throws Exception {
        assumeTrue(Files.isReadable(pseudo), "needs " + pseudo);
        byte[] there = Files.readAllBytes(pseudo);
        Path target = folder.resolve("target");
        try (Fd in = Fd.open(pseudo);
                Fd out = Fd.open(target, CREATE, WRITE);
                Gather gather = Gather.to(out, pool)) {
            gather.bytes(HEADER).file(in, 2, there.length - 2).bytes(TRAILER).run();
        }
        assertThat(Files.readAllBytes(target))
                .isEqualTo(joined(HEADER, Arrays.copyOfRange(there, 2, there.length), TRAILER));
    }

    @Test
    @DisplayName("lesson 9: a whole file that does not say how long it is is refused, and an empty one is not")
    void aWholePseudoFileIsRefused() throws Exception {
        Path target = folder.resolve("target");
        Path empty = Files.createFile(folder.resolve("empty"));
        try (Fd out = Fd.open(target, CREATE, WRITE);
                Gather gather = Gather.to(out, pool)) {
            assertThatThrownBy(() -> gather.file(Path.of("/proc/self/status")))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("/proc/self/status says that it has no bytes, and has some")
                    .hasMessageContaining("bytes()");
            assertThat(gather.bytes(HEADER).file(empty).bytes(TRAILER).run()).isEqualTo(HEADER.length + TRAILER.length);
        }
    }

    @Test
    @DisplayName("lesson 13: a pipe of one slot is enough, and nobody waits for himself")
    void aPipeOfOneSlotIsEnough() throws Exception {
        Pipe small = Pipe.open();
        small.capacity(4096);
        pool.giveBack(small);
        Sockets sockets = scene.tcp();
        Aside<byte[]> taken = FlowScene.taking(sockets.far());
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open();
                Fd socket = Fd.of(sockets.near());
                Gather gather = Gather.to(socket, pool)) {
            everything(gather, arena, arena.allocate(300_000), pipe).run();
        }
        sockets.near().shutdownOutput();
        assertThat(taken.result()).isEqualTo(everything(300_000));
    }

    @Test
    void aHeaderAndTheFirstBytesOfAFileShareASegment() throws Exception {
        Sockets sockets = scene.tcp();
        sockets.near().setOption(java.net.StandardSocketOptions.TCP_NODELAY, true);
        try (Gather gather = Gather.to(sockets.near())) {
            long before = segments(sockets);
            gather.bytes(HEADER).file(file, 0, 1000).bytes(TRAILER).run();
            assertThat(FlowScene.exactly(sockets.far(), HEADER.length + 1000 + TRAILER.length))
                    .isEqualTo(joined(HEADER, range(0, 1000), TRAILER));
            assertThat(segments(sockets) - before).isEqualTo(1);
        }
        PipePool.shared().close();
    }

    /** Segments with data that the near side has sent: {@code tcpi_data_segs_out}. */
    private long segments(Sockets sockets) throws IOException {
        try (Fd fd = Fd.of(sockets.near())) {
            return TcpInfo.dataSegmentsOut(fd.number());
        }
    }

    @Test
    @DisplayName("lesson 11: nothing waits for more that is not certain to come")
    void whatWasDeliveredIsNotHeldBackWhileAPipeIsWaitedFor() throws Exception {
        Sockets sockets = scene.tcp();
        Pipe pipe = scene.pipe();
        try (Gather gather = Gather.to(sockets.near())) {
            long before =
                    TcpInfo.dataSegmentsOut(scene.own(Fd.of(sockets.near())).number());
            gather.bytes(HEADER).pipe(pipe.source(), 3).bytes(TRAILER);
            Aside<Long> run = On.VIRTUAL.start(gather::run);
            assertThat(FlowScene.exactly(sockets.far(), HEADER.length)).isEqualTo(HEADER);
            Await.until(run::waits, "a gathering that waits for the pipe");
            assertThat(isCorked(sockets)).isFalse();
            pipe.sink().write(ByteBuffer.wrap(new byte[3]));
            run.result();
            assertThat(FlowScene.exactly(sockets.far(), 3 + TRAILER.length)).isEqualTo(joined(new byte[3], TRAILER));
            assertThat(isCorked(sockets)).isFalse();
            assertThat(segments(sockets) - before).isEqualTo(2);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aSocketThatOnePartFillsIsNotCorkedMeanwhile(On on) throws Exception {
        byte[] large = range(0, LARGE);
        Sockets sockets = scene.tcp();
        try (Gather gather = Gather.to(sockets.near())) {
            gather.bytes(HEADER).bytes(large).bytes(TRAILER);
            Aside<Long> run = on.start(gather::run);
            run.waiting();
            assertThat(isCorked(sockets)).isFalse();
            assertThat(FlowScene.exactly(sockets.far(), HEADER.length + LARGE + TRAILER.length))
                    .isEqualTo(joined(HEADER, large, TRAILER));
            run.result();
            assertThat(isCorked(sockets)).isFalse();
        }
    }

    private static boolean isCorked(Sockets sockets) throws IOException {
        try (Fd fd = Fd.of(sockets.near())) {
            return TcpInfo.isCorked(fd.number());
        }
    }

    @Test
    void aSocketIsUncorkedAfterAnError() throws Exception {
        Sockets sockets = scene.tcp();
        try (Gather gather = Gather.to(sockets.near())) {
            gather.bytes(HEADER).file(file, LENGTH, 1);
            assertThatExceptionOfType(GatherException.class).isThrownBy(gather::run);
            assertThat(FlowScene.exactly(sockets.far(), HEADER.length)).isEqualTo(HEADER);
            assertThat(isCorked(sockets)).isFalse();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aFileThatHasBecomeShorterIsAnErrorThatSaysWhere(On on) throws Exception {
        Sockets sockets = scene.unix();
        try (Gather gather = Gather.to(sockets.near())) {
            gather.bytes(HEADER).file(file, 0, 5_000).bytes(TRAILER);
            try (FileChannel channel = FileChannel.open(file, WRITE)) {
                channel.truncate(3_000);
            }
            GatherException e = failure(on.start(gather::run));
            assertThat(e).hasCauseInstanceOf(EOFException.class).hasMessageContaining("ends at byte 3000");
            assertThat(e.part()).isEqualTo(1);
            assertThat(e.partDelivered()).isEqualTo(3_000);
            assertThat(e.delivered()).isEqualTo(HEADER.length + 3_000);

            Files.write(file, content);
            assertThat(gather.run()).isEqualTo(2_000 + TRAILER.length);
        }
        sockets.near().shutdownOutput();
        assertThat(all(sockets.far())).isEqualTo(joined(HEADER, range(0, 5_000), TRAILER));
    }

    @Test
    void aFileThatGrowsIsSentAsLongAsItWas() throws Exception {
        Sockets sockets = scene.unix();
        Path small = Files.write(folder.resolve("small"), range(0, 100));
        try (Gather gather = Gather.to(sockets.near())) {
            gather.file(small).bytes(TRAILER);
            Files.write(small, range(0, 1000));
            gather.run();
        }
        sockets.near().shutdownOutput();
        assertThat(all(sockets.far())).isEqualTo(joined(range(0, 100), TRAILER));
    }

    @Test
    void aPipeThatEndsTooEarlyIsAnErrorThatSaysWhere() throws Exception {
        Sockets sockets = scene.unix();
        Pipe pipe = scene.pipe();
        pipe.sink().write(ByteBuffer.wrap(HEADER));
        pipe.sink().close();
        try (Gather gather = Gather.to(sockets.near())) {
            gather.pipe(pipe.source(), 1000).bytes(TRAILER);
            GatherException e = catchThrowableOfType(GatherException.class, gather::run);
            assertThat(e).hasCauseInstanceOf(EOFException.class).hasMessageContaining("10 of 1000");
            assertThat(e.part()).isZero();
        }
        assertThat(FlowScene.exactly(sockets.far(), HEADER.length)).isEqualTo(HEADER);
    }

    @ParameterizedTest
    @EnumSource
    void afterAnInterruptItGoesOnWhereItStopped(On on) throws Exception {
        Sockets sockets = scene.unix();
        FrozenPages frozen = FrozenPages.filled(LENGTH, memory -> memory.copyFrom(MemorySegment.ofArray(content)));
        try (Fd socket = Fd.of(sockets.near());
                Gather gather = Gather.to(socket, pool)) {
            gather.bytes(HEADER).pages(frozen, 0, LENGTH).file(file).bytes(TRAILER);
            boolean[] status = new boolean[1];
            Aside<Long> run = on.start(() -> {
                try {
                    return gather.run();
                } finally {
                    status[0] = Thread.interrupted();
                }
            });
            Await.until(() -> gather.delivered(1) > 0, "the socket fills");
            run.interrupt();
            GatherException e = failure(run);
            assertThat(e).hasCauseInstanceOf(InterruptedIOException.class);
            assertThat(e.part()).isEqualTo(1);
            assertThat(status[0]).isTrue();

            Aside<byte[]> taken = FlowScene.taking(sockets.far());
            assertThat(on.start(gather::run).result()).isEqualTo(gather.length() - e.delivered());
            sockets.near().shutdownOutput();
            assertThat(taken.result()).isEqualTo(joined(HEADER, content, content, TRAILER));
        }
    }

    @Test
    void aPeerThatIsGoneIsAnErrorThatSaysWhichPart() throws Exception {
        Pipe sink = scene.smallPipe();
        try (Gather gather = Gather.to(sink.sink())) {
            gather.bytes(HEADER).file(file);
            Aside<Long> run = On.PLATFORM.start(gather::run);
            Await.until(() -> sink.available() == HEADER.length || gather.delivered(1) > 0, "the pipe fills");
            sink.source().close();
            GatherException e = failure(run);
            assertThat(e.part()).isEqualTo(1);
            assertThat(e.getCause())
                    .isInstanceOfSatisfying(
                            ErrnoException.class,
                            cause -> assertThat(cause.name()).isEqualTo("EPIPE"));
        }
    }

    @Test
    @DisplayName("lesson 6: what was lent and not delivered reaches nobody else")
    void aPipeThatIsNotEmptyIsNotGivenBack() throws Exception {
        Pipe sink = scene.smallPipe();
        FrozenPages frozen = FrozenPages.filled(LENGTH, memory -> {});
        try (Fd out = scene.own(Fd.borrow(sink.sink().number()));
                Gather gather = Gather.to(out, pool)) {
            gather.pages(frozen, 0, LENGTH);
            Aside<Long> run = On.PLATFORM.start(gather::run);
            Await.until(() -> gather.delivered() > 0, "the sink is full");
            run.interrupt();
            failure(run);
            gather.clear();
            assertThat(pool.idle()).isZero();
        }
    }

    @Test
    @DisplayName("lesson 16: the null device takes everything")
    void theNullDeviceTakesEverything() throws Exception {
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open();
                Fd out = Fd.open(Path.of("/dev/null"), WRITE);
                Gather gather = Gather.to(out, pool)) {
            everything(gather, arena, arena.allocate(300_000), pipe);
            assertThat(gather.run()).isEqualTo(everything(300_000).length);
        }
    }

    @Test
    void itIsUsedAgainAfterClear() throws Exception {
        Sockets sockets = scene.tcp();
        try (Gather gather = Gather.to(sockets.near())) {
            for (int i = 0; i < 100; i++) {
                gather.clear().bytes(HEADER).file(file, i, 1000).bytes(TRAILER).run();
                assertThat(FlowScene.exactly(sockets.far(), HEADER.length + 1000 + TRAILER.length))
                        .isEqualTo(joined(HEADER, range(i, 1000), TRAILER));
            }
        }
    }

    @Test
    void aRunAllocatesLittle() throws Exception {
        Pipe sink = scene.pipe();
        Fd in = scene.own(Fd.open(file));
        MemorySegment header = Arena.ofAuto().allocate(100);
        ByteBuffer taken = ByteBuffer.allocateDirect(10_000);
        try (Gather gather = Gather.to(sink.sink())) {
            Allocations.awaitAtMost(400, () -> {
                try {
                    gather.clear().bytes(header).file(in, 0, 1000).run();
                    sink.source().read(taken.clear());
                } catch (IOException e) {
                    throw new IllegalStateException(e);
                }
            });
        }
    }

    @Test
    void itIsRecorded() throws Exception {
        Path recorded = folder.resolve("recording");
        try (Recording recording = new Recording();
                Fd out = Fd.open(folder.resolve("out"), CREATE, WRITE);
                Gather gather = Gather.to(out)) {
            recording.enable("io.sluice.Gather");
            recording.start();
            gather.bytes(HEADER).file(file).run();
            recording.stop();
            recording.dump(recorded);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(recorded);
        assertThat(events).hasSize(1);
        assertThat(events.getFirst().getInt("parts")).isEqualTo(2);
        assertThat(events.getFirst().getLong("delivered")).isEqualTo(LENGTH + HEADER.length);
    }

    @Test
    void misuseIsExplained() throws Exception {
        Fd open = scene.own(Fd.open(file));
        Pipe pipe = scene.pipe();
        try (Gather gather = Gather.to(pipe.sink())) {
            assertThatIllegalArgumentException().isThrownBy(() -> gather.file(open, -1, 1));
            assertThatIllegalArgumentException().isThrownBy(() -> gather.file(open, 1, -1));
            assertThatIllegalArgumentException().isThrownBy(() -> gather.file(open, Long.MAX_VALUE, 1));
            assertThatIllegalArgumentException().isThrownBy(() -> gather.pipe(pipe.source(), -1));
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> gather.file(scene.own(Fd.open(Path.of("/dev/null"), READ)), 0, 1))
                    .withMessageContaining("no regular file");
            assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> gather.file(folder.resolve("none")));
            assertThatExceptionOfType(IndexOutOfBoundsException.class)
                    .isThrownBy(() -> gather.pages(FrozenPages.filled(10, memory -> {}), 5, 6));
            assertThat(gather.parts()).isZero();
            assertThat(gather.run()).isZero();
        }
        pipe.sink().close();
        try (Gather gather = Gather.to(pipe.sink()).bytes(HEADER)) {
            assertThatExceptionOfType(GatherException.class)
                    .isThrownBy(gather::run)
                    .withCauseInstanceOf(ClosedChannelException.class);
        }
        assertThat(Kernel.observed().pageSize()).isPositive();
    }

    @Test
    void aFullDiskIsNamedAndTheRestAccountedFor() throws Exception {
        try (Fd full = Fd.open(Path.of("/dev/full"), WRITE);
                Gather gather = Gather.to(full).bytes(HEADER).file(file)) {
            GatherException e = catchThrowableOfType(GatherException.class, gather::run);
            assertThat(e).hasMessageContaining("ENOSPC").hasMessageContaining("part 1 of 2");
            assertThat(e.delivered()).isZero();
        }
    }

    private static GatherException failure(Aside<Long> run) {
        return catchThrowableOfType(GatherException.class, () -> {
            try {
                run.result();
            } catch (ExecutionException e) {
                throw e.getCause();
            }
        });
    }
}
