package io.sluice.flow;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Fd;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.PageRing;
import io.sluice.send.Sender;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Rings;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.ByteArrayOutputStream;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Responses of which a part is made while it is sent: it goes through a ring over a sender, in slots that are used again as their
 * notifications arrive, and what is before and behind it goes to the same socket as it always does.
 */
@ExtendWith(ExpectNoLeaks.class)
class DynamicContentTest {
    private static final int SLOT = 64 << 10;
    private static final int SLOTS = 3;
    private static final int BLOCKS = 40;
    private static final byte[] HEAD = "HTTP/1.1 200 OK\r\n\r\n".getBytes(ISO_8859_1);
    private static final byte[] TRAILER = "\r\n0\r\n\r\n".getBytes(ISO_8859_1);

    @ParameterizedTest(name = "{0}")
    @EnumSource(names = {"MSG_ZEROCOPY", "SEND_ZC", "WRITE"})
    void aGatheringHasABodyThatIsMadeWhileItIsSent(Method method) throws Exception {
        if (method == Method.SEND_ZC) {
            Rings.assumeAllowed();
        }
        try (Workbench bench = new Workbench()) {
            Sockets tcp = bench.tcp();
            int size = HEAD.length + BLOCKS * SLOT + TRAILER.length;
            FutureTask<byte[]> peer = reading(bench, tcp, size);
            try (Fd socket = Fd.borrow(tcp.near());
                    Sender sender = Sender.over(socket, method);
                    Gather gather = Gather.to(socket);
                    PageRing ring = PageRing.over(sender, SLOT, SLOTS)) {
                gather.bytes(HEAD).run();
                publishBlocks(ring);
                gather.clear().bytes(TRAILER).run();
                assertThat(peer.get()).isEqualTo(expected(HEAD, TRAILER));
            }
        }
    }

    /** As HttpTerm sends, from a master pipe, with a response in between that no master pipe has. */
    @Test
    void aServerOnAMasterPipeSendsWhatItMakesBetweenItsPatterns() throws Exception {
        byte[] pattern = Workbench.bytes(SLOT);
        try (Workbench bench = new Workbench();
                PipePool pool = PipePool.of(2, 4 * SLOT);
                MasterPipe master = MasterPipe.of(MemorySegment.ofArray(pattern), 4 * SLOT, pool)) {
            Sockets tcp = bench.tcp();
            FutureTask<byte[]> peer = reading(bench, tcp, (BLOCKS + 2) * SLOT);
            try (Fd socket = Fd.borrow(tcp.near());
                    Sender sender = Sender.over(socket);
                    PatternSender patterns = master.to(socket);
                    PageRing ring = PageRing.over(sender, SLOT, SLOTS)) {
                patterns.send(SLOT);
                publishBlocks(ring);
                patterns.send(SLOT);
                assertThat(peer.get()).isEqualTo(expected(pattern, pattern));
            }
        }
    }

    private static void publishBlocks(PageRing ring) throws Exception {
        for (int i = 0; i < BLOCKS; i++) {
            ring.acquire().fill((byte) i);
            ring.publish(SLOT);
        }
    }

    private static byte[] expected(byte[] before, byte[] behind) {
        ByteArrayOutputStream all = new ByteArrayOutputStream();
        all.writeBytes(before);
        for (int i = 0; i < BLOCKS; i++) {
            byte[] block = new byte[SLOT];
            Arrays.fill(block, (byte) i);
            all.writeBytes(block);
        }
        all.writeBytes(behind);
        return all.toByteArray();
    }

    private static FutureTask<byte[]> reading(Workbench bench, Sockets tcp, int size) {
        FutureTask<byte[]> peer = new FutureTask<>(() -> bench.readFully(tcp.far(), size));
        Thread.ofPlatform().daemon().start(peer);
        return peer;
    }
}
