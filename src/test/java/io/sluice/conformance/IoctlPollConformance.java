package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;

/** What can be learned about a descriptor without moving bytes. */
final class IoctlPollConformance extends Family {
    @Row("io_seq")
    void countsWhatIsLeft(Workbench bench) {
        int nothing = bench.open(Path.of("/dev/null"), O_WRONLY());
        Ends pipe = bench.pipe();
        Ends other = bench.pipe();
        gives(20603, vmsplice(pipe.sink(), bench.map(6 * PAGE).asSlice(0, 5 * PAGE + 123), NONE));
        gives(20603, bench.available(pipe.source()));
        bench.readFully(pipe.source(), 1000);
        gives(19603, bench.available(pipe.source()));
        gives(4096, splice(pipe.source(), nothing, 4096, NONE));
        gives(15507, bench.available(pipe.source()));
        gives(3000, Syscalls.tee(pipe.source(), other.sink(), 3000, NONE));
        gives(15507, bench.available(pipe.source()));
        gives(3000, bench.available(other.source()));
        gives(2000, splice(pipe.source(), other.sink(), 2000, NONE));
        gives(13507, bench.available(pipe.source()));
        gives(5000, bench.available(other.source()));
    }

    @Row("io_rclosed")
    void countsWhatNobodyWillRead(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        bench.close(pipe.source());
        gives(PAGE, bench.available(pipe.sink()));
    }

    @Row("io_outq1")
    void tcpQueueIsEmptyOnceAcknowledged(Workbench bench) throws Exception {
        Sockets tcp = bench.tcp();
        bench.write(tcp.near(), bytes(100));
        awaitAcknowledged(tcp.near());
        gives(100, Syscalls.ioctl(tcp.far(), SIOCINQ()));
    }

    @Row("io_outq2")
    void unixQueueIsEmptyOnceRead(Workbench bench) {
        Sockets unix = bench.unix(SOCK_STREAM());
        bench.write(unix.near(), bytes(PAGE));
        assertThat(Syscalls.ioctl(unix.near(), SIOCOUTQ())).isPositive();
        bench.readFully(unix.far(), PAGE);
        gives(0, Syscalls.ioctl(unix.near(), SIOCOUTQ()));
    }

    @Row("io_outq3")
    void listenerHasNoQueue(Workbench bench) {
        int listener = new Loopback(bench).listen(Loopback.LOCALHOST);
        fails(EINVAL(), Syscalls.ioctl(listener, SIOCOUTQ()));
    }

    @Row("io_outq4")
    void pipeHasNoQueueToBeSent(Workbench bench) {
        fails(ENOTTY(), Syscalls.ioctl(bench.pipeHolding(bytes(10)).sink(), SIOCOUTQ()));
    }

    @Row("io_reg")
    void countsWhatIsBehindThePosition(Workbench bench) {
        int file = bench.file(bytes(1000));
        gives(100, Libc.lseek(file, 100, 0));
        gives(900, bench.available(file));
    }

    @Row("ep_ltp06")
    void edgesOfAOneSlotPipe(Workbench bench) {
        Ends pipe = bench.pipe(O_NONBLOCK());
        gives(PAGE, Syscalls.fcntl(pipe.sink(), F_SETPIPE_SZ(), PAGE));
        int epoll = bench.own(WaitCalls.epollCreate());
        gives(0, WaitCalls.epollControl(epoll, EPOLL_CTL_ADD(), pipe.source(), EPOLLIN() | EPOLLET()));
        gives(0, WaitCalls.epollControl(epoll, EPOLL_CTL_ADD(), pipe.sink(), EPOLLOUT() | EPOLLET()));
        assertThat(onlyEventOf(bench, epoll)).isEqualTo(pipe.sink());

        bench.write(pipe.sink(), bytes(PAGE));
        assertThat(onlyEventOf(bench, epoll)).isEqualTo(pipe.source());
        bench.readFully(pipe.source(), PAGE / 2);
        gives(0, ready(epoll, POLLIN()));
        bench.readFully(pipe.source(), PAGE / 2);
        assertThat(onlyEventOf(bench, epoll)).isEqualTo(pipe.sink());
    }

    @Row("po_hup")
    void writerGone(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(1));
        bench.close(pipe.sink());
        gives(POLLIN() | POLLHUP(), ready(pipe.source(), POLLIN()));
        bench.read(pipe.source(), 1);
        gives(POLLHUP(), ready(pipe.source(), POLLIN()));
    }

    /** The descriptor of the one event that is ready; after it there is none. */
    private static int onlyEventOf(Workbench bench, int epoll) {
        gives(POLLIN(), ready(epoll, POLLIN()));
        MemorySegment events = bench.buffer(8 * 16);
        gives(1, WaitCalls.epollWait(epoll, events, -1));
        gives(0, ready(epoll, POLLIN()));
        return WaitCalls.epollDescriptor(events, 0);
    }
}
