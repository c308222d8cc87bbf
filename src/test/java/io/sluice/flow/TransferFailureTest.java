package io.sluice.flow;

import static io.sluice.flow.Bytes.all;
import static io.sluice.flow.Bytes.bytes;
import static io.sluice.flow.TransferTest.failure;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.Transfer.Engine;
import io.sluice.flow.TransferException.Side;
import io.sluice.flow.TransferScene.Connection;
import io.sluice.flow.TransferScene.Started;
import io.sluice.testing.Helper;
import java.io.ByteArrayInputStream;
import java.io.EOFException;
import java.io.File;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.DatagramChannel;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.NonReadableChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Transfers that cannot come to their end: what is said, and where the bytes are. */
class TransferFailureTest {
    private static final int LARGE = 9_000_001;
    private static final int SMALL = 10_000;

    @TempDir
    private Path folder;

    private TransferScene scene;

    @BeforeEach
    void setUp() throws IOException {
        scene = new TransferScene(folder);
    }

    @AfterEach
    void tearDown() throws IOException {
        Thread.interrupted();
        scene.close();
    }

    @ParameterizedTest
    @DisplayName("lesson 7: whatever fails, nothing is lost, and no descriptor stays open but that of the remainder")
    @ValueSource(booleans = {false, true})
    void lesson7AResetOfTheTargetLeavesEverythingElse(boolean virtual) throws Exception {
        byte[] content = bytes(LARGE);
        Connection in = scene.tcp();
        Connection out = scene.tcp();
        Started<Void> sent = in.send(content);
        Started<?> transfer = Started.on(
                        virtual, () -> Transfer.from(in.far()).to(out.near()).run())
                .waitingForTarget();
        out.far().setOption(StandardSocketOptions.SO_LINGER, 0);
        out.far().close();
        TransferException e = transfer.failure();
        assertThat(e.side()).isEqualTo(Side.TARGET);
        assertThat(e.getCause()).hasMessageMatching(".*(ECONNRESET|EPIPE).*");
        assertThat(e.undeliveredBytes()).isPositive();
        assertThat(e).hasMessageContaining("with " + e.undeliveredBytes() + " more taken from the source");
        try (var undelivered = e.undelivered()) {
            assertThat(all(undelivered)).isEqualTo(part(content, e.delivered(), e.undeliveredBytes()));
        }
        assertThat(all(in.far()))
                .isEqualTo(part(
                        content, e.delivered() + e.undeliveredBytes(), LARGE - e.delivered() - e.undeliveredBytes()));
        sent.result();
    }

