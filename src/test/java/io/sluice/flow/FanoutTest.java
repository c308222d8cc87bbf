package io.sluice.flow;

import static io.sluice.flow.Bytes.all;
import static io.sluice.flow.Bytes.bytes;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSource;
import io.sluice.flow.Aside.On;
import io.sluice.flow.FlowScene.Sockets;
import io.sluice.testing.Await;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.lang.ProcessBuilder.Redirect;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
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
import org.junit.jupiter.params.provider.EnumSource;

class FanoutTest {
    /** Several times what the pipes hold, and no multiple of a page. */
    private static final int LENGTH = 3_000_001;

    private final FlowScene scene = new FlowScene();
    private final PipePool pool = PipePool.of(8, 64 << 10);
    private final PipePool smallPipes = PipePool.of(8, 4096);

    @TempDir
    private Path folder;

    @BeforeEach
    void stock() throws IOException {
        for (int i = 0; i < 8; i++) {
            Pipe pipe = Pipe.open();
            pipe.capacity(4096);
            smallPipes.giveBack(pipe);
        }
    }

    @AfterEach
    void close() throws IOException {
        scene.close();
        pool.close();
        smallPipes.close();
    }

    private Fd file(String name) throws IOException {
        return scene.own(Fd.open(folder.resolve(name), CREATE, WRITE));
    }

    private byte[] written(String name) throws IOException {
        return Files.readAllBytes(folder.resolve(name));
    }

    private Fd fileHolding(byte[] content) throws IOException {
        return scene.own(Fd.open(Files.write(folder.resolve("source"), content)));
    }

    @ParameterizedTest
    @EnumSource
    void everySinkGetsTheWholeStream(On on) throws Exception {
        byte[] content = bytes(LENGTH);
        Sockets unix = scene.unix();
        Sockets tcp = scene.tcp();
        Pipe pipe = scene.pipe();
        Aside<byte[]> atUnix = FlowScene.taking(unix.far());
        Aside<byte[]> atTcp = FlowScene.taking(tcp.far());
        Aside<byte[]> atPipe = FlowScene.taking(pipe.source());
        Fanout fanout = Fanout.from(scene.bringing(content), pool)
                .to(file("primary"))
                .to(scene.own(Fd.of(unix.near())))
                .to(tcp.near())
                .to(pipe.sink())
                .to(file("copy"));
        List<Branch> branches = fanout.branches();

        assertThat(on.start(fanout::run).result()).isEqualTo(LENGTH);

        unix.near().shutdownOutput();
        tcp.near().shutdownOutput();
        pipe.sink().close();
        assertThat(written("primary")).isEqualTo(content);
        assertThat(written("copy")).isEqualTo(content);
        assertThat(atUnix.result()).isEqualTo(content);
        assertThat(atTcp.result()).isEqualTo(content);
        assertThat(atPipe.result()).isEqualTo(content);
        assertThat(fanout.delivered()).isEqualTo(LENGTH);
        assertThat(branches).hasSize(4).allSatisfy(branch -> {
            assertThat(branch.state()).isEqualTo(Branch.State.DONE);
            assertThat(branch.delivered()).isEqualTo(LENGTH);
            assertThat(branch.behind()).isZero();
            assertThat(branch.failure()).isEmpty();
        });
    }

    @ParameterizedTest
    @EnumSource
    void pipesOfOneSlotDoTheSame(On on) throws Exception {
        byte[] content = bytes(200_003);
        Sockets sockets = scene.unix();
        Aside<byte[]> taken = FlowScene.taking(sockets.far());
        Fanout fanout =
                Fanout.from(fileHolding(content), smallPipes).to(sockets.near()).to(file("copy"));
        on.start(fanout::run).result();
        sockets.near().shutdownOutput();
        assertThat(taken.result()).isEqualTo(content);
        assertThat(written("copy")).isEqualTo(content);
    }

