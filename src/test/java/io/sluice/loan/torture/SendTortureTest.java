package io.sluice.loan.torture;

import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Kernel;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.torture.Figures.Count;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Loopback;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.FutureTask;
import java.util.function.BooleanSupplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Programs that send and use memory again as fast as the library lets them; peers who read slowly, close half, reset, or go on reading when
 * the sender is gone; and every byte that arrives is compared. Started as {@link TortureTest} is.
 */
@ExpectNoLeaks.OfMappings
class SendTortureTest {
    private static final long BYTES = Long.getLong("sluice.torture.bytes", 200_000_000L);
    private static final long SEED = Long.getLong("sluice.torture.seed", new SplittableRandom().nextLong());
    private static final int LANES = 4;

    @ParameterizedTest(name = "{0}")
    @EnumSource(names = {"MSG_ZEROCOPY", "SEND_ZC"})
    void everyByteThatArrivesIsTheOneThatWasSent(Method method) throws Exception {
        Kernel kernel = Kernel.observed();
        assumeTrue(
                (method == Method.SEND_ZC ? kernel.ioUring() : kernel.messageZerocopy()).isUsable(), "needs " + method);
        torture(method);
    }

    private static void torture(Method method) throws Exception {
        Figures figures = new Figures();
        SplittableRandom random = new SplittableRandom(SEED);
        try (Content content = new Content(SEED)) {
            List<FutureTask<Void>> lanes = new ArrayList<>();
            BooleanSupplier goesOn = () -> figures.get(Count.BYTES_COMPARED) < BYTES
                    && lanes.stream().noneMatch(lane -> lane.state() == FutureTask.State.FAILED);
            for (int i = 0; i < LANES; i++) {
                Stream stream = new Stream(content, random.nextInt(Content.PERIOD));
                SendLane lane = new SendLane(stream, random.split(), figures, method);
                lanes.add(new FutureTask<>(() -> {
                    lane.run(goesOn);
                    return null;
                }));
            }
            for (int i = 0; i < LANES; i++) {
                (i % 2 == 0 ? Thread.ofPlatform().daemon() : Thread.ofVirtual()).start(lanes.get(i));
            }
            for (FutureTask<Void> lane : lanes) {
                try {
                    lane.get();
                } catch (Exception e) {
                    throw new AssertionError("seed " + SEED + ", after " + figures, e.getCause());
                }
            }
        }
        System.out.printf("TORTURE of sends by %s, seed %d: %s%n", method, SEED, figures);
        assertThat(figures.get(Count.BYTES_COMPARED)).isGreaterThanOrEqualTo(BYTES);
        // Whether any is forwarded too depends on how soon the notifications come.
        assertThat(figures.get(Count.RELEASED)).isPositive();
    }

    /** The harness finds out a program that trusts the return of the call. */
    @Test
    void memoryThatIsReusedWhenSendHasReturnedIsFoundOut() throws Exception {
        assumeTrue(Kernel.observed().messageZerocopy().isUsable(), "needs MSG_ZEROCOPY");
        int ahead = 256 << 10;
        int size = 64 << 10;
        try (Content content = new Content(SEED);
                Workbench bench = new Workbench()) {
            Stream stream = new Stream(content, 0);
            Sockets tcp = new Loopback(bench).receiveBuffer(size).connect();
            gives(0, SocketCalls.setOption(tcp.near(), Linux.SOL_SOCKET(), Linux.SO_ZEROCOPY(), 1));
            bench.write(tcp.near(), new byte[ahead]);
            MemorySegment memory = bench.map(size);
            stream.fill(memory, 0);
            gives(size, SocketCalls.send(tcp.near(), memory.address(), size, Linux.MSG_ZEROCOPY()));
            memory.fill(Stream.HOSTILE);
            bench.readFully(tcp.far(), ahead);
            MemorySegment got = MemorySegment.ofArray(bench.readFully(tcp.far(), size));
            assertThatThrownBy(() -> stream.check(got, 0, "connection"))
                    .isInstanceOf(Corruption.class)
                    .hasMessageContaining("taken back and overwritten");
            Await.until(
                    () -> SocketCalls.receiveError(tcp.near(), new SocketCalls.ErrorEntry()) == 0, "the notification");
        }
    }
}
