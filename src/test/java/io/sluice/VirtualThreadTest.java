package io.sluice;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Scene.Verb;
import io.sluice.Started.On;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Await;
import io.sluice.testing.Libc;
import io.sluice.testing.Results;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** Virtual threads wait without their carriers, of which there are two while these tests run. */
class VirtualThreadTest {
    private static final int MANY = 100;
    private static final int SOME = 8;

    @Test
    void aHundredThatWaitDoNotHoldUpAHundredOthers() throws Exception {
        List<Pipe> pipes = new ArrayList<>();
        List<Started<Integer>> waiting = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            Pipe pipe = Pipe.open();
            pipes.add(pipe);
            waiting.add(On.VIRTUAL.call(() -> pipe.source().read(ByteBuffer.allocate(1))));
        }
        for (Started<Integer> reader : waiting) {
            reader.waiting();
        }
        List<Started<Long>> others = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            others.add(On.VIRTUAL.call(VirtualThreadTest::passThroughTwoPipes));
        }
        for (Started<Long> other : others) {
            assertThat(other.result()).isEqualTo(100_000);
        }
        for (Pipe pipe : pipes) {
            Content.put(pipe, "x");
        }
        for (Started<Integer> reader : waiting) {
            assertThat(reader.result()).isEqualTo(1);
        }
        for (Pipe pipe : pipes) {
            pipe.close();
        }
    }

    private static long passThroughTwoPipes() throws Exception {
        try (Pipe first = Pipe.open();
                Pipe second = Pipe.open()) {
            Started<Void> writer = On.VIRTUAL.call(() -> {
                first.sink().write(ByteBuffer.allocate(100_000));
                first.sink().close();
                return null;
            });
            Started<Void> relay = On.VIRTUAL.call(() -> {
                while (first.source().spliceTo(second.sink(), Long.MAX_VALUE) >= 0) {}
                second.sink().close();
                return null;
            });
            int length = Content.takeAll(second.source()).length;
            writer.result();
            relay.result();
            return length;
        }
    }

    @Test
    void noVerbHoldsItsCarrier() throws Exception {
        List<Scene> scenes = new ArrayList<>();
        List<Started<Long>> calls = new ArrayList<>();
        for (int round = 0; round < 3; round++) {
            for (Verb verb : Verb.values()) {
                scenes.add(new Scene(verb));
                calls.add(scenes.getLast().waitingOn(On.VIRTUAL));
            }
        }
        assertThat(On.VIRTUAL.call(VirtualThreadTest::passThroughTwoPipes).result())
                .isEqualTo(100_000);
        for (int i = 0; i < calls.size(); i++) {
            scenes.get(i).release(calls.get(i));
            assertThat(calls.get(i).result()).isEqualTo(Scene.LENGTH);
        }
        for (Scene scene : scenes) {
            scene.close();
        }
    }

    /** A terminal, from which a splice waits in the kernel whatever the flags: the next best thing to a slow disk. */
    private record Terminal(Fd master, int slave) {
        private static final int O_NOCTTY = 0400;
        private static final long TIOCSPTLCK = 0x40045431;
        private static final long TIOCGPTN = 0x80045430L;

        static Terminal open(Workbench bench) throws IOException {
            Path multiplexer = Path.of("/dev/ptmx");
            assumeTrue(Files.isWritable(multiplexer), "needs a terminal of its own");
            int master = bench.open(multiplexer, Linux.O_RDWR() | O_NOCTTY);
            MemorySegment number = bench.buffer(Integer.BYTES);
            number.set(JAVA_INT, 0, 0);
            Results.gives(0, Libc.ioctl(master, TIOCSPTLCK, number));
            Results.gives(0, Libc.ioctl(master, TIOCGPTN, number));
            int slave = bench.open(Path.of("/dev/pts/" + number.get(JAVA_INT, 0)), Linux.O_RDWR() | O_NOCTTY);
            return new Terminal(Fd.borrow(master), slave);
        }

        void type(Workbench bench, String text) {
            bench.write(slave, Content.ascii(text));
        }

        Terminal canBeSpliced(Workbench bench) throws IOException {
            type(bench, "x");
            try (Pipe pipe = Pipe.open()) {
                pipe.sink().trySpliceFrom(master, 1);
                return this;
            } catch (ErrnoException e) {
                return abort("this kernel does not splice from a terminal: " + e.getMessage());
            }
        }
    }

    @Test
    void whatWaitsInTheKernelDoesSoOnAnotherThread() throws Exception {
        try (Workbench bench = new Workbench()) {
            List<Terminal> terminals = new ArrayList<>();
            List<Pipe> pipes = new ArrayList<>();
            List<Started<Long>> calls = new ArrayList<>();
            for (int i = 0; i < SOME; i++) {
                Terminal terminal = Terminal.open(bench).canBeSpliced(bench);
                Pipe pipe = Pipe.open();
                terminals.add(terminal);
                pipes.add(pipe);
                calls.add(On.VIRTUAL.call(() -> pipe.sink().spliceFrom(terminal.master, 100)));
            }
            Await.until(() -> offloadedSplices() == SOME, "splices on threads of their own");
            assertThat(On.VIRTUAL.call(VirtualThreadTest::passThroughTwoPipes).result())
                    .isEqualTo(100_000);
            for (int i = 0; i < SOME; i++) {
                assertThat(calls.get(i).isDone()).isFalse();
                terminals.get(i).type(bench, "typed");
                assertThat(calls.get(i).result()).isEqualTo(5);
                assertThat(Content.takeText(pipes.get(i))).isEqualTo("typed");
                pipes.get(i).close();
            }
        }
    }

    @Test
    void anInterruptDoesNotLoseWhatAnotherThreadMoved() throws Exception {
        try (Workbench bench = new Workbench();
                Pipe pipe = Pipe.open()) {
            Terminal terminal = Terminal.open(bench).canBeSpliced(bench);
            Started<Long> call = On.VIRTUAL.call(() -> pipe.sink().spliceFrom(terminal.master, 100));
            Await.until(() -> offloadedSplices() == 1, "a splice on a thread of its own");
            call.interrupt();
            Await.until(() -> !pipe.sink().isOpen(), "the sink closed");
            assertThat(call.isDone()).isFalse();
            terminal.type(bench, "typed");
            assertThat(call.result()).isEqualTo(5);
            assertThat(call.endedInterrupted()).isTrue();
            assertThat(Content.takeText(pipe)).isEqualTo("typed");
        }
    }

    @Test
    void aNumberIsGivenBackOnlyWhenTheCallThatUsesItHasEnded() throws Exception {
        try (Workbench bench = new Workbench();
                Pipe pipe = Pipe.open()) {
            Terminal terminal = Terminal.open(bench).canBeSpliced(bench);
            Started<Long> call = On.VIRTUAL.call(() -> pipe.sink().spliceFrom(terminal.master, 100));
            Await.until(() -> offloadedSplices() == 1, "a splice on a thread of its own");
            int number = pipe.sink().number();
            String name = OpenFiles.nameOf(number);
            pipe.sink().close();
            assertThat(OpenFiles.nameOf(number)).isEqualTo(name);
            terminal.type(bench, "typed");
            assertThat(call.result()).isEqualTo(5);
            Await.until(() -> OpenFiles.named(name).size() == 1, "the number given back");
            assertThat(Content.takeText(pipe)).isEqualTo("typed");
        }
    }

    private static int offloadedSplices() {
        return (int) Thread.getAllStackTraces().entrySet().stream()
                .filter(entry -> entry.getKey().getName().startsWith("sluice-offload-"))
                .map(Map.Entry::getValue)
                .filter(stack -> Arrays.stream(stack)
                        .anyMatch(frame -> frame.getMethodName().equals("splice")))
                .count();
    }
}
