package io.sluice;

import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.flow.Fanout;
import io.sluice.flow.Gather;
import io.sluice.flow.PipePool;
import io.sluice.flow.Relay;
import io.sluice.flow.Transfer;
import io.sluice.loan.PageRing;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What the first page of the documentation shows and says. */
class ReadmeTest {
    private static final int UPLOAD = 3_000_001;

    @TempDir
    private Path folder;

    @AfterEach
    void closeIdlePipes() throws IOException {
        PipePool.shared().close();
    }

    @Test
    void theFirstProgramReceivesAnUploadOnAVirtualThread() throws Exception {
        byte[] sent = new byte[UPLOAD];
        new SplittableRandom(1).nextBytes(sent);
        Path path = folder.resolve("upload");
        try (ServerSocketChannel server = ServerSocketChannel.open();
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            Future<?> upload = threads.submit(() -> send(sent, server));
            try (SocketChannel client = server.accept()) {
                threads.submit(() -> receive(client, path)).get();
            }
            upload.get();
        }
        assertThat(Files.readAllBytes(path)).isEqualTo(sent);
    }

    @Test
    void theSecondProgramLendsWhatItEncodes() throws Exception {
        List<String> events =
                IntStream.range(0, 50).mapToObj(i -> (i + " ").repeat(5_000)).toList();
        try (Pipe pipe = Pipe.open();
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<String> reader = threads.submit(
                    () -> new String(Channels.newInputStream(pipe.source()).readAllBytes(), StandardCharsets.US_ASCII));
            try (PipeSink sink = pipe.sink();
                    PageRing ring = PageRing.over(sink, 64 << 10, 8)) {
                for (String event : events) {
                    MemorySegment slot = ring.acquire();
                    ring.publish(encode(event, slot));
                }
            }
            assertThat(reader.get()).isEqualTo(String.join("", events));
        }
    }

    @Test
    void wholeJobsAreALineEach() throws Exception {
        Path path = Files.writeString(folder.resolve("body"), "body ");
        Path copy = folder.resolve("copy");
        byte[] header = "header ".getBytes(StandardCharsets.US_ASCII);
        byte[] trailer = "trailer".getBytes(StandardCharsets.US_ASCII);
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(null);
                SocketChannel near = SocketChannel.open(server.getLocalAddress());
                SocketChannel client = server.accept();
                SocketChannel upstream = SocketChannel.open(server.getLocalAddress());
                SocketChannel far = server.accept();
                Pipe child = Pipe.open();
                Pipe replica = Pipe.open();
                Fd file = Fd.open(copy, CREATE, WRITE);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Future<?> relay = threads.submit(() -> {
                Relay.between(client, upstream).run();
                return null;
            });
            Gather.to(near).bytes(header).file(path).bytes(trailer).run();
            near.shutdownOutput();
            far.shutdownOutput();
            Fanout.from(far).to(file).to(replica.sink()).run();
            relay.get();
            replica.sink().close();
            Transfer.from(replica.source()).to(child.sink()).run();
            child.sink().close();
            assertThat(Channels.newInputStream(child.source()).readAllBytes())
                    .asString()
                    .isEqualTo("header body trailer");
        }
        assertThat(copy).hasContent("header body trailer");
    }

    @Test
    void theMavenCoordinatesAreThoseOfThisBuild() throws IOException {
        String readme = Files.readString(Path.of("README.md"));
        String version = Files.readString(Path.of("pom.xml")).replaceFirst("(?s).*?<version>(.*?)</version>.*", "$1");
        assertThat(readme)
                .contains("<groupId>io.sluice</groupId>", "<artifactId>sluice</artifactId>")
                .contains("<version>" + version + "</version>")
                .contains("sluice-" + version + ".jar");
    }

    private static long encode(String event, MemorySegment slot) {
        MemorySegment.copy(
                MemorySegment.ofArray(event.getBytes(StandardCharsets.US_ASCII)), 0, slot, 0, event.length());
        return event.length();
    }

    private static Void receive(SocketChannel client, Path path) throws IOException {
        try (Pipe pipe = Pipe.open();
                Fd from = Fd.of(client);
                Fd to = Fd.open(path, CREATE, WRITE)) {
            while (pipe.sink().spliceFrom(from, 1 << 20) >= 0) {
                while (pipe.available() > 0) {
                    pipe.source().spliceTo(to, pipe.available());
                }
            }
        }
        return null;
    }

    private static Void send(byte[] bytes, ServerSocketChannel server) throws IOException {
        try (SocketChannel channel = SocketChannel.open(server.getLocalAddress())) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            while (buffer.hasRemaining()) {
                channel.write(buffer);
            }
        }
        return null;
    }
}
