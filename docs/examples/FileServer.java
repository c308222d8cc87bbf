import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.sluice.flow.Gather;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * An HTTP/1.1 server of the files below a folder: GET and HEAD, ranges, kept connections. Each response is one {@link Gather}: header, file
 * and trailer leave as one stream, the file without passing through Java.
 *
 * <p>A whole file is sent as one chunk, so that there is a trailer: the line that ends the chunks. A range has its Content-Length.
 */
public final class FileServer {
    private static final String USAGE = """
        usage: java --enable-native-access=ALL-UNNAMED -cp <sluice> FileServer.java FOLDER [PORT]
        Serves the files below FOLDER to this machine, at http://127.0.0.1:PORT; without PORT, at any.\
        """;
    private static final int LARGEST_REQUEST = 16 << 10;
    private static final int MOST_UNREAD = 64; // times as much

    /** What a request asks for. */
    private record Request(String method, String target, boolean isOld, Map<String, String> headers) {
        boolean keepsConnection() {
            String connection = headers.getOrDefault("connection", "").toLowerCase(Locale.ROOT);
            return isOld ? connection.contains("keep-alive") : !connection.contains("close");
        }
    }

    /** What is answered with an error. */
    private static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String status) {
            super(status);
        }
    }

    /** One connection. */
    private final SocketChannel client;

    private final Path root;
    private final Gather response;
    private final ByteBuffer input = ByteBuffer.allocate(LARGEST_REQUEST).limit(0);

    private FileServer(Path root, SocketChannel client) throws IOException {
        this.root = root;
        this.client = client;
        this.response = Gather.to(client);
    }

    public static void main(String[] args) throws IOException {
        if (args.length < 1 || args.length > 2) {
            System.err.println(USAGE);
            System.exit(2);
        }
        Path root = Path.of(args[0]).toRealPath();
        int port = args.length > 1 ? Integer.parseInt(args[1]) : 0;
        try (ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", port))) {
            System.out.println("serving " + root + " at http://127.0.0.1:"
                    + server.socket().getLocalPort());
            while (true) {
                SocketChannel client = server.accept();
                Thread.ofVirtual().start(() -> serve(root, client));
            }
        }
    }

    private static void serve(Path root, SocketChannel client) {
        try (client) {
            FileServer connection = new FileServer(root, client);
            try (connection.response) {
                while (connection.answerNext()) {}
            }
        } catch (IOException e) {
            System.err.println("FileServer: " + e.getMessage());
        }
    }

    /** Answers one request; false if it was the last of the connection. */
    private boolean answerNext() throws IOException {
        Request request;
        try {
            request = nextRequest();
        } catch (Refused e) {
            send("HTTP/1.1 " + e.getMessage() + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            client.shutdownOutput();
            // Closing with bytes unread would reset the connection, and the client might never see the answer.
            for (int i = 0; i < MOST_UNREAD && client.read(input.clear()) > 0; i++) {}
            return false;
        }
        if (request == null) {
            return false;
        }
        String kept = request.keepsConnection() ? "" : "Connection: close\r\n";
        try {
            answer(request, kept);
        } catch (Refused e) {
            send("HTTP/1.1 " + e.getMessage() + "\r\nContent-Length: 0\r\n" + kept + "\r\n");
        }
        return request.keepsConnection();
    }

    private void answer(Request request, String kept) throws IOException, Refused {
        boolean isHead = request.method.equals("HEAD");
        if (!isHead && !request.method.equals("GET")) {
            throw new Refused("405 Method Not Allowed\r\nAllow: GET, HEAD");
        }
        Path file = fileOf(request.target);
        long size = Files.size(file);
        String type = Files.probeContentType(file);
        String common = "Content-Type: " + (type == null ? "application/octet-stream" : type)
                + "\r\nAccept-Ranges: bytes\r\n" + kept;
        long[] range = rangeOf(request.headers.get("range"), size);
        if (range != null) {
            long length = range[1] - range[0] + 1;
            String header = "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + range[0] + "-" + range[1] + "/"
                    + size + "\r\nContent-Length: " + length + "\r\n" + common + "\r\n";
            response.clear().bytes(header.getBytes(ISO_8859_1));
            if (!isHead) {
                response.file(file, range[0], length);
            }
            response.run();
        } else if (isHead || size == 0 || request.isOld) {
            String header = "HTTP/1.1 200 OK\r\nContent-Length: " + size + "\r\n" + common + "\r\n";
            response.clear().bytes(header.getBytes(ISO_8859_1));
            if (!isHead && size > 0) {
                response.file(file, 0, size);
            }
            response.run();
        } else {
            String header = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + common + "\r\n"
                    + Long.toHexString(size) + "\r\n";
            response.clear()
                    .bytes(header.getBytes(ISO_8859_1))
                    .file(file, 0, size)
                    .bytes("\r\n0\r\n\r\n".getBytes(ISO_8859_1))
                    .run();
        }
    }

    /** The file below the folder that a target names; what leads out of it, by dots or by links, is not there. */
    private Path fileOf(String target) throws IOException, Refused {
        try {
            String path = URI.create(target).getPath();
            if (path == null || !path.startsWith("/") || path.indexOf('\0') >= 0) {
                throw new Refused("400 Bad Request");
            }
            Path file = root.resolve(path.substring(1)).toRealPath();
            if (file.startsWith(root) && Files.isRegularFile(file) && Files.isReadable(file)) {
                return file;
            }
        } catch (IllegalArgumentException e) {
            throw new Refused("400 Bad Request");
        } catch (FileSystemException e) {
            throw new Refused("404 Not Found");
        }
        throw new Refused("404 Not Found");
    }

    /** First and last byte, or null for the whole: also where several ranges are asked for, which a server need not grant. */
    private static long[] rangeOf(String header, long size) throws Refused {
        if (header == null || !header.matches("bytes=(\\d{1,18}-\\d{0,18}|-\\d{1,18})")) {
            return null;
        }
        String[] ends = header.substring("bytes=".length()).split("-", -1);
        long first = ends[0].isEmpty() ? Math.max(0, size - Long.parseLong(ends[1])) : Long.parseLong(ends[0]);
        long last = ends[0].isEmpty() || ends[1].isEmpty() ? size - 1 : Math.min(Long.parseLong(ends[1]), size - 1);
        if (!ends[0].isEmpty() && !ends[1].isEmpty() && Long.parseLong(ends[1]) < first) {
            return null;
        } else if (first > last) {
            throw new Refused("416 Range Not Satisfiable\r\nContent-Range: bytes */" + size);
        }
        return new long[] {first, last};
    }

    private void send(String text) throws IOException {
        response.clear().bytes(text.getBytes(ISO_8859_1)).run();
    }

    /** The next request, or null if the client has sent its last. Requests have no bodies here. */
    private Request nextRequest() throws IOException, Refused {
        int end;
        while ((end = indexOfBlankLine()) < 0) {
            if (input.limit() == LARGEST_REQUEST && input.position() == 0) {
                throw new Refused("431 Request Header Fields Too Large");
            }
            input.compact();
            int n = client.read(input);
            input.flip();
            if (n < 0) {
                return null;
            }
        }
        byte[] bytes = new byte[end + 4];
        input.get(bytes);
        String[] lines = new String(bytes, ISO_8859_1).strip().split("\r\n");
        String[] words = lines[0].split(" ");
        Map<String, String> headers = new HashMap<>();
        for (int i = 1; i < lines.length; i++) {
            int colon = lines[i].indexOf(':');
            if (colon > 0) {
                String name = lines[i].substring(0, colon).toLowerCase(Locale.ROOT);
                headers.put(name, lines[i].substring(colon + 1).strip());
            }
        }
        boolean hasBody = headers.containsKey("transfer-encoding")
                || !headers.getOrDefault("content-length", "0").equals("0");
        if (words.length != 3 || !words[2].startsWith("HTTP/1.") || hasBody) {
            throw new Refused("400 Bad Request");
        }
        return new Request(words[0], words[1], words[2].equals("HTTP/1.0"), headers);
    }

    private int indexOfBlankLine() {
        for (int i = input.position(); i + 3 < input.limit(); i++) {
            if (input.getInt(i) == 0x0d0a0d0a) {
                return i - input.position();
            }
        }
        return -1;
    }
}
