package io.sluice.examples;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.testing.Await;
import io.sluice.testing.Helper;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.TestInstance.Lifecycle;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The load generator's other end, started and asked as a user would. */
@TestInstance(Lifecycle.PER_CLASS)
class HttpTermTest {
    private static final Path PROGRAM = Path.of("docs", "examples", "HttpTerm.java");
    private static final Pattern LISTENING = Pattern.compile("listening on 127\\.0\\.0\\.1:(\\d+)");
    private static final String LINE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";
    private static final int PATIENCE_SECONDS = 60;

    private HttpClient client;

    private final List<Process> servers = new ArrayList<>();
    private int port;
    private int copyingPort;

    @BeforeAll
    void start(@TempDir Path folder) throws Exception {
        port = start("splice", folder.resolve("splice"));
        copyingPort = start("copy", folder.resolve("copy"));
    }

    private int start(String way, Path output) throws Exception {
        servers.add(new ProcessBuilder(command("0", way))
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start());
        Await.until(
                () -> LISTENING.matcher(Files.readString(output)).find()
                        || !servers.getLast().isAlive(),
                "a server that listens");
        Matcher said = LISTENING.matcher(Files.readString(output));
        assertThat(said.find()).as(Files.readString(output)).isTrue();
        return Integer.parseInt(said.group(1));
    }

    @BeforeEach
    void openClient() {
        client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    }

    @AfterEach
    void closeClient() {
        client.close();
    }

    @AfterAll
    void stop() throws InterruptedException {
        for (Process server : servers) {
            server.destroyForcibly().waitFor();
        }
    }

