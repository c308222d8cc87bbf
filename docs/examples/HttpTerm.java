import static java.nio.charset.StandardCharsets.ISO_8859_1;

import io.sluice.flow.MasterPipe;
import io.sluice.flow.PatternSender;
import java.io.*;
import java.lang.foreign.MemorySegment;
import java.net.*;
import java.nio.ByteBuffer;
import java.nio.channels.*;
import java.util.*;

/** Answers HTTP/1.1 requests with as many bytes as they ask for, from a master pipe: the other end of a load test. */
public final class HttpTerm {
    private static final String USAGE = """
        usage: java --enable-native-access=ALL-UNNAMED -cp <sluice> HttpTerm.java [[ADDRESS:]PORT [splice|copy [LOOPS]]]
        Listens on 127.0.0.1:8000, with a loop per processor; splice: from a master pipe, copy: from a direct buffer.
        GET /?s=64k   answers with 64 KiB. What may be asked for, one after another with any of & ? , ; / in between:
          s=<size>    bytes of the body; a number may end with k, m or g
          r=<code>    the status, from 200 to 599
          c=0         not to be cached
          k=1         chunked, in one chunk
          C=1, K=1    close or keep the connection
        """;
    private static final int REQUEST = 8 << 10; // the longest head of a request
    private static final String LINE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-\n";

    public static void main(String[] args) throws IOException {
        String where = args.length > 0 ? args[0] : "8000", way = args.length > 1 ? args[1] : "splice";
        String loops = args.length > 2 ? args[2] : "" + Runtime.getRuntime().availableProcessors();
        if (!where.matches("(.+:)?\\d{1,5}") || !way.matches("splice|copy") || !loops.matches("[1-9]\\d?")) {
            System.err.print(USAGE);
            System.exit(2);
        }
        String host = where.contains(":") ? where.replaceFirst(":\\d+$", "") : "127.0.0.1";
        SocketAddress address = new InetSocketAddress(host, Integer.parseInt(where.replaceFirst(".*:", "")));
        MasterPipe master = way.equals("copy") ? null : MasterPipe.of(segment(LINE));
        for (int i = Integer.parseInt(loops); i > 0; i--) {
            ServerSocketChannel listener = ServerSocketChannel.open();
            listener.setOption(StandardSocketOptions.SO_REUSEPORT, true).bind(address, 1024);
            address = listener.getLocalAddress(); // the first finds a port where any would do
            Thread.ofPlatform().name("httpterm-loop").start(new Loop(listener, master)::run);
        }
        System.out.println((master == null ? "copying" : master) + "\nlistening on "
                + address.toString().replaceFirst(".*/", ""));
    }

    /** One thread with an epoll instance, a listening socket, and the connections that it took. */
    private static final class Loop implements java.util.function.Consumer<SelectionKey> {
        final Selector selector = Selector.open();
        final ServerSocketChannel listener;
        final SelectionKey listening;
        final MasterPipe master; // null to copy
        final ByteBuffer block =
                ByteBuffer.allocateDirect(64 << 10).put(LINE.repeat(1024).getBytes(ISO_8859_1));

        Loop(ServerSocketChannel listener, MasterPipe master) throws IOException {
            this.listener = listener;
            this.master = master;
            listening = listener.configureBlocking(false).register(selector, SelectionKey.OP_ACCEPT);
        }

        void run() {
            try {
                while (true) {
                    selector.select(this);
                }
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }

        @Override
        public void accept(SelectionKey key) {
            try {
                if (key.attachment() instanceof Connection connection) {
                    connection.serve(key.isReadable());
                } else if (listener.accept() instanceof SocketChannel channel) {
                    new Connection(this, channel);
                }
            } catch (IOException e) {
                System.err.println("no connection is taken until one is closed: " + e.getMessage());
                listening.interestOps(0);
            }
        }
    }

    /** What to answer: a head and so much of the pattern, whether that is a chunk, and what follows. */
    private record Response(MemorySegment head, long length, boolean chunk, boolean close, long requestBody) {}

    /** A connection, which sends one response after another and reads no further while it does. */
    private static final class Connection {
        final Loop loop;
        final SocketChannel channel;
        final SelectionKey key;
        final PatternSender sender; // null to copy
        final ByteBuffer in = ByteBuffer.allocateDirect(REQUEST).flip(); // what was read and not yet parsed
        final ByteBuffer[] out = new ByteBuffer[2]; // where there is no sender: a head and a block
        ByteBuffer requestBefore = in.slice();
        Response response; // to the request before, and to the next if that is the same
        long toSkip, toCopy;
        boolean sending, chunkToEnd, ending;

        Connection(Loop loop, SocketChannel channel) throws IOException {
            this.loop = loop;
            this.channel = channel;
            this.out[1] = loop.block.duplicate();
            try {
                channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
                sender = loop.master == null ? null : loop.master.to(channel);
                key = channel.configureBlocking(false).register(loop.selector, SelectionKey.OP_READ, this);
            } catch (IOException e) {
                channel.close();
                throw e;
            }
        }