    @Test
    void aSocketIsASource() throws Exception {
        byte[] content = bytes(LENGTH);
        Sockets sockets = scene.tcp();
        On.VIRTUAL.start(() -> {
            ByteBuffer bytes = ByteBuffer.wrap(content);
            while (bytes.hasRemaining()) {
                sockets.far().write(bytes);
            }
            sockets.far().shutdownOutput();
            return null;
        });
        try (Fanout fanout = Fanout.from(sockets.near()).to(file("primary")).to(file("copy"))) {
            assertThat(fanout.run()).isEqualTo(LENGTH);
        }
        assertThat(written("primary")).isEqualTo(content);
        assertThat(written("copy")).isEqualTo(content);
        assertThat(sockets.near().isOpen()).isTrue();
        PipePool.shared().close();
    }

    @Test
    void aChildProcessIsASource() throws Exception {
        Pipe pipe = scene.pipe();
        Process child = new ProcessBuilder("seq", "1", "100000")
                .redirectOutput(pipe.sink().redirect())
                .redirectInput(Redirect.from(Path.of("/dev/null").toFile()))
                .start();
        pipe.sink().close();
        Fanout.from(pipe.source(), pool).to(file("primary")).to(file("copy")).run();
        assertThat(child.waitFor()).isZero();
        assertThat(written("copy"))
                .isEqualTo(written("primary"))
                .endsWith("100000\n".getBytes(StandardCharsets.US_ASCII));
    }

    /** What {@code give} rests on, and why the pipe must be empty. */
    @Test
    void aTeeIntoAnEmptyPipeOfAsManySlotsTakesAllOfItHoweverSmallTheyAre() throws Exception {
        Pipe master = scene.own(Pipe.open(Pipe.Option.PACKETS));
        Pipe branch = scene.pipe();
        int slots = Math.min(master.slots(), branch.slots());
        master.capacity(slots * 4096L);
        branch.capacity(slots * 4096L);
        for (int i = 0; i < slots; i++) {
            assertThat(master.sink().tryWrite(ByteBuffer.wrap(new byte[] {(byte) i})))
                    .isEqualTo(1);
        }
        assertThat(master.sink().tryWrite(ByteBuffer.allocate(1))).isZero();
        assertThat(master.source().tryTeeTo(branch.sink(), Integer.MAX_VALUE)).isEqualTo(slots);

        branch.source().tryRead(ByteBuffer.allocate(1));
        assertThat(master.source().tryTeeTo(branch.sink(), Integer.MAX_VALUE)).isEqualTo(1);
    }

    @ParameterizedTest
    @EnumSource
    void slotsOfOneByteAreNoLimit(On on) throws Exception {
        byte[] content = bytes(2_000);
        Pipe packets = scene.own(Pipe.open(Pipe.Option.PACKETS));
        Aside<Void> writer = On.VIRTUAL.start(() -> {
            for (byte b : content) {
                packets.sink().write(ByteBuffer.wrap(new byte[] {b}));
            }
            packets.sink().close();
            return null;
        });
        Sockets sockets = scene.unix();
        Aside<byte[]> taken = FlowScene.taking(sockets.far());
        Fanout fanout = Fanout.from(packets.source(), pool)
                .to(file("primary"))
                .to(sockets.near())
                .to(file("copy"));
        on.start(fanout::run).result();
        writer.result();
        sockets.near().shutdownOutput();
        assertThat(written("primary")).isEqualTo(content);
        assertThat(written("copy")).isEqualTo(content);
        assertThat(taken.result()).isEqualTo(content);
    }

    @Test
    @DisplayName("lesson 13: a pipe may be granted less; re-read, carry on")
    void aBranchWithASmallerPipeGetsEverythingToo() throws Exception {
        byte[] content = bytes(LENGTH);
        Pipe small = Pipe.open();
        small.capacity(4096);
        pool.giveBack(small);
        Fanout fanout = Fanout.from(fileHolding(content), pool).to(file("primary"));
        Branch branch = fanout.add(file("copy"), WhenSlow.waitForIt());
        assertThat(branch.room()).isEqualTo(4096);
        fanout.run();
        assertThat(written("primary")).isEqualTo(content);
        assertThat(written("copy")).isEqualTo(content);
    }

