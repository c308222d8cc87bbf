package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.Syscalls;
import io.sluice.testing.Await;
import io.sluice.testing.BlockedCall;
import io.sluice.testing.Helper;
import io.sluice.testing.Loopback;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/** Splice between pipes and sockets. */
final class SpliceStreamsConformance extends Family {
    private static final int MEBIBYTE = 1 << 20;

    @Row("sp_ltp04")
    void pipeToPipe(Workbench bench) {
        Ends from = bench.fullPipe();
        Ends to = bench.pipe();
        for (long moved = 0; moved < CAPACITY; ) {
            long n = splice(from.source(), to.sink(), CAPACITY - moved, NONE);
            assertThat(n).isPositive();
            moved += n;
        }
        assertThat(bench.readFully(to.source(), CAPACITY)).isEqualTo(bytes(CAPACITY));
    }

    @Row("sp_ltp05")
    void throughUnixSockets(Workbench bench) {
        Ends from = bench.fullPipe();
        Sockets unix = bench.unix(SOCK_STREAM());
        Ends to = bench.pipe();
        for (long sent = 0, received = 0; received < CAPACITY; ) {
            sent += sent == CAPACITY ? 0 : splice(from.source(), unix.near(), CAPACITY - sent, NONE);
            long n = splice(unix.far(), to.sink(), CAPACITY - received, NONE);
            assertThat(n).isPositive();
            received += n;
        }
        assertThat(bench.readFully(to.source(), CAPACITY)).isEqualTo(bytes(CAPACITY));
    }

    @Row("sp_gv_circ")
    void twoPipesInACircle(Workbench bench) throws Exception {
        Ends one = bench.pipeHolding(bytes(8));
        Ends other = bench.pipeHolding(bytes(8));
        FutureTask<Integer> back = concurrently(() -> moveSingly(other, one, 1000));
        assertThat(moveSingly(one, other, 1000)).isEqualTo(1000);
        assertThat(back.get(60, TimeUnit.SECONDS)).isEqualTo(1000);
        gives(16, bench.available(one.source()) + bench.available(other.source()));
    }

    @Row("sp_gv_nb")
    void emptyPipeWithoutWaiting(Workbench bench) {
        fails(EAGAIN(), splice(bench.pipe().source(), bench.pipe().sink(), PAGE, SPLICE_F_NONBLOCK()));
    }

    @Row("sp_gv_tcp1")
    void whatThePipeHoldsToTcp(Workbench bench) {
        Sockets tcp = bench.tcp();
        gives(2048, splice(bench.pipeHolding(bytes(2048)).source(), tcp.near(), 4096, NONE));
        assertThat(bench.readFully(tcp.far(), 2048)).isEqualTo(bytes(2048));
    }

    @Row("sp_gv_tcp3")
    void largePipeToTcp(Workbench bench) throws Exception {
        Sockets tcp = bench.tcp();
        Ends pipe = bench.pipe();
        assumeTrue(Syscalls.fcntl(pipe.sink(), F_SETPIPE_SZ(), MEBIBYTE) == MEBIBYTE, "needs a pipe of 1 MiB");
        bench.write(pipe.sink(), bytes(MEBIBYTE));
        FutureTask<byte[]> received = concurrently(() -> bench.readFully(tcp.far(), MEBIBYTE));
        while (bench.available(pipe.source()) > 0) {
            assertThat(splice(pipe.source(), tcp.near(), MEBIBYTE, NONE)).isPositive();
        }
        assertThat(received.get(60, TimeUnit.SECONDS)).isEqualTo(bytes(MEBIBYTE));
    }

    @Row("sp_go_eof")
    void endOfTcp(Workbench bench) throws Exception {
        Sockets tcp = bench.tcp();
        bench.close(tcp.far());
        Await.until(() -> ready(tcp.near(), POLLIN()) != 0, "the end of the stream");
        gives(0, splice(tcp.near(), bench.pipe().sink(), PAGE, SPLICE_F_NONBLOCK()));
    }

    @Row("sp_go_unixgram")
    void fromUnixDatagrams(Workbench bench) {
        fromMessages(bench, SOCK_DGRAM());
    }

    @Row("sp_go_unixpacket")
    void fromUnixPackets(Workbench bench) {
        fromMessages(bench, SOCK_SEQPACKET());
    }

