package io.sluice.flow;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Libc;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** What the kernel says of a TCP connection. */
final class TcpInfo {
    private static final int TCP_INFO = 11;
    private static final int SIZE = 256;

    /** {@code offsetof(struct tcp_info, tcpi_data_segs_out)}, the same on every 64-bit architecture. */
    private static final int DATA_SEGMENTS_OUT = 156;

    /** {@code SIOCOUTQNSD}: of what was written to a socket, how much was not sent yet. */
    private static final int NOT_SENT = 0x894B;

    private static final int TCP_CLOSE = 7;

    private TcpInfo() {}

    /** Bytes that were written, and are held back. */
    static int bytesNotSent(int socket) {
        MemorySegment count = Arena.ofAuto().allocate(JAVA_INT);
        int result = Libc.ioctl(socket, NOT_SENT, count);
        if (result < 0) {
            throw new IllegalStateException("ioctl(SIOCOUTQNSD) failed: " + result);
        }
        return count.get(JAVA_INT, 0);
    }

    /** Whether the connection is no more, as after a reset. */
    static boolean isClosed(int socket) {
        return (option(socket, TCP_INFO, 0) & 0xff) == TCP_CLOSE;
    }

    /** How many segments with data were sent. */
    static long dataSegmentsOut(int socket) {
        return Integer.toUnsignedLong(option(socket, TCP_INFO, DATA_SEGMENTS_OUT));
    }

    static boolean isCorked(int socket) {
        return option(socket, Linux.TCP_CORK(), 0) != 0;
    }

    private static int option(int socket, int option, int offset) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment value = arena.allocate(SIZE, 8);
            MemorySegment length = arena.allocateFrom(JAVA_INT, SIZE);
            int result = Linux.getsockopt(socket, Linux.IPPROTO_TCP(), option, value, length);
            if (result < 0) {
                throw new IllegalStateException("getsockopt(" + option + ") failed");
            }
            return value.get(JAVA_INT, offset);
        }
    }
}
