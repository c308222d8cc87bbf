package io.sluice;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** How bytes get into a pipe, from somewhere else in the kernel or from memory. */
class PipeSinkTest {
    private static final int PAGE = Kernel.observed().pageSize();

    @TempDir
    Path folder;

    /** Each way in, from a place of its own. */
    enum Way {
        FILE,
        FILE_AT_OFFSET,
        TCP,
        UNIX,
        JAVA_PIPE
    }

    /** A way in, in its blocking or in its trying form. */
    record Verb(Way way, boolean trying) {
        @Override
        public String toString() {
            return way + (trying ? ", trying" : "");
        }

        long make(PipeSink into, Fd from, long offset, long max) throws IOException {
            if (way == Way.FILE_AT_OFFSET) {
                return trying ? into.trySpliceFrom(from, offset, max) : into.spliceFrom(from, offset, max);
            }
            return trying ? into.trySpliceFrom(from, max) : into.spliceFrom(from, max);
        }
    }

    static Stream<Verb> verbs() {
        return Arrays.stream(Way.values()).flatMap(way -> Stream.of(new Verb(way, false), new Verb(way, true)));
    }

    /** Where a verb moves bytes from: something that holds them and then ends. */
    private static final class Origin implements AutoCloseable {
        private final Connection connection;
        private final java.nio.channels.Pipe javaPipe = java.nio.channels.Pipe.open();
        private final Fd fd;

        Origin(Way way, Path folder, byte[] content) throws IOException {
            connection = way == Way.UNIX ? Connection.unix() : Connection.tcp();
            WritableByteChannel end = way == Way.JAVA_PIPE ? javaPipe.sink() : connection.far();
            fd = switch (way) {
                case FILE, FILE_AT_OFFSET -> Fd.open(Files.write(folder.resolve("origin"), content));
                case TCP, UNIX -> Fd.of(connection.near());
                case JAVA_PIPE -> Fd.of(javaPipe.source());
            };
            end.write(ByteBuffer.wrap(content));
            end.close();
        }