    @Row("sp_tcp_epipe")
    void tcpClosedByThePeer(Workbench bench) throws Exception {
        Sockets tcp = bench.tcp();
        Ends pipe = bench.pipeHolding(bytes(2 * PAGE));
        bench.close(tcp.far());
        gives(PAGE, splice(pipe.source(), tcp.near(), PAGE, NONE));
        Await.until(() -> (ready(tcp.near(), POLLOUT()) & POLLHUP()) != 0, "the peer's reset");
        fails(EPIPE(), splice(pipe.source(), tcp.near(), PAGE, NONE));
        assertThat(bench.read(pipe.source(), 2 * PAGE)).isEqualTo(Arrays.copyOfRange(bytes(2 * PAGE), PAGE, 2 * PAGE));
        assertThat(Helper.compiled(Row.class, "signals").run("sp_tcp_epipe")).isEqualTo("4096 EPIPE sig=1 left=4096");
    }

    @Row("sp_tcp_rst")
    void tcpResetByThePeer(Workbench bench) throws Exception {
        Sockets tcp = bench.tcp();
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        bench.write(tcp.near(), bytes(10));
        Await.until(() -> ready(tcp.far(), POLLIN()) != 0, "data that the peer leaves unread");
        bench.close(tcp.far());
        Await.until(() -> (ready(tcp.near(), POLLOUT()) & POLLERR()) != 0, "the peer's reset");
        fails(ECONNRESET(), splice(pipe.source(), tcp.near(), PAGE, NONE));
        fails(EPIPE(), splice(pipe.source(), tcp.near(), PAGE, NONE));
        assertThat(bench.read(pipe.source(), PAGE)).isEqualTo(bytes(PAGE));
        assertThat(Helper.compiled(Row.class, "signals").run("sp_tcp_rst"))
                .isEqualTo("ECONNRESET sig=0 EPIPE sig=1 left=4096");
    }

    @Row("sp_nbsock")
    void nonBlockFlagDoesNotReachAnEmptySocket(Workbench bench) throws Exception {
        Sockets tcp = bench.tcp();
        Ends pipe = bench.pipe();
        BlockedCall<Long> splice =
                BlockedCall.in(SystemCall.SPLICE, () -> splice(tcp.near(), pipe.sink(), PAGE, SPLICE_F_NONBLOCK()));
        bench.write(tcp.far(), bytes(9));
        gives(9, splice.result());
        assertThat(bench.read(pipe.source(), PAGE)).isEqualTo(bytes(9));
    }

    @Row("sp_nbsock3")
    void fullSocketInNonBlockingMode(Workbench bench) {
        Sockets tcp =
                new Loopback(bench).sendBuffer(CAPACITY).receiveBuffer(CAPACITY).connect();
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        bench.saturate(tcp.near());
        bench.setNonBlocking(tcp.near(), true);
        fails(EAGAIN(), splice(pipe.source(), tcp.near(), PAGE, NONE));
        assertThat(bench.read(pipe.source(), 2 * PAGE)).isEqualTo(bytes(PAGE));
    }

    @Row("sp_poison")
    void whatAnEarlyReturnLeavesInAPipe(Workbench bench) {
        Ends reused = bench.pipe();
        Sockets narrow = bench.unix(SOCK_STREAM());
        int nothing = bench.open(Path.of("/dev/null"), O_WRONLY());

        gives(CAPACITY, splice(bench.fullPipe().source(), reused.sink(), CAPACITY, NONE));
        gives(PAGE, splice(reused.source(), narrow.near(), PAGE, SPLICE_F_NONBLOCK()));
        gives(CAPACITY - PAGE, bench.available(reused.source()));

        gives(CAPACITY - PAGE, splice(reused.source(), nothing, CAPACITY, NONE));
        bench.write(reused.sink(), bytes(5));
        assertThat(bench.read(reused.source(), CAPACITY)).isEqualTo(bytes(5));
    }

    private static void fromMessages(Workbench bench, int type) {
        Sockets unix = bench.unix(type);
        bench.write(unix.near(), bytes(3));
        Ends pipe = bench.pipe();
        long n = splice(unix.far(), pipe.sink(), PAGE, NONE);
        if (n != -EINVAL()) {
            gives(3, n);
            assertThat(bench.read(pipe.source(), PAGE)).isEqualTo(bytes(3));
        }
    }

    private static int moveSingly(Ends from, Ends to, int times) {
        int moved = 0;
        for (int i = 0; i < times; i++) {
            moved += (int) splice(from.source(), to.sink(), 1, NONE);
        }
        return moved;
    }
}
