package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSource;
import io.sluice.internal.Syscalls;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Bytes in are bytes out, by the million and whoever reads. */
@ExpectNoLeaks.OfMappings
class PageRingAtWorkTest {
    private static final int SLOT = 4 * PAGE;
    private static final long VOLUME = 48L << 20;
    private static final long SEED = 20260603;

    private Pipe pipe;
    private PageRing ring;

    @BeforeEach
    void open() throws IOException {
        pipe = Pipe.open();
        ring = PageRing.over(pipe.sink(), SLOT, 3);
    }

    @AfterEach
    void close() throws IOException {
        ring.close();
        pipe.close();
    }

    @ParameterizedTest
    @EnumSource
    void bytesInAreBytesOutToAReaderWhoCopies(PageArena.Option option) throws Exception {
        FutureTask<Long> reader = start(() -> checksum(pipe.source()));
        try (PageRing special = PageRing.over(pipe.sink(), 16 * PAGE, 3, option)) {
            compare(publish(special), reader);
        }
    }

    @Test
    void bytesInAreBytesOutThroughASecondPipe() throws Exception {
        try (Pipe second = Pipe.open()) {
            FutureTask<Void> middle = start(() -> {
                while (pipe.source().spliceTo(second.sink(), Long.MAX_VALUE) >= 0) {
                    // Goes on until the ring's pipe is at its end.
                }
                second.sink().close();
                return null;
            });
            FutureTask<Long> reader = start(() -> checksum(second.source()));
            compare(publish(ring), reader);
            middle.get();
        }
    }

    @Test
    void bytesInAreBytesOutThroughATcpConnection() throws Exception {
        try (Workbench bench = new Workbench()) {
            Sockets sockets = bench.tcp();
            FutureTask<Void> middle = start(() -> {
                try (Fd near = Fd.borrow(sockets.near())) {
                    while (pipe.source().spliceTo(near, Long.MAX_VALUE) >= 0) {
                        // Goes on until the ring's pipe is at its end.
                    }
                }
                bench.close(sockets.near());
                return null;
            });
            FutureTask<Long> reader = start(() -> checksum(sockets.far()));
            compare(publish(ring), reader);
            middle.get();
        }
    }

    @Test
    void bytesInAreBytesOutToAReaderWhoDoesNowThisNowThat() throws Exception {
        try (Pipe second = Pipe.open();
                Fd nowhere = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            FutureTask<Long> reader = start(() -> {
                Random random = new Random(SEED + 1);
                CRC32C sum = new CRC32C();
                ByteBuffer buffer = ByteBuffer.allocate(SLOT);
                while (true) {
                    int max = 1 + random.nextInt(SLOT);
                    long teed = random.nextInt(4) == 0 ? pipe.source().teeTo(second.sink(), max) : 0;
                    boolean passOn = random.nextInt(8) == 0;
                    long n = passOn
                            ? pipe.source().spliceTo(second.sink(), max)
                            : pipe.source().read(buffer.clear().limit(max));
                    if (n < 0) {
                        return sum.getValue();
                    }
                    if (teed > 0) {
                        assertThat(second.source().trySpliceTo(nowhere, teed)).isPositive();
                        for (int drained = second.available() - (passOn ? (int) n : 0); drained > 0; ) {
                            drained -= (int) second.source().trySpliceTo(nowhere, drained);
                        }
                    }
                    if (passOn) {
                        update(sum, buffer, second.source(), (int) n);
                    } else {
                        sum.update(buffer.flip());
                    }
                }
            });
            compare(publish(ring), reader);
        }
    }

    private static void update(CRC32C sum, ByteBuffer buffer, PipeSource source, int length) throws IOException {
        for (int left = length; left > 0; ) {
            left -= source.read(buffer.clear().limit(left));
            sum.update(buffer.flip());
        }
    }

    /** Publishes by the million, in sizes from one byte to a slot, and closes the sink. */
    private long publish(PageRing ring) throws Exception {
        Random random = new Random(SEED);
        CRC32C sum = new CRC32C();
        byte[] fresh = new byte[16 * PAGE];
        for (long left = VOLUME; left > 0; ) {
            MemorySegment slot = ring.acquire();
            int size = (int) Math.min(slot.byteSize(), left);
            int n = random.nextInt(4) == 0 ? 1 + random.nextInt(size) : size;
            random.nextBytes(fresh);
            MemorySegment.copy(fresh, 0, slot, JAVA_BYTE, 0, n);
            sum.update(fresh, 0, n);
            ring.publish(n);
            left -= n;
        }
        pipe.sink().close();
        return sum.getValue();
    }

    private static long checksum(PipeSource source) throws IOException {
        CRC32C sum = new CRC32C();
        ByteBuffer buffer = ByteBuffer.allocateDirect(SLOT);
        while (source.read(buffer.clear()) >= 0) {
            sum.update(buffer.flip());
        }
        return sum.getValue();
    }

    private static long checksum(int socket) {
        CRC32C sum = new CRC32C();
        ByteBuffer buffer = ByteBuffer.allocateDirect(SLOT);
        long n;
        while ((n = Syscalls.read(socket, MemorySegment.ofBuffer(buffer.clear()), SLOT)) > 0) {
            sum.update(buffer.limit((int) n));
        }
        assertThat(n).isZero();
        return sum.getValue();
    }

    private static void compare(long in, FutureTask<Long> out) throws Exception {
        assertThat(out.get()).as("checksum of the bytes that came out").isEqualTo(in);
    }

    private static <T> FutureTask<T> start(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }
}
