package io.sluice.flow;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.sluice.internal.ffi.Linux;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** What the kernel says of a TCP connection. */
final class TcpInfo {
    private static final int TCP_INFO = 11;
    private static final int SIZE = 256;

    /** {@code offsetof(struct tcp_info, tcpi_data_segs_out)}, the same on every 64-bit architecture. */
    private static final int DATA_SEGMENTS_OUT = 156;

    private TcpInfo() {}

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
