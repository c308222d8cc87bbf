package io.sluice.flow;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Fd;
import io.sluice.flow.RelayException.Reason;
import io.sluice.testing.Await;
import io.sluice.testing.Inventory;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Many connections, opened and aborted at random points. The system property {@code io.sluice.relay.connections} says how many; {@code
 * io.sluice.relay.seed} repeats a run.
 */
class RelayCrowdTest {
    private static final int CONNECTIONS = Integer.getInteger("io.sluice.relay.connections", 10_000);
    private static final long SEED = Long.getLong("io.sluice.relay.seed", 20_261_120);
    private static final int AT_ONCE = 64;
    private static final int MOST = 200_000;
    private static final int PATIENCE_SECONDS = 600;
    private static final long SLACK = 16 << 20;

    /** Content of every stream: a stretch of this, which begins where no other's does. */
    private static final byte[] CONTENT = Bytes.bytes(2 * MOST, 1);

    private final Semaphore room = new Semaphore(AT_ONCE);
    private final AtomicInteger survivors = new AtomicInteger();
    private final AtomicInteger resets = new AtomicInteger();
    private final AtomicInteger interrupts = new AtomicInteger();
    private final AtomicInteger closings = new AtomicInteger();

    /** What happens to one of the two ends. */
    private enum Fate {
        SURVIVES,
        IS_RESET,
        CLOSES_EARLY
    }

    /** What one end sends, how far it gets, and what becomes of it. */
    private record Plan(Fate fate, int from, int length, int stop) {
        static Plan random(Random random) {
            int length = random.nextInt(random.nextInt(4) == 0 ? MOST : MOST / 8);
            int dice = random.nextInt(10);
            Fate fate = dice < 6 ? Fate.SURVIVES : dice < 8 ? Fate.IS_RESET : Fate.CLOSES_EARLY;
            return new Plan(fate, random.nextInt(MOST), length, random.nextInt(length + 1));
        }

        boolean survives() {
            return fate == Fate.SURVIVES;
        }

        int sent() {
            return survives() ? length : stop;
        }
    }