    @Test
    @DisplayName("lesson 10: a file opened for append is written, because it cannot be spliced to")
    void filesOpenedForAppendAreWritten() throws Exception {
        byte[] content = bytes(LENGTH);
        for (String name : List.of("primary", "copy")) {
            Files.write(folder.resolve(name), new byte[] {1});
        }
        Fd primary = scene.own(Fd.open(folder.resolve("primary"), APPEND));
        Fd copy = scene.own(Fd.open(folder.resolve("copy"), APPEND));
        Fanout.from(fileHolding(content), pool).to(primary).to(copy).run();
        for (String name : List.of("primary", "copy")) {
            byte[] there = written(name);
            assertThat(there).hasSize(LENGTH + 1).startsWith(1);
            assertThat(Arrays.copyOfRange(there, 1, there.length)).isEqualTo(content);
        }
    }

    @Test
    @DisplayName("lesson 9: the first 0 of a file of /proc is not its end")
    void aFileOfProcIsRead() throws Exception {
        Path proc = Path.of("/proc/self/mountinfo");
        Fanout.from(scene.own(Fd.open(proc)), pool)
                .to(file("primary"))
                .to(file("copy"))
                .run();
        assertThat(written("primary")).isNotEmpty().isEqualTo(Files.readAllBytes(proc));
        assertThat(written("copy")).isEqualTo(written("primary"));
    }

    @ParameterizedTest
    @EnumSource
    void everybodyWaitsForABranchIfThatIsItsPolicy(On on) throws Exception {
        byte[] content = bytes(100_000);
        Pipe slow = scene.smallPipe();
        Fanout fanout = Fanout.from(fileHolding(content), smallPipes).to(file("primary"));
        Branch branch = fanout.add(slow.sink(), WhenSlow.waitForIt());
        Aside<Long> run = on.start(fanout::run);
        Await.until(
                () -> fanout.delivered() == 2 * 4096 && branch.behind() == 4096 && run.waits(),
                "a primary that has no more than one step that the branch has not");

        Aside<byte[]> taken = FlowScene.taking(slow.source());
        assertThat(run.result()).isEqualTo(content.length);
        slow.sink().close();
        assertThat(taken.result()).isEqualTo(content);
        assertThat(branch.await()).isEqualTo(Branch.State.DONE);
    }

    @Test
    void aSlowBranchIsDroppedIfThatIsItsPolicy() throws Exception {
        byte[] content = bytes(LENGTH);
        Pipe stuck = scene.smallPipe();
        Fanout fanout =
                Fanout.from(fileHolding(content), pool).to(file("primary")).to(file("copy"));
        Branch branch = fanout.add(stuck.sink(), WhenSlow.dropAfter(Duration.ZERO));
        assertThat(fanout.run()).isEqualTo(LENGTH);
        assertThat(branch.await()).isEqualTo(Branch.State.DROPPED);
        assertThat(branch.delivered()).isEqualTo(stuck.available());
        assertThat(branch.behind()).isPositive();
        assertThat(written("primary")).isEqualTo(content);
        assertThat(written("copy")).isEqualTo(content);
        byte[] had = FlowScene.exactly(stuck.source(), stuck.available());
        assertThat(had).isEqualTo(Arrays.copyOf(content, had.length));
    }

    @Test
    void aBranchThatTakesNothingMoreAtTheEndIsDropped() throws Exception {
        Pipe stuck = scene.smallPipe();
        Fanout fanout = Fanout.from(fileHolding(bytes(60_000)), pool).to(file("primary"));
        Branch branch = fanout.add(stuck.sink(), WhenSlow.dropAfter(Duration.ofMillis(1)));
        assertThat(fanout.run()).isEqualTo(60_000);
        assertThat(branch.await()).isEqualTo(Branch.State.DROPPED);
    }

    @ParameterizedTest
    @EnumSource
    void whatASlowBranchCannotTakeIsSpilledAndDeliveredInOrder(On on) throws Exception {
        byte[] content = bytes(LENGTH);
        Path spills = Files.createDirectory(folder.resolve("spills"));
        Pipe slow = scene.smallPipe();
        Fanout fanout = Fanout.from(fileHolding(content), pool).to(file("primary"));
        Branch branch = fanout.add(slow.sink(), WhenSlow.spillAfter(Duration.ZERO, spills, Long.MAX_VALUE));
        Aside<Long> run = on.start(fanout::run);
        Await.until(() -> fanout.delivered() == LENGTH, "the primary has everything while the branch is stuck");
        assertThat(written("primary")).isEqualTo(content);
        assertThat(branch.delivered()).isLessThanOrEqualTo(4096);
        assertThat(spills).isEmptyDirectory();

        Aside<byte[]> taken = FlowScene.taking(slow.source());
        run.result();
        slow.sink().close();
        assertThat(taken.result()).isEqualTo(content);
        assertThat(branch.spilled()).isPositive();
        assertThat(branch.await()).isEqualTo(Branch.State.DONE);
    }

