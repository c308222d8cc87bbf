package io.sluice.send;

import static io.sluice.send.Scene.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Fd;
import io.sluice.Kernel.Outcome;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.Loan.State;
import io.sluice.loan.PageArena;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Loopback;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** What a sender takes when it is not told. */
@ExtendWith(ExpectNoLeaks.class)
class SenderChoiceTest {
    private static final int SIZE = 64 << 10;

    @Test
    void aSocketWithoutNotificationsIsCopiedToAndReleasesAtOnce() throws Exception {
        try (Workbench bench = new Workbench();
                PageArena arena = PageArena.open()) {
            Sockets pair = bench.unix(Linux.SOCK_STREAM());
            try (Fd near = Fd.borrow(pair.near());
                    Sender sender = Sender.over(near)) {
                assertThat(sender.method()).isEqualTo(Method.WRITE);
                Loan loan =
                        arena.lend(arena.allocate(SIZE).copyFrom(MemorySegment.ofArray(Workbench.bytes(SIZE))), sender);
                assertThat(loan.state()).isEqualTo(State.RELEASED);
                assertThat(loan.regime()).isEqualTo(Outcome.COPIES);
                assertThat(loan.method()).isEqualTo(Method.WRITE);
                loan.reclaim().fill(Scene.HOSTILE);
                assertThat(bench.readFully(pair.far(), SIZE)).isEqualTo(Workbench.bytes(SIZE));
                assertThatThrownBy(() -> Sender.over(near, Method.MSG_ZEROCOPY))
                        .isInstanceOf(UnsupportedOperationException.class)
                        .hasMessageContaining("MSG_ZEROCOPY does not work here");
            }
        }
    }

    @Test
    void whatIsNoStreamSocketIsRefused() throws Exception {
        try (Workbench bench = new Workbench();
                Fd end = Fd.borrow(bench.pipe().sink());
                Fd datagrams = Fd.borrow(new Loopback(bench).datagrams().near());
                Fd stream = Fd.borrow(bench.tcp().near())) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> Sender.over(end))
                    .withMessageContaining("pipe");
            assertThatIllegalArgumentException().isThrownBy(() -> Sender.over(datagrams));
            assertThatIllegalArgumentException().isThrownBy(() -> Sender.over(stream, Method.VMSPLICE));
        }
    }

    @Test
    void bothAreChosenByObservation() throws Exception {
        try (Workbench bench = new Workbench();
                PageArena arena = PageArena.open();
                Fd socket = Fd.borrow(bench.tcp().near());
                Sender sender = Sender.over(socket)) {
            assertThat(sender.method()).isNotEqualTo(Method.VMSPLICE);
            Loan small = arena.lend(arena.allocate(PAGE), sender);
            assertThat(small.method()).isEqualTo(Method.WRITE);
            assertThat(small.state()).isEqualTo(State.RELEASED);
        }
    }

    @Test
    void aSenderThatIsToldOfCopiesCopiesInTheKernelsPlace() throws Exception {
        try (Workbench bench = new Workbench();
                PageArena arena = PageArena.open()) {
            Sockets tcp = bench.tcp();
            try (Fd socket = Fd.borrow(tcp.near());
                    Sender sender = Sender.over(socket)) {
                MemorySegment pages = arena.allocate(SIZE);
                boolean copied = false;
                for (int i = 0; i < 20; i++) {
                    Loan loan = arena.lend(pages, sender);
                    bench.readFully(tcp.far(), SIZE);
                    assertThat(loan.await()).isEqualTo(State.RELEASED);
                    pages = loan.reclaim();
                    copied = loan.method() == Method.WRITE;
                }
                assertThat(copied).as("the last of them was written").isTrue();
            }
        }
    }

    @Test
    void aChannelOfAUnixDomainIsTakenToo() throws Exception {
        try (Workbench bench = new Workbench();
                ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                        .bind(UnixDomainSocketAddress.of(bench.folder().resolve("socket")));
                SocketChannel near = SocketChannel.open(server.getLocalAddress());
                SocketChannel far = server.accept();
                PageArena arena = PageArena.open();
                Sender sender = Sender.over(near)) {
            Loan loan = arena.lend(arena.allocate(PAGE).fill((byte) 7), sender);
            assertThat(loan.state()).isEqualTo(State.RELEASED);
            ByteBuffer into = ByteBuffer.allocate(PAGE);
            while (into.hasRemaining()) {
                far.read(into);
            }
            assertThat(into.array()).containsOnly(7);
        }
    }
}
