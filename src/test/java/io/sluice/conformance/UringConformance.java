package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.failsWithOneOf;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Syscalls;
import io.sluice.internal.Uring;
import io.sluice.testing.Await;
import io.sluice.testing.Loopback;
import io.sluice.testing.Rings;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import java.time.Duration;
import java.util.concurrent.FutureTask;

/** Rows about splice, tee and zero-copy sends through io_uring. */
final class UringConformance extends Family {
    private static final int SMALL = 4096;
    private static final int MUCH = 8 << 20;
    private static final int CQES = 16;

    @Row("ur_badf")
    void spliceOfNoDescriptors(Workbench bench) {
        try (Uring ring = ring()) {
            ring.prepareSplice(-1, NO_OFFSET, -1, NO_OFFSET, PAGE, 1);
            fails(EBADF(), result(ring));
        }
    }

    @Row("ur_teebadf")
    void teeOfNoDescriptors(Workbench bench) {
        try (Uring ring = ring()) {
            ring.prepareTee(-1, -1, PAGE, 1);
            fails(EBADF(), result(ring));
        }
    }

    @Row("ur_zero")
    void nothingIsMovedAtOnce(Workbench bench) {
        try (Uring ring = ring()) {
            ring.prepareSplice(
                    bench.file(filled(PAGE, 'A')), NO_OFFSET, bench.pipe().sink(), NO_OFFSET, 0, 1);
            gives(0, result(ring));
            ring.prepareTee(bench.pipe().source(), bench.pipe().sink(), 0, 2);
            gives(0, result(ring));
        }
    }

    @Row("ur_impl")
    void aFileIsSplicedFromItsPositionOrAnOffset(Workbench bench) {
        byte[] content = Workbench.bytes(Workbench.CAPACITY);
        int file = bench.file(content);
        try (Uring ring = ring()) {
            for (boolean explicit : new boolean[] {false, true}) {
                Ends pipe = bench.pipe();
                for (int moved = 0; moved < content.length; ) {
                    long offset = explicit ? moved : NO_OFFSET;
                    ring.prepareSplice(file, offset, pipe.sink(), NO_OFFSET, content.length - moved, 1);
                    int n = result(ring);
                    assertThat(n).isPositive();
                    moved += n;
                }
                assertThat(bench.readFully(pipe.source(), content.length)).isEqualTo(content);
            }
        }
    }

    @Row("ur_from")
    void aPipeIsSplicedToAnOffset(Workbench bench) {
        Ends pipe = bench.pipeHolding(Workbench.bytes(PAGE));
        int file = bench.file(filled(PAGE, 'x'));
        try (Uring ring = ring()) {
            ring.prepareSplice(pipe.source(), NO_OFFSET, file, 0, PAGE, 1);
            gives(PAGE, result(ring));
        }
        assertThat(bench.read(file, PAGE))
                .as("from the position, which did not move")
                .isEqualTo(Workbench.bytes(PAGE));
    }

    @Row("ur_off")
    void aPipeHasNoOffset(Workbench bench) {
        try (Uring ring = ring()) {
            ring.prepareSplice(
                    bench.file(filled(PAGE, 'A')), NO_OFFSET, bench.pipe().sink(), 0, PAGE, 1);
            failsWithOneOf(new int[] {ESPIPE(), EINVAL()}, result(ring));
        }
    }

    @Row("ur_teenp")
    void onlyPipesAreTeed(Workbench bench) {
        try (Uring ring = ring()) {
            ring.prepareTee(bench.file(filled(PAGE, 'A')), bench.pipe().sink(), PAGE, 1);
            failsWithOneOf(new int[] {ESPIPE(), EINVAL()}, result(ring));
        }
    }

    @Row("ur_teeoff")
    void teeTakesNoOffsets(Workbench bench) {
        Ends from = bench.pipeHolding(filled(PAGE, 'A'));
        try (Uring ring = ring()) {
            ring.prepareTee(from.source(), bench.pipe().sink(), PAGE, 1).offset(-1);
            failsWithOneOf(new int[] {ESPIPE(), EINVAL()}, result(ring));
            ring.prepareTee(from.source(), bench.pipe().sink(), PAGE, 2).from(from.source(), -1);
            failsWithOneOf(new int[] {ESPIPE(), EINVAL()}, result(ring));
        }
    }

    @Row("ur_tee")
    void teeDuplicates(Workbench bench) {
        Ends from = bench.pipeHolding(Workbench.bytes(PAGE));
        Ends to = bench.pipe();
        try (Uring ring = ring()) {
            ring.prepareTee(from.source(), to.sink(), PAGE, 1);
            gives(PAGE, result(ring));
        }
        assertThat(bench.read(from.source(), PAGE)).isEqualTo(Workbench.bytes(PAGE));
        assertThat(bench.read(to.source(), PAGE)).isEqualTo(Workbench.bytes(PAGE));
    }

    @Row("ur_fixed")
    void registeredDescriptorsAreSplicedByTheirPlaces(Workbench bench) {
        int file = bench.file(Workbench.bytes(PAGE));
        Ends pipe = bench.pipe();
        try (Uring ring = ring()) {
            gives(0, ring.register().files(file, pipe.sink()));
            ring.prepareSplice(0, 0, 1, NO_OFFSET, PAGE, 1)
                    .operation(SPLICE_F_FD_IN_FIXED())
                    .request(IOSQE_FIXED_FILE());
            gives(PAGE, result(ring));
        }
        assertThat(bench.read(pipe.source(), PAGE)).isEqualTo(Workbench.bytes(PAGE));
    }