    @Test
    void aBranchReturnsFromTheSpillFileToThePipeWhenItHasCaughtUp() throws Exception {
        Pipe source = scene.pipe();
        Pipe slow = scene.smallPipe();
        byte[] content = bytes(30_000);
        Fanout fanout = Fanout.from(source.source(), pool).to(file("primary"));
        Branch branch = fanout.add(slow.sink(), WhenSlow.spillAfter(Duration.ZERO, folder, Long.MAX_VALUE));
        Aside<Long> run = On.PLATFORM.start(fanout::run);
        for (int i = 0; i < 3; i++) {
            source.sink().write(ByteBuffer.wrap(content));
            long sent = (i + 1L) * content.length;
            Await.until(() -> fanout.delivered() == sent, "the primary has it");
        }
        assertThat(branch.spilled()).isEqualTo(2L * content.length);
        for (int i = 0; i < 3; i++) {
            assertThat(FlowScene.exactly(slow.source(), content.length)).isEqualTo(content);
        }
        Await.until(() -> branch.behind() == 0, "caught up");
        source.sink().write(ByteBuffer.wrap(content, 0, 4096));
        assertThat(FlowScene.exactly(slow.source(), 4096)).isEqualTo(Arrays.copyOf(content, 4096));
        source.sink().close();
        run.result();
        assertThat(branch.await()).isEqualTo(Branch.State.DONE);
        assertThat(branch.delivered()).isEqualTo(3L * content.length + 4096);
    }

    @Test
    void aBranchThatSpillsMoreThanItMayIsDropped() throws Exception {
        byte[] content = bytes(LENGTH);
        Pipe stuck = scene.smallPipe();
        Fanout fanout = Fanout.from(fileHolding(content), pool).to(file("primary"));
        Branch branch = fanout.add(stuck.sink(), WhenSlow.spillAfter(Duration.ZERO, folder, 200_000));
        assertThat(fanout.run()).isEqualTo(LENGTH);
        assertThat(branch.await()).isEqualTo(Branch.State.DROPPED);
        assertThat(branch.spilled()).isBetween(1L, 200_000L);
        assertThat(written("primary")).isEqualTo(content);
    }

    @Test
    void aBranchThatCannotSpillFailsAlone() throws Exception {
        byte[] content = bytes(LENGTH);
        Pipe stuck = scene.smallPipe();
        Fanout fanout = Fanout.from(fileHolding(content), pool).to(file("primary"));
        Branch branch =
                fanout.add(stuck.sink(), WhenSlow.spillAfter(Duration.ZERO, folder.resolve("nowhere"), 1 << 20));
        assertThat(fanout.run()).isEqualTo(LENGTH);
        assertThat(branch.await()).isEqualTo(Branch.State.FAILED);
        assertThat(branch.failure().orElseThrow()).hasMessageContaining("nowhere");
    }

    @ParameterizedTest
    @EnumSource
    void aBranchThatFailsStopsNobodyElse(On on) throws Exception {
        byte[] content = bytes(LENGTH);
        Pipe dead = scene.pipe();
        dead.source().close();
        Fanout fanout = Fanout.from(fileHolding(content), pool).to(file("primary"));
        Branch branch = fanout.add(dead.sink(), WhenSlow.waitForIt());
        Branch copy = fanout.add(file("copy"), WhenSlow.waitForIt());
        assertThat(on.start(fanout::run).result()).isEqualTo(LENGTH);
        assertThat(branch.await()).isEqualTo(Branch.State.FAILED);
        assertThat(branch.failure())
                .hasValueSatisfying(failure -> assertThat(failure)
                        .isInstanceOfSatisfying(
                                ErrnoException.class, e -> assertThat(e.name()).isEqualTo("EPIPE")));
        assertThat(branch.behind()).isPositive();
        assertThat(copy.await()).isEqualTo(Branch.State.DONE);
        assertThat(written("primary")).isEqualTo(content);
        assertThat(written("copy")).isEqualTo(content);
    }

