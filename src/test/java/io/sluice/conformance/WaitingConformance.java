package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.Syscalls;
import io.sluice.testing.Await;
import io.sluice.testing.BlockedCall;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import java.util.List;

/** Calls that look harmless and wait for another thread that is inside a transfer on the same pipe. */
final class WaitingConformance extends Family {
    private static final long UFFDIO_API = 0xc018_aa3fL;
    private static final long UFFDIO_REGISTER = 0xc020_aa00L;
    private static final long UFFDIO_ZEROPAGE = 0xc020_aa04L;
    private static final long UFFD_API = 0xaa;
    private static final long REGISTER_MISSING = 1;

    @Row("lf_fionblock")
    void countingWaitsForASpliceIntoAFullSocket(Workbench bench) throws Exception {
        Sockets tcp =
                new Loopback(bench).sendBuffer(CAPACITY).receiveBuffer(CAPACITY).connect();
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        bench.saturate(tcp.near());
        BlockedCall<Long> splice =
                BlockedCall.in(SystemCall.SPLICE, () -> splice(pipe.source(), tcp.near(), PAGE, NONE));

        BlockedCall<Integer> count = BlockedCall.in(SystemCall.IOCTL, () -> bench.available(pipe.source()));
        BlockedCall<Integer> size =
                BlockedCall.in(SystemCall.FCNTL, () -> Syscalls.fcntl(pipe.source(), F_GETPIPE_SZ(), 0));
        int sink = bench.disown(pipe.sink());
        BlockedCall<Integer> close = BlockedCall.in(SystemCall.CLOSE, () -> Syscalls.close(sink));
        for (BlockedCall<Integer> waiting : List.of(count, size, close)) {
            assertThat(waiting.isUninterruptible()).isTrue();
        }
        assertThat(ready(pipe.source(), POLLIN()) & POLLIN()).isEqualTo(POLLIN());

        bench.setNonBlocking(tcp.far(), true);
        MemorySegment into = bench.buffer(CAPACITY);
        Await.until(
                () -> {
                    Syscalls.read(tcp.far(), into, CAPACITY);
                    return splice.isDone();
                },
                "the splice, once the peer reads");
        gives(PAGE, splice.result());
        gives(0, count.result());
        gives(CAPACITY, size.result());
        gives(0, close.result());
    }

    @Row("lf_fionread")
    void countingWaitsForAReadThatStillCopies(Workbench bench) throws Exception {
        MemorySegment missing = bench.map(PAGE);
        int faults = faultsOf(bench, missing);
        Ends pipe = bench.pipeHolding(bytes(PAGE));

        BlockedCall<Long> read = BlockedCall.in(SystemCall.READ, () -> Syscalls.read(pipe.source(), missing, PAGE));
        BlockedCall<Integer> count = BlockedCall.in(SystemCall.IOCTL, () -> bench.available(pipe.sink()));
        assertThat(read.sleeps()).isTrue();
        gives(0, Libc.ioctl(faults, UFFDIO_ZEROPAGE, longs(bench, missing.address(), PAGE, 0, 0)));

        gives(0, count.result());
        gives(PAGE, read.result());
        assertThat(bytesOf(missing)).isEqualTo(bytes(PAGE));
    }

    /** A descriptor that holds up whoever touches this page for the first time, the kernel included. */
    private static int faultsOf(Workbench bench, MemorySegment page) {
        long fd = Libc.syscall(SystemCall.USERFAULTFD.number(), O_CLOEXEC() | O_NONBLOCK());
        assumeTrue(fd >= 0, "needs userfaultfd, and a user whom it serves for faults of the kernel");
        int faults = bench.own(fd);
        gives(0, Libc.ioctl(faults, UFFDIO_API, longs(bench, UFFD_API, 0, 0)));
        MemorySegment range = longs(bench, page.address(), page.byteSize(), REGISTER_MISSING, 0);
        gives(0, Libc.ioctl(faults, UFFDIO_REGISTER, range));
        return faults;
    }

    private static MemorySegment longs(Workbench bench, long... values) {
        return bench.buffer((long) values.length * Long.BYTES).copyFrom(MemorySegment.ofArray(values));
    }
}
