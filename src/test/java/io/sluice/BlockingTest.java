package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Scene.Verb;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** The blocking forms wait for what they need, and for no more than that. */
class BlockingTest {
    static Stream<Arguments> verbsAndThreads() {
        return Scene.verbsAndThreads();
    }

    @ParameterizedTest
    @MethodSource("verbsAndThreads")
    void waitsUntilItCanMoveSomething(Verb verb, Started.On on) throws Exception {
        try (Scene scene = new Scene(verb)) {
            Started<Long> call = scene.waitingOn(on);
            scene.release(call);
            assertThat(call.result()).isEqualTo(Scene.LENGTH);
            assertThat(call.endedInterrupted()).isFalse();
        }
    }

    @ParameterizedTest
    @MethodSource("verbsAndThreads")
    void learnsThatItWaitsInVain(Verb verb, Started.On on) throws Exception {
        try (Scene scene = new Scene(verb)) {
            Started<Long> call = scene.waitingOn(on);
            scene.end();
            if (verb.waitsForRoom()) {
                assertThat(call.failure())
                        .isInstanceOfSatisfying(
                                ErrnoException.class, e -> assertThat(e.name()).isIn("EPIPE", "ECONNRESET"));
            } else {
                assertThat(call.result()).isEqualTo(-1);
            }
            assertThat(scene.own().isOpen()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource
    void doesNotWaitForMoreThanThereIs(Started.On on) throws Exception {
        try (Pipe pipe = Pipe.open();
                Pipe other = Pipe.open()) {
            Content.put(pipe, "some");
            assertThat(on.call(() -> pipe.source().teeTo(other.sink(), 100)).result())
                    .isEqualTo(4);
            assertThat(on.call(() -> pipe.source().read(ByteBuffer.allocate(100)))
                            .result())
                    .isEqualTo(4);
            assertThat(on.call(() -> other.source().spliceTo(pipe.sink(), 100)).result())
                    .isEqualTo(4);
        }
    }

    @ParameterizedTest
    @EnumSource
    void aWriteReturnsOnlyWhenEverythingIsIn(Started.On on) throws Exception {
        int length = 200_000;
        byte[] content = Content.bytes(length);
        try (Pipe pipe = Pipe.open()) {
            Started<Integer> write =
                    on.call(() -> pipe.sink().write(ByteBuffer.wrap(content))).waiting();
            int taken = 0;
            byte[] all = new byte[length];
            while (pipe.available() > 0 && length - taken > pipe.available()) {
                assertThat(write.isDone()).isFalse();
                taken += pipe.source().read(ByteBuffer.wrap(all, taken, Math.min(10_000, length - taken)));
            }
            while (taken < length) {
                taken += pipe.source().read(ByteBuffer.wrap(all, taken, length - taken));
            }
            assertThat(write.result()).isEqualTo(length);
            assertThat(all).isEqualTo(content);
        }
    }

    @ParameterizedTest
    @EnumSource
    void bytesTakeTurnsThroughTwoPipes(Started.On on) throws Exception {
        int turns = 1000;
        try (Pipe there = Pipe.open();
                Pipe back = Pipe.open()) {
            Started<Void> echo = on.call(() -> {
                while (there.source().spliceTo(back.sink(), Long.MAX_VALUE) >= 0) {}
                return null;
            });
            ByteBuffer one = ByteBuffer.allocate(1);
            for (int i = 0; i < turns; i++) {
                there.sink().write(one.clear());
                assertThat(back.source().read(one.clear())).isEqualTo(1);
            }
            there.sink().close();
            echo.result();
        }
    }

    @Test
    void everyWaiterGetsItsByte() throws Exception {
        int readers = 40;
        try (Pipe pipe = Pipe.open()) {
            var started = Stream.iterate(0, i -> i + 1)
                    .limit(readers)
                    .map(i ->
                            Started.On.values()[i % 2].call(() -> pipe.source().read(ByteBuffer.allocate(1))))
                    .toList();
            for (Started<Integer> reader : started) {
                reader.waiting();
            }
            for (int i = 0; i < readers; i++) {
                pipe.sink().write(ByteBuffer.allocate(1));
            }
            for (Started<Integer> reader : started) {
                assertThat(reader.result()).isEqualTo(1);
            }
            assertThat(pipe.available()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource
    void aReaderAndAWriterWaitOnOneSocketAtATime(Started.On on) throws Exception {
        byte[] content = Content.bytes(5_000_000);
        try (Connection connection = Connection.unix();
                Fd socket = Fd.of(connection.near());
                Pipe in = Pipe.open();
                Pipe out = Pipe.open()) {
            Started<byte[]> reader = on.call(() -> {
                Started<Void> fill = on.call(() -> {
                    while (in.sink().spliceFrom(socket, Long.MAX_VALUE) >= 0) {}
                    in.sink().close();
                    return null;
                });
                byte[] all = Content.takeAll(in.source());
                fill.result();
                return all;
            });
            Started<Void> writer = on.call(() -> {
                Started<Integer> fill = on.call(() -> out.sink().write(ByteBuffer.wrap(content)));
                for (long n = 0; n < content.length; ) {
                    n += out.source().spliceTo(socket, Long.MAX_VALUE);
                }
                fill.result();
                return null;
            });
            writer.waiting();
            ByteBuffer echo = ByteBuffer.allocate(content.length);
            while (echo.hasRemaining()) {
                connection.far().read(echo);
            }
            writer.result();
            connection.far().write(echo.flip());
            connection.far().close();
            assertThat(reader.result()).isEqualTo(content);
        }
    }

    @Test
    void aSegmentIsWrittenWholeOnEitherThread() throws Exception {
        for (Started.On on : Started.On.values()) {
            try (Pipe pipe = Pipe.open();
                    Arena arena = Arena.ofShared()) {
                var content = arena.allocate(1_000_000);
                Started<Long> write = on.call(() -> pipe.sink().write(content)).waiting();
                assertThat(drain(pipe, content.byteSize())).isEqualTo(content.byteSize());
                assertThat(write.result()).isEqualTo(content.byteSize());
            }
        }
    }

    private static long drain(Pipe pipe, long bytes) throws IOException {
        long total = 0;
        ByteBuffer buffer = ByteBuffer.allocateDirect(1 << 16);
        while (total < bytes) {
            total += pipe.source().read(buffer.clear());
        }
        return total;
    }
}
