package io.sluice.loan.torture;

import io.sluice.Fd;
import io.sluice.PipeSource;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Libc;
import io.sluice.testing.Results;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** A connection whose peer reads late. */
final class SocketOutlet extends Outlet {
    private static final int MOST_PENDING = 512 << 10;
    private static final int IPPROTO_TCP = 6;
    private static final int TCP_NODELAY = 1;

    private final Workbench bench;
    private final Fd near;
    private final int far;

    private SocketOutlet(String name, Stream stream, Figures figures, Workbench bench, Sockets sockets)
            throws IOException {
        super(name, stream, figures);
        this.bench = bench;
        this.near = Fd.borrow(sockets.near());
        this.far = sockets.far();
        bench.setNonBlocking(far, true);
    }

    static SocketOutlet tcp(Stream stream, Figures figures) throws IOException {
        Workbench bench = new Workbench();
        Sockets sockets = bench.tcp();
        Results.gives(0, Libc.setsockopt(sockets.near(), IPPROTO_TCP, TCP_NODELAY, 1));
        return new SocketOutlet("TCP", stream, figures, bench, sockets);
    }

    static SocketOutlet unix(Stream stream, Figures figures) throws IOException {
        Workbench bench = new Workbench();
        return new SocketOutlet("AF_UNIX", stream, figures, bench, bench.unix(Linux.SOCK_STREAM()));
    }

    @Override
    boolean takesReferences() {
        return true;
    }

    @Override
    long fill(PipeSource source, long max) throws IOException {
        return pending() >= MOST_PENDING ? 0 : source.trySpliceTo(near, max);
    }

    @Override
    long take(MemorySegment into) {
        long n = Syscalls.read(far, into, into.byteSize());
        if (n == -Linux.EAGAIN()) {
            return 0;
        }
        if (n <= 0) {
            throw new Corruption(this + ": reading it gave " + Results.shown(n));
        }
        return n;
    }

    @Override
    public void close() throws IOException {
        near.close();
        bench.close();
    }
}