    private static List<String> command(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-XX:+UseSerialGC",
                "-cp",
                "target/classes",
                PROGRAM.toString()));
        command.addAll(List.of(arguments));
        return command;
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "/?s=0, 0", "/?s=1, 1", "/?s=1000, 1000", "/?s=4k, 4096", "/?s=64k, 65536", "/?s=64K, 65536",
                "/?s=256k, 262144",
        "/?s=1000003, 1000003", "/?s=10m, 10485760", "/, 0", "/any/path?s=5, 5", "/?c=1&s=5, 5", "'/?r=200,s=7', 7",
                "/?r=200/s=8?c=0, 8"
    })
    void aRequestIsAnsweredWithAsManyBytesAsItAsksFor(String path, int size) throws Exception {
        for (int server : new int[] {port, copyingPort}) {
            HttpResponse<byte[]> response = get(server, path);
            assertThat(response.statusCode()).isEqualTo(200);
            assertThat(response.headers().firstValueAsLong("content-length")).hasValue(size);
            assertThat(response.body()).isEqualTo(body(size));
        }
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(ints = {0, 1, 5000, 100_000, 3_000_000})
    void aChunkedResponseIsWhole(int size) throws Exception {
        for (int server : new int[] {port, copyingPort}) {
            HttpResponse<byte[]> response = get(server, "/?k=1&s=" + size);
            assertThat(response.headers().firstValue("transfer-encoding")).hasValue("chunked");
            assertThat(response.headers().firstValue("content-length")).isEmpty();
            assertThat(response.body()).isEqualTo(body(size));
        }
    }

    @Test
    void statusAndCachingAreAsAskedFor() throws Exception {
        assertThat(get(port, "/?r=404&s=3").statusCode()).isEqualTo(404);
        assertThat(get(port, "/?r=503").statusCode()).isEqualTo(503);
        assertThat(get(port, "/?r=204&s=9").body()).isEmpty();
        assertThat(get(port, "/?r=304&s=9&k=1").body()).isEmpty();
        assertThat(get(port, "/?r=99").statusCode()).isEqualTo(400);
        assertThat(get(port, "/?c=0").headers().firstValue("cache-control")).hasValue("no-cache");
        assertThat(get(port, "/?c=1").headers().firstValue("cache-control")).isEmpty();
    }

    @Test
    void anEmptyQueryIsAnsweredWithWhatMayBeAskedFor() throws Exception {
        // The JDK's client leaves the question mark out.
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            write(socket, "GET /? HTTP/1.1\r\nConnection: close\r\n\r\n");
            String response = new String(socket.getInputStream().readAllBytes(), ISO_8859_1);
            assertThat(response).contains("s=<size>");
            String body = response.substring(response.indexOf("\r\n\r\n") + 4);
            assertThat(response).contains("Content-Length: " + body.length() + "\r\n");
        }
    }

    @Test
    void aHeadRequestGetsTheHeadAlone() throws Exception {
        for (String path : List.of("/?s=1g", "/?s=1g&k=1", "/?s=0&k=1")) {
            HttpRequest head =
                    request(port, path).method("HEAD", BodyPublishers.noBody()).build();
            for (int again = 0; again < 2; again++) {
                HttpResponse<byte[]> response = client.send(head, BodyHandlers.ofByteArray());
                assertThat(response.statusCode()).isEqualTo(200);
                assertThat(response.body()).isEmpty();
            }
            assertThat(get(port, "/?s=11").body()).isEqualTo(body(11));
        }
    }

    @Test
    void requestsWithBodiesAreReadToTheirEnd() throws Exception {
        for (int length : new int[] {1, 100, 8192, 1_000_000}) {
            HttpRequest post = request(port, "/?s=100k")
                    .POST(BodyPublishers.ofByteArray(new byte[length]))
                    .build();
            for (int again = 0; again < 2; again++) {
                assertThat(client.send(post, BodyHandlers.ofByteArray()).body()).isEqualTo(body(102_400));
            }
        }
        HttpRequest expecting = request(port, "/?s=12")
                .expectContinue(true)
                .POST(BodyPublishers.ofByteArray(new byte[10_000]))
                .build();
        assertThat(client.send(expecting, BodyHandlers.ofByteArray()).body()).isEqualTo(body(12));
    }

    @Test
    void manyRequestsAtOnceAreAnsweredEachWithItsOwn() throws Exception {
        List<CompletableFuture<HttpResponse<byte[]>>> responses = new ArrayList<>();
        for (int i = 0; i < 64; i++) {
            responses.add(client.sendAsync(request(port, "/?s=" + (i * 9973)).build(), BodyHandlers.ofByteArray()));
        }
        for (int i = 0; i < 64; i++) {
            assertThat(responses.get(i).get(PATIENCE_SECONDS, TimeUnit.SECONDS).body())
                    .isEqualTo(body(i * 9973));
        }
    }

    @Test
    void aPipelineIsAnsweredInOrder() throws Exception {
        for (int server : new int[] {port, copyingPort}) {
            try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), server)) {
                StringBuilder requests = new StringBuilder();
                for (int i = 0; i < 200; i++) {
                    requests.append("GET /?s=" + (i % 3 == 0 ? 70_000 + i : i) + " HTTP/1.1\r\nHost: x\r\n\r\n");
                }
                Thread.ofVirtual().start(() -> write(socket, requests + "GET /?C=1 HTTP/1.1\r\n\r\n"));
                InputStream in = socket.getInputStream();
                for (int i = 0; i < 200; i++) {
                    int size = i % 3 == 0 ? 70_000 + i : i;
                    assertThat(head(in)).startsWith("HTTP/1.1 200").contains("Content-Length: " + size + "\r\n");
                    assertThat(in.readNBytes(size)).isEqualTo(body(size));
                }
                assertThat(head(in)).contains("Connection: close");
                assertThat(in.read()).isNegative();
            }
        }
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "GET /?s=5 HTTP/1.0, HTTP/1.0 200, close",
        "GET /?s=5&K=1 HTTP/1.0, HTTP/1.0 200, keep-alive",
        "GET /?s=5&k=1 HTTP/1.0, HTTP/1.0 200, close",
        "GET /?s=5&C=1 HTTP/1.1, HTTP/1.1 200, close",
        "GET /?s=5&K=0 HTTP/1.1, HTTP/1.1 200, close",
        "nonsense, HTTP/1.1 400, close",
        "GET / HTTP/3.0, HTTP/1.1 400, close"
    })
    void connectionsAreKeptOrClosedAsAskedFor(String request, String status, String connection) throws Exception {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            write(socket, request + "\r\n\r\n");
            String head = head(socket.getInputStream());
            assertThat(head).startsWith(status).contains("Connection: " + connection + "\r\n");
            int size = status.endsWith("200") ? 5 : 0;
            assertThat(socket.getInputStream().readNBytes(size)).isEqualTo(body(size));
            if (connection.equals("close")) {
                assertThat(socket.getInputStream().read()).isNegative();
            } else {
                write(socket, "GET /?s=3 HTTP/1.0\r\n\r\n");
                head(socket.getInputStream());
                assertThat(socket.getInputStream().readAllBytes()).isEqualTo(body(3));
            }
        }
    }

    @Test
    void aRequestWithoutEndIsNotReadForEver() throws Exception {
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            write(socket, "GET /" + "x".repeat(8192));
            assertThat(ends(socket)).isTrue();
        }
        assertThat(get(port, "/?s=3").body()).isEqualTo(body(3));
    }

    @Test
    void connectionsThatAreResetLeaveNothingOpen() throws Exception {
        get(port, "/?s=1");
        Path descriptors = Path.of("/proc", Long.toString(servers.getFirst().pid()), "fd");
        long before = count(descriptors);
        for (int i = 0; i < 100; i++) {
            Socket socket = new Socket(InetAddress.getLoopbackAddress(), port);
            write(socket, "GET /?s=1g HTTP/1.1\r\n\r\n");
            socket.getInputStream().readNBytes(i * 100);
            socket.setSoLinger(true, 0);
            socket.close();
        }
        // A pool may keep pipes of two descriptors each, and no more than were used at once.
        Await.until(() -> count(descriptors) <= before + 8, "as many descriptors as before, not " + count(descriptors));
        assertThat(get(port, "/?s=1m").body()).isEqualTo(body(1 << 20));
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"1k", "64k", "1m"})
    void wrkFindsNoErrors(String size) throws Exception {
        assumeTrue(Helper.exists("wrk"), "needs wrk");
        String said = Helper.output(
                new ProcessBuilder("wrk", "-t1", "-c20", "-d1s", "http://127.0.0.1:" + port + "/?s=" + size));
        assertThat(said).contains("requests in").doesNotContain("Non-2xx", "Socket errors");
    }

    @Test
    void argumentsThatAreNotUnderstoodAreExplained() throws Exception {
        Process process =
                new ProcessBuilder(command("nowhere")).redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), ISO_8859_1);
        assertThat(process.waitFor()).isEqualTo(2);
        assertThat(said).contains("usage: java", "[[ADDRESS:]PORT");
    }

    @Test
    void theProgramFitsOnAFewScreens() throws IOException {
        assertThat(Files.readAllLines(PROGRAM))
                .hasSizeLessThan(250)
                .allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(120));
    }

    private HttpResponse<byte[]> get(int server, String path) throws IOException, InterruptedException {
        return client.send(request(server, path).build(), BodyHandlers.ofByteArray());
    }

    private static HttpRequest.Builder request(int server, String path) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:" + server + path));
    }

    private static byte[] body(int size) {
        return LINE.repeat(size / LINE.length() + 1).substring(0, size).getBytes(ISO_8859_1);
    }

    private static void write(Socket socket, String text) {
        try {
            socket.getOutputStream().write(text.getBytes(ISO_8859_1));
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static String head(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            int next = in.read();
            assertThat(next).as("after %s", head).isNotNegative();
            head.append((char) next);
        }
        return head.toString();
    }

    private static boolean ends(Socket socket) {
        try {
            return socket.getInputStream().read() < 0;
        } catch (IOException e) {
            return true; // closed with bytes unread, which resets the connection
        }
    }

    private static long count(Path descriptors) throws IOException {
        try (var entries = Files.list(descriptors)) {
            return entries.count();
        }
    }
}
