package io.sluice.testing;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.sockaddr_in;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;

/** Connections over 127.0.0.1, or another address of this machine, between plain descriptors. */
public final class Loopback {
    public static final byte[] LOCALHOST = {127, 0, 0, 1};

    private static final int UNSET = 0;

    private final Workbench bench;
    private int sendBuffer = UNSET;
    private int receiveBuffer = UNSET;

    public Loopback(Workbench bench) {
        this.bench = bench;
    }

    /** Bytes that the near side may have sent without the far side having taken them. */
    public Loopback sendBuffer(int bytes) {
        sendBuffer = bytes;
        return this;
    }

    public Loopback receiveBuffer(int bytes) {
        receiveBuffer = bytes;
        return this;
    }

    /** A TCP connection. */
    public Sockets connect() {
        int listener = listen(LOCALHOST);
        Sockets connected = connectTo(listener);
        bench.close(listener);
        return connected;
    }

    public Sockets connectTo(int listener) {
        int near = bench.own(Libc.socket(Linux.AF_INET(), Linux.SOCK_STREAM() | Linux.O_CLOEXEC(), 0));
        limit(near, Linux.SO_SNDBUF(), sendBuffer);
        Results.gives(0, Libc.connect(near, nameOf(listener)));
        return new Sockets(near, bench.own(Libc.accept4(listener, Linux.O_CLOEXEC())));
    }

    public int listen(byte... ip) {
        int listener = bench.own(Libc.socket(Linux.AF_INET(), Linux.SOCK_STREAM() | Linux.O_CLOEXEC(), 0));
        limit(listener, Linux.SO_RCVBUF(), receiveBuffer);
        Results.gives(0, Libc.bind(listener, address(ip)));
        Results.gives(0, Libc.listen(listener, 8));
        return listener;
    }

    void close(int listener) {
        bench.close(listener);
    }

    /** A UDP socket that sends to another. */
    public Sockets datagrams() {
        int far = bench.own(Libc.socket(Linux.AF_INET(), Linux.SOCK_DGRAM() | Linux.O_CLOEXEC(), 0));
        Results.gives(0, Libc.bind(far, address(LOCALHOST)));
        int near = bench.own(Libc.socket(Linux.AF_INET(), Linux.SOCK_DGRAM() | Linux.O_CLOEXEC(), 0));
        Results.gives(0, Libc.connect(near, nameOf(far)));
        return new Sockets(near, far);
    }

    /** Where a socket is bound. */
    public MemorySegment nameOf(int socket) {
        MemorySegment name = bench.buffer(sockaddr_in.sizeof());
        MemorySegment length = bench.buffer(4);
        length.set(JAVA_INT, 0, (int) name.byteSize());
        Results.gives(0, Libc.getsockname(socket, name, length));
        return name;
    }

    private MemorySegment address(byte[] ip) {
        MemorySegment address = bench.buffer(sockaddr_in.sizeof());
        address.set(JAVA_SHORT, sockaddr_in.sin_family$offset(), (short) Linux.AF_INET());
        MemorySegment.copy(ip, 0, address, JAVA_BYTE, sockaddr_in.sin_addr$offset(), ip.length);
        return address;
    }

    private static void limit(int socket, int option, int bytes) {
        if (bytes != UNSET) {
            Results.gives(0, Libc.setsockopt(socket, Linux.SOL_SOCKET(), option, bytes));
        }
    }
}
