package io.sluice;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;

/** Two socket channels connected to each other. */
record Connection(SocketChannel near, SocketChannel far) implements AutoCloseable {
    /** The two sorts of stream socket. */
    enum Over {
        TCP,
        UNIX;

        Connection open() throws IOException {
            return this == TCP ? tcp() : unix();
        }

        SocketChannel unconnected() throws IOException {
            return SocketChannel.open(this == TCP ? StandardProtocolFamily.INET : StandardProtocolFamily.UNIX);
        }

        ServerSocketChannel server() throws IOException {
            return ServerSocketChannel.open(this == TCP ? StandardProtocolFamily.INET : StandardProtocolFamily.UNIX);
        }
    }

    static Connection tcp() throws IOException {
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            SocketChannel near = SocketChannel.open(server.getLocalAddress());
            return new Connection(near, server.accept());
        }
    }

    static Connection unix() throws IOException {
        Path folder = Files.createTempDirectory("sluice");
        Path name = folder.resolve("socket");
        try (ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            server.bind(UnixDomainSocketAddress.of(name));
            SocketChannel near = SocketChannel.open(server.getLocalAddress());
            return new Connection(near, server.accept());
        } finally {
            Files.deleteIfExists(name);
            Files.delete(folder);
        }
    }

    @Override
    public void close() throws IOException {
        near.close();
        far.close();
    }
}
