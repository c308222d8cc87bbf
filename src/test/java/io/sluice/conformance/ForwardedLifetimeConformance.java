package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.Syscalls;
import io.sluice.testing.Helper;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;

/** Lent pages that left their pipe by reference: every sign says they are gone, and a store is still seen. */
final class ForwardedLifetimeConformance extends Family {
    private static final int CLONE_NEWNET = 0x4000_0000;
    private static final int MEBIBYTE = 1 << 20;

    @Row("lf_tcp")
    void toTcp(Workbench bench) throws Exception {
        assumePagesAreReferenced();
        for (int length : new int[] {1, 100, PAGE, CAPACITY, 4 * CAPACITY}) {
            Sockets tcp = new Loopback(bench).receiveBuffer(MEBIBYTE).connect();
            seesStoresAfterAcknowledgement(bench, tcp, length);
        }
    }

    @Row("lf_veth")
    void toTcpBetweenNetworkNamespaces(Workbench bench) throws Throwable {
        assumePagesAreReferenced();
        assumeTrue(Helper.exists("ip"), "needs the program ip");
        try {
            Sockets tcp = concurrently(() -> connectOverVeth(bench)).get(60, TimeUnit.SECONDS);
            seesStoresAfterAcknowledgement(bench, tcp, 4 * PAGE);
        } catch (ExecutionException e) {
            throw e.getCause();
        }
    }

    @Row("lf_unix")
    void toUnix(Workbench bench) {
        Sockets unix = bench.unix(SOCK_STREAM());
        MemorySegment page = sent(bench, bench.pipe(), unix.near());
        page.fill((byte) 'B');
        assertThat(bench.read(unix.far(), 1000)).hasSize(1000).containsOnly('B');
        assertThat(Syscalls.ioctl(unix.near(), SIOCOUTQ())).isPositive();
        assertThat(bench.readFully(unix.far(), PAGE - 1000)).containsOnly('B');
        gives(0, Syscalls.ioctl(unix.near(), SIOCOUTQ()));
    }

    @Row("lf_unixsp")
    void toUnixAndSplicedOn(Workbench bench) {
        Sockets unix = bench.unix(SOCK_STREAM());
        Ends beyond = bench.pipe();
        MemorySegment page = sent(bench, bench.pipe(), unix.near());
        gives(PAGE, splice(unix.far(), beyond.sink(), PAGE, NONE));
        gives(0, Syscalls.ioctl(unix.near(), SIOCOUTQ()));
        page.fill((byte) 'B');
        assertThat(bench.readFully(beyond.source(), PAGE)).containsOnly('B');
    }

    @Row("lf_udp")
    void toUdp(Workbench bench) throws Exception {
        Sockets udp = new Loopback(bench).datagrams();
        MemorySegment page = sent(bench, bench.pipe(), udp.near());
        awaitAcknowledged(udp.near());
        page.fill((byte) 'B');
        assertThat(bench.read(udp.far(), PAGE)).hasSize(PAGE).containsOnly('B');
    }

    @Row("lf_tcpsp")
    void toTcpAndSplicedOn(Workbench bench) throws Exception {
        Sockets tcp = bench.tcp();
        Ends beyond = bench.pipe();
        MemorySegment page = sent(bench, bench.pipe(), tcp.near());
        awaitAcknowledged(tcp.near());
        gives(PAGE, splice(tcp.far(), beyond.sink(), PAGE, NONE));
        gives(0, Syscalls.ioctl(tcp.far(), SIOCINQ()));
        page.fill((byte) 'B');
        assertThat(bench.readFully(beyond.source(), PAGE)).containsOnly('B');
    }

    @Row("lf_tcpclose")
    void toTcpThatIsThenClosed(Workbench bench) throws Exception {
        Sockets tcp = bench.tcp();
        Ends pipe = bench.pipe();
        MemorySegment page = sent(bench, pipe, tcp.near());
        bench.close(tcp.near());
        bench.close(pipe.source());
        bench.close(pipe.sink());
        page.fill((byte) 'B');
        assertThat(bench.readFully(tcp.far(), PAGE)).hasSize(PAGE).containsOnly('B');
    }

    @Row("lf_pp")
    void toAnotherPipe(Workbench bench) {
        Ends beyond = bench.pipe();
        MemorySegment page = sent(bench, bench.pipe(), beyond.sink());
        gives(PAGE, bench.available(beyond.source()));
        page.fill((byte) 'B');
        assertThat(bench.read(beyond.source(), PAGE)).containsOnly('B');
    }