    @Test
    void whatIsLeftCanBeTransferredElsewhere() throws Exception {
        byte[] content = bytes(LARGE);
        Connection in = scene.tcp();
        Connection out = scene.tcp();
        Started<Void> sent = in.send(content);
        Started<?> transfer = Started.on(
                        false, () -> Transfer.from(in.far()).to(out.near()).run())
                .waitingForTarget();
        transfer.thread().interrupt();
        TransferException e = transfer.failure();
        Path rest = scene.emptyFile();
        Fd file = scene.open(rest, WRITE);
        try (var undelivered = e.undelivered()) {
            Transfer.Result result = Transfer.from(undelivered).to(file).run();
            assertThat(result.bytes()).isEqualTo(e.undeliveredBytes());
            assertThat(result.engine()).isEqualTo(Engine.SPLICE);
        }
        Transfer.from(in.far()).to(file).run();
        sent.result();
        assertThat(rest).hasBinaryContent(part(content, e.delivered(), LARGE - e.delivered()));
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void anInterruptEndsTheWaitAndClosesNothing(boolean virtual) throws Exception {
        Connection in = scene.tcp();
        Path target = scene.emptyFile();
        Fd file = scene.open(target, WRITE);
        Started<Boolean> transfer = Started.on(virtual, () -> {
                    TransferException e = failure(Transfer.from(in.far()).to(file));
                    assertThat(e.getCause()).isInstanceOf(InterruptedIOException.class);
                    assertThat(e.delivered()).isEqualTo(e.undeliveredBytes()).isZero();
                    return Thread.currentThread().isInterrupted();
                })
                .waiting();
        transfer.thread().interrupt();
        assertThat(transfer.result()).isTrue();
        in.send(bytes(SMALL)).result();
        Transfer.from(in.far()).to(file).run();
        assertThat(target).hasBinaryContent(bytes(SMALL));
    }

    @Test
    void whatAnInterruptLeftCanBeReadByTheInterruptedThread() throws Exception {
        Connection in = scene.tcp();
        Connection out = scene.tcp();
        in.send(bytes(LARGE));
        Started<Integer> transfer = Started.on(false, () -> {
                    TransferException e = failure(Transfer.from(in.far()).to(out.near()));
                    try (var undelivered = e.undelivered()) {
                        assertThat(e.undeliveredBytes()).isPositive();
                        return all(undelivered).length - (int) e.undeliveredBytes();
                    }
                })
                .waitingForTarget();
        transfer.thread().interrupt();
        assertThat(transfer.result()).isZero();
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aSideThatIsClosedMeanwhileIsNamed(boolean virtual) throws Exception {
        Connection in = scene.tcp();
        Fd source = scene.own(Fd.of(in.far()));
        Fd file = scene.open(scene.emptyFile(), WRITE);
        Started<?> reads =
                Started.on(virtual, () -> Transfer.from(source).to(file).run()).waiting();
        source.close();
        TransferException atSource = reads.failure();
        assertThat(atSource.side()).isEqualTo(Side.SOURCE);
        assertThat(atSource.getCause()).isInstanceOf(ClosedChannelException.class);

        Connection out = scene.tcp();
        Fd target = scene.own(Fd.of(out.near()));
        Fd large = scene.open(scene.file(bytes(LARGE)));
        Started<?> writes =
                Started.on(virtual, () -> Transfer.from(large).to(target).run()).waiting();
        target.close();
        assertThat(writes.failure().side()).isEqualTo(Side.TARGET);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    @DisplayName("lesson 7: a target that is closed meanwhile leaves what was on its way to it")
    void lesson7ATargetThatIsClosedMeanwhileLosesNothing(boolean virtual) throws Exception {
        byte[] content = bytes(LARGE);
        Connection in = scene.tcp();
        Connection out = scene.tcp();
        Started<Void> sent = in.send(content);
        Fd target = scene.own(Fd.of(out.near()));
        Started<?> transfer = Started.on(
                        virtual, () -> Transfer.from(in.far()).to(target).run())
                .waitingForTarget();
        target.close();
        TransferException e = transfer.failure();
        assertThat(e.side()).isEqualTo(Side.TARGET);
        assertThat(e.undeliveredBytes()).isPositive();
        try (var undelivered = e.undelivered()) {
            assertThat(all(undelivered)).isEqualTo(part(content, e.delivered(), e.undeliveredBytes()));
        }
        all(in.far());
        sent.result();
    }

    @Test
    void aChannelThatIsClosedIsRefusedBeforeAnythingMoves() throws Exception {
        Connection connection = scene.tcp();
        connection.far().close();
        Pipe pipe = scene.pipe();
        TransferException source = failure(Transfer.from(connection.far()).to(pipe.sink()));
        assertThat(source.side()).isEqualTo(Side.SOURCE);
        assertThat(source).hasCauseInstanceOf(ClosedChannelException.class).hasMessageContaining("after 0 bytes");
        Fd file = scene.open(scene.emptyFile(), WRITE);
        file.close();
        assertThat(failure(Transfer.from(pipe.source()).to(file)).side()).isEqualTo(Side.TARGET);
    }

    @Test
    void aFileThatIsCutShortMeanwhileIsNotTakenForWhole() throws Exception {
        Path path = scene.file(bytes(LARGE));
        Fd file = scene.open(path);
        Connection out = scene.tcp();
        Started<?> transfer = Started.on(
                        false,
                        () -> Transfer.from(file, 0)
                                .to(out.near())
                                .exactly(LARGE)
                                .run())
                .waiting();
        try (FileChannel channel = FileChannel.open(path, WRITE)) {
            channel.truncate(0);
        }
        Started<byte[]> received = out.receive();
        TransferException e = transfer.failure();
        out.near().shutdownOutput();
        assertThat(e.side()).isEqualTo(Side.SOURCE);
        assertThat(e.getCause()).isInstanceOf(EOFException.class).hasMessageContaining("all " + LARGE + " bytes");
        assertThat(e.delivered()).isLessThan(LARGE).isEqualTo(received.result().length);
        assertThat(e.undeliveredBytes()).isZero();
    }

    @Test
    void aFullFileSystemSaysSoAndTheRemainderIsThere() throws Exception {
        assumeTrue(Helper.exists("unshare") && Helper.exists("mount"), "needs unshare and mount");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String classes = System.getProperty("java.class.path") + File.pathSeparator
                + System.getProperty("jdk.module.path", "") + File.pathSeparator + "target/classes" + File.pathSeparator
                + "target/test-classes";
        String script = "mount -t tmpfs -o size=256k none \"$0\" || exit 77; exec \"$@\"";
        String[] program = {
            java,
            "-XX:TieredStopAtLevel=1",
            "--enable-native-access=ALL-UNNAMED",
            "-cp",
            classes,
            FullDisk.class.getName()
        };
        List<String> command =
                new ArrayList<>(List.of("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script));
        command.add(folder.toString());
        command.addAll(List.of(program));
        command.add(folder.toString());
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes());
        assumeTrue(process.waitFor() != 77 && !said.startsWith("unshare:"), "needs a tmpfs of its own: " + said);
        assertThat(said.lines())
                .as(said)
                .containsExactly(
                        "file: ENOSPC at TARGET, whole true",
                        "pipe: ENOSPC at TARGET, whole true",
                        "socket: ENOSPC at TARGET, whole true");
    }

    /** Runs where its folder is a small file system. */
    static final class FullDisk {
        private FullDisk() {}

        public static void main(String[] args) throws Exception {
            Path disk = Path.of(args[0]);
            Path outside = Files.createTempDirectory(Path.of("/dev/shm"), "sluice");
            byte[] content = bytes(1 << 20);
            try (TransferScene scene = new TransferScene(outside)) {
                Fd file = scene.open(scene.file(content));
                report("file", content, disk, Transfer.from(file), () -> {
                    Path rest = scene.emptyFile();
                    Transfer.from(file).to(scene.open(rest, WRITE)).run();
                    return Files.readAllBytes(rest);
                });
                Pipe pipe = scene.pipe();
                Started.on(false, () -> {
                    pipe.sink().write(ByteBuffer.wrap(content));
                    pipe.sink().close();
                    return null;
                });
                report("pipe", content, disk, Transfer.from(pipe.source()), () -> all(pipe.source()));
                Connection connection = scene.tcp();
                connection.send(content);
                report("socket", content, disk, Transfer.from(connection.far()), () -> all(connection.far()));
            } finally {
                try (var files = Files.list(outside)) {
                    for (Path file : files.toList()) {
                        Files.delete(file);
                    }
                }
                Files.delete(outside);
            }
        }

        private interface Rest {
            byte[] take() throws Exception;
        }

        private static void report(String what, byte[] content, Path disk, Transfer.From from, Rest rest)
                throws Exception {
            Path target = Files.createFile(disk.resolve("target"));
            try (Fd fd = Fd.open(target, WRITE)) {
                TransferException e = failure(from.to(fd));
                byte[] written = Files.readAllBytes(target);
                byte[] undelivered = all(e.undelivered());
                e.undelivered().close();
                byte[] left = rest.take();
                ByteBuffer whole = ByteBuffer.allocate(written.length + undelivered.length + left.length)
                        .put(written)
                        .put(undelivered)
                        .put(left);
                boolean counted = written.length == e.delivered() && undelivered.length == e.undeliveredBytes();
                String errno = e.getCause() instanceof io.sluice.ErrnoException cause ? cause.name() : e.toString();
                System.out.println(what + ": " + errno + " at " + e.side() + ", whole "
                        + (counted && written.length > 0 && Arrays.equals(whole.array(), content)));
            } finally {
                Files.delete(target);
            }
        }
    }

    @Test
    void lengthsAndOffsetsAreNotNegative() throws Exception {
        Fd file = scene.open(scene.file(bytes(SMALL)), READ, WRITE);
        Pipe pipe = scene.pipe();
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transfer.from(file).to(pipe.sink()).limit(-1))
                .withMessageContaining("a length cannot be negative: -1");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transfer.from(file).to(pipe.sink()).exactly(-2));
        assertThatIllegalArgumentException().isThrownBy(() -> Transfer.from(file, -3));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transfer.from(pipe.source()).to(file, -4));
    }

    @Test
    void whatHasNoOffsetsOrIsNoStreamIsRefused() throws Exception {
        Connection connection = scene.tcp();
        Fd socket = scene.own(Fd.of(connection.near()));
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transfer.from(socket, 0))
                .withMessageContaining("a socket or pipe has no offsets");
        DatagramChannel datagrams = scene.own(DatagramChannel.open());
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transfer.from(datagrams))
                .withMessageContaining("no stream");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transfer.from(Channels.newChannel(new ByteArrayInputStream(bytes(1)))))
                .withMessageContaining("no descriptor behind this channel");
    }

    @Test
    void theSideThatIsNotOpenForItIsNamed() throws Exception {
        Path path = scene.file(bytes(SMALL));
        Fd readOnly = scene.open(path);
        Fd writeOnly = scene.open(scene.emptyFile(), WRITE);
        Connection connection = scene.tcp();
        TransferException source = failure(Transfer.from(writeOnly).to(connection.near()));
        assertThat(source.side()).isEqualTo(Side.SOURCE);
        assertThat(source).hasMessageContainingAll("read(", "EBADF");
        TransferException target =
                failure(Transfer.from(scene.open(scene.file(bytes(1)))).to(readOnly));
        assertThat(target.side()).isEqualTo(Side.TARGET);
        assertThat(target).hasMessageContainingAll("write(", "EBADF");
        TransferException directory = failure(Transfer.from(scene.open(folder)).to(connection.near()));
        assertThat(directory.side()).isEqualTo(Side.SOURCE);
        assertThat(directory).hasMessageContaining("EISDIR");
        assertThatThrownBy(() -> {
                    try (FileChannel channel = FileChannel.open(path)) {
                        Transfer.from(connection.far()).to(channel).run();
                    }
                })
                .isInstanceOf(NonWritableChannelException.class);
        assertThatThrownBy(() -> {
                    try (FileChannel channel = FileChannel.open(path, WRITE)) {
                        Transfer.from(channel).to(connection.near()).run();
                    }
                })
                .isInstanceOf(NonReadableChannelException.class);
    }

    @Test
    void aFileChannelThatCannotBeFoundOutIsExplained() throws Exception {
        Path path = scene.file(bytes(SMALL));
        Pipe pipe = scene.pipe();
        try (FileChannel locked = FileChannel.open(path, READ, WRITE);
                FileLock lock = locked.lock()) {
            assertThat(lock.isValid()).isTrue();
            TransferException e = failure(Transfer.from(locked).to(pipe.sink()));
            assertThat(e.side()).isEqualTo(Side.SOURCE);
            assertThat(e).hasMessageContaining("Fd.open(path)");
        }
    }

    @Test
    void aFileIsNotCopiedOntoWhatIsStillToBeRead() throws Exception {
        Path path = scene.file(bytes(SMALL));
        Fd source = scene.open(path);
        Fd target = scene.open(path, WRITE);
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Transfer.from(source).to(target).run())
                .withMessageContaining("the same file");
        assertThatIllegalArgumentException()
                .isThrownBy(() ->
                        Transfer.from(source, 0).to(target, 999).limit(1000).run());
        Transfer.from(source, 0).to(target, SMALL).limit(SMALL).run();
        assertThat(Files.size(path)).isEqualTo(2 * SMALL);
        Pipe pipe = scene.pipe();
        pipe.sink().write(ByteBuffer.wrap(bytes(100)));
        assertThat(failure(Transfer.from(pipe.source()).to(pipe.sink())))
                .hasMessageContaining("both ends belong to the same pipe");
        assertThat(pipe.available()).isEqualTo(100);
    }

    @Test
    void anExceptionOfTheListenerLosesNothing() throws Exception {
        byte[] content = bytes(LARGE);
        Connection in = scene.tcp();
        Started<Void> sent = in.send(content);
        Path target = scene.emptyFile();
        Fd file = scene.open(target, WRITE);
        Transfer transfer = Transfer.from(in.far()).to(file);
        assertThatThrownBy(() -> transfer.onProgress(n -> {
                            throw new IllegalStateException("enough");
                        })
                        .run())
                .hasMessage("enough");
        assertThat(Files.size(target)).isPositive();
        transfer.run();
        sent.result();
        assertThat(target).hasBinaryContent(content);
    }

    private static byte[] part(byte[] content, long from, long length) {
        return Arrays.copyOfRange(content, (int) from, (int) (from + length));
    }
}
