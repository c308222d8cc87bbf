import io.sluice.flow.PipePool;
import io.sluice.flow.Relay;
import io.sluice.flow.RelayException;
import io.sluice.flow.RelayOptions;
import io.sluice.flow.Way;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * A TCP proxy: every connection to it is relayed to another address, both ways, by a virtual thread. The bytes stay in the kernel.
 *
 * <pre>
 * java --enable-native-access=ALL-UNNAMED -cp target/sluice-0.1.0-SNAPSHOT.jar docs/examples/Proxy.java 8080 example.com:80
 * </pre>
 *
 * The first argument is the port to listen on, 0 for any, the second where to connect. It prints a line per connection.
 */
public final class Proxy {
    private static final String USAGE = "Proxy <port to listen on> <host>:<port to connect to>";

    /** Several connections beyond what the machine can take wait here, instead of being refused. */
    private static final int BACKLOG = 1024;

    private static final RelayOptions OPTIONS =
            RelayOptions.DEFAULT.idleTimeout(Duration.ofMinutes(5)).pool(PipePool.shared());

    private final SocketAddress upstream;
    private final AtomicInteger open = new AtomicInteger();

    private Proxy(SocketAddress upstream) {
        this.upstream = upstream;
    }

    private void serve(ServerSocketChannel listener) throws IOException {
        while (true) {
            SocketChannel client = listener.accept();
            Thread.ofVirtual().name("relay").start(() -> relay(client));
        }
    }

    private void relay(SocketChannel client) {
        open.incrementAndGet();
        try (client;
                SocketChannel server = SocketChannel.open(upstream)) {
            client.setOption(StandardSocketOptions.TCP_NODELAY, true);
            server.setOption(StandardSocketOptions.TCP_NODELAY, true);
            String who = client.getRemoteAddress() + " ↔ " + upstream;
            Relay relay = Relay.between(client, server, OPTIONS);
            try {
                relay.run();
                say(who, relay, "done");
            } catch (RelayException e) {
                say(who, relay, e.reason() + " at the " + e.side() + ", " + e.getMessage());
                // Neither peer takes what it got for complete: closing now resets both connections.
                client.setOption(StandardSocketOptions.SO_LINGER, 0);
                server.setOption(StandardSocketOptions.SO_LINGER, 0);
            }
        } catch (IOException e) {
            System.out.println("no relay to " + upstream + ": " + e);
        } finally {
            open.decrementAndGet();
        }
    }

    private void say(String who, Relay relay, String outcome) {
        System.out.printf(
                "%s: %d bytes there, %d back, %d connections, %s%n",
                who, relay.delivered(Way.FORTH), relay.delivered(Way.BACK), open.get(), outcome);
    }

    public static void main(String[] args) throws IOException {
        int colon = args.length == 2 ? args[1].lastIndexOf(':') : -1;
        if (colon < 0) {
            System.err.println(USAGE);
            System.exit(2);
        }
        int port = Integer.parseInt(args[0]);
        SocketAddress upstream =
                new InetSocketAddress(args[1].substring(0, colon), Integer.parseInt(args[1].substring(colon + 1)));
        try (ServerSocketChannel listener = ServerSocketChannel.open().bind(new InetSocketAddress(port), BACKLOG)) {
            System.out.println("listening on port " + listener.socket().getLocalPort());
            new Proxy(upstream).serve(listener);
        }
    }
}