        void serve(boolean readable) throws IOException {
            try {
                for (boolean mayRead = readable; !sending || sent(); mayRead = false) {
                    if (!ending && parse()) {
                        continue;
                    } else if (!mayRead) {
                        break;
                    } else if (channel.read(ending ? in.clear() : in.compact()) < 0) {
                        throw new EOFException();
                    }
                    in.flip();
                }
                key.interestOps(sending ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
            } catch (IOException e) { // the peer has gone, or asks for what cannot be read
                try (channel;
                        sender) { // the sender is closed first, or the peer is not told at once
                    loop.listening.interestOps(SelectionKey.OP_ACCEPT);
                }
            }
        }

        private void begin(MemorySegment head, long length) throws IOException {
            sending = true;
            if (sender != null) {
                sender.begin(head, 0, length);
            }
            out[0] = head.asByteBuffer();
            out[1].position(0);
            toCopy = length;
        }

        private boolean step() throws IOException {
            if (sender != null) {
                return sender.step() == PatternSender.Step.DONE;
            }
            while (out[0].hasRemaining() || toCopy > 0) {
                int from = out[1].position() % out[1].capacity();
                out[1].limit((int) Math.min(out[1].capacity(), from + toCopy)).position(from);
                if (channel.write(out) == 0) {
                    return false;
                }
                toCopy -= out[1].position() - from;
            }
            return true;
        }

        private boolean sent() throws IOException {
            if (!step()) {
                return false;
            } else if (chunkToEnd) {
                chunkToEnd = false;
                begin(segment("\r\n0\r\n\r\n"), 0);
                return sent();
            }
            sending = false;
            if (response.close) {
                ending = true; // what still comes is read, or closing could take the response back
                channel.shutdownOutput();
            }
            return true;
        }

        /** Takes the next request from what was read and begins to answer it; false if there is none. */
        private boolean parse() throws IOException {
            int skipped = (int) Math.min(toSkip, in.remaining());
            in.position(in.position() + skipped);
            toSkip -= skipped;
            int length = requestBefore.remaining(), same = requestBefore.mismatch(in);
            boolean again = length > 0 && (same == length || same < 0);
            int end = in.position() + (again ? length - 1 : 3);
            while (end < in.limit() && (in.get(end) != '\n' || in.get(end - 2) != '\n')) {
                end++;
            }
            if (end >= in.limit() && in.remaining() == in.capacity()) {
                throw new IOException("a request has at most " + REQUEST + " bytes");
            } else if (end >= in.limit()) {
                return false;
            }
            if (!again) {
                requestBefore = ByteBuffer.wrap(new byte[end + 1 - in.position()]);
                in.get(in.position(), requestBefore.array());
                response = respond(new String(requestBefore.array(), ISO_8859_1));
            }
            in.position(end + 1);
            toSkip = response.requestBody;
            chunkToEnd = response.chunk;
            begin(response.head, response.length);
            return true;
        }
    }

    private static Response respond(String request) {
        String[] words = request.substring(0, request.indexOf('\r')).split(" ");
        Map<String, String> headers = new HashMap<>();
        for (String header : request.toLowerCase(Locale.ROOT).split("\r\n")) {
            String[] pair = header.split(":", 2);
            headers.put(pair[0], pair[pair.length - 1].strip());
        }
        boolean understood = words.length == 3 && words[2].matches("HTTP/1\\.[01]");
        boolean is10 = understood && words[2].endsWith("0");
        boolean help = understood && words[1].endsWith("?");
        Map<String, Long> asked = new HashMap<>(Map.of("r", 200L, "s", 0L, "k", 0L, "c", 1L, "C", 0L));
        String connection = headers.getOrDefault("connection", "");
        asked.put("K", (is10 ? connection.contains("keep-alive") : !connection.contains("close")) ? 1L : 0);
        String query = understood && words[1].contains("?") ? words[1].substring(words[1].indexOf('?') + 1) : "";
        for (String word : query.split("[&?,;/]")) {
            if (word.matches("[a-zA-Z]=(\\d{1,18}|\\d{1,9}[kmgKMG])")) {
                int shift = 10 * " kmg".indexOf(Character.toLowerCase(word.charAt(word.length() - 1)));
                asked.put(word.substring(0, 1), Long.parseLong(word.replaceAll("\\D", "")) << Math.max(0, shift));
            }
        }
        String body = headers.getOrDefault("content-length", "0");
        boolean good = understood && asked.get("r") >= 200 && asked.get("r") < 600 && body.matches("\\d{1,18}");
        long status = !good ? 400 : headers.containsKey("transfer-encoding") ? 501 : asked.get("r");
        boolean close = status == 400 || status == 501 || asked.get("C") > 0 || asked.get("K") == 0;
        boolean bodiless = status == 204 || status == 304, headOnly = bodiless || words[0].equals("HEAD");
        long size = bodiless || status == 400 || help ? 0 : asked.get("s"), length = help ? USAGE.length() : size;
        boolean chunked = asked.get("k") > 0 && !is10 && !bodiless && !help;
        String line = "HTTP/1." + (is10 ? 0 : 1) + " " + status + " \r\n";
        String first = headers.containsKey("expect") ? "HTTP/1.1 100 Continue\r\n\r\n" + line : line;
        String framing = chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: " + length + "\r\n";
        String kept = close ? "Connection: close\r\n" : is10 ? "Connection: keep-alive\r\n" : "";
        String cache = asked.get("c") == 0 ? "Cache-Control: no-cache\r\n" : "";
        String start = chunked ? Long.toHexString(size) + (size > 0 ? "\r\n" : "\r\n\r\n") : help ? USAGE : "";
        String head = first + (bodiless ? "" : framing) + kept + cache + "\r\n" + (headOnly ? "" : start);
        long sent = headOnly ? 0 : size, rest = close ? 0 : Long.parseLong(body);
        return new Response(segment(head), sent, chunked && sent > 0, close, rest);
    }

    private static MemorySegment segment(String text) {
        return MemorySegment.ofArray(text.getBytes(ISO_8859_1));
    }
}