    @Test
    void connectionsThatAreAbortedAtRandomPointsLeaveNothingBehindAndHarmNoOther(@TempDir Path folder)
            throws Exception {
        Inventory before = Inventory.ofDescriptors();
        long heap = 0;
        try (PipePool pool = PipePool.of(32, 64 << 10);
                ServerSocketChannel tcp = ServerSocketChannel.open()
                        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 2 * AT_ONCE);
                ServerSocketChannel unix = ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                        .bind(UnixDomainSocketAddress.of(folder.resolve("socket")), 2 * AT_ONCE);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            Random random = new Random(SEED);
            List<Future<?>> connections = new ArrayList<>();
            for (int i = 0; i < CONNECTIONS; i++) {
                if (i == CONNECTIONS / 4) {
                    heap = usedAfterCollection();
                }
                room.acquire();
                // One connect, one accept at a time: both ends are known to belong together.
                ServerSocketChannel server = random.nextInt(4) == 0 ? tcp : unix;
                SocketChannel left = SocketChannel.open(server.getLocalAddress());
                SocketChannel first = server.accept();
                SocketChannel second = SocketChannel.open(server.getLocalAddress());
                Wires wires = new Wires(left, first, second, server.accept());
                long seed = random.nextLong();
                connections.add(threads.submit(() -> {
                    try (wires) {
                        connection(wires, server == tcp, pool, threads, new Random(seed));
                        return null;
                    } finally {
                        room.release();
                    }
                }));
            }
            for (Future<?> connection : connections) {
                connection.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            }
            assertThat(pool.idle()).isLessThanOrEqualTo(32);
        }
        assertThat(survivors.get()).isGreaterThan(CONNECTIONS / 5);
        // Which of them come in time depends on the machine.
        assertThat(resets.get() + interrupts.get() + closings.get()).isPositive();
        assertThat(usedAfterCollection()).as("memory is flat").isLessThan(heap + SLACK);
        before.expectNothingLeft(Duration.ofSeconds(60));
    }

    private static long usedAfterCollection() {
        System.gc();
        return Runtime.getRuntime().totalMemory() - Runtime.getRuntime().freeMemory();
    }

    private void connection(Wires wires, boolean tcp, PipePool pool, ExecutorService threads, Random random)
            throws Exception {
        Plan left = Plan.random(random);
        Plan right = Plan.random(random);
        // What befalls the relay itself comes when this much has passed.
        int mishap = random.nextInt(8);
        int when = random.nextInt(left.sent() + 1);
        RelayOptions options = RelayOptions.DEFAULT.pool(pool);
        Fd descriptor = mishap == 1 ? Fd.of(wires.first()) : null;
        Fd other = mishap == 1 ? Fd.of(wires.second()) : null;
        Relay relay = mishap == 1
                ? Relay.between(descriptor, other, options)
                : Relay.between(wires.first(), wires.second(), options);
        Aside<Void> running = Aside.of(relay::run);
        Future<byte[]> atLeft = threads.submit(() -> received(wires.left(), right.length));
        Future<byte[]> atRight = threads.submit(() -> received(wires.right(), left.length));
        // Until then the left end holds back the rest, so that there is a relay for it to befall.
        int pause = mishap < 2 ? when : left.sent();
        CountDownLatch befallen = new CountDownLatch(mishap < 2 ? 1 : 0);
        Future<?> leftSends = threads.submit(() -> sends(wires.left(), left, tcp, pause, befallen));
        Future<?> rightSends = threads.submit(() -> sends(wires.right(), right, tcp, right.sent(), befallen));
        try {
            if (mishap < 2) {
                Await.until(() -> relay.taken(Way.FORTH) >= pause || running.isDone(), "the moment for it");
            }
            if (mishap == 0) {
                running.interrupt();
            } else if (mishap == 1) {
                descriptor.close();
            }
        } finally {
            befallen.countDown();
        }
        Reason reason = outcome(running);
        if (descriptor != null) {
            descriptor.close();
            other.close();
        }
        if (reason != null) {
            // The relay has ended, so nobody reads any more; its user closes the connections.
            wires.first().close();
            wires.second().close();
        }
        byte[] gotLeft = atLeft.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        byte[] gotRight = atRight.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        leftSends.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        rightSends.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        isPartOf(right, gotLeft);
        isPartOf(left, gotRight);
        assertThat(relay.undelivered(Way.FORTH)).hasSize((int) (relay.taken(Way.FORTH) - relay.delivered(Way.FORTH)));
        assertThat(relay.undelivered(Way.BACK)).hasSize((int) (relay.taken(Way.BACK) - relay.delivered(Way.BACK)));
        isPartAt(left, (int) relay.delivered(Way.FORTH), relay.undelivered(Way.FORTH));
        isPartAt(right, (int) relay.delivered(Way.BACK), relay.undelivered(Way.BACK));
        if (reason == null && left.survives() && right.survives()) {
            assertThat(gotRight).hasSize(left.length);
            assertThat(gotLeft).hasSize(right.length);
            survivors.incrementAndGet();
        }
        if (left.survives() && right.survives() && mishap >= 2) {
            assertThat(reason).as("nothing befell it").isNull();
        }
    }

    private Reason outcome(Aside<Void> running) throws Exception {
        try {
            running.result();
            return null;
        } catch (ExecutionException e) {
            if (!(e.getCause() instanceof RelayException failure)) {
                throw e;
            }
            AtomicInteger count = switch (failure.reason()) {
                case RESET -> resets;
                case INTERRUPTED -> interrupts;
                case CLOSED -> closings;
                case IDLE, FAILED -> throw e;
            };
            count.incrementAndGet();
            return failure.reason();
        }
    }

    private static Void sends(SocketChannel channel, Plan plan, boolean tcp, int pause, CountDownLatch goesOn)
            throws InterruptedException {
        try {
            Wires.send(channel, Arrays.copyOfRange(CONTENT, plan.from, plan.from + pause));
            if (pause < plan.sent()) {
                goesOn.await();
            }
            Wires.send(channel, Arrays.copyOfRange(CONTENT, plan.from + pause, plan.from + plan.sent()));
            switch (plan.fate) {
                case SURVIVES -> channel.shutdownOutput();
                case CLOSES_EARLY -> channel.close();
                case IS_RESET -> {
                    if (tcp) {
                        channel.setOption(StandardSocketOptions.SO_LINGER, 0);
                    }
                    channel.close();
                }
            }
        } catch (IOException e) {
            // The other end went first.
        }
        return null;
    }

    private static byte[] received(SocketChannel channel, int length) {
        ByteBuffer buffer = ByteBuffer.allocate(length + 1);
        try {
            while (channel.read(buffer) >= 0) {
                if (!buffer.hasRemaining()) {
                    throw new AssertionError("more came than was sent");
                }
            }
        } catch (IOException e) {
            // A reset or this end's own closing: what came before counts.
        }
        return Arrays.copyOf(buffer.array(), buffer.position());
    }

    private static void isPartOf(Plan sent, byte[] received) {
        isPartAt(sent, 0, received);
    }

    private static void isPartAt(Plan sent, int at, byte[] received) {
        int start = sent.from + at;
        assertThat(Arrays.mismatch(CONTENT, start, start + received.length, received, 0, received.length))
                .isEqualTo(-1);
    }
}
