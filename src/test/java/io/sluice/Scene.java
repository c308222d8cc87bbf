package io.sluice;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/** Pipes, a socket and a file in a state in which one blocking verb has to wait. */
final class Scene implements AutoCloseable {
    /** Every blocking verb with everything it may have to wait for. */
    enum Verb {
        READ_BUFFER,
        READ_SEGMENT,
        SPLICE_TO_FILE,
        SPLICE_TO_FILE_AT_OFFSET,
        SPLICE_TO_SOCKET,
        SPLICE_TO_FULL_SOCKET,
        SPLICE_TO_PIPE,
        SPLICE_TO_FULL_PIPE,
        TEE,
        TEE_TO_FULL_PIPE,
        WRITE_BUFFER,
        WRITE_SEGMENT,
        SPLICE_FROM_FILE,
        SPLICE_FROM_FILE_AT_OFFSET,
        SPLICE_FROM_SOCKET,
        SPLICE_FROM_READY_SOCKET,
        SPLICE_FROM_PIPE;

        /** Whether it takes bytes out of the pipe, so that it is the source which waits. */
        boolean drains() {
            return ordinal() < WRITE_BUFFER.ordinal();
        }

        /** Whether it waits for the room that a reader makes, rather than for the bytes that a writer brings. */
        boolean waitsForRoom() {
            return FOR_ROOM.contains(this);
        }

        /** Whether there is a descriptor or a pipe at its other side, rather than memory. */
        boolean hasOtherSide() {
            return !MEMORY.contains(this);
        }

        private boolean isAboutAPipe() {
            return this == SPLICE_TO_PIPE || this == SPLICE_TO_FULL_PIPE || this == TEE || this == TEE_TO_FULL_PIPE;
        }

        private static final Set<Verb> MEMORY = EnumSet.of(READ_BUFFER, READ_SEGMENT, WRITE_BUFFER, WRITE_SEGMENT);
        private static final Set<Verb> FOR_ROOM = EnumSet.of(
                SPLICE_TO_FULL_SOCKET,
                SPLICE_TO_FULL_PIPE,
                TEE_TO_FULL_PIPE,
                WRITE_BUFFER,
                WRITE_SEGMENT,
                SPLICE_FROM_FILE,
                SPLICE_FROM_FILE_AT_OFFSET,
                SPLICE_FROM_READY_SOCKET);
    }

    static final int LENGTH = 7;

    private static final byte[] CONTENT = Content.ascii("content");
    private static final int MUCH = 1 << 20;

    final Pipe pipe = Pipe.open();
    final Pipe other = Pipe.open();
    private final Verb verb;
    // Of this family, because a full one stays full; TCP goes on moving bytes to the other side's buffer.
    private final Connection connection = Connection.unix();
    private final Fd fd;
    private final Path path = Files.createTempFile("sluice", ".scene");

    Scene(Verb verb) throws IOException {
        this.verb = verb;
        fd = switch (verb) {
            case SPLICE_TO_SOCKET, SPLICE_TO_FULL_SOCKET, SPLICE_FROM_SOCKET, SPLICE_FROM_READY_SOCKET ->
                Fd.of(connection.near());
            case SPLICE_FROM_PIPE -> Fd.borrow(other.source().number());
            default -> Fd.open(path, READ, WRITE);
        };
        Files.write(path, CONTENT);
        switch (verb) {
            case SPLICE_TO_FULL_SOCKET -> fillSocket();
            case SPLICE_TO_FULL_PIPE, TEE_TO_FULL_PIPE -> {
                Content.put(pipe, CONTENT);
                Content.fill(other.sink());
            }
            case WRITE_BUFFER, WRITE_SEGMENT, SPLICE_FROM_FILE, SPLICE_FROM_FILE_AT_OFFSET -> Content.fill(pipe.sink());
            case SPLICE_FROM_READY_SOCKET -> {
                connection.far().write(ByteBuffer.wrap(CONTENT));
                Content.fill(pipe.sink());
            }
            default -> {}
        }
    }

