package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Started.On;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Interrupting and closing have the effects that they have on the pipe of java.nio. */
class LikeJavaNioTest {
    /** What somebody does, and when. */
    enum Event {
        NONE,
        INTERRUPTED_BEFORE,
        INTERRUPTED_BEFORE_WITH_BYTES_AND_ROOM,
        INTERRUPTED_AND_CLOSED_BEFORE,
        INTERRUPTED_WHILE_WAITING,
        CLOSED_BEFORE,
        CLOSED_WHILE_WAITING,
        OTHER_END_CLOSED_BEFORE,
        OTHER_END_CLOSED_WHILE_WAITING,
        NO_BYTES_ASKED_FOR,
        NO_BYTES_ASKED_FOR_AFTER_CLOSE;

        boolean isWhileWaiting() {
            return name().endsWith("WHILE_WAITING");
        }
    }

    enum Direction {
        READ,
        WRITE
    }

    /** A pipe, whoever made it, with a byte in it or without room for one. */
    private record AnyPipe(ReadableByteChannel source, WritableByteChannel sink) {
        static AnyPipe ours(boolean filled, boolean full) throws IOException {
            Pipe pipe = Pipe.open();
            if (filled) {
                Content.put(pipe, "x");
            }
            if (full) {
                Content.fill(pipe.sink());
            }
            return new AnyPipe(pipe.source(), pipe.sink());
        }

        static AnyPipe javas(boolean filled, boolean full) throws IOException {
            java.nio.channels.Pipe pipe = java.nio.channels.Pipe.open();
            if (filled) {
                pipe.sink().write(ByteBuffer.allocate(1));
            }
            if (full) {
                pipe.sink().configureBlocking(false);
                while (pipe.sink().write(ByteBuffer.allocate(4096)) > 0) {}
                pipe.sink().configureBlocking(true);
            }
            return new AnyPipe(pipe.source(), pipe.sink());
        }
    }

    /** What came of it. */
    record Outcome(String result, boolean open, boolean otherOpen, boolean interrupted) {}

    static Stream<Arguments> cases() {
        return Arrays.stream(Event.values())
                .flatMap(event -> Arrays.stream(Direction.values())
                        .flatMap(
                                direction -> Arrays.stream(On.values()).map(on -> Arguments.of(event, direction, on))));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void asJavaNioDoes(Event event, Direction direction, On on) throws Exception {
        boolean waits = event.isWhileWaiting() || event == Event.INTERRUPTED_BEFORE;
        boolean filled = direction == Direction.READ && !waits && event != Event.OTHER_END_CLOSED_BEFORE;
        boolean full = direction == Direction.WRITE && waits;
        assertThat(outcome(AnyPipe.ours(filled, full), event, direction, on))
                .isEqualTo(outcome(AnyPipe.javas(filled, full), event, direction, on));
    }

    private static Outcome outcome(AnyPipe pipe, Event event, Direction direction, On on) throws Exception {
        Channel own = direction == Direction.READ ? pipe.source : pipe.sink;
        Channel other = direction == Direction.READ ? pipe.sink : pipe.source;
        boolean nothing = event == Event.NO_BYTES_ASKED_FOR || event == Event.NO_BYTES_ASKED_FOR_AFTER_CLOSE;
        Callable<Integer> call = () -> {
            if (event.name().startsWith("INTERRUPTED") && !event.isWhileWaiting()) {
                Thread.currentThread().interrupt();
            }
            ByteBuffer buffer = ByteBuffer.allocate(nothing ? 0 : 1);
            return direction == Direction.READ ? pipe.source.read(buffer) : pipe.sink.write(buffer);
        };
        switch (event) {
            case CLOSED_BEFORE, INTERRUPTED_AND_CLOSED_BEFORE, NO_BYTES_ASKED_FOR_AFTER_CLOSE -> own.close();
            case OTHER_END_CLOSED_BEFORE -> other.close();
            default -> {}
        }
        Started<Integer> started = on.call(call);
        if (event.isWhileWaiting()) {
            started.waiting();
        }
        switch (event) {
            case INTERRUPTED_WHILE_WAITING -> started.interrupt();
            case CLOSED_WHILE_WAITING -> own.close();
            case OTHER_END_CLOSED_WHILE_WAITING -> other.close();
            default -> {}
        }
        String result = result(started);
        try {
            return new Outcome(result, own.isOpen(), other.isOpen(), started.endedInterrupted());
        } finally {
            own.close();
            other.close();
        }
    }

    private static String result(Started<Integer> started) throws Exception {
        Started.Ending<Integer> ending = started.ending();
        if (ending.thrown() == null) {
            return ending.value().toString();
        }
        // Ours says more than IOException does, and is one.
        boolean ours = ending.thrown() instanceof ErrnoException;
        return (ours ? IOException.class : ending.thrown().getClass()).getName();
    }
}
