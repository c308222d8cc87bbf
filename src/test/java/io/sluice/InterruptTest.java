package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Scene.Verb;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** A thread that waits is interruptible, at the price of the end it waits on. */
class InterruptTest {
    static Stream<Arguments> verbsAndThreads() {
        return Scene.verbsAndThreads();
    }

    @ParameterizedTest
    @MethodSource("verbsAndThreads")
    void closesTheEndThatIsWaitedOn(Verb verb, Started.On on) throws Exception {
        try (Scene scene = new Scene(verb)) {
            int before = scene.pipe.available();
            Started<Long> call = scene.waitingOn(on);
            call.interrupt();
            assertThat(call.failure()).isExactlyInstanceOf(ClosedByInterruptException.class);
            assertThat(call.endedInterrupted()).isTrue();
            assertThat(scene.own().isOpen()).isFalse();
            assertThat(scene.opposite().isOpen()).isTrue();
            assertThat(scene.opposite().available()).isEqualTo(before);
            assertThat(scene.other.sink().isOpen()).isTrue();
            assertThatThrownBy(scene::call).isExactlyInstanceOf(ClosedChannelException.class);
        }
    }

    @ParameterizedTest
    @MethodSource("verbsAndThreads")
    void countsWhenItCameBefore(Verb verb, Started.On on) throws Exception {
        try (Scene scene = new Scene(verb)) {
            int before = scene.pipe.available();
            Started<Long> call = on.call(() -> {
                Thread.currentThread().interrupt();
                return scene.call();
            });
            assertThat(call.failure()).isExactlyInstanceOf(ClosedByInterruptException.class);
            assertThat(call.endedInterrupted()).isTrue();
            assertThat(scene.own().isOpen()).isFalse();
            assertThat(scene.opposite().available()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @EnumSource
    void countsEvenIfNothingHadToBeWaitedFor(Started.On on) throws Exception {
        try (Pipe pipe = Pipe.open()) {
            Content.put(pipe, "content");
            Started<Integer> read = on.call(() -> {
                Thread.currentThread().interrupt();
                return pipe.source().read(ByteBuffer.allocate(100));
            });
            assertThat(read.failure()).isExactlyInstanceOf(ClosedByInterruptException.class);
            assertThat(read.endedInterrupted()).isTrue();
            assertThat(pipe.sink().available()).isEqualTo(7);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aClosedEndIsJustClosed(Started.On on) throws Exception {
        try (Pipe pipe = Pipe.open()) {
            pipe.source().close();
            Started<Integer> read = on.call(() -> {
                Thread.currentThread().interrupt();
                return pipe.source().read(ByteBuffer.allocate(100));
            });
            assertThat(read.failure()).isExactlyInstanceOf(ClosedChannelException.class);
            assertThat(read.endedInterrupted()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void doesNotConcernTheFormsThatNeverWait(Started.On on) throws Exception {
        try (Pipe pipe = Pipe.open();
                Pipe other = Pipe.open();
                Fd target = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            Started<Void> tries = on.call(() -> {
                Thread.currentThread().interrupt();
                assertThat(pipe.sink().tryWrite(ByteBuffer.allocate(10))).isEqualTo(10);
                assertThat(pipe.sink().tryWrite(MemorySegment.ofArray(new byte[10])))
                        .isEqualTo(10);
                assertThat(pipe.source().tryTeeTo(other.sink(), 5)).isEqualTo(5);
                assertThat(pipe.source().trySpliceTo(other.sink(), 5)).isEqualTo(5);
                assertThat(pipe.source().trySpliceTo(target, 5)).isEqualTo(5);
                assertThat(pipe.source().tryRead(ByteBuffer.allocate(100))).isEqualTo(10);
                assertThat(pipe.source().tryRead(ByteBuffer.allocate(100))).isZero();
                return null;
            });
            tries.result();
            assertThat(tries.endedInterrupted()).isTrue();
            assertThat(pipe.source().isOpen() && pipe.sink().isOpen()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aBlockingWriteKeepsWhatItHadWritten(Started.On on) throws Exception {
        byte[] content = Content.bytes(200_000);
        ByteBuffer buffer = ByteBuffer.wrap(content);
        try (Pipe pipe = Pipe.open()) {
            Started<Integer> write = on.call(() -> pipe.sink().write(buffer)).waiting();
            write.interrupt();
            assertThat(write.failure()).isExactlyInstanceOf(ClosedByInterruptException.class);
            byte[] arrived = Content.takeAll(pipe.source());
            assertThat(arrived).hasSize(buffer.position());
            assertThat(content).startsWith(arrived);
        }
    }

    @ParameterizedTest
    @EnumSource
    void theOtherEndOfASingleDescriptorStaysUsable(Started.On on) throws Exception {
        try (Pipe pipe = Pipe.open(Pipe.Option.SINGLE_DESCRIPTOR)) {
            Started<Integer> read =
                    on.call(() -> pipe.source().read(ByteBuffer.allocate(1))).waiting();
            read.interrupt();
            assertThat(read.failure()).isExactlyInstanceOf(ClosedByInterruptException.class);
            Content.put(pipe, "content");
            assertThat(pipe.available()).isEqualTo(7);
        }
    }

    @ParameterizedTest
    @EnumSource
    void onlyTheInterruptedOneOfManyWaitersIsCalledInterrupted(Started.On on) throws Exception {
        try (Pipe pipe = Pipe.open()) {
            Started<Integer> one =
                    on.call(() -> pipe.source().read(ByteBuffer.allocate(1))).waiting();
            Started<Integer> two =
                    on.call(() -> pipe.source().read(ByteBuffer.allocate(1))).waiting();
            one.interrupt();
            assertThat(one.failure()).isExactlyInstanceOf(ClosedByInterruptException.class);
            assertThat(two.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThat(two.endedInterrupted()).isFalse();
        }
    }
}
