package io.sluice.flow;

import static io.sluice.flow.Bytes.all;
import static io.sluice.flow.Bytes.bytes;
import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.TransferScene.Connection;
import io.sluice.flow.TransferScene.Started;
import java.io.EOFException;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Whatever can be read goes to whatever can be written, on both sorts of thread: a part of it first, then the rest, then its end is told. */
class TransferPairsTest {
    private static final int LENGTH = 300_007;
    private static final int PART = 70_001;

    /** What stands in a file before the bytes that are meant. */
    private static final int BEFORE = 4_099;

    private static final byte[] CONTENT = bytes(LENGTH);

    @TempDir
    private Path folder;

    private TransferScene scene;

    @BeforeEach
    void setUp() throws IOException {
        scene = new TransferScene(folder);
    }

    @AfterEach
    void tearDown() throws IOException {
        scene.close();
    }

    /** Something that has the content, and then ends; told how much of it was taken. */
    private interface Origin {
        Transfer.From from(long taken);
    }

    /** Something to transfer to, and what has come there, once that is over. */
    private interface Destination {
        Transfer to(Transfer.From from);

        byte[] received() throws Exception;
    }

    private enum Source {
        FILE,
        FILE_AT_OFFSET,
        FILE_CHANNEL,
        FILE_CHANNEL_AT_OFFSET,
        TCP,
        TCP_CHANNEL,
        UNIX_CHANNEL,
        PIPE,
        PIPE_CHANNEL;

        Origin open(TransferScene scene) throws Exception {
            switch (this) {
                case FILE, FILE_AT_OFFSET -> {
                    Fd fd = scene.open(file(scene));
                    return taken -> this == FILE ? Transfer.from(fd) : Transfer.from(fd, BEFORE + taken);
                }
                case FILE_CHANNEL, FILE_CHANNEL_AT_OFFSET -> {
                    FileChannel channel = scene.own(FileChannel.open(file(scene)));
                    return taken ->
                            this == FILE_CHANNEL ? Transfer.from(channel) : Transfer.from(channel, BEFORE + taken);
                }
                case TCP, TCP_CHANNEL, UNIX_CHANNEL -> {
                    Connection connection = this == UNIX_CHANNEL ? unix(scene) : scene.tcp();
                    connection.send(CONTENT);
                    if (this == TCP) {
                        Fd fd = scene.own(Fd.of(connection.far()));
                        return taken -> Transfer.from(fd);
                    }
                    return taken -> Transfer.from(connection.far());
                }
                case PIPE -> {
                    Pipe pipe = scene.pipe();
                    write(pipe.sink());
                    return taken -> Transfer.from(pipe.source());
                }
                default -> {
                    java.nio.channels.Pipe pipe = java.nio.channels.Pipe.open();
                    scene.own(pipe.source());
                    write(scene.own(pipe.sink()));
                    return taken -> Transfer.from(pipe.source());
                }
            }
        }

        private Path file(TransferScene scene) throws IOException {
            boolean offset = this == FILE_AT_OFFSET || this == FILE_CHANNEL_AT_OFFSET;
            ByteBuffer whole = ByteBuffer.allocate((offset ? BEFORE : 0) + LENGTH);
            return scene.file(whole.put(whole.capacity() - LENGTH, CONTENT).array());
        }

        private static void write(WritableByteChannel sink) {
            Started.on(true, () -> {
                ByteBuffer bytes = ByteBuffer.wrap(CONTENT);
                while (bytes.hasRemaining()) {
                    sink.write(bytes);
                }
                sink.close();
                return null;
            });
        }
    }

    private enum Target {
        FILE,
        FILE_AT_OFFSET,
        FILE_FOR_APPEND,
        FILE_CHANNEL,
        TCP,
        TCP_CHANNEL,
        UNIX_CHANNEL,
        PIPE,
        PIPE_CHANNEL,
        NULL_DEVICE;