    @ParameterizedTest
    @EnumSource
    void aBranchWhoseSinkIsClosedMeanwhileFailsAlone(On on) throws Exception {
        Pipe stuck = scene.smallPipe();
        byte[] content = bytes(LENGTH);
        Fanout fanout = Fanout.from(fileHolding(content), pool).to(file("primary"));
        Branch branch = fanout.add(stuck.sink(), WhenSlow.waitForIt());
        Aside<Long> run = on.start(fanout::run);
        Await.until(() -> branch.behind() > 0 && run.waits(), "a fan-out that waits");
        stuck.sink().close();
        assertThat(run.result()).isEqualTo(LENGTH);
        assertThat(branch.failure().orElseThrow()).isInstanceOf(ClosedChannelException.class);
        assertThat(written("primary")).isEqualTo(content);
    }

    @ParameterizedTest
    @EnumSource
    void whatThePrimaryDidNotTakeIsTheRemainder(On on) throws Exception {
        byte[] content = bytes(LENGTH);
        Pipe primary = scene.smallPipe();
        Fd source = fileHolding(content);
        Fanout fanout = scene.own(Fanout.from(source, pool).to(primary.sink()));
        Branch branch = fanout.add(file("copy"), WhenSlow.waitForIt());
        Aside<Long> run = on.start(fanout::run);
        Await.until(() -> fanout.delivered() == 4096, "a full primary");
        byte[] had = FlowScene.exactly(primary.source(), 1000);
        primary.source().close();

        FanoutException e = failure(run);
        assertThat(e).hasMessageContaining("primary").hasMessageContaining("EPIPE");
        assertThat(e.undelivered()).isEqualTo(fanout.undelivered()).isPositive();
        assertThat(had).isEqualTo(Arrays.copyOf(content, 1000));
        int taken = (int) (e.delivered() + e.undelivered());
        assertThat(all(fanout.remainder())).isEqualTo(Arrays.copyOfRange(content, (int) e.delivered(), taken));
        assertThat(branch.await()).isEqualTo(Branch.State.DONE);
        assertThat(written("copy")).isEqualTo(Arrays.copyOf(content, taken));
        try (Pipe rest = Pipe.open()) {
            assertThat(rest.sink().spliceFrom(source, 10)).isEqualTo(10);
            assertThat(FlowScene.exactly(rest.source(), 10)).isEqualTo(Arrays.copyOfRange(content, taken, taken + 10));
        }
    }

    @Test
    void theRemainderCanBeTransferredElsewhere() throws Exception {
        byte[] content = bytes(LENGTH);
        Pipe primary = scene.smallPipe();
        Fanout fanout = scene.own(Fanout.from(fileHolding(content), pool).to(primary.sink()));
        Aside<Long> run = On.VIRTUAL.start(fanout::run);
        Await.until(() -> fanout.delivered() == 4096, "a full primary");
        primary.source().close();

        FanoutException e = failure(run);
        Fd elsewhere = file("elsewhere");
        assertThat(Transfer.from(fanout.remainder()).to(elsewhere).run().bytes())
                .isEqualTo(e.undelivered());
        int taken = (int) (e.delivered() + e.undelivered());
        assertThat(written("elsewhere")).isEqualTo(Arrays.copyOfRange(content, (int) e.delivered(), taken));
    }

    @Test
    void whatAPrimaryThatIsWrittenDidNotTakeIsTheRemainder() throws Exception {
        byte[] content = bytes(50_000);
        Fd full = scene.own(Fd.open(Path.of("/dev/full"), WRITE));
        Fanout fanout = scene.own(Fanout.from(fileHolding(content), pool).to(full));
        FanoutException e = catchThrowableOfType(FanoutException.class, fanout::run);
        assertThat(e).hasMessageContaining("ENOSPC");
        assertThat(e.delivered()).isZero();
        assertThat(all(fanout.remainder())).isEqualTo(content);
    }

