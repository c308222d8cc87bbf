package io.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Await;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.SocketException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Queue;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;

/** The proxy, run as a reader runs it, between clients and a server of java.net. */
@TestInstance(Lifecycle.PER_CLASS)
class ProxyTest {
    private static final int PATIENCE_SECONDS = 60;
    private static final int MANY = 1_000;
    private static final int BACKLOG = 1_024;
    private static final int LENGTH = 3_000_001;
    private static final int SHORT = 10_000;

    private final Queue<String> said = new ConcurrentLinkedQueue<>();
    private ServerSocket server;
    private Process proxy;
    private int port;

    @BeforeAll
    void startProxy() throws Exception {
        server = new ServerSocket(0, BACKLOG, InetAddress.getLoopbackAddress());
        proxy = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Djdk.virtualThreadScheduler.parallelism=2",
                        "-Djdk.virtualThreadScheduler.maxPoolSize=2",
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        "target/classes",
                        "docs/examples/Proxy.java",
                        "0",
                        "127.0.0.1:" + server.getLocalPort())
                .redirectErrorStream(true)
                .start();
        Thread.ofPlatform().daemon().start(this::listen);
        Await.until(() -> !said.isEmpty() || !proxy.isAlive(), "the proxy");
        assertThat(said.peek()).startsWith("listening on port ");
        port = Integer.parseInt(said.peek().replaceAll("\\D", ""));
    }

    private void listen() {
        try (BufferedReader output = proxy.inputReader()) {
            for (String line; (line = output.readLine()) != null; ) {
                said.add(line);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @AfterAll
    void endProxy() throws Exception {
        server.close();
        proxy.toHandle().destroyForcibly();
        proxy.onExit().join();
    }

    private Socket connect() throws IOException {
        return new Socket(InetAddress.getLoopbackAddress(), port);
    }

    private static <T> FutureTask<T> aside(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofVirtual().start(task);
        return task;
    }

    private static byte[] bytes(int length, int seed) {
        byte[] bytes = new byte[length];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    private FutureTask<Void> echoing(int connections) {
        return aside(() -> {
            for (int i = 0; i < connections; i++) {
                Socket accepted = server.accept();
                aside(() -> {
                    try (accepted) {
                        return accepted.getInputStream().transferTo(accepted.getOutputStream());
                    }
                });
            }
            return null;
        });
    }

    @Test
    void whatIsSentComesBackAndBothEndsAreSeen() throws Exception {
        FutureTask<Void> echo = echoing(1);
        byte[] content = bytes(LENGTH, 1);
        try (Socket client = connect()) {
            FutureTask<Void> sending = aside(() -> {
                client.getOutputStream().write(content);
                client.shutdownOutput();
                return null;
            });
            assertThat(Arrays.mismatch(client.getInputStream().readAllBytes(), content))
                    .isEqualTo(-1);
            sending.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        }
        echo.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        saysSooner(LENGTH + " bytes there, " + LENGTH + " back, ");
    }

    private void saysSooner(String words) throws Exception {
        Await.until(() -> said.stream().anyMatch(line -> line.contains(words)), words);
    }

    @Test
    void aThousandConnectionsAtOnceOnTwoCarriers() throws Exception {
        FutureTask<Void> echo = echoing(MANY);
        CountDownLatch allConnected = new CountDownLatch(MANY);
        List<FutureTask<Integer>> clients = new ArrayList<>();
        for (int i = 0; i < MANY; i++) {
            byte[] content = bytes(SHORT, i);
            clients.add(aside(() -> {
                try (Socket client = connect()) {
                    client.getOutputStream().write(content, 0, SHORT / 2);
                    int first = Arrays.mismatch(
                            client.getInputStream().readNBytes(SHORT / 2), Arrays.copyOf(content, SHORT / 2));
                    // Every one has its relay running before any goes on.
                    allConnected.countDown();
                    if (!allConnected.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                        throw new IOException("only " + (MANY - allConnected.getCount()) + " are relayed at once");
                    }
                    client.getOutputStream().write(content, SHORT / 2, SHORT / 2);
                    client.shutdownOutput();
                    byte[] rest = client.getInputStream().readAllBytes();
                    return first == -1 ? Arrays.mismatch(rest, Arrays.copyOfRange(content, SHORT / 2, SHORT)) : first;
                }
            }));
        }
        for (FutureTask<Integer> client : clients) {
            assertThat(client.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isEqualTo(-1);
        }
        echo.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        String words = SHORT + " bytes there, " + SHORT + " back, ";
        Await.until(
                () -> said.stream()
                                .filter(line -> line.contains(words) && line.endsWith(", done"))
                                .count()
                        == MANY,
                "every relay done");
        Await.until(this::nothingIsHeld, "descriptors as before");
    }

    // Pipes that wait in the pool, the listener, and what the JVM has: no connection.
    private boolean nothingIsHeld() throws IOException {
        try (var descriptors = Files.list(Path.of("/proc/" + proxy.pid() + "/fd"))) {
            return descriptors
                            .filter(fd -> {
                                try {
                                    return Files.readSymbolicLink(fd).toString().startsWith("socket:");
                                } catch (IOException e) {
                                    return false; // closed meanwhile
                                }
                            })
                            .count()
                    < 10;
        }
    }

    @Test
    @SuppressWarnings("try") // closing early is what is tested
    void aResetIsPassedOnAsAReset() throws Exception {
        try (Socket client = connect();
                Socket accepted = server.accept()) {
            client.getOutputStream().write(1);
            assertThat(accepted.getInputStream().read()).isEqualTo(1);
            accepted.setSoLinger(true, 0);
            accepted.close();
            InputStream in = client.getInputStream();
            String how = aside(() -> {
                        try {
                            return "end " + in.read();
                        } catch (SocketException e) {
                            return "reset";
                        }
                    })
                    .get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            assertThat(how).isEqualTo("reset");
        }
        saysSooner("RESET at the SOURCE");
    }

    @Test
    void anUpstreamThatIsNotThereIsNamed() throws Exception {
        int nobody;
        try (ServerSocket closed = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            nobody = closed.getLocalPort();
        }
        try (Program other = Program.start("Proxy.java", "0", "127.0.0.1:" + nobody)) {
            int listening = Integer.parseInt(other.awaitLine("listening on port (\\d+)"));
            try (Socket client = new Socket(InetAddress.getLoopbackAddress(), listening)) {
                assertThat(client.getInputStream().read()).isEqualTo(-1);
            }
            other.awaitLine("no relay to /127\\.0\\.0\\.1:" + nobody + ".*");
        }
    }
}
