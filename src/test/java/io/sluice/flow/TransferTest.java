package io.sluice.flow;

import static io.sluice.flow.Bytes.all;
import static io.sluice.flow.Bytes.bytes;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.Pipe;
import io.sluice.flow.Transfer.Engine;
import io.sluice.flow.Transfer.Pages;
import io.sluice.flow.Transfer.Result;
import io.sluice.flow.TransferScene.Connection;
import io.sluice.flow.TransferScene.Started;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which call moves the bytes between which two ends, that all of them arrive in order, and where they are taken from and put. */
class TransferTest {
    /** More than any buffer on the way holds. */
    private static final int LARGE = 9_000_001;

    private static final int SMALL = 10_000;
    private static final Path NULL_DEVICE = Path.of("/dev/null");

    @TempDir
    private Path folder;

    private TransferScene scene;

    @BeforeEach
    void setUp() throws IOException {
        scene = new TransferScene(folder);
    }

    @AfterEach
    void tearDown() throws IOException {
        scene.close();
    }

    @Test
    void aFileGoesToAFileByCopyFileRange() throws Exception {
        byte[] content = bytes(LARGE);
        Path target = scene.emptyFile();
        Result result = Transfer.from(scene.open(scene.file(content)))
                .to(scene.open(target, WRITE))
                .run();
        assertMoved(result, LARGE, Engine.COPY_FILE_RANGE);
        assertThat(target).hasBinaryContent(content);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aFileGoesToASocketBySendfile(boolean virtual) throws Exception {
        byte[] content = bytes(LARGE);
        Connection connection = scene.tcp();
        Started<byte[]> received = connection.receive();
        Fd file = scene.open(scene.file(content));
        Result result = Started.on(
                        virtual, () -> Transfer.from(file).to(connection.near()).run())
                .result();
        connection.near().shutdownOutput();
        assertMoved(result, LARGE, Engine.SENDFILE);
        assertThat(received.result()).isEqualTo(content);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aSocketGoesToAFileThroughAPipe(boolean virtual) throws Exception {
        byte[] content = bytes(LARGE);
        Connection connection = scene.tcp();
        Path target = scene.emptyFile();
        Fd file = scene.open(target, WRITE);
        Started<Result> transfer = Started.on(
                        virtual, () -> Transfer.from(connection.far()).to(file).run())
                .waiting();
        connection.send(content).result();
        assertMoved(transfer.result(), LARGE, Engine.SPLICE_THROUGH_PIPE);
        assertThat(target).hasBinaryContent(content);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aSocketGoesToASocketThroughAPipe(boolean virtual) throws Exception {
        byte[] content = bytes(LARGE);
        Connection in = scene.tcp();
        Connection out = scene.tcp();
        Started<Void> sent = in.send(content);
        Started<Result> transfer =
                Started.on(virtual, () -> Transfer.from(in.far()).to(out.near()).run());
        // The target is full before anybody reads it.
        transfer.waiting();
        Started<byte[]> received = out.receive();
        assertMoved(transfer.result(), LARGE, Engine.SPLICE_THROUGH_PIPE);
        out.near().shutdownOutput();
        sent.result();
        assertThat(received.result()).isEqualTo(content);
    }

    @Test
    void aPipeGoesToAPipeAndToASocketByOneSplice() throws Exception {
        byte[] content = bytes(SMALL);
        Pipe second = scene.pipe();
        assertMoved(
                Transfer.from(scene.pipeOf(content).source()).to(second.sink()).run(), SMALL, Engine.SPLICE);
        second.sink().close();
        Connection connection = scene.tcp();
        assertMoved(Transfer.from(second.source()).to(connection.near()).run(), SMALL, Engine.SPLICE);
        connection.near().shutdownOutput();
        assertThat(all(connection.far())).isEqualTo(content);
    }

    @Test
    void aFileGoesToAPipeWhileSomebodyDrainsIt() throws Exception {
        byte[] content = bytes(LARGE);
        Pipe pipe = scene.pipe();
        Started<byte[]> drained = Started.on(true, () -> all(pipe.source()));
        Result result =
                Transfer.from(scene.open(scene.file(content))).to(pipe.sink()).run();
        pipe.sink().close();
        assertMoved(result, LARGE, Engine.SPLICE);
        assertThat(drained.result()).isEqualTo(content);
    }

    @Test
    void bothEndsOfAJavaNioPipeAreEnds() throws Exception {
        byte[] content = bytes(SMALL);
        java.nio.channels.Pipe nio = java.nio.channels.Pipe.open();
        scene.own(nio.source());
        scene.own(nio.sink());
        Path target = scene.emptyFile();
        assertMoved(
                Transfer.from(scene.open(scene.file(content))).to(nio.sink()).run(), SMALL, Engine.SPLICE);
        nio.sink().close();
        assertMoved(Transfer.from(nio.source()).to(scene.open(target, WRITE)).run(), SMALL, Engine.SPLICE);
        assertThat(target).hasBinaryContent(content);
    }

    @Test
    void fileChannelsAreReadAndWrittenAtTheirPositionsWhichAdvance() throws Exception {
        byte[] content = bytes(SMALL);
        Path target = scene.emptyFile();
        try (FileChannel in = FileChannel.open(scene.file(content));
                FileChannel out = FileChannel.open(target, WRITE)) {
            in.position(1000);
            out.write(ByteBuffer.wrap(new byte[] {1, 2, 3}));
            Result result = Transfer.from(in).to(out).limit(5000).run();
            assertMoved(result, 5000, Engine.COPY_FILE_RANGE);
            assertThat(in.position()).isEqualTo(6000);
            assertThat(out.position()).isEqualTo(5003);
            assertThat(in.isOpen() && out.isOpen()).isTrue();
        }
        byte[] expected = new byte[5003];
        expected[0] = 1;
        expected[1] = 2;
        expected[2] = 3;
        System.arraycopy(content, 1000, expected, 3, 5000);
        assertThat(target).hasBinaryContent(expected);
    }

    @Test
    void aFileChannelWithAnOffsetKeepsItsPosition() throws Exception {
        byte[] content = bytes(SMALL);
        Connection connection = scene.tcp();
        try (FileChannel in = FileChannel.open(scene.file(content))) {
            in.position(7);
            Transfer.from(in, 100).to(connection.near()).limit(200).run();
            assertThat(in.position()).isEqualTo(7);
        }
        connection.near().shutdownOutput();
        assertThat(all(connection.far())).isEqualTo(java.util.Arrays.copyOfRange(content, 100, 300));
    }

    @Test
    @DisplayName("lesson 10: a target opened for append is found out before the first call, and written")
    void lesson10AppendIsCheckedFirst() throws Exception {
        byte[] content = bytes(SMALL);
        Path target = scene.file(new byte[] {42});
        Fd append = scene.open(target, APPEND);
        assertMoved(Transfer.from(scene.open(scene.file(content))).to(append).run(), SMALL, Engine.READ_WRITE);
        assertMoved(Transfer.from(scene.pipeOf(content).source()).to(append).run(), SMALL, Engine.READ_WRITE);
        Connection connection = scene.tcp();
        connection.send(content).result();
        try (PipePool pool = PipePool.of(1, 1 << 16)) {
            assertMoved(Transfer.from(connection.far()).to(append).pool(pool).run(), SMALL, Engine.READ_WRITE);
            assertThat(pool.idle()).as("a pipe that was filled in vain").isZero();
        }
        try (FileChannel channel = FileChannel.open(target, APPEND)) {
            assertMoved(
                    Transfer.from(scene.open(scene.file(content))).to(channel).run(), SMALL, Engine.READ_WRITE);
        }
        ByteBuffer expected = ByteBuffer.allocate(1 + 4 * SMALL).put((byte) 42);
        for (int i = 0; i < 4; i++) {
            expected.put(content);
        }
        assertThat(target).hasBinaryContent(expected.array());
    }

    @ParameterizedTest
    @DisplayName("lesson 9: a first result of 0 is not taken for the end of a file of /proc or /sys")
    @ValueSource(
            strings = {
                "/proc/version",
                "/proc/sys/kernel/ostype",
                "/proc/self/limits",
                "/sys/kernel/mm/transparent_hugepage/enabled"
            })
    void lesson9PseudoFilesAreReadToTheirEnd(Path pseudo) throws Exception {
        assumeTrue(Files.isReadable(pseudo), "needs " + pseudo);
        byte[] content = Files.readAllBytes(pseudo);
        assertThat(content).isNotEmpty();
        Path file = scene.emptyFile();
        assertThat(Transfer.from(scene.open(pseudo))
                        .to(scene.open(file, WRITE))
                        .run()
                        .bytes())
                .isEqualTo(content.length);
        assertThat(file).hasBinaryContent(content);
        Path atOffset = scene.emptyFile();
        assertThat(Transfer.from(scene.open(pseudo), 3)
                        .to(scene.open(atOffset, WRITE), 0)
                        .run()
                        .bytes())
                .isEqualTo(content.length - 3);
        Connection connection = scene.tcp();
        Transfer.from(scene.open(pseudo)).to(connection.near()).run();
        connection.near().shutdownOutput();
        assertThat(all(connection.far())).isEqualTo(content);
        Pipe pipe = scene.pipe();
        Transfer.from(scene.open(pseudo)).to(pipe.sink()).run();
        pipe.sink().close();
        assertThat(all(pipe.source())).isEqualTo(content);
    }

    @Test
    void anEmptyFileIsEmpty() throws Exception {
        Result result = Transfer.from(scene.open(scene.emptyFile()))
                .to(scene.open(scene.emptyFile(), WRITE))
                .run();
        assertThat(result.bytes()).isZero();
    }

    @Test
    @DisplayName("lesson 15: no pipe is used from file to file, whatever the offsets")
    void lesson15FilesAreNotSpliced() throws Exception {
        byte[] content = bytes(SMALL);
        Path target = scene.emptyFile();
        try (PipePool pool = PipePool.of(4, 1 << 16)) {
            for (long offset : new long[] {0, 17, 4096}) {
                Result result = Transfer.from(scene.open(scene.file(content)), offset)
                        .to(scene.open(target, WRITE), offset)
                        .pool(pool)
                        .run();
                assertMoved(result, SMALL - offset, Engine.COPY_FILE_RANGE);
            }
            assertThat(pool.idle()).isZero();
        }
        assertThat(target).hasBinaryContent(content);
    }

    @Test
    @DisplayName("lesson 16: bytes are discarded only into a verified null device")
    void lesson16OnlyTheNullDeviceDiscards() throws Exception {
        Fd nowhere = scene.open(NULL_DEVICE, WRITE);
        assertThat(nowhere.kind()).isEqualTo(Fd.Kind.NULL);
        Pipe full = scene.pipeOf(bytes(SMALL));
        Result result = Transfer.from(full.source()).to(nowhere).run();
        assertMoved(result, SMALL, Engine.SPLICE);
        assertThat(result.pages()).isEqualTo(Pages.REFERENCED);
        Path namesake = Files.createFile(folder.resolve("null"));
        Transfer.from(scene.pipeOf(bytes(SMALL)).source())
                .to(scene.open(namesake, WRITE))
                .run();
        assertThat(namesake).hasBinaryContent(bytes(SMALL));
    }

    @Test
    @DisplayName("lesson 18: lengths and offsets have 64 bits, and a transfer may begin in the middle of a stream")
    void lesson18NothingIsCutToAnInt() throws Exception {
        long behind = (1L << 32) + 4096;
        byte[] content = bytes(SMALL);
        Path sparse = scene.emptyFile();
        try (FileChannel channel = FileChannel.open(sparse, WRITE)) {
            channel.write(ByteBuffer.wrap(content), behind);
        }
        Path target = scene.emptyFile();
        assertMoved(
                Transfer.from(scene.open(sparse), behind)
                        .to(scene.open(target, WRITE), behind)
                        .limit((1L << 33) + 1)
                        .run(),
                SMALL,
                Engine.COPY_FILE_RANGE);
        assertThat(Files.size(target)).isEqualTo(behind + SMALL);

        Connection in = scene.tcp();
        Connection out = scene.tcp();
        in.near().write(ByteBuffer.wrap("header:".getBytes(StandardCharsets.US_ASCII)));
        in.far().read(ByteBuffer.allocate(7));
        in.send(content).result();
        // As an int, this limit would be ten bytes.
        Result result =
                Transfer.from(in.far()).to(out.near()).limit((1L << 32) + 10).run();
        assertThat(result.bytes()).isEqualTo(SMALL);
        out.near().shutdownOutput();
        assertThat(all(out.far())).isEqualTo(content);
    }

    @Test
    @DisplayName("lesson 4: what comes together with a hang-up is delivered before it")
    void lesson4DataBeforeHangUp() throws Exception {
        for (boolean virtual : new boolean[] {false, true}) {
            byte[] content = bytes(SMALL);
            Pipe pipe = scene.pipe();
            Path target = scene.emptyFile();
            Fd file = scene.open(target, WRITE);
            Started<Result> transfer = Started.on(
                            virtual, () -> Transfer.from(pipe.source()).to(file).run())
                    .waiting();
            pipe.sink().tryWrite(ByteBuffer.wrap(content));
            pipe.sink().close();
            assertMoved(transfer.result(), SMALL, Engine.SPLICE);
            assertThat(target).hasBinaryContent(content);
        }
    }

    @Test
    @DisplayName("lesson 3: a source that pauses is waited for with an empty pipe, and nothing stays in it")
    void lesson3TheTargetHasEverythingBeforeTheSourceIsWaitedFor() throws Exception {
        Connection in = scene.tcp();
        Connection out = scene.tcp();
        Started<Result> transfer =
                Started.on(false, () -> Transfer.from(in.far()).to(out.near()).run());
        for (int i = 0; i < 20; i++) {
            byte[] piece = bytes(1 + i * 1000);
            in.near().write(ByteBuffer.wrap(piece));
            ByteBuffer got = ByteBuffer.allocate(piece.length);
            while (got.hasRemaining()) {
                out.far().read(got);
            }
            assertThat(got.array()).isEqualTo(piece);
        }
        in.near().shutdownOutput();
        assertThat(transfer.result().bytes()).isEqualTo(20 + 190 * 1000);
    }

    @Test
    void aLimitLeavesTheRestInTheSource() throws Exception {
        byte[] content = bytes(SMALL);
        Connection connection = scene.tcp();
        connection.send(content).result();
        Path target = scene.emptyFile();
        assertMoved(
                Transfer.from(connection.far())
                        .to(scene.open(target, WRITE))
                        .exactly(1234)
                        .run(),
                1234,
                Engine.SPLICE_THROUGH_PIPE);
        ByteBuffer rest = ByteBuffer.allocate(SMALL);
        while (connection.far().read(rest) >= 0) {
            assertThat(rest.hasRemaining()).isTrue();
        }
        assertThat(rest.position()).isEqualTo(SMALL - 1234);
        assertThat(Transfer.from(scene.open(target))
                        .to(scene.open(NULL_DEVICE, WRITE))
                        .limit(0)
                        .run()
                        .engine())
                .isEqualTo(Engine.NONE);
    }

    @Test
    void aDeviceThatTakesNoSpliceIsWritten() throws Exception {
        Connection connection = scene.tcp();
        connection.send(bytes(SMALL)).result();
        TransferException e = failure(Transfer.from(connection.far()).to(scene.open(Path.of("/dev/full"), WRITE)));
        assertThat(e).hasMessageContainingAll("/dev/full", "ENOSPC", "at the target");
        assertThat(e.undeliveredBytes()).isEqualTo(SMALL);
        try (var rest = e.undelivered()) {
            assertThat(all(rest)).isEqualTo(bytes(SMALL));
        }
    }

    @Test
    void bytesOfADeviceComeUpToTheLimit() throws Exception {
        Path target = scene.emptyFile();
        Result result = Transfer.from(scene.open(Path.of("/dev/zero")))
                .to(scene.open(target, WRITE))
                .exactly(300_000)
                .run();
        assertThat(result.bytes()).isEqualTo(300_000);
        assertThat(target).hasBinaryContent(new byte[300_000]);
    }

    @Test
    void progressIsToldInOrderAndEndsWithAll() throws Exception {
        Connection connection = scene.tcp();
        Started<Void> sent = connection.send(bytes(LARGE));
        List<Long> told = new ArrayList<>();
        Transfer transfer = Transfer.from(connection.far())
                .to(scene.open(NULL_DEVICE, WRITE))
                .onProgress(told::add);
        transfer.run();
        sent.result();
        assertThat(told).isSorted().last().isEqualTo((long) LARGE);
        assertThat(transfer.transferred()).isEqualTo(LARGE);
    }

    @Test
    void whatBecameOfPagesIsWhatThisKernelWasSeenToDo() throws Exception {
        Kernel kernel = Kernel.observed();
        Connection connection = scene.tcp();
        Result sent = Transfer.from(scene.open(scene.file(bytes(SMALL))))
                .to(connection.near())
                .run();
        assumeTrue(
                kernel.fileToPipe().outcome() == Kernel.Outcome.REFERENCES
                        && kernel.tee().outcome() == Kernel.Outcome.REFERENCES,
                "this kernel does not pass pages on: " + kernel.report());
        assertThat(sent.pages()).isEqualTo(Pages.REFERENCED);
        assertThat(Transfer.from(scene.pipeOf(bytes(SMALL)).source())
                        .to(scene.pipe().sink())
                        .run()
                        .pages())
                .isEqualTo(Pages.REFERENCED);
        assertThat(Transfer.from(scene.open(scene.file(bytes(SMALL))))
                        .to(scene.open(scene.emptyFile(), APPEND))
                        .run()
                        .pages())
                .isEqualTo(Pages.COPIED);
    }

    @Test
    void aRunIsAnEventOfTheFlightRecorder() throws Exception {
        Path dump = folder.resolve("recording.jfr");
        try (Recording recording = new Recording()) {
            recording.enable("io.sluice.Transfer").withoutThreshold();
            recording.start();
            Transfer.from(scene.open(scene.file(bytes(SMALL))))
                    .to(scene.open(NULL_DEVICE, WRITE))
                    .run();
            recording.stop();
            recording.dump(dump);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(dump);
        assertThat(events).hasSize(1);
        assertThat(events.getFirst().getLong("delivered")).isEqualTo(SMALL);
        assertThat(events.getFirst().getString("engine")).isEqualTo("SENDFILE");
        assertThat(events.getFirst().getString("target")).contains("/dev/null");
        assertThat(events.getFirst().getString("failure")).isNull();
    }

    @Test
    void oneTransferMayBeRunAgain() throws Exception {
        byte[] content = bytes(SMALL);
        Path target = scene.emptyFile();
        Transfer transfer =
                Transfer.from(scene.open(scene.file(content), READ), 0).to(scene.open(target, APPEND));
        transfer.run();
        transfer.run();
        assertThat(Files.size(target)).isEqualTo(2 * SMALL);
        assertThat(transfer.transferred()).isEqualTo(2 * SMALL);
    }

    static TransferException failure(Transfer transfer) throws IOException {
        try {
            throw new AssertionError("it should have failed, and moved " + transfer.run());
        } catch (TransferException e) {
            return e;
        }
    }

    private static void assertMoved(Result result, long bytes, Engine engine) {
        assertThat(result.bytes()).isEqualTo(bytes);
        assertThat(result.engine()).isEqualTo(engine);
    }
}
