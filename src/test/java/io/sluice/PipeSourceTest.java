package io.sluice;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** How bytes get out of a pipe to somewhere else in the kernel. */
class PipeSourceTest {
    private static final int PAGE = Kernel.observed().pageSize();

    @TempDir
    Path folder;

    /** Each way out, to a place of its own. */
    enum Way {
        FILE,
        FILE_AT_OFFSET,
        TCP,
        UNIX,
        PIPE,
        JAVA_PIPE,
        NULL_DEVICE,
        TEE;

        boolean leavesTheBytes() {
            return this == TEE;
        }
    }

    /** A way out in its blocking or in its trying form. */
    record Verb(Way way, boolean trying) {
        @Override
        public String toString() {
            return way + (trying ? ", trying" : "");
        }

        long make(PipeSource from, Destination to, long max) throws IOException {
            return make(from, to, 0, max);
        }

        long make(PipeSource from, Destination to, long offset, long max) throws IOException {
            return switch (way) {
                case FILE_AT_OFFSET ->
                    trying ? from.trySpliceTo(to.fd, offset, max) : from.spliceTo(to.fd, offset, max);
                case PIPE -> trying ? from.trySpliceTo(to.pipe.sink(), max) : from.spliceTo(to.pipe.sink(), max);
                case TEE -> trying ? from.tryTeeTo(to.pipe.sink(), max) : from.teeTo(to.pipe.sink(), max);
                default -> trying ? from.trySpliceTo(to.fd, max) : from.spliceTo(to.fd, max);
            };
        }
    }

    static Stream<Verb> verbs() {
        return Arrays.stream(Way.values()).flatMap(way -> Stream.of(new Verb(way, false), new Verb(way, true)));
    }

    static Stream<Verb> verbsThatTry() {
        return verbs().filter(Verb::trying);
    }

    /** Where a verb moves bytes to, and how to see what arrived. */
    private static final class Destination implements AutoCloseable {
        private final Way way;
        private final Path file;
        private final Pipe pipe = Pipe.open();
        private final Connection connection;
        private final java.nio.channels.Pipe javaPipe = java.nio.channels.Pipe.open();
        private final Fd fd;

        Destination(Way way, Path folder) throws IOException {
            this.way = way;
            file = way == Way.NULL_DEVICE ? Path.of("/dev/null") : folder.resolve("target");
            connection = way == Way.UNIX ? Connection.unix() : Connection.tcp();
            fd = switch (way) {
                case TCP, UNIX -> Fd.of(connection.near());
                case JAVA_PIPE -> Fd.of(javaPipe.sink());
                default -> Fd.open(file, READ, WRITE, CREATE);
            };
        }

        byte[] arrived() throws IOException {
            return switch (way) {
                case FILE, FILE_AT_OFFSET, NULL_DEVICE -> Files.readAllBytes(file);
                case PIPE, TEE -> Content.take(pipe.source());
                case TCP, UNIX -> {
                    connection.near().shutdownOutput();
                    yield Content.takeAll(connection.far());
                }
                case JAVA_PIPE -> {
                    fd.close();
                    javaPipe.sink().close();
                    yield Content.takeAll(javaPipe.source());
                }
            };
        }

