package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Pipe.Option;
import io.sluice.testing.Await;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Descriptors come back: at once when closed, some time after having been dropped, and never while in use. */
class PipeLeakTest {
    private static final int MANY = 1_000_000;

    @Test
    void aMillionPipesLeaveNothingBehind() throws IOException {
        int before = OpenFiles.count();
        for (int i = 0; i < MANY; i++) {
            Pipe.open().close();
        }
        OpenFiles.assertAsManyAs(before);
    }

    @ParameterizedTest
    @MethodSource("modes")
    void aDroppedPipeIsClosed(List<Option> options) throws Exception {
        String name = nameOfDropped(options.toArray(Option[]::new));
        Await.until(
                () -> {
                    System.gc();
                    return OpenFiles.named(name).isEmpty();
                },
                name + " closed after having been dropped");
    }

    static Stream<List<Option>> modes() {
        return Stream.of(
                List.of(),
                List.of(Option.PACKETS),
                List.of(Option.SINGLE_DESCRIPTOR),
                List.of(Option.SINGLE_DESCRIPTOR, Option.PACKETS));
    }

    @Test
    void anEndThatIsHeldStaysOpenWhenItsPipeIsDropped() throws Exception {
        try (PipeSource source = sourceOfDropped()) {
            awaitCollection();
            Await.until(
                    () -> {
                        System.gc();
                        return source.tryRead(ByteBuffer.allocate(1)) == -1;
                    },
                    "the end of the stream, the sink having been dropped");
            assertThat(source.isOpen()).isTrue();
        }
    }

    @ParameterizedTest
    @EnumSource(Started.On.class)
    void aDescriptorThatOnlyAWaitingCallKnowsStaysOpen(Started.On on) throws Exception {
        try (Pipe pipe = Pipe.open();
                Fd target = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            on.call(() -> {
                        // Often enough to be compiled: an interpreter keeps more objects alive than the language
                        // promises.
                        for (int i = 0; i < 20_000; i++) {
                            Content.put(pipe, "x");
                            spliceToTemporary(pipe.source(), target.number());
                        }
                        return null;
                    })
                    .result();
            Started<Long> waiting = on.call(() -> spliceToTemporary(pipe.source(), target.number()))
                    .waiting();
            awaitCollection();
            Content.put(pipe, "x");
            assertThat(waiting.result()).isEqualTo(1);
        }
    }

    private static long spliceToTemporary(PipeSource source, int number) throws IOException {
        return source.spliceTo(Fd.borrow(number), 1);
    }

    private static PipeSource sourceOfDropped() throws IOException {
        return Pipe.open().source();
    }

    private static String nameOfDropped(Option... options) throws IOException {
        return OpenFiles.nameOf(Pipe.open(options).source().number());
    }

    /** Returns when something that was dropped after the call began has been closed, and so everything dropped before. */
    private static void awaitCollection() throws Exception {
        for (int i = 0; i < 3; i++) {
            String canary = nameOfDropped();
            Await.until(
                    () -> {
                        System.gc();
                        return OpenFiles.named(canary).isEmpty();
                    },
                    "a collection");
        }
    }
}