    @Row("ur_zc1")
    void aSendIsAnsweredTwice(Workbench bench) {
        Sockets tcp = bench.tcp();
        try (Uring ring = ring()) {
            ring.prepareSend(tcp.near(), bench.pages(PAGE, 'A').address(), 100, 1);
            gives(100, Rings.complete(ring, 1));
            assertThat(ring.hasMore()).isTrue();
            assertThat(ring.isNotification()).isFalse();
            Rings.await(ring);
            assertThat(ring.isNotification()).isTrue();
            assertThat(ring.hasMore()).isFalse();
            assertThat(ring.next()).isFalse();
        }
    }

    @Row({"ur_zc2", "ur_zc3b"})
    void anAddressThatIsNotMapped(Workbench bench) {
        Sockets tcp = bench.tcp();
        try (Uring ring = ring()) {
            ring.prepareSend(tcp.near(), 1, 100, 1);
            fails(EFAULT(), result(ring));
            MemorySegment page = bench.pages(PAGE, 'A');
            // A send takes an address to send to, in the place of an offset, and its length beside a splice's source.
            ring.prepareSend(tcp.near(), page.address(), 100, 2).offset(1).from(16, page.address());
            failsWithOneOf(new int[] {EFAULT(), EINVAL()}, result(ring));
        }
    }

    @Row("ur_zc3")
    void flagsThatDoNotExist(Workbench bench) {
        Sockets tcp = bench.tcp();
        try (Uring ring = ring()) {
            ring.prepareSend(tcp.near(), bench.pages(PAGE, 'A').address(), 100, 1)
                    .priority(-1);
            fails(EINVAL(), result(ring));
        }
    }

    @Row("ur_zc4")
    void loopbackReportsThatItCopied(Workbench bench) {
        Workbench.assumeKernel(6, 2);
        Sockets tcp = bench.tcp();
        try (Uring ring = ring()) {
            ring.prepareSend(tcp.near(), bench.pages(PAGE, 'A').address(), 1, 1);
            gives(1, Rings.complete(ring, 1));
            Rings.await(ring);
            assertThat(ring.isNotification()).isTrue();
            assertThat(ring.result() & IORING_NOTIF_USAGE_ZC_COPIED()).isNotZero();
        }
    }

    @Row("ur_zc5")
    void aSocketThatIsNoneOfTheNetwork(Workbench bench) {
        try (Uring ring = ring()) {
            int near = bench.unix(SOCK_STREAM()).near();
            ring.prepareSend(near, bench.pages(PAGE, 'A').address(), 100, 1);
            fails(EOPNOTSUPP(), result(ring));
        }
    }

    @Row("ur_zc6")
    void afterTheNotificationMemoryMayBeRewritten(Workbench bench) {
        Sockets tcp = bench.tcp();
        MemorySegment memory = bench.pages(Workbench.CAPACITY, 'A');
        try (Uring ring = ring()) {
            ring.prepareSend(tcp.near(), memory.address(), memory.byteSize(), 1);
            int sent = Rings.complete(ring, 1);
            Rings.await(ring);
            assertThat(ring.isNotification()).isTrue();
            memory.fill((byte) 'B');
            assertThat(bench.readFully(tcp.far(), sent)).hasSize(sent).containsOnly('A');
        }
    }

    @Row("ur_zc8")
    void aRegisteredBufferOutlivesItsRegistration(Workbench bench) throws Exception {
        Sockets tcp = new Loopback(bench).sendBuffer(SMALL).receiveBuffer(SMALL).connect();
        MemorySegment memory = bench.pages(MUCH, 'A');
        try (Uring ring = ring()) {
            gives(0, ring.register().buffers(new long[] {memory.address()}, new long[] {MUCH}));
            ring.prepareSend(tcp.near(), memory.address(), MUCH, 1).buffer(0);
            int sent = Rings.complete(ring, 1);
            assertThat(sent).isPositive();
            // Some kernels wait here for the send to be over, which it is when the peer has read.
            FutureTask<MemorySegment> changed = concurrently(() -> {
                gives(0, ring.register().noBuffers());
                bench.unmap(memory);
                MemorySegment foreign = bench.pages(MUCH, 'B');
                gives(0, ring.register().buffers(new long[] {foreign.address()}, new long[] {MUCH}));
                return foreign;
            });
            Await.within(Duration.ofMillis(200), changed::isDone);
            assertThat(bench.readFully(tcp.far(), sent)).hasSize(sent).containsOnly('A');
            changed.get();
            Rings.await(ring);
            assertThat(ring.isNotification()).isTrue();
        }
    }

    @Row("ur_eof")
    void aPipeWithoutWritersEnds(Workbench bench) {
        Ends pipe = bench.pipeHolding(filled(3, 'A'));
        bench.close(pipe.sink());
        MemorySegment into = bench.buffer(PAGE);
        try (Uring ring = ring()) {
            for (int expected : new int[] {3, 0}) {
                ring.prepare(IORING_OP_READ(), pipe.source(), 1)
                        .memory(into.address(), PAGE)
                        .offset(-1);
                gives(expected, result(ring));
            }
        }
        assertThat(Syscalls.available(pipe.source())).isZero();
    }

    private static Uring ring() {
        return Rings.open(8, CQES);
    }

    /** Hands over the one request, and returns its result when all of its completions have come. */
    private static int result(Uring ring) {
        int result = Rings.complete(ring, 1);
        while (ring.inFlight() > 0) {
            Rings.await(ring);
            assertThat(ring.isNotification()).isTrue();
        }
        return result;
    }
}