    /** Every verb on both sorts of thread. */
    static Stream<Arguments> verbsAndThreads() {
        return Arrays.stream(Verb.values())
                .flatMap(verb -> Arrays.stream(Started.On.values()).map(on -> Arguments.of(verb, on)));
    }

    /** Makes the call that has to wait. */
    long call() throws IOException {
        PipeSource source = pipe.source();
        PipeSink sink = pipe.sink();
        return switch (verb) {
            case READ_BUFFER -> source.read(ByteBuffer.allocate(LENGTH));
            case READ_SEGMENT -> source.read(Arena.ofAuto().allocate(LENGTH));
            case SPLICE_TO_FILE, SPLICE_TO_SOCKET, SPLICE_TO_FULL_SOCKET -> source.spliceTo(fd, LENGTH);
            case SPLICE_TO_FILE_AT_OFFSET -> source.spliceTo(fd, 0, LENGTH);
            case SPLICE_TO_PIPE, SPLICE_TO_FULL_PIPE -> source.spliceTo(other.sink(), LENGTH);
            case TEE, TEE_TO_FULL_PIPE -> source.teeTo(other.sink(), LENGTH);
            case WRITE_BUFFER -> sink.write(ByteBuffer.wrap(CONTENT));
            case WRITE_SEGMENT -> sink.write(MemorySegment.ofArray(CONTENT));
            case SPLICE_FROM_FILE, SPLICE_FROM_SOCKET, SPLICE_FROM_READY_SOCKET, SPLICE_FROM_PIPE ->
                sink.spliceFrom(fd, LENGTH);
            case SPLICE_FROM_FILE_AT_OFFSET -> sink.spliceFrom(fd, 0, LENGTH);
        };
    }

    /** Starts the call and returns when it waits. */
    Started<Long> waitingOn(Started.On on) throws Exception {
        return on.call(this::call).waiting();
    }

    /** Brings what the call waits for. */
    void release(Started<?> call) throws Exception {
        switch (verb) {
            case SPLICE_TO_FULL_SOCKET -> {
                ByteBuffer buffer = ByteBuffer.allocate(MUCH);
                connection.far().configureBlocking(false);
                while (!call.isDone()) {
                    connection.far().read(buffer.clear());
                }
            }
            case SPLICE_TO_FULL_PIPE, TEE_TO_FULL_PIPE -> Content.take(other.source());
            case SPLICE_FROM_SOCKET -> connection.far().write(ByteBuffer.wrap(CONTENT));
            case SPLICE_FROM_PIPE -> Content.put(other, CONTENT);
            default -> {
                if (verb.drains()) {
                    Content.put(pipe, CONTENT);
                } else {
                    Content.take(pipe.source());
                }
            }
        }
    }

    /** Ends what the call waits for, so that it will never come. */
    void end() throws IOException {
        switch (verb) {
            case SPLICE_TO_FULL_SOCKET, SPLICE_FROM_SOCKET -> connection.far().close();
            case SPLICE_TO_FULL_PIPE, TEE_TO_FULL_PIPE -> other.source().close();
            case SPLICE_FROM_PIPE -> other.sink().close();
            default -> opposite().close();
        }
    }

    /** The end of the pipe that the verb belongs to. */
    PipeEnd own() {
        return verb.drains() ? pipe.source() : pipe.sink();
    }

    /** The end of the pipe that somebody else uses meanwhile. */
    PipeEnd opposite() {
        return verb.drains() ? pipe.sink() : pipe.source();
    }

    /** What is at the other side of the transfer. */
    Closeable otherSide() {
        return verb.isAboutAPipe() ? other.sink() : fd;
    }

    private void fillSocket() throws IOException {
        do {
            Content.fill(pipe.sink());
        } while (pipe.source().trySpliceTo(fd, Long.MAX_VALUE) > 0);
    }

    @Override
    public void close() throws IOException {
        fd.close();
        pipe.close();
        other.close();
        connection.close();
        Files.delete(path);
    }
}
