package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.Uring;
import io.sluice.internal.UringFailedException;
import io.sluice.internal.UringRequest;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Sends over loopback from the same memory again and again, to a peer that reads on a thread of its own: copied, and by reference through a
 * ring. {@code uring.c} has the same forms.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class UringSendBenchmark {
    private static final int ENTRIES = 8;
    private static final int COMPLETIONS = 512;

    /** Sends whose notifications may be due at once; as many as make the peer acknowledge without delay. */
    private static final int DEPTH = 64;

    private static final int BATCH = 8;
    private static final int PEER = 1 << 20;
    private static final int FLAGS = Linux.MSG_WAITALL() | Linux.MSG_NOSIGNAL();

    /** Bytes of one send. */
    @Param({"4096", "65536", "1048576", "4194304"})
    public int size;

    private long address;
    private MemorySegment memory;
    private SocketChannel near;
    private SocketChannel far;
    private Fd socket;
    private Fd peer;
    private int nearNumber;
    private int farNumber;
    private Thread drain;
    private Uring ring;
    private long notified;
    private long copied;

    @Setup
    public void open() throws IOException, UringFailedException {
        address = MemoryCalls.map(0, size, Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS() | Linux.MAP_POPULATE(), -1);
        memory = MemorySegment.ofAddress(address).reinterpret(size);
        try (ServerSocketChannel server = ServerSocketChannel.open()) {
            server.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
            near = SocketChannel.open(server.getLocalAddress());
            far = server.accept();
        }
        socket = Fd.of(near);
        peer = Fd.of(far);
        nearNumber = blocking(socket);
        farNumber = blocking(peer);
        drain = Thread.ofPlatform().daemon().start(this::drain);
        ring = Uring.open(ENTRIES, COMPLETIONS);
        requireOk(ring.register().buffers(new long[] {address}, new long[] {size}));
    }

    @TearDown
    public void close() throws IOException, InterruptedException {
        untilInFlight(0);
        ring.close();
        socket.close();
        near.close();
        drain.join();
        peer.close();
        far.close();
        MemoryCalls.unmap(address, size);
        if (notified > 0) {
            System.out.printf("%d of %d sends were copied%n", copied, notified);
        }
    }

    // As the twin has it: the library's own descriptors do not block.
    private static int blocking(Fd fd) throws IOException {
        int number = fd.number();
        int flags = (int) requireOk(Syscalls.fcntl(number, Linux.F_GETFL(), 0));
        requireOk(Syscalls.fcntl(number, Linux.F_SETFL(), flags & ~Linux.O_NONBLOCK()));
        return number;
    }

    private void drain() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment into = arena.allocate(PEER);
            long n;
            do {
                n = Syscalls.read(farNumber, into, PEER);
            } while (n > 0);
        }
    }

    @Benchmark
    public void write() {
        for (long done = 0; done < size; ) {
            done += requireOk(Syscalls.write(nearNumber, memory.asSlice(done), size - done));
        }
    }

    @Benchmark
    public void sendZc() {
        prepareSend();
        requireOk(ring.submit(1, Uring.FOREVER));
        untilInFlight(DEPTH - 1);
    }

    @Benchmark
    public void sendZcRegistered() {
        prepareSend().buffer(0);
        requireOk(ring.submit(1, Uring.FOREVER));
        untilInFlight(DEPTH - 1);
    }

    /** One call that waits for the result and for the notification. */
    @Benchmark
    public void sendZcAndWait() {
        prepareSend();
        requireOk(ring.submit(2, Uring.FOREVER));
        untilInFlight(0);
    }

    /** One call for several sends, each of which waits for the one before. */
    @Benchmark
    @OperationsPerInvocation(BATCH)
    public void sendZcBatch() {
        for (int i = 0; i < BATCH; i++) {
            prepareSend().request(i < BATCH - 1 ? Linux.IOSQE_IO_LINK() : 0);
        }
        requireOk(ring.submit(BATCH, Uring.FOREVER));
        untilInFlight(DEPTH - BATCH);
    }

    private UringRequest prepareSend() {
        return ring.prepareSend(nearNumber, address, size, 0).operation(FLAGS);
    }

    private void untilInFlight(int most) {
        take();
        while (ring.inFlight() > most) {
            requireOk(ring.submit(1, Uring.FOREVER));
            take();
        }
    }

    private void take() {
        while (ring.next()) {
            if (ring.isNotification()) {
                notified++;
                copied += ring.wasCopied() ? 1 : 0;
            } else if (ring.result() != size) {
                throw new IllegalStateException("sent " + ring.result() + " of " + size);
            }
        }
    }

    private static long requireOk(long result) {
        if (result < 0) {
            throw new IllegalStateException("error " + -result);
        }
        return result;
    }
}