        @Override
        public void close() throws IOException {
            fd.close();
            pipe.close();
            connection.close();
            javaPipe.sink().close();
            javaPipe.source().close();
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void movesWhatIsThere(Verb verb) throws IOException {
        byte[] content = Content.bytes(PAGE + 100);
        try (Pipe pipe = Pipe.open();
                Destination to = new Destination(verb.way(), folder)) {
            Content.put(pipe, content);
            assertThat(verb.make(pipe.source(), to, Long.MAX_VALUE)).isEqualTo(content.length);
            assertThat(Content.take(pipe.source())).isEqualTo(verb.way().leavesTheBytes() ? content : new byte[0]);
            assertThat(to.arrived()).isEqualTo(verb.way() == Way.NULL_DEVICE ? new byte[0] : content);
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void movesNoMoreThanAsked(Verb verb) throws IOException {
        try (Pipe pipe = Pipe.open();
                Destination to = new Destination(verb.way(), folder)) {
            Content.put(pipe, "content");
            assertThat(verb.make(pipe.source(), to, 3)).isEqualTo(3);
            assertThat(Content.takeText(pipe)).isEqualTo(verb.way().leavesTheBytes() ? "content" : "tent");
            assertThat(to.arrived()).isEqualTo(Content.ascii(verb.way() == Way.NULL_DEVICE ? "" : "con"));
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void movesNothingWhenAskedForNothing(Verb verb) throws IOException {
        try (Pipe pipe = Pipe.open();
                Destination to = new Destination(verb.way(), folder)) {
            assertThat(verb.make(pipe.source(), to, 0)).isZero();
            Content.put(pipe, "content");
            assertThat(verb.make(pipe.source(), to, 0)).isZero();
            pipe.sink().close();
            assertThat(Content.takeText(pipe)).isEqualTo("content");
            assertThat(verb.make(pipe.source(), to, 0)).isZero();
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void saysWhenTheStreamHasEnded(Verb verb) throws IOException {
        try (Pipe pipe = Pipe.open();
                Destination to = new Destination(verb.way(), folder)) {
            Content.put(pipe, "rest");
            pipe.sink().close();
            assertThat(verb.make(pipe.source(), to, 100)).isEqualTo(4);
            assertThat(Content.takeText(pipe)).isEqualTo(verb.way().leavesTheBytes() ? "rest" : "");
            assertThat(verb.make(pipe.source(), to, 100)).isEqualTo(-1);
            assertThat(verb.make(pipe.source(), to, 100)).isEqualTo(-1);
        }
    }

    @ParameterizedTest
    @MethodSource("verbs")
    void refusesNegativeNumbers(Verb verb) throws IOException {
        try (Pipe pipe = Pipe.open();
                Destination to = new Destination(verb.way(), folder)) {
            Content.put(pipe, "content");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> verb.make(pipe.source(), to, -1))
                    .withMessageContaining("-1");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> verb.make(pipe.source(), to, Long.MIN_VALUE))
                    .withMessageContaining(Long.toString(Long.MIN_VALUE));
            if (verb.way() == Way.FILE_AT_OFFSET) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> verb.make(pipe.source(), to, -7, 1))
                        .withMessageContaining("-7");
            }
            assertThat(Content.takeText(pipe)).isEqualTo("content");
        }
    }

    @ParameterizedTest
    @MethodSource("verbsThatTry")
    void doesNotWaitForBytes(Verb verb) throws IOException {
        try (Pipe pipe = Pipe.open();
                Destination to = new Destination(verb.way(), folder)) {
            assertThat(verb.make(pipe.source(), to, 100)).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"TCP", "UNIX", "PIPE", "JAVA_PIPE", "TEE"})
    void doesNotWaitForRoom(Way way) throws IOException {
        Verb verb = new Verb(way, true);
        try (Pipe pipe = Pipe.open();
                Destination to = new Destination(way, folder)) {
            long moved = 0;
            long n;
            do {
                while (pipe.sink().tryWrite(ByteBuffer.allocate(PAGE)) > 0) {}
                n = verb.make(pipe.source(), to, Long.MAX_VALUE);
                moved += n;
            } while (n > 0);
            assertThat(moved).isPositive();
            assertThat(n).isZero();
            assertThat(pipe.available()).isPositive();
        }
    }

    @Test
    void movesOnlyWhatTheTargetHasRoomFor() throws IOException {
        byte[] content = Content.bytes(8 * PAGE);
        try (Pipe pipe = Pipe.open();
                Pipe small = Pipe.open()) {
            small.capacity(2L * PAGE);
            Content.put(pipe, content);
            assertThat(pipe.source().spliceTo(small.sink(), Long.MAX_VALUE)).isEqualTo(2 * PAGE);
            assertThat(pipe.available()).isEqualTo(6 * PAGE);
            assertThat(pipe.source().tryTeeTo(small.sink(), Long.MAX_VALUE)).isZero();
            assertThat(Content.take(small.source())).isEqualTo(Arrays.copyOf(content, 2 * PAGE));
            assertThat(Content.take(pipe.source())).isEqualTo(Arrays.copyOfRange(content, 2 * PAGE, 8 * PAGE));
        }
    }

    @Test
    void aFilesPositionMovesOnlyWithoutOffset() throws IOException {
        Path path = folder.resolve("file");
        try (Pipe pipe = Pipe.open();
                Fd file = Fd.open(path, WRITE, CREATE)) {
            Content.put(pipe, "one two");
            assertThat(pipe.source().spliceTo(file, 3)).isEqualTo(3);
            assertThat(pipe.source().spliceTo(file, 100, 1)).isEqualTo(1);
            assertThat(pipe.source().trySpliceTo(file, 200, 1)).isEqualTo(1);
            assertThat(pipe.source().spliceTo(file, 2)).isEqualTo(2);
        }
        byte[] written = Files.readAllBytes(path);
        assertThat(written).hasSize(201).startsWith(Content.ascii("onewo"));
        assertThat(written[100]).isEqualTo((byte) ' ');
        assertThat(written[200]).isEqualTo((byte) 't');
    }

    @Test
    void teeStartsAtTheFirstByteEachTime() throws IOException {
        try (Pipe pipe = Pipe.open();
                Pipe copy = Pipe.open()) {
            Content.put(pipe, "content");
            assertThat(pipe.source().teeTo(copy.sink(), 3)).isEqualTo(3);
            assertThat(pipe.source().tryTeeTo(copy.sink(), 4)).isEqualTo(4);
            assertThat(Content.takeText(copy)).isEqualTo("concont");
            assertThat(Content.takeText(pipe)).isEqualTo("content");
        }
    }

    @Test
    void aDatagramSocketGetsDatagrams() throws IOException {
        try (Pipe pipe = Pipe.open();
                DatagramChannel far = DatagramChannel.open().bind(null);
                DatagramChannel near = DatagramChannel.open().connect(far.getLocalAddress());
                Fd socket = Fd.of(near)) {
            Content.put(pipe, "datagram");
            assertThat(pipe.source().spliceTo(socket, 4)).isEqualTo(4);
            assertThat(pipe.source().spliceTo(socket, 4)).isEqualTo(4);
            ByteBuffer received = ByteBuffer.allocate(100);
            far.receive(received);
            assertThat(received.position()).isEqualTo(4);
            far.receive(received);
            assertThat(received.flip()).isEqualTo(ByteBuffer.wrap(Content.ascii("datagram")));
        }
    }
}
