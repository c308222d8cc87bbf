package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileChannel.MapMode;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Every kind of memory that Java has can be written to a pipe and read from one. */
class PipeMemoryTest {
    private static final int PAGE = Kernel.observed().pageSize();
    private static final int ODD = 3;

    @TempDir
    static Path folder;

    private Arena arena;
    private Pipe pipe;

    /** Kinds of memory; each gives that many bytes, which are not its first ones where it can be helped. */
    enum Memory {
        BYTE_ARRAY,
        LONG_ARRAY,
        CONFINED,
        SHARED,
        AUTO,
        MAPPED_FILE;

        MemorySegment allocate(Arena arena, int bytes) throws IOException {
            MemorySegment whole = switch (this) {
                case BYTE_ARRAY -> MemorySegment.ofArray(new byte[bytes + ODD]);
                case LONG_ARRAY -> MemorySegment.ofArray(new long[(bytes + ODD) / Long.BYTES + 1]);
                case CONFINED, SHARED -> arena.allocate(bytes + ODD);
                case AUTO -> Arena.ofAuto().allocate(bytes + ODD);
                case MAPPED_FILE -> mapped(arena, bytes + ODD);
            };
            return whole.asSlice(ODD, bytes);
        }

        private static MemorySegment mapped(Arena arena, int bytes) throws IOException {
            Path path = Files.createTempFile(folder, "mapped", null);
            try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
                return channel.map(MapMode.READ_WRITE, 0, bytes, arena);
            }
        }
    }

    @BeforeEach
    void open() throws IOException {
        arena = Arena.ofShared();
        pipe = Pipe.open();
    }

    @AfterEach
    void close() throws IOException {
        pipe.close();
        arena.close();
    }

    static Stream<Arguments> memoryAndSizes() {
        return Arrays.stream(Memory.values())
                .flatMap(memory ->
                        IntStream.of(1, 4095, 4096, 65_535, 65_536).mapToObj(size -> Arguments.of(memory, size)));
    }

    @ParameterizedTest
    @MethodSource("memoryAndSizes")
    void segmentsGoThroughUnchanged(Memory memory, int size) throws IOException {
        byte[] content = Content.bytes(size);
        try (Arena confined = Arena.ofConfined()) {
            Arena owner = memory == Memory.CONFINED ? confined : arena;
            MemorySegment from = memory.allocate(owner, size).copyFrom(MemorySegment.ofArray(content));
            MemorySegment into = memory.allocate(owner, size + 1);
            assertThat(pipe.sink().write(from)).isEqualTo(size);
            assertThat(pipe.source().read(into)).isEqualTo(size);
            assertThat(into.asSlice(0, size).toArray(ValueLayout.JAVA_BYTE)).isEqualTo(content);
            assertThat(into.get(ValueLayout.JAVA_BYTE, size)).isZero();
            assertThat(pipe.sink().tryWrite(from)).isEqualTo(size);
            assertThat(pipe.source().tryRead(into)).isEqualTo(size);
        }
    }

    /** Without the array of which no ByteBuffer can be a view. */
    static Stream<Arguments> bufferedMemoryAndSizes() {
        return memoryAndSizes().filter(arguments -> arguments.get()[0] != Memory.LONG_ARRAY);
    }

    @ParameterizedTest
    @MethodSource("bufferedMemoryAndSizes")
    void buffersGoThroughUnchangedAndTheirPositionsAdvance(Memory memory, int size) throws IOException {
        byte[] content = Content.bytes(size);
        ByteBuffer from = memory.allocate(arena, size + 2).asByteBuffer();
        from.put(0, (byte) 'a').put(1, content).position(1).limit(size + 1);
        ByteBuffer into =
                memory.allocate(arena, size + 2).asByteBuffer().position(1).limit(size + 1);
        assertThat(pipe.sink().write(from)).isEqualTo(size);
        assertThat(from.position()).isEqualTo(size + 1);
        assertThat(pipe.source().read(into)).isEqualTo(size);
        assertThat(into.position()).isEqualTo(size + 1);
        assertThat(into.slice(1, size)).isEqualTo(ByteBuffer.wrap(content));
        assertThat(into.get(0)).isZero();
        assertThat(into.limit(size + 2).get(size + 1)).isZero();
    }

    @ParameterizedTest
    @EnumSource
    void readsThatFindNothingLeaveTheMemoryAsItIs(Memory memory) throws IOException {
        MemorySegment into = memory.allocate(arena, 100).fill((byte) 'x');
        assertThat(pipe.source().tryRead(into)).isZero();
        pipe.sink().close();
        assertThat(pipe.source().tryRead(into)).isEqualTo(-1);
        assertThat(pipe.source().read(into)).isEqualTo(-1);
        assertThat(into.toArray(ValueLayout.JAVA_BYTE)).containsOnly('x');
    }

    @Test
    void aBuffersPositionStaysWhenNothingWasRead() throws IOException {
        ByteBuffer into = ByteBuffer.allocate(10).position(5);
        assertThat(pipe.source().tryRead(into)).isZero();
        pipe.sink().close();
        assertThat(pipe.source().tryRead(into)).isEqualTo(-1);
        assertThat(pipe.source().read(into)).isEqualTo(-1);
        assertThat(into.position()).isEqualTo(5);
    }

    @Test
    void emptyMemoryMovesNothing() throws IOException {
        Content.put(pipe, "content");
        assertThat(pipe.source().read(ByteBuffer.allocate(0))).isZero();
        assertThat(pipe.source().tryRead(MemorySegment.NULL)).isZero();
        assertThat(pipe.sink().write(ByteBuffer.allocate(0))).isZero();
        assertThat(pipe.sink().write(MemorySegment.NULL)).isZero();
        assertThat(pipe.sink().tryWrite(ByteBuffer.allocateDirect(0))).isZero();
        assertThat(Content.takeText(pipe)).isEqualTo("content");
    }

    @Test
    void readOnlyMemoryCanBeWrittenFromButNotReadInto() throws IOException {
        ByteBuffer heap = ByteBuffer.wrap(Content.ascii("heap")).asReadOnlyBuffer();
        ByteBuffer direct = ByteBuffer.allocateDirect(4).asReadOnlyBuffer();
        MemorySegment segment = MemorySegment.ofArray(Content.ascii("segment")).asReadOnly();
        assertThat(pipe.sink().write(heap)).isEqualTo(4);
        assertThat(pipe.sink().write(direct)).isEqualTo(4);
        assertThat(pipe.sink().tryWrite(segment)).isEqualTo(7);
        for (ByteBuffer buffer : new ByteBuffer[] {heap.flip(), direct.flip()}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> pipe.source().read(buffer))
                    .withMessageContaining("read-only");
            assertThatIllegalArgumentException().isThrownBy(() -> pipe.source().tryRead(buffer));
        }
        assertThatIllegalArgumentException().isThrownBy(() -> pipe.source().read(segment));
        assertThatIllegalArgumentException().isThrownBy(() -> pipe.source().tryRead(segment));
        assertThat(Content.takeText(pipe)).isEqualTo("heap\0\0\0\0segment");
    }

    @Test
    void memoryThatWasGivenBackIsRefusedAndNothingIsLost() throws IOException {
        MemorySegment gone;
        try (Arena closed = Arena.ofConfined()) {
            gone = closed.allocate(10);
        }
        ByteBuffer view = goneBuffer();
        Content.put(pipe, "content");
        assertThatThrownBy(() -> pipe.source().read(gone)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> pipe.source().tryRead(gone)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> pipe.source().tryRead(view)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> pipe.sink().write(gone)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> pipe.sink().tryWrite(view)).isInstanceOf(IllegalStateException.class);
        assertThat(Content.takeText(pipe)).isEqualTo("content");
    }

    private static ByteBuffer goneBuffer() {
        try (Arena closed = Arena.ofShared()) {
            return closed.allocate(10).asByteBuffer();
        }
    }

    @ParameterizedTest
    @EnumSource
    void anotherThreadsMemoryIsRefusedAndNothingIsLost(Started.On on) throws Exception {
        Content.put(pipe, "content");
        try (Arena confined = Arena.ofConfined()) {
            MemorySegment foreign = confined.allocate(10);
            assertThat(on.call(() -> pipe.source().read(foreign)).failure()).isInstanceOf(WrongThreadException.class);
            assertThat(on.call(() -> pipe.sink().tryWrite(foreign)).failure()).isInstanceOf(WrongThreadException.class);
        }
        assertThat(Content.takeText(pipe)).isEqualTo("content");
    }

    @ParameterizedTest
    @EnumSource
    void memoryMayBeGivenBackWhileAReadWaits(Started.On on) throws Exception {
        Arena shared = Arena.ofShared();
        MemorySegment into = shared.allocate(10);
        Started<Long> read = on.call(() -> pipe.source().read(into)).waiting();
        shared.close();
        Content.put(pipe, "content");
        assertThat(read.failure()).isInstanceOf(IllegalStateException.class);
        assertThat(Content.takeText(pipe)).isEqualTo("content");
        assertThat(pipe.source().isOpen()).isTrue();
    }

    @ParameterizedTest
    @EnumSource
    void moreThanThePipeHoldsGoesThroughInPieces(Started.On on) throws Exception {
        byte[] content = Content.bytes(1_000_003);
        // Whose memory CONFINED is does not matter here: the arena is shared, because the writer is another thread.
        for (Memory memory : Memory.values()) {
            MemorySegment from = memory.allocate(arena, content.length).copyFrom(MemorySegment.ofArray(content));
            try (Pipe through = Pipe.open()) {
                Started<Long> write = on.call(() -> {
                    long n = through.sink().write(from);
                    through.sink().close();
                    return n;
                });
                assertThat(Content.takeAll(through.source())).isEqualTo(content);
                assertThat(write.result()).isEqualTo(content.length);
            }
        }
    }

    @Test
    void aTryTakesAsMuchAsFits() throws IOException {
        pipe.capacity(4L * PAGE);
        byte[] content = Content.bytes(6 * PAGE);
        ByteBuffer from = ByteBuffer.wrap(content);
        assertThat(pipe.sink().tryWrite(from)).isEqualTo(4 * PAGE);
        assertThat(from.position()).isEqualTo(4 * PAGE);
        assertThat(pipe.sink().tryWrite(from)).isZero();
        assertThat(Content.take(pipe.source())).isEqualTo(Arrays.copyOf(content, 4 * PAGE));
        assertThat(pipe.sink().tryWrite(from)).isEqualTo(2 * PAGE);
    }
}
