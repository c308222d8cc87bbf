package io.sluice.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Version;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** The file server, asked by the JDK's HTTP client and, where that would not ask such things, by hand. */
class FileServerTest {
    private static final int LENGTH = 3_000_001;

    @TempDir
    private static Path folder;

    private static final byte[] CONTENT = new byte[LENGTH];
    private static Program program;
    private static String base;
    private HttpClient client;

    @BeforeAll
    static void start() throws Exception {
        new Random(2).nextBytes(CONTENT);
        Path root = Files.createDirectories(folder.resolve("root/below"));
        Files.write(root.resolve("big file"), CONTENT);
        Files.write(root.resolve("../small.txt"), "small".getBytes(StandardCharsets.US_ASCII));
        Files.write(root.resolve("empty"), new byte[0]);
        Files.write(folder.resolve("secret"), new byte[] {1});
        Files.createSymbolicLink(folder.resolve("root/link"), folder.resolve("secret"));
        program = Program.start("FileServer.java", folder.resolve("root").toString());
        base = program.awaitLine("serving .* at (http://.*)");
    }

    @AfterAll
    static void end() {
        program.close();
    }

    @BeforeEach
    void connect() {
        client = HttpClient.newBuilder().version(Version.HTTP_1_1).build();
    }

    @AfterEach
    void disconnect() {
        client.close();
    }

    private HttpResponse<byte[]> get(String path, String... headers) throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(base + path));
        if (headers.length > 0) {
            request.headers(headers);
        }
        return client.send(request.build(), BodyHandlers.ofByteArray());
    }

    @Test
    void filesArriveWholeOverKeptConnections() throws Exception {
        for (int i = 0; i < 20; i++) {
            assertThat(get("/below/big%20file").body()).isEqualTo(CONTENT);
            assertThat(get("/small.txt").body()).asString().isEqualTo("small");
            assertThat(get("/below/empty").body()).isEmpty();
        }
        HttpResponse<byte[]> small = get("/small.txt");
        assertThat(small.statusCode()).isEqualTo(200);
        assertThat(small.headers().firstValue("content-type")).hasValue("text/plain");
        assertThat(small.headers().firstValue("transfer-encoding")).hasValue("chunked");
    }

    @Test
    void manyClientsAreServedAtOnce() {
        HttpRequest request =
                HttpRequest.newBuilder(URI.create(base + "/below/big%20file")).build();
        List<CompletableFuture<byte[]>> bodies = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            bodies.add(client.sendAsync(request, BodyHandlers.ofByteArray()).thenApply(HttpResponse::body));
        }
        assertThat(bodies).allSatisfy(body -> assertThat(body.join()).isEqualTo(CONTENT));
    }

    @ParameterizedTest
    @CsvSource({
        "0-0, 0, 1",
        "5-99, 5, 100",
        "2999999-, 2999999, 3000001",
        "-7, 2999994, 3000001",
        "1-99999999, 1, 3000001"
    })
    void aRangeIsSentAlone(String range, int from, int to) throws Exception {
        HttpResponse<byte[]> response = get("/below/big%20file", "Range", "bytes=" + range);
        assertThat(response.statusCode()).isEqualTo(206);
        assertThat(response.body()).isEqualTo(Arrays.copyOfRange(CONTENT, from, to));
        assertThat(response.headers().firstValue("content-range"))
                .hasValue("bytes " + from + "-" + (to - 1) + "/" + LENGTH);
    }

    @Test
    void aRangeBehindTheEndIsRefused() throws Exception {
        HttpResponse<byte[]> response = get("/small.txt", "Range", "bytes=5-");
        assertThat(response.statusCode()).isEqualTo(416);
        assertThat(response.headers().firstValue("content-range")).hasValue("bytes */5");
        assertThat(get("/small.txt", "Range", "bytes=0-1,3-4").statusCode()).isEqualTo(200);
    }

    @Test
    void headHasNoBody() throws Exception {
        HttpRequest request = HttpRequest.newBuilder(URI.create(base + "/below/big%20file"))
                .HEAD()
                .build();
        HttpResponse<byte[]> response = client.send(request, BodyHandlers.ofByteArray());
        assertThat(response.statusCode()).isEqualTo(200);
        assertThat(response.headers().firstValueAsLong("content-length")).hasValue(LENGTH);
        assertThat(response.body()).isEmpty();
        assertThat(get("/small.txt").body()).hasSize(5);
    }

    @Test
    void whatIsNotThereIsNotFound() throws Exception {
        assertThat(get("/nothing").statusCode()).isEqualTo(404);
        assertThat(get("/below").statusCode()).isEqualTo(404);
        assertThat(get("/small.txt/x").statusCode()).isEqualTo(404);
        assertThat(get("/link").statusCode()).isEqualTo(404);
        HttpRequest post = HttpRequest.newBuilder(URI.create(base + "/small.txt"))
                .POST(BodyPublishers.noBody())
                .build();
        assertThat(client.send(post, BodyHandlers.discarding()).statusCode()).isEqualTo(405);
        assertThat(get("/small.txt").statusCode()).isEqualTo(200);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/../secret",
                "/below/../../secret",
                "/%2e%2e/secret",
                "//../secret",
                "/..%2fsecret",
                "/below/%00"
            })
    void nothingOutsideOfTheFolderIsReached(String path) throws Exception {
        String response = raw("GET " + path + " HTTP/1.1\r\nConnection: close\r\n\r\n");
        assertThat(response).startsWith("HTTP/1.1 4").doesNotContain("\001");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nonsense\r\n\r\n",
                "GET / HTTP/1.1\r\nContent-Length: 1\r\n\r\nx",
                "GET http:// HTTP/1.1\r\nConnection: close\r\n\r\n"
            })
    void nonsenseIsABadRequest(String request) throws Exception {
        assertThat(raw(request)).startsWith("HTTP/1.1 400 ");
    }

    @Test
    void requestsThatComeTogetherAreAnsweredInOrder() throws Exception {
        String response = raw("GET /small.txt HTTP/1.1\r\n\r\n"
                + "GET /small.txt HTTP/1.1\r\nRange: bytes=1-2\r\n\r\n"
                + "GET /small.txt HTTP/1.0\r\n\r\n");
        assertThat(response)
                .containsSubsequence("5\r\nsmall\r\n0\r\n\r\n", "206", "\r\n\r\nma", "200", "\r\n\r\nsmall");
    }

    @Test
    void aHeaderWithoutEndIsRefused() throws Exception {
        assertThat(raw("GET /" + "x".repeat(17 << 10))).startsWith("HTTP/1.1 431 ");
    }

    /** The whole answer, until the server closes. */
    private String raw(String request) throws IOException {
        URI uri = URI.create(base);
        try (Socket socket = new Socket(InetAddress.getByName(uri.getHost()), uri.getPort());
                InputStream in = socket.getInputStream()) {
            socket.getOutputStream().write(request.getBytes(StandardCharsets.ISO_8859_1));
            return new String(in.readAllBytes(), StandardCharsets.ISO_8859_1);
        }
    }
}