        @Override
        public void close() throws IOException {
            fd.close();
            connection.close();
            javaPipe.sink().close();
            javaPipe.source().close();
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void movesWhatIsThereAndThenSaysThatItHasEnded(Verb verb) throws IOException {
        byte[] content = Content.bytes(PAGE + 100);
        try (Pipe pipe = Pipe.open();
                Origin from = new Origin(verb.way(), folder, content)) {
            assertThat(pipe.sink().spliceFrom(from.fd, 1)).isEqualTo(1);
            long offset = 1;
            for (long n; (n = verb.make(pipe.sink(), from.fd, offset, Long.MAX_VALUE)) >= 0; ) {
                offset += n;
            }
            assertThat(offset).isEqualTo(content.length);
            assertThat(verb.make(pipe.sink(), from.fd, offset, Long.MAX_VALUE)).isEqualTo(-1);
            assertThat(Content.take(pipe.source())).isEqualTo(content);
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void movesNoMoreThanAskedAndTheRestStays(Verb verb) throws IOException {
        try (Pipe pipe = Pipe.open();
                Origin from = new Origin(verb.way(), folder, Content.ascii("content"))) {
            assertThat(verb.make(pipe.sink(), from.fd, 0, 3)).isEqualTo(3);
            assertThat(Content.takeText(pipe)).isEqualTo("con");
            assertThat(verb.make(pipe.sink(), from.fd, 3, 100)).isEqualTo(4);
            assertThat(Content.takeText(pipe)).isEqualTo("tent");
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void movesNothingWhenAskedForNothing(Verb verb) throws IOException {
        try (Pipe pipe = Pipe.open();
                Origin from = new Origin(verb.way(), folder, Content.ascii("content"))) {
            assertThat(verb.make(pipe.sink(), from.fd, 0, 0)).isZero();
            assertThat(pipe.available()).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void refusesNegativeNumbers(Verb verb) throws IOException {
        try (Pipe pipe = Pipe.open();
                Origin from = new Origin(verb.way(), folder, Content.ascii("content"))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> verb.make(pipe.sink(), from.fd, 0, -1))
                    .withMessageContaining("-1");
            if (verb.way() == Way.FILE_AT_OFFSET) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> verb.make(pipe.sink(), from.fd, -7, 1))
                        .withMessageContaining("-7");
            }
            assertThat(pipe.sink().spliceFrom(from.fd, 100)).isEqualTo(7);
        }
    }

    @ParameterizedTest
    @EnumSource
    void doesNotWaitForRoom(Way way) throws IOException {
        Verb verb = new Verb(way, true);
        try (Pipe pipe = Pipe.open();
                Origin from = new Origin(way, folder, Content.ascii("content"))) {
            int full = Content.fill(pipe.sink());
            assertThat(verb.make(pipe.sink(), from.fd, 0, 100)).isZero();
            assertThat(Content.take(pipe.source())).hasSize(full);
            assertThat(verb.make(pipe.sink(), from.fd, 0, 100)).isEqualTo(7);
            assertThat(Content.takeText(pipe)).isEqualTo("content");
        }
    }

    @ParameterizedTest
    @EnumSource(Connection.Over.class)
    void doesNotWaitForASocketToReceive(Connection.Over over) throws IOException {
        try (Pipe pipe = Pipe.open();
                Connection connection = over.open();
                Fd socket = Fd.of(connection.near())) {
            assertThat(pipe.sink().trySpliceFrom(socket, 100)).isZero();
        }
    }

    @Test
    void aFilesPositionMovesOnlyWithoutOffset() throws IOException {
        Path path = Files.write(folder.resolve("file"), Content.ascii("0123456789"));
        try (Pipe pipe = Pipe.open();
                Fd file = Fd.open(path)) {
            assertThat(pipe.sink().spliceFrom(file, 2)).isEqualTo(2);
            assertThat(pipe.sink().spliceFrom(file, 8, 100)).isEqualTo(2);
            assertThat(pipe.sink().trySpliceFrom(file, 5, 1)).isEqualTo(1);
            assertThat(pipe.sink().spliceFrom(file, 2)).isEqualTo(2);
            assertThat(pipe.sink().spliceFrom(file, 10, 100)).isEqualTo(-1);
            assertThat(Content.takeText(pipe)).isEqualTo("0189523");
        }
    }

    @Test
    void aFileThatGrowsGoesOnAfterItsEnd() throws IOException {
        Path path = Files.createFile(folder.resolve("growing"));
        try (Pipe pipe = Pipe.open();
                Fd file = Fd.open(path)) {
            assertThat(pipe.sink().spliceFrom(file, 100)).isEqualTo(-1);
            Files.write(path, Content.ascii("more"), WRITE);
            assertThat(pipe.sink().spliceFrom(file, 100)).isEqualTo(4);
        }
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aBlockingWriteSaysHowMuchWentInBeforeItFailed(boolean buffer) throws Exception {
        try (Pipe pipe = Pipe.open()) {
            ByteBuffer content = ByteBuffer.allocate(20 * PAGE);
            Started<?> write = Started.On.PLATFORM
                    .call(() -> buffer
                            ? (long) pipe.sink().write(content)
                            : pipe.sink().write(MemorySegment.ofBuffer(content)))
                    .waiting();
            int wentIn = pipe.available();
            pipe.source().close();
            assertThat(write.failure()).isInstanceOfSatisfying(ErrnoException.class, e -> {
                assertThat(e.name()).isEqualTo("EPIPE");
                assertThat(e.transferred()).isEqualTo(wentIn);
                assertThat(e).hasMessageContaining(wentIn + " bytes had been moved before");
            });
            assertThat(content.position()).isEqualTo(buffer ? wentIn : 0);
        }
    }

    @Test
    void aWriteThatFailsAtOnceHasMovedNothing() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            pipe.source().close();
            ByteBuffer content = ByteBuffer.allocate(10);
            ErrnoException e =
                    catchThrowableOfType(ErrnoException.class, () -> pipe.sink().write(content));
            assertThat(e.transferred()).isZero();
            assertThat(e.getMessage()).doesNotContain("moved before");
            assertThat(content.position()).isZero();
        }
    }

    @Test
    void aSmallWriteGoesInWholeOrNotAtAll() throws IOException {
        try (Pipe pipe = Pipe.open();
                Fd file = Fd.open(Files.createFile(folder.resolve("file")), READ, WRITE)) {
            Content.fill(pipe.sink());
            assertThat(pipe.source().spliceTo(file, PAGE)).isEqualTo(PAGE);
            Content.put(pipe, new byte[PAGE - 10]);
            // Room for ten bytes is left in the last page.
            assertThat(pipe.sink().tryWrite(ByteBuffer.allocate(11))).isZero();
            assertThat(pipe.sink().tryWrite(ByteBuffer.allocate(10))).isEqualTo(10);
            assertThat(pipe.sink().tryWrite(ByteBuffer.allocate(1))).isZero();
        }
    }
}
