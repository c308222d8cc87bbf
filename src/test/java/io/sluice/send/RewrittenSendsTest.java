package io.sluice.send;

import static io.sluice.send.Scene.PAGE;
import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.Kernel.Outcome;
import io.sluice.Pipe;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.Loan.State;
import io.sluice.loan.PageArena;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Veth;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Programs that send memory and then write to it again. The peer reads nothing before he is told that the kernel is done, and the memory is
 * rewritten in between. What is sent at a time fits into the window of a peer who does not read.
 */
@ExtendWith(ExpectNoLeaks.class)
class RewrittenSendsTest {
    private static final int ROUNDS = 20;

    @Test
    void onBareCallsVmspliceAndSpliceGiveTheRewrittenBytes() throws Exception {
        assumeTrue(
                Kernel.observed().vmsplice().outcome() == Outcome.REFERENCES,
                "needs a kernel whose pipes hold the lender's own pages");
        try (Workbench bench = new Workbench()) {
            Sockets tcp = bench.tcp();
            Ends pipe = bench.pipe();
            MemorySegment page = bench.pages(PAGE, 'A');
            gives(PAGE, Syscalls.vmsplice(pipe.sink(), page.address(), PAGE, 0));
            gives(PAGE, Syscalls.splice(pipe.source(), -1, tcp.near(), -1, PAGE, 0));
            // Every sign that there is: the pipe is empty, and the peer has acknowledged.
            gives(0, bench.available(pipe.source()));
            Await.until(() -> Syscalls.ioctl(tcp.near(), Linux.SIOCOUTQ()) == 0, "the acknowledgement");
            page.fill((byte) 'B');
            assertThat(bench.readFully(tcp.far(), PAGE)).containsOnly('B');
        }
    }

    /** What makes the program above impossible: a loan that was spliced to a socket never gives these pages again. */
    @Test
    void onLoansVmspliceAndSpliceGiveTheOriginalBytes() throws Exception {
        try (Workbench bench = new Workbench();
                PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open()) {
            Sockets tcp = bench.tcp();
            try (Fd socket = Fd.borrow(tcp.near())) {
                Loan loan = arena.lend(arena.allocate(PAGE).fill((byte) 'A'), pipe.sink());
                assertThat(pipe.source().spliceTo(socket, PAGE)).isEqualTo(PAGE);
                loan.await();
                loan.reclaim().fill((byte) 'B');
                assertThat(bench.readFully(tcp.far(), PAGE)).containsOnly('A');
            }
        }
    }

    @ParameterizedTest(name = "{0}, {1} bytes")
    @CsvSource({
        "MSG_ZEROCOPY, 1", "MSG_ZEROCOPY, 100", "MSG_ZEROCOPY, 4096", "MSG_ZEROCOPY, 5000", "MSG_ZEROCOPY, 32768",
        "SEND_ZC, 1", "SEND_ZC, 100", "SEND_ZC, 4096", "SEND_ZC, 5000", "SEND_ZC, 32768"
    })
    void whatIsSentWithNotificationIsRewrittenAndArrivesAsItWas(Method method, int size) throws Exception {
        Scene.assumeUsable(method);
        try (Workbench bench = new Workbench()) {
            Sockets tcp = bench.tcp();
            try (Fd socket = Fd.borrow(tcp.near())) {
                rewrite(bench, tcp, socket, method, size);
            }
        }
    }

    @ParameterizedTest(name = "{0}")
    @EnumSource(names = {"MSG_ZEROCOPY", "SEND_ZC"})
    void theSameHoldsBetweenTwoNamespaces(Method method) throws Exception {
        Scene.assumeUsable(method);
        try (Workbench bench = new Workbench();
                Veth veth = Veth.open()) {
            Sockets tcp = veth.connect(bench);
            try (Fd socket = Fd.borrow(tcp.near())) {
                rewrite(bench, tcp, socket, method, 32768);
            }
        }
    }

    private static void rewrite(Workbench bench, Sockets tcp, Fd socket, Method method, int size) throws Exception {
        try (PageArena arena = PageArena.open();
                Sender sender = Sender.over(socket, method)) {
            MemorySegment memory = arena.allocate(Math.max(size, PAGE));
            for (int round = 0; round < ROUNDS; round++) {
                Loan loan = arena.lend(memory.fill((byte) round).asSlice(0, size), sender);
                assertThat(loan.await()).isEqualTo(State.RELEASED);
                memory = loan.reclaim().fill((byte) ~round);
                assertThat(bench.readFully(tcp.far(), size)).hasSize(size).containsOnly(round);
            }
        }
    }
}
