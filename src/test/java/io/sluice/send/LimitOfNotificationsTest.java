package io.sluice.send;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.Fd;
import io.sluice.Kernel.Outcome;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.Loan.State;
import io.sluice.loan.PageArena;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Loopback;
import io.sluice.testing.Veth;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

/** The kernel's own ENOBUFS: a network in which a socket has memory for one notification. */
@ExtendWith(ExpectNoLeaks.class)
class LimitOfNotificationsTest {
    private static final Path OPTMEM_MAX = Path.of("/proc/sys/net/core/optmem_max");

    /** Less than two notifications take. */
    private static final String ONE_NOTIFICATION = "1000";

    private static final int SIZE = 16 << 10;
    private static final int SMALL = 4096;
    private static final int MUCH = 1 << 20;

    /** More than a peer with a small buffer takes before he reads. */
    private static final int HELD_UP = 128 << 10;

    /** More than the kernel adds to a packet that it has, so that what follows is one of its own with its own notification. */
    private static final int GAP = 80 << 10;

    private final Workbench bench = new Workbench();
    private final PageArena arena = PageArena.open();
    private Veth veth;
    private Sockets tcp;
    private Fd socket;
    private Sender sender;

    @BeforeEach
    void connect() throws Exception {
        Scene.assumeUsable(Method.MSG_ZEROCOPY);
        veth = Veth.open();
        veth.inNear(LimitOfNotificationsTest::limit);
        tcp = veth.connect(new Loopback(bench).sendBuffer(MUCH).receiveBuffer(SMALL));
        socket = Fd.borrow(tcp.near());
        sender = Sender.over(socket, Method.MSG_ZEROCOPY);
    }

    private static Path limit() throws IOException {
        if (!Files.isWritable(OPTMEM_MAX)) {
            abort("needs " + OPTMEM_MAX + " of a network namespace, which came with Linux 6.8");
        }
        return Files.writeString(OPTMEM_MAX, ONE_NOTIFICATION);
    }

    @AfterEach
    void close() throws Exception {
        if (sender != null) {
            sender.close();
            socket.close();
        }
        if (veth != null) {
            veth.close();
        }
        arena.close();
        bench.close();
    }

    @Test
    void whatIsOverItIsCopiedAndReleasedAtOnce() throws Exception {
        bench.write(tcp.near(), new byte[HELD_UP]);
        Loan first = arena.lend(filled('A'), sender);
        bench.write(tcp.near(), new byte[GAP]);
        Loan second = arena.lend(filled('B'), sender);

        assertThat(first.method()).isEqualTo(Method.MSG_ZEROCOPY);
        assertThat(first.state()).isEqualTo(State.IN_PIPE);
        assertThat(second.method()).isEqualTo(Method.WRITE);
        assertThat(second.state()).isEqualTo(State.RELEASED);
        assertThat(second.regime()).isEqualTo(Outcome.COPIES);
        second.reclaim().fill(Scene.HOSTILE);

        bench.readFully(tcp.far(), HELD_UP);
        assertThat(bench.readFully(tcp.far(), SIZE)).hasSize(SIZE).containsOnly('A');
        bench.readFully(tcp.far(), GAP);
        assertThat(bench.readFully(tcp.far(), SIZE)).hasSize(SIZE).containsOnly('B');
        assertThat(first.await()).isEqualTo(State.RELEASED);
    }

    @Test
    void aNotificationThatIsThereIsTakenAndMakesRoomForTheNext() throws Exception {
        for (int i = 0; i < 30; i++) {
            Loan loan = arena.lend(filled((char) ('A' + i)), sender);
            assertThat(loan.method()).isEqualTo(Method.MSG_ZEROCOPY);
            // The peer's acknowledgement comes with his answer, and the notification with the acknowledgement.
            assertThat(bench.readFully(tcp.far(), SIZE)).hasSize(SIZE).containsOnly('A' + i);
            bench.write(tcp.far(), new byte[1]);
            bench.readFully(tcp.near(), 1);
        }
    }

    private MemorySegment filled(char fill) {
        return arena.allocate(SIZE).fill((byte) fill);
    }
}