    @ParameterizedTest
    @EnumSource
    void anInterruptEndsItAndClosesNothing(On on) throws Exception {
        Pipe source = scene.pipe();
        source.sink().write(ByteBuffer.wrap(bytes(10_000)));
        Pipe primary = scene.pipe();
        Pipe stuck = scene.smallPipe();
        Fanout fanout = scene.own(Fanout.from(source.source(), pool).to(primary.sink()));
        Branch branch = fanout.add(stuck.sink(), WhenSlow.waitForIt());
        boolean[] status = new boolean[1];
        Aside<Long> run = on.start(() -> {
            try {
                return fanout.run();
            } finally {
                status[0] = Thread.interrupted();
            }
        });
        Await.until(
                () -> fanout.delivered() == 10_000 && branch.delivered() == 4096,
                "a fan-out that waits for its source");
        run.interrupt();
        FanoutException e = failure(run);
        assertThat(e.getCause()).isInstanceOf(InterruptedIOException.class);
        assertThat(e.delivered()).isEqualTo(10_000);
        assertThat(status[0]).isTrue();
        assertThat(branch.await()).isEqualTo(Branch.State.STOPPED);
        assertThat(branch.behind()).isEqualTo(10_000 - 4096);
        assertThat(source.isOpen() && primary.sink().isOpen() && stuck.sink().isOpen())
                .isTrue();
    }

    @ParameterizedTest
    @EnumSource
    void branchesComeAndGoWhileItRuns(On on) throws Exception {
        Pipe source = scene.pipe();
        Pipe primary = scene.pipe();
        Fanout fanout = scene.own(Fanout.from(source.source(), pool).to(primary.sink()));
        Aside<Long> run = on.start(fanout::run);
        say(source, primary, "nobody ");
        Pipe first = scene.pipe();
        Branch one = fanout.add(first.sink(), WhenSlow.waitForIt());
        say(source, primary, "one ");
        Pipe second = scene.pipe();
        Branch two = fanout.add(second.sink(), WhenSlow.dropAfter(Duration.ofMinutes(1)));
        say(source, primary, "both ");
        Await.until(() -> one.behind() == 0, "the first has it");
        one.remove();
        assertThat(one.await()).isEqualTo(Branch.State.REMOVED);
        say(source, primary, "two ");
        two.finish();
        assertThat(two.await()).isEqualTo(Branch.State.DONE);
        say(source, primary, "nobody");
        Await.until(() -> fanout.branches().isEmpty(), "those that left are forgotten");
        source.sink().close();
        assertThat(run.result()).isEqualTo("nobody one both two nobody".length());
        first.sink().close();
        second.sink().close();
        assertThat(new String(all(first.source()), StandardCharsets.US_ASCII)).isEqualTo("one both ");
        assertThat(new String(all(second.source()), StandardCharsets.US_ASCII)).isEqualTo("both two ");
        assertThatIllegalStateException().isThrownBy(() -> fanout.add(first.sink(), WhenSlow.waitForIt()));
    }

