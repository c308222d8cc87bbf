package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Scene.Verb;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Closing either side of a transfer wakes whoever waits in it. */
class AsyncCloseTest {
    private static final int MANY = 50;

    static Stream<Arguments> verbsAndThreads() {
        return Scene.verbsAndThreads();
    }

    static Stream<Arguments> verbsWithTwoSides() {
        return verbsAndThreads().filter(arguments -> ((Verb) arguments.get()[0]).hasOtherSide());
    }

    @ParameterizedTest
    @MethodSource("verbsAndThreads")
    void closingThisEndWakesTheWaiter(Verb verb, Started.On on) throws Exception {
        try (Scene scene = new Scene(verb)) {
            int before = scene.pipe.available();
            Started<Long> call = scene.waitingOn(on);
            scene.own().close();
            assertThat(call.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThat(call.endedInterrupted()).isFalse();
            assertThat(scene.opposite().available()).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @MethodSource("verbsWithTwoSides")
    void closingTheOtherSideWakesTheWaiter(Verb verb, Started.On on) throws Exception {
        try (Scene scene = new Scene(verb)) {
            int before = scene.pipe.available();
            Started<Long> call = scene.waitingOn(on);
            scene.otherSide().close();
            assertThat(call.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThat(scene.own().isOpen()).isTrue();
            assertThat(scene.own().available()).isEqualTo(before);
        }
    }

    @Test
    void closingWakesEveryWaiter() throws Exception {
        try (Pipe pipe = Pipe.open();
                Pipe full = Pipe.open()) {
            Content.fill(full.sink());
            List<Started<?>> waiters = new ArrayList<>();
            for (int i = 0; i < MANY; i++) {
                Started.On on = Started.On.values()[i % 2];
                waiters.add(on.call(() -> pipe.source().read(ByteBuffer.allocate(1))));
                waiters.add(on.call(() -> full.sink().write(ByteBuffer.allocate(1))));
                waiters.add(on.call(() -> pipe.source().spliceTo(full.sink(), 1)));
            }
            for (Started<?> waiter : waiters) {
                waiter.waiting();
            }
            pipe.source().close();
            full.sink().close();
            for (Started<?> waiter : waiters) {
                assertThat(waiter.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void closingThePipeIsNotTheEndOfTheStreamToAReader(Started.On on) throws Exception {
        for (int i = 0; i < 300; i++) {
            Pipe pipe = Pipe.open();
            Started<Integer> read =
                    on.call(() -> pipe.source().read(ByteBuffer.allocate(1))).waiting();
            pipe.close();
            assertThat(read.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
        }
    }

    @Test
    void theNumberOfAClosedEndWakesNobodyElse() throws Exception {
        for (Started.On on : Started.On.values()) {
            Pipe first = Pipe.open();
            Started<Integer> old =
                    on.call(() -> first.source().read(ByteBuffer.allocate(1))).waiting();
            first.close();
            try (Pipe second = Pipe.open()) {
                Started<Integer> fresh = on.call(() -> second.source().read(ByteBuffer.allocate(1)))
                        .waiting();
                assertThat(old.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
                fresh.waiting();
                Content.put(second, "x");
                assertThat(fresh.result()).isEqualTo(1);
            }
        }
    }
}
