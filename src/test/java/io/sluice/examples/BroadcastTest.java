package io.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Await;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The broadcast, used as its users would. */
class BroadcastTest {
    private static final int PART = 3_000_001;

    @TempDir
    private Path folder;

    private final byte[] content = new byte[3 * PART];

    private static Socket connect(int port) throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), port);
    }

    private static CompletableFuture<byte[]> all(Socket socket) {
        return CompletableFuture.supplyAsync(() -> {
            try (InputStream in = socket.getInputStream()) {
                return in.readAllBytes();
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    @Test
    void clientsComeAndGoAndTheFileGetsEverything() throws Exception {
        new Random(1).nextBytes(content);
        Path file = folder.resolve("file");
        try (Program program = Program.start("Broadcast.java", file.toString(), "0", "0", "2")) {
            int sourcePort = Integer.parseInt(program.awaitLine("source: port (\\d+)"));
            int clientPort = Integer.parseInt(program.awaitLine("clients: port (\\d+)"));
            try (Socket source = connect(sourcePort)) {
                send(source, file, 0);
                Socket leaves = connect(clientPort);
                Socket sleeps = connect(clientPort);
                try (Socket stays = connect(clientPort)) {
                    program.awaitLine("joined: .*");
                    program.awaitLine("joined: .*");
                    program.awaitLine("joined: .*");
                    CompletableFuture<byte[]> atStays = all(stays);
                    leaves.setSoLinger(true, 0);
                    leaves.close();
                    // The sleeper takes no more than the buffers on its way hold, and keeps nobody for longer than two
                    // seconds.
                    send(source, file, PART);
                    program.awaitLine("left: .*(DROPPED|FAILED).*");
                    send(source, file, 2 * PART);
                    source.shutdownOutput();
                    assertThat(atStays.get()).isEqualTo(Arrays.copyOfRange(content, PART, content.length));
                } finally {
                    sleeps.close();
                }
                program.awaitLine("end of the stream: " + content.length + " bytes");
            }
            assertThat(program.awaitEnd()).isZero();
        }
        assertThat(Files.readAllBytes(file)).isEqualTo(content);
    }

    @Test
    void withoutAFileItSaysHowToUseIt() throws Exception {
        try (Program program = Program.start("Broadcast.java")) {
            program.awaitLine("usage: .*");
            assertThat(program.awaitEnd()).isEqualTo(2);
        }
    }

    private void send(Socket source, Path file, int from) throws Exception {
        source.getOutputStream().write(content, from, PART);
        Await.until(() -> Files.exists(file) && Files.size(file) == from + PART, "the file has what was sent");
    }
}
