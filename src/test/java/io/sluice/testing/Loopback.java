package io.sluice.testing;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.sockaddr_in;
import io.sluice.internal.ffi.sockaddr_in6;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;

/** Connections over 127.0.0.1, ::1 or another address of this machine, between plain descriptors. */
public final class Loopback {
    public static final byte[] LOCALHOST = {127, 0, 0, 1};

    public static final byte[] LOCALHOST_6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};

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
        return connect(LOCALHOST);
    }

    /** A TCP connection to an address of this machine. */
    public Sockets connect(byte... ip) {
        int listener = listen(ip);
        Sockets connected = connectTo(listener);
        bench.close(listener);
        return connected;
    }

    public Sockets connectTo(int listener) {
        MemorySegment name = nameOf(listener);
        int near = socket(name.get(JAVA_SHORT, 0), Linux.SOCK_STREAM());
        limit(near, Linux.SO_SNDBUF(), sendBuffer);
        Results.gives(0, Libc.connect(near, name));
        return new Sockets(near, bench.own(Libc.accept4(listener, Linux.O_CLOEXEC())));
    }

    public int listen(byte... ip) {
        int listener = socket(familyOf(ip), Linux.SOCK_STREAM());
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
        return datagrams(LOCALHOST, true);
    }

    /** Two UDP sockets, the first of which may be connected to the other. */
    public Sockets datagrams(byte[] ip, boolean connected) {
        int far = datagrams(ip);
        return new Sockets(connected ? datagramsTo(far) : socket(familyOf(ip), Linux.SOCK_DGRAM()), far);
    }

    /** A UDP socket that is bound. */
    int datagrams(byte... ip) {
        int far = socket(familyOf(ip), Linux.SOCK_DGRAM());
        Results.gives(0, Libc.bind(far, address(ip)));
        return far;
    }

    /** A UDP socket that sends to that one. */
    int datagramsTo(int far) {
        MemorySegment name = nameOf(far);
        int near = socket(name.get(JAVA_SHORT, 0), Linux.SOCK_DGRAM());
        Results.gives(0, Libc.connect(near, name));
        return near;
    }

    private int socket(int family, int type) {
        return bench.own(Libc.socket(family, type | Linux.O_CLOEXEC(), 0));
    }

    /** Where a socket is bound. */
    public MemorySegment nameOf(int socket) {
        MemorySegment name = bench.buffer(sockaddr_in6.sizeof());
        MemorySegment length = bench.buffer(4);
        length.set(JAVA_INT, 0, (int) name.byteSize());
        Results.gives(0, Libc.getsockname(socket, name, length));
        return name.asSlice(0, length.get(JAVA_INT, 0));
    }

    private static int familyOf(byte[] ip) {
        return ip.length == LOCALHOST.length ? Linux.AF_INET() : Linux.AF_INET6();
    }

    private MemorySegment address(byte[] ip) {
        boolean v4 = familyOf(ip) == Linux.AF_INET();
        MemorySegment address = bench.buffer(v4 ? sockaddr_in.sizeof() : sockaddr_in6.sizeof());
        address.fill((byte) 0).set(JAVA_SHORT, 0, (short) familyOf(ip));
        long at = v4 ? sockaddr_in.sin_addr$offset() : sockaddr_in6.sin6_addr$offset();
        MemorySegment.copy(ip, 0, address, JAVA_BYTE, at, ip.length);
        return address;
    }

    private static void limit(int socket, int option, int bytes) {
        if (bytes != UNSET) {
            Results.gives(0, Libc.setsockopt(socket, Linux.SOL_SOCKET(), option, bytes));
        }
    }
}