    @Row("lf_tee")
    void teed(Workbench bench) {
        assumePagesAreReferenced();
        Ends pipe = bench.pipe();
        Ends copy = bench.pipe();
        MemorySegment page = bench.pages(PAGE, 'A');
        gives(PAGE, vmsplice(pipe.sink(), page, NONE));
        gives(PAGE, Syscalls.tee(pipe.source(), copy.sink(), PAGE, NONE));
        assertThat(bench.read(pipe.source(), PAGE)).containsOnly('A');
        gives(0, bench.available(pipe.source()));
        page.fill((byte) 'B');
        assertThat(bench.read(copy.source(), PAGE)).containsOnly('B');
    }

    @Row("lf_dbl")
    void secondHalfAcceptedIsNotFirstHalfConsumed(Workbench bench) {
        assumePagesAreReferenced();
        Ends pipe = bench.pipe();
        Ends beyond = bench.pipe();
        gives(4 * PAGE, Syscalls.fcntl(pipe.sink(), F_SETPIPE_SZ(), 4 * PAGE));
        MemorySegment first = bench.pages(4 * PAGE, 'A');
        MemorySegment second = bench.pages(4 * PAGE, 'C');
        gives(4 * PAGE, vmsplice(pipe.sink(), first, NONE));
        gives(3 * PAGE, splice(pipe.source(), beyond.sink(), 3 * PAGE, NONE));
        gives(3 * PAGE, vmsplice(pipe.sink(), second, NONE));
        first.fill((byte) 'B');
        assertThat(bench.readFully(beyond.source(), 3 * PAGE)).containsOnly('B');
    }

    /** A page of A, lent to the pipe and spliced on. */
    private static MemorySegment sent(Workbench bench, Ends pipe, int to) {
        assumePagesAreReferenced();
        MemorySegment page = bench.pages(PAGE, 'A');
        gives(PAGE, vmsplice(pipe.sink(), page, NONE));
        gives(PAGE, splice(pipe.source(), to, PAGE, NONE));
        gives(0, bench.available(pipe.source()));
        return page;
    }

    private static void seesStoresAfterAcknowledgement(Workbench bench, Sockets tcp, int length) throws Exception {
        Ends pipe = bench.pipe();
        MemorySegment memory = bench.pages(length, 'A');
        for (int at = 0; at < length; at += CAPACITY) {
            int step = Math.min(CAPACITY, length - at);
            gives(step, vmsplice(pipe.sink(), memory.asSlice(at, step), NONE));
            for (int left = step; left > 0; ) {
                long n = splice(pipe.source(), tcp.near(), left, NONE);
                assertThat(n).isPositive();
                left -= (int) n;
            }
        }
        gives(0, bench.available(pipe.source()));
        awaitAcknowledged(tcp.near());
        memory.fill((byte) 'B');
        assertThat(bench.readFully(tcp.far(), length)).hasSize(length).containsOnly('B');
    }

    /** Runs on a thread that ends with it, and whose own network no other thread sees. */
    private static Sockets connectOverVeth(Workbench bench) throws IOException, InterruptedException {
        int here = newNetwork(bench);
        newNetwork(bench);
        String path = "/proc/" + ProcessHandle.current().pid() + "/fd/" + here;
        ip("link", "add", "there", "type", "veth", "peer", "name", "here", "netns", path);
        ip("address", "add", "10.0.0.2/24", "dev", "there");
        ip("link", "set", "there", "up");
        Loopback veth = new Loopback(bench);
        int listener = veth.listen((byte) 10, (byte) 0, (byte) 0, (byte) 2);
        gives(0, Libc.setns(here, CLONE_NEWNET));
        ip("address", "add", "10.0.0.1/24", "dev", "here");
        ip("link", "set", "here", "up");
        return veth.connectTo(listener);
    }

    private static int newNetwork(Workbench bench) {
        assumeTrue(Libc.unshare(CLONE_NEWNET) == 0, "needs a user who may open a network namespace");
        return bench.open(Path.of("/proc/thread-self/ns/net"), O_RDONLY());
    }

    private static void ip(String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("ip"));
        command.addAll(List.of(arguments));
        try {
            Helper.output(new ProcessBuilder(command));
        } catch (AssertionError e) {
            abort("needs veth: " + e.getMessage());
        }
    }
}
