import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.TRUNCATE_EXISTING;
import static java.nio.file.StandardOpenOption.WRITE;

import io.sluice.Fd;
import io.sluice.flow.Branch;
import io.sluice.flow.Fanout;
import io.sluice.flow.FanoutException;
import io.sluice.flow.WhenSlow;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;

/**
 * One incoming TCP stream to a file and to any number of clients, who come and go.
 *
 * <p>The stream is read once. The file is the primary: it gets every byte, whatever the clients do. A client gets what comes from the moment
 * it joins; one that takes nothing for a while is let go, and nobody else notices.
 */
public final class Broadcast {
    private static final String USAGE = """
        usage: java --enable-native-access=ALL-UNNAMED -cp <sluice> Broadcast.java FILE [SOURCE-PORT CLIENT-PORT [SECONDS]]
        Copies what the first connection to SOURCE-PORT sends to FILE and to everybody who is connected to CLIENT-PORT.
        A client that takes nothing for SECONDS, or else 5, is let go. Ports are of 127.0.0.1; 0, or none, is any.\
        """;

    private final WhenSlow policy;

    private Broadcast(Duration patience) {
        policy = WhenSlow.dropAfter(patience);
    }

    public static void main(String[] args) throws IOException {
        if (args.length != 1 && args.length != 3 && args.length != 4) {
            System.err.println(USAGE);
            System.exit(2);
        }
        int sourcePort = args.length > 1 ? Integer.parseInt(args[1]) : 0;
        int clientPort = args.length > 1 ? Integer.parseInt(args[2]) : 0;
        Duration patience = Duration.ofSeconds(args.length > 3 ? Long.parseLong(args[3]) : 5);
        try (ServerSocketChannel forSource = listen("source", sourcePort);
                ServerSocketChannel forClients = listen("clients", clientPort)) {
            new Broadcast(patience).run(Path.of(args[0]), forSource, forClients);
        } catch (FanoutException e) {
            System.err.println("Broadcast: " + e.getMessage());
            System.exit(1);
        }
    }

    private static ServerSocketChannel listen(String whom, int port) throws IOException {
        ServerSocketChannel server = ServerSocketChannel.open().bind(new InetSocketAddress("127.0.0.1", port));
        System.out.println(whom + ": port " + server.socket().getLocalPort());
        return server;
    }

    private void run(Path path, ServerSocketChannel forSource, ServerSocketChannel forClients) throws IOException {
        try (SocketChannel source = forSource.accept();
                Fd file = Fd.open(path, CREATE, WRITE, TRUNCATE_EXISTING);
                Fanout fanout = Fanout.from(source).to(file)) {
            Thread.ofVirtual().start(() -> welcome(forClients, fanout));
            long bytes = fanout.run();
            System.out.println("end of the stream: " + bytes + " bytes");
        }
    }

    private void welcome(ServerSocketChannel forClients, Fanout fanout) {
        try {
            while (true) {
                SocketChannel client = forClients.accept();
                Thread.ofVirtual().start(() -> serve(client, fanout));
            }
        } catch (ClosedChannelException e) {
            // The stream has ended.
        } catch (IOException e) {
            System.err.println("Broadcast: no more clients: " + e.getMessage());
        }
    }

    /** A client for as long as it stays. The branch lets go of the connection before it is closed. */
    private void serve(SocketChannel client, Fanout fanout) {
        try (client) {
            String name = String.valueOf(client.getRemoteAddress());
            Branch branch = fanout.add(client, policy);
            System.out.println("joined: " + name);
            Branch.State end = branch.await();
            String why = branch.failure().map(e -> ", " + e.getMessage()).orElse("");
            System.out.println("left: " + name + ", " + end + ", " + branch.delivered() + " bytes" + why);
        } catch (IllegalStateException e) {
            // Came when the stream had ended.
        } catch (IOException e) {
            System.err.println("Broadcast: " + e.getMessage());
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
