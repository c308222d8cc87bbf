package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.DatagramChannel;
import java.nio.channels.Pipe;
import java.nio.channels.SelectableChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Finding the descriptor behind an object of the JDK's, and giving it back. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class ResolveBenchmark {
    private SocketChannel socket;
    private Pipe pipe;
    private DatagramChannel datagrams;
    private FileInputStream file;
    private FileDescriptor fileDescriptor;
    private Fd fd;
    private int number;

    @Setup
    public void open() throws IOException {
        try (ServerSocketChannel server =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
            socket = SocketChannel.open(server.getLocalAddress());
        }
        socket.configureBlocking(false);
        pipe = Pipe.open();
        pipe.source().configureBlocking(false);
        datagrams = DatagramChannel.open();
        datagrams.configureBlocking(false);
        file = new FileInputStream("/dev/random");
        fileDescriptor = file.getFD();
        fd = Fd.of(socket);
        number = fd.number();
    }

    @TearDown
    public void close() throws IOException {
        fd.close();
        socket.close();
        pipe.source().close();
        pipe.sink().close();
        datagrams.close();
        file.close();
    }

    @Benchmark
    public int socketChannel() throws IOException {
        return resolve(socket);
    }

    @Benchmark
    public int pipeSource() throws IOException {
        return resolve(pipe.source());
    }

    @Benchmark
    public boolean newChannel() throws IOException {
        try (DatagramChannel channel = DatagramChannel.open()) {
            return channel.isOpen();
        }
    }

    @Benchmark
    public int blockingNewChannel() throws IOException {
        try (DatagramChannel channel = DatagramChannel.open()) {
            return resolve(channel);
        }
    }

    @Benchmark
    public int nonBlockingNewChannel() throws IOException {
        try (DatagramChannel channel = DatagramChannel.open()) {
            channel.configureBlocking(false);
            return resolve(channel);
        }
    }

    @Benchmark
    public int datagramChannel() throws IOException {
        return resolve(datagrams);
    }

    private static int resolve(SelectableChannel channel) throws IOException {
        try (Fd fd = Fd.of(channel)) {
            return fd.number();
        }
    }

    @Benchmark
    public int fileDescriptor() throws IOException {
        try (Fd fd = Fd.of(fileDescriptor)) {
            return fd.number();
        }
    }

    @Benchmark
    public int borrow() throws IOException {
        try (Fd fd = Fd.borrow(number)) {
            return fd.number();
        }
    }

    @Benchmark
    public int duplicate() {
        int copy = Syscalls.fcntl(number, Linux.F_DUPFD_CLOEXEC(), 0);
        if (copy < 0 || Syscalls.close(copy) < 0) {
            throw new IllegalStateException("fcntl or close failed: " + copy);
        }
        return copy;
    }
}