    private static void say(Pipe source, Pipe primary, String text) throws Exception {
        source.sink().write(ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII)));
        assertThat(FlowScene.exactly(primary.source(), text.length()))
                .isEqualTo(text.getBytes(StandardCharsets.US_ASCII));
    }

    @Test
    void manyBranchesComeAndGoUnderLoad() throws Exception {
        byte[] content = bytes(16 << 20);
        Fanout fanout = Fanout.from(scene.bringing(content), pool).to(file("primary"));
        List<Aside<Boolean>> clients = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            boolean leaves = i % 2 == 0;
            Pipe pipe = scene.pipe();
            clients.add(On.VIRTUAL.start(() -> {
                Branch branch = fanout.add(pipe.sink(), WhenSlow.waitForIt());
                byte[] start = FlowScene.exactly(pipe.source(), 100_000);
                if (leaves) {
                    branch.remove();
                    branch.await();
                    return true;
                }
                Aside<byte[]> rest = FlowScene.taking(pipe.source());
                branch.await();
                pipe.sink().close();
                byte[] all = rest.result();
                return branch.delivered() == start.length + all.length
                        && Arrays.equals(all, Arrays.copyOfRange(content, content.length - all.length, content.length));
            }));
        }
        Await.until(() -> fanout.branches().size() == 8, "all are there");
        assertThat(fanout.run()).isEqualTo(content.length);
        for (Aside<Boolean> client : clients) {
            assertThat(client.result()).isTrue();
        }
        assertThat(written("primary")).isEqualTo(content);
    }

    @Test
    @DisplayName("lesson 6: a pipe that a branch left something in does not go back to the pool")
    void aDirtyPipeIsNotPooled() throws Exception {
        Pipe stuck = scene.smallPipe();
        Fanout fanout = Fanout.from(fileHolding(bytes(40_000)), pool).to(file("primary"));
        Branch branch = fanout.add(stuck.sink(), WhenSlow.dropAfter(Duration.ofMillis(1)));
        fanout.run();
        branch.await();
        assertThat(pool.idle()).isEqualTo(1); // the fan-out's own
    }

    @Test
    @DisplayName("lesson 7: every pipe is given back, also after an error")
    void pipesAreGivenBack() throws Exception {
        Fanout.from(fileHolding(bytes(40_000)), pool)
                .to(file("a"))
                .to(file("b"))
                .to(file("c"))
                .run();
        assertThat(pool.idle()).isEqualTo(3);
        PipeSource closed = scene.pipe().source();
        closed.close();
        Fanout failing = Fanout.from(closed, pool).to(file("d")).to(file("e"));
        assertThatExceptionOfType(FanoutException.class)
                .isThrownBy(failing::run)
                .withCauseInstanceOf(ClosedChannelException.class)
                .withMessageContaining("source");
        Await.until(() -> pool.idle() == 3, "all are back");
    }

    @Test
    void itIsRecorded() throws Exception {
        Path file = folder.resolve("recording");
        try (Recording recording = new Recording()) {
            recording.enable("io.sluice.Fanout");
            recording.start();
            Pipe dead = scene.pipe();
            dead.source().close();
            Fanout fanout = Fanout.from(fileHolding(bytes(LENGTH)), pool).to(file("a"));
            fanout.add(dead.sink(), WhenSlow.waitForIt());
            fanout.to(file("b")).run();
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file);
        assertThat(events).hasSize(1);
        assertThat(events.getFirst().getLong("delivered")).isEqualTo(LENGTH);
        assertThat(events.getFirst().getInt("branches")).isEqualTo(2);
        assertThat(events.getFirst().getInt("lost")).isEqualTo(1);
    }

    @Test
    void misuseIsExplained() throws Exception {
        Fd source = fileHolding(new byte[10]);
        assertThatIllegalStateException()
                .isThrownBy(() -> Fanout.from(source, pool).run())
                .withMessageContaining("no sink");
        assertThatIllegalStateException()
                .isThrownBy(() -> Fanout.from(source, pool).add(file("x"), WhenSlow.waitForIt()))
                .withMessageContaining("primary");
        Fanout fanout = Fanout.from(source, pool).to(file("x"));
        fanout.run();
        assertThatIllegalStateException().isThrownBy(fanout::run);
        assertThatIllegalArgumentException().isThrownBy(() -> WhenSlow.dropAfter(Duration.ofNanos(-1)));
        assertThatIllegalArgumentException().isThrownBy(() -> WhenSlow.spillAfter(Duration.ZERO, folder, 0));
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(() -> {
            Sockets sockets = scene.unix();
            sockets.near().close();
            Fanout.from(sockets.near());
        });
        assertThat(WhenSlow.dropAfter(Duration.ofSeconds(1))).hasToString("drop after PT1S");
    }

    @Test
    void aPrimaryThatIsNotOpenForWritingIsNamed() throws Exception {
        Fd source = fileHolding(new byte[10]);
        Fd readOnly = scene.own(Fd.open(Files.createFile(folder.resolve("read-only"))));
        Fanout fanout = scene.own(Fanout.from(source, pool).to(readOnly));
        assertThatExceptionOfType(FanoutException.class)
                .isThrownBy(fanout::run)
                .withMessageContaining("read-only")
                .withMessageContaining("EBADF");
        assertThat(all(fanout.remainder())).hasSize(10);
    }

    private static FanoutException failure(Aside<Long> run) {
        return catchThrowableOfType(FanoutException.class, () -> {
            try {
                run.result();
            } catch (java.util.concurrent.ExecutionException e) {
                throw e.getCause();
            }
        });
    }
}