        Destination open(TransferScene scene) throws Exception {
            switch (this) {
                case FILE, FILE_FOR_APPEND -> {
                    Path path = scene.emptyFile();
                    Fd fd = scene.open(path, this == FILE ? WRITE : APPEND);
                    return destination(from -> from.to(fd), () -> Files.readAllBytes(path));
                }
                case FILE_AT_OFFSET -> {
                    Path path = scene.emptyFile();
                    Fd fd = scene.open(path, WRITE);
                    long[] at = {BEFORE};
                    return destination(
                            from -> {
                                Transfer transfer = from.to(fd, at[0]);
                                at[0] += PART;
                                return transfer;
                            },
                            () -> {
                                byte[] all = Files.readAllBytes(path);
                                return Arrays.copyOfRange(all, BEFORE, all.length);
                            });
                }
                case FILE_CHANNEL -> {
                    Path path = scene.emptyFile();
                    FileChannel channel = scene.own(FileChannel.open(path, READ, WRITE));
                    return destination(from -> from.to(channel), () -> Files.readAllBytes(path));
                }
                case TCP, TCP_CHANNEL, UNIX_CHANNEL -> {
                    Connection connection = this == UNIX_CHANNEL ? unix(scene) : scene.tcp();
                    Started<byte[]> received = connection.receive();
                    Fd fd = scene.own(Fd.of(connection.near()));
                    return destination(from -> this == TCP ? from.to(fd) : from.to(connection.near()), () -> {
                        connection.near().shutdownOutput();
                        return received.result();
                    });
                }
                case PIPE -> {
                    Pipe pipe = scene.pipe();
                    Started<byte[]> received = Started.on(true, () -> all(pipe.source()));
                    return destination(from -> from.to(pipe.sink()), () -> {
                        pipe.sink().close();
                        return received.result();
                    });
                }
                case PIPE_CHANNEL -> {
                    java.nio.channels.Pipe pipe = java.nio.channels.Pipe.open();
                    scene.own(pipe.source());
                    scene.own(pipe.sink());
                    Started<byte[]> received = Started.on(true, () -> all(pipe.source()));
                    return destination(from -> from.to(pipe.sink()), () -> {
                        pipe.sink().close();
                        return received.result();
                    });
                }
                default -> {
                    Fd fd = scene.open(Path.of("/dev/null"), WRITE);
                    return destination(from -> from.to(fd), () -> CONTENT);
                }
            }
        }
    }

    private interface Starter {
        Transfer to(Transfer.From from);
    }

    private interface Receiver {
        byte[] received() throws Exception;
    }

    private static Destination destination(Starter starter, Receiver receiver) {
        return new Destination() {
            @Override
            public Transfer to(Transfer.From from) {
                return starter.to(from);
            }

            @Override
            public byte[] received() throws Exception {
                return receiver.received();
            }
        };
    }

    private static Connection unix(TransferScene scene) throws IOException {
        Path folder = Files.createTempDirectory("sluice");
        Path name = folder.resolve("socket");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(name));
            SocketChannel near = scene.own(SocketChannel.open(server.getLocalAddress()));
            return new Connection(near, scene.own(server.accept()));
        } finally {
            Files.deleteIfExists(name);
            Files.delete(folder);
        }
    }

    static Stream<Arguments> pairs() {
        return Stream.of(Source.values())
                .flatMap(source -> Stream.of(Target.values())
                        .flatMap(target ->
                                Stream.of(false, true).map(virtual -> Arguments.of(source, target, virtual))));
    }

    @ParameterizedTest(name = "{0} to {1}, on a virtual thread: {2}")
    @MethodSource("pairs")
    void bytesGoFromOneToTheOther(Source source, Target target, boolean virtual) throws Exception {
        Origin origin = source.open(scene);
        Destination destination = target.open(scene);
        Started.on(virtual, () -> {
                    Transfer part = destination.to(origin.from(0)).exactly(PART);
                    assertThat(part.run().bytes()).isEqualTo(PART).isEqualTo(part.transferred());
                    Transfer rest = destination.to(origin.from(PART));
                    assertThat(rest.run().bytes()).isEqualTo(LENGTH - PART).isEqualTo(rest.transferred());
                    assertThatExceptionOfType(TransferException.class)
                            .isThrownBy(() -> destination
                                    .to(origin.from(LENGTH))
                                    .exactly(1)
                                    .run())
                            .withCauseInstanceOf(EOFException.class);
                    return null;
                })
                .result();
        assertThat(destination.received()).isEqualTo(CONTENT);
    }
}
