package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.SocketCalls;
import io.sluice.internal.Uring;
import io.sluice.testing.Await;
import io.sluice.testing.Helper;
import io.sluice.testing.Rings;
import io.sluice.testing.Veth;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;

/** Sends that are notified through the socket's error queue. */
final class ZeroCopyConformance extends Family {
    private static final int SIZE = 64 << 10;
    private static final int DATAGRAM = 32 << 10;
    private static final int SENDS = 64;

    @Row("zc_noopt")
    void withoutTheOptionTheFlagIsIgnored(Workbench bench) {
        Sockets tcp = bench.tcp();
        gives(SIZE, send(tcp.near(), bench.pages(SIZE, 'A')));
        assertThat(bench.readFully(tcp.far(), SIZE)).containsOnly('A');
        fails(EAGAIN(), SocketCalls.receiveError(tcp.near(), new SocketCalls.ErrorEntry()));
    }

    @Row("zc_tcp")
    void twoSendsAreReportedByTheirNumbers(Workbench bench) throws Exception {
        Sockets tcp = withNotifications(bench.tcp());
        gives(SIZE, send(tcp.near(), bench.pages(SIZE, 'A')));
        gives(SIZE, send(tcp.near(), bench.pages(SIZE, 'B')));
        bench.readFully(tcp.far(), 2 * SIZE);
        assertThat(reported(tcp.near(), 2, true)).isEqualTo(2);
    }

    @Row("zc_unix")
    void aUnixSocketHasNoNotifications(Workbench bench) {
        int near = bench.unix(SOCK_STREAM()).near();
        fails(EOPNOTSUPP(), SocketCalls.setOption(near, SOL_SOCKET(), SO_ZEROCOPY(), 1));
    }

    @Row("zc_empty")
    void anEmptyErrorQueueNeverBlocks(Workbench bench) {
        Sockets tcp = withNotifications(bench.tcp());
        fails(EAGAIN(), SocketCalls.receiveError(tcp.near(), new SocketCalls.ErrorEntry()));
    }

    @Row("zc_poll")
    void aNotificationIsAlwaysPolled(Workbench bench) throws Exception {
        Sockets tcp = withNotifications(bench.tcp());
        assertThat(ready(tcp.near(), NONE)).isZero();
        gives(SIZE, send(tcp.near(), bench.pages(SIZE, 'A')));
        bench.readFully(tcp.far(), SIZE);
        Await.until(() -> ready(tcp.near(), NONE) == POLLERR(), "POLLERR, asked for or not");
        assertThat(reported(tcp.near(), 1, true)).isEqualTo(1);
        assertThat(ready(tcp.near(), NONE)).isZero();
    }

    @Row("zc_nobufs")
    void lockedMemoryIsLimited(Workbench bench) throws Exception {
        assertThat(Helper.compiled(Row.class, "zerocopy").run()).isEqualTo("ENOBUFS");
    }

    @Row("zc_veth")
    void everySendBetweenNamespacesIsReported(Workbench bench) throws Exception {
        try (Veth veth = Veth.open()) {
            for (Sockets pair : new Sockets[] {veth.connect(bench), veth.datagrams(bench)}) {
                Sockets sockets = withNotifications(pair);
                MemorySegment pages = bench.pages(DATAGRAM, 'A');
                for (int i = 0; i < SENDS; i++) {
                    gives(DATAGRAM, send(sockets.near(), pages));
                    assertThat(bench.readFully(sockets.far(), DATAGRAM))
                            .hasSize(DATAGRAM)
                            .containsOnly('A');
                }
                assertThat(reported(sockets.near(), SENDS, false)).isEqualTo(SENDS);
                everySendByARingIsReported(bench, sockets, pages);
            }
        }
    }

    private static void everySendByARingIsReported(Workbench bench, Sockets sockets, MemorySegment pages) {
        try (Uring ring = Rings.open(1, 2 * SENDS)) {
            int notified = 0;
            for (int i = 0; i < SENDS; i++) {
                ring.prepareSend(sockets.near(), pages.address(), DATAGRAM, i);
                gives(1, ring.submit(1, Uring.FOREVER));
                assertThat(bench.readFully(sockets.far(), DATAGRAM))
                        .hasSize(DATAGRAM)
                        .containsOnly('A');
            }
            while (ring.inFlight() > 0) {
                int result = Rings.await(ring);
                notified += ring.isNotification() ? 1 : 0;
                if (!ring.isNotification()) {
                    gives(DATAGRAM, result);
                }
            }
            assertThat(notified).isEqualTo(SENDS);
        }
    }

    private static Sockets withNotifications(Sockets sockets) {
        gives(0, SocketCalls.setOption(sockets.near(), SOL_SOCKET(), SO_ZEROCOPY(), 1));
        return sockets;
    }

    private static long send(int socket, MemorySegment memory) {
        return SocketCalls.send(socket, memory.address(), memory.byteSize(), MSG_ZEROCOPY());
    }

    /** Takes notifications until so many sends are reported, and returns how many were. */
    private static int reported(int socket, int sends, boolean copied) throws Exception {
        SocketCalls.ErrorEntry entry = new SocketCalls.ErrorEntry();
        int[] next = {0};
        Await.until(
                () -> {
                    while (SocketCalls.receiveError(socket, entry) == 0) {
                        assertThat(entry.errno).isZero();
                        assertThat(entry.origin).isEqualTo(SO_EE_ORIGIN_ZEROCOPY());
                        assertThat(entry.info).isEqualTo(next[0]);
                        if (copied) {
                            assertThat(entry.code).isEqualTo(SO_EE_CODE_ZEROCOPY_COPIED());
                        }
                        next[0] = entry.data + 1;
                    }
                    return next[0] >= sends;
                },
                "notifications of " + sends + " sends");
        fails(EAGAIN(), SocketCalls.receiveError(socket, entry));
        return next[0];
    }
}
