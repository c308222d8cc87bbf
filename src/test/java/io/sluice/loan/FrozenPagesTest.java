package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.Test;

/** Pages that never change may be lent as often as one likes. */
@ExpectNoLeaks.OfMappings
class FrozenPagesTest {
    private static final int SIZE = 3 * PAGE + 100;

    private static FrozenPages frozen() {
        return FrozenPages.filled(SIZE, memory -> memory.copyFrom(MemorySegment.ofArray(bytes(SIZE))));
    }

    @Test
    void sayHowManyTheyAre() {
        assertThat(frozen()).hasToString(SIZE + " frozen bytes");
    }

    @Test
    void holdWhatTheyWereFilledWith() {
        FrozenPages pages = frozen();
        assertThat(pages.segment().byteSize()).isEqualTo(SIZE);
        Scene.isOriginal(pages.segment().toArray(JAVA_BYTE), 0, SIZE);
        assertThat(FrozenPages.filled(PAGE, memory -> {}).segment().toArray(JAVA_BYTE))
                .containsOnly(0);
    }

    @Test
    void areReadByEveryThreadAndWrittenByNone() throws Exception {
        MemorySegment segment = frozen().segment();
        ByteBuffer view = segment.asByteBuffer();
        FutureTask<Void> elsewhere = new FutureTask<>(() -> {
            Scene.isOriginal(segment.toArray(JAVA_BYTE), 0, SIZE);
            assertThat(segment.isReadOnly()).isTrue();
            assertThatThrownBy(() -> segment.fill((byte) 1)).isInstanceOf(RuntimeException.class);
            assertThatThrownBy(() -> segment.set(JAVA_BYTE, 0, (byte) 1)).isInstanceOf(RuntimeException.class);
            assertThatThrownBy(() -> segment.asSlice(8).copyFrom(segment)).isInstanceOf(RuntimeException.class);
            assertThatThrownBy(() -> view.put(0, (byte) 1)).isInstanceOf(RuntimeException.class);
            assertThatThrownBy(() -> segment.reinterpret(SIZE).fill((byte) 1)).isInstanceOf(RuntimeException.class);
            return null;
        });
        Thread.ofPlatform().start(elsewhere);
        elsewhere.get();
    }

    @Test
    void areWriteProtectedInTheKernelToo() throws IOException {
        FrozenPages pages = frozen();
        assertThat(protectionAt(pages.segment().address())).hasValue("r--p");
        assertThat(protectionAt(pages.segment().address() + SIZE - 1)).hasValue("r--p");
    }

    @Test
    void areClosedToTheirFillerAfterwards() {
        MemorySegment[] kept = {null};
        ByteBuffer[] view = {null};
        FrozenPages pages = FrozenPages.filled(PAGE, memory -> {
            kept[0] = memory;
            view[0] = memory.asByteBuffer();
        });
        Scene.closed(() -> kept[0].fill((byte) 1));
        Scene.closed(() -> view[0].put(0, (byte) 1));
        assertThat(pages.segment().toArray(JAVA_BYTE)).containsOnly(0);
    }

    @Test
    void areNotMadeIfTheFillerFails() {
        MemorySegment[] kept = {null};
        assertThatThrownBy(() -> FrozenPages.filled(PAGE, memory -> {
                    kept[0] = memory;
                    throw new UnsupportedOperationException("on purpose");
                }))
                .hasMessage("on purpose");
        Scene.closed(() -> kept[0].fill((byte) 1));
    }

    @Test
    void haveAtLeastOneByteAndNotMoreThanThereIs() {
        assertThatIllegalArgumentException().isThrownBy(() -> FrozenPages.filled(0, memory -> {}));
        assertThatIllegalArgumentException().isThrownBy(() -> FrozenPages.filled(-1, memory -> {}));
        assertThatExceptionOfType(OutOfMemoryError.class).isThrownBy(() -> FrozenPages.filled(1L << 62, memory -> {}));
        assertThat(FrozenPages.filled(1, memory -> memory.fill((byte) 7))
                        .segment()
                        .toArray(JAVA_BYTE))
                .containsExactly(7);
    }

    @Test
    void areLentAnyNumberOfTimesWhereverTheyGo() throws IOException {
        FrozenPages pages = frozen();
        try (Workbench bench = new Workbench();
                Pipe pipe = Pipe.open();
                Pipe second = Pipe.open()) {
            Sockets sockets = bench.tcp();
            try (Fd near = Fd.borrow(sockets.near())) {
                for (int round = 0; round < 100; round++) {
                    lendAll(pages, pipe);
                    assertThat(pipe.source().teeTo(second.sink(), SIZE)).isEqualTo(SIZE);
                    for (long left = SIZE; left > 0; ) {
                        left -= pipe.source().spliceTo(near, left);
                    }
                    Scene.holds(second.source(), 0, SIZE);
                    Scene.isOriginal(bench.readFully(sockets.far(), SIZE), 0, SIZE);
                }
            }
        }
    }

    @Test
    void areLentInAnyRange() throws IOException {
        FrozenPages pages = frozen();
        try (Pipe pipe = Pipe.open()) {
            for (int offset : new int[] {0, 1, PAGE - 1, PAGE, SIZE - 1}) {
                for (int length : new int[] {1, 100, PAGE, SIZE}) {
                    if (offset + length <= SIZE) {
                        assertThat(pages.lend(pipe.sink(), offset, length)).isEqualTo(length);
                        Scene.holds(pipe.source(), offset, offset + length);
                    }
                }
            }
            assertThat(pages.lend(pipe.sink(), SIZE, 0)).isZero();
            for (long[] range : new long[][] {{-1, 1}, {0, SIZE + 1}, {SIZE, 1}, {0, -1}, {1, Long.MAX_VALUE}}) {
                assertThatExceptionOfType(IndexOutOfBoundsException.class)
                        .isThrownBy(() -> pages.lend(pipe.sink(), range[0], range[1]));
                assertThatExceptionOfType(IndexOutOfBoundsException.class)
                        .isThrownBy(() -> pages.tryLend(pipe.sink(), range[0], range[1]));
            }
            assertThat(pipe.available()).isZero();
        }
    }

    @Test
    void areLentAsFarAsThereIsRoom() throws IOException {
        FrozenPages pages = frozen();
        try (Pipe pipe = Pipe.open()) {
            pipe.capacity(2 * PAGE);
            assertThat(pages.tryLend(pipe.sink(), 0, SIZE)).isEqualTo(2 * PAGE);
            assertThat(pages.tryLend(pipe.sink(), 2 * PAGE, PAGE)).isZero();
            Scene.holds(pipe.source(), 0, PAGE);
            assertThat(pages.lend(pipe.sink(), 2 * PAGE, PAGE + 100)).isEqualTo(PAGE);
            Scene.holds(pipe.source(), PAGE, 3 * PAGE);
        }
    }

    @Test
    void areNotLentWhereNobodyReads() throws IOException {
        FrozenPages pages = frozen();
        try (Pipe pipe = Pipe.open()) {
            pipe.source().close();
            assertThatThrownBy(() -> pages.lend(pipe.sink(), 0, PAGE))
                    .isInstanceOfSatisfying(
                            ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Linux.EPIPE()));
            pipe.sink().close();
            assertThatThrownBy(() -> pages.tryLend(pipe.sink(), 0, PAGE)).isInstanceOf(ClosedChannelException.class);
        }
    }

    @Test
    void areLentByManyThreadsAtOnce() throws Exception {
        FrozenPages pages = frozen();
        List<FutureTask<Void>> lenders = new ArrayList<>();
        for (int i = 0; i < 16; i++) {
            FutureTask<Void> lender = new FutureTask<>(() -> {
                try (Pipe pipe = Pipe.open()) {
                    for (int round = 0; round < 200; round++) {
                        lendAll(pages, pipe);
                        Scene.holds(pipe.source(), 0, SIZE);
                    }
                }
                return null;
            });
            lenders.add(lender);
            (i % 2 == 0 ? Thread.ofPlatform() : Thread.ofVirtual()).start(lender);
        }
        for (FutureTask<Void> lender : lenders) {
            lender.get();
        }
    }

    @Test
    void keepTheirContentInFlightWhenTheyAreForgottenAndUnmapped() throws Exception {
        try (Pipe pipe = Pipe.open()) {
            long address = lendOnce(pipe);
            Await.until(
                    () -> {
                        System.gc();
                        return !protectionAt(address).equals(Optional.of("r--p"));
                    },
                    "pages that are unmapped");
            Scene.holds(pipe.source(), 0, SIZE);
        }
    }

    private static long lendOnce(Pipe pipe) throws IOException {
        FrozenPages pages = frozen();
        lendAll(pages, pipe);
        return pages.segment().address();
    }

    private static void lendAll(FrozenPages pages, Pipe pipe) throws IOException {
        assertThat(pages.lend(pipe.sink(), 0, SIZE)).isEqualTo(SIZE);
    }

    private static Optional<String> protectionAt(long address) throws IOException {
        return Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> {
                    String[] range = line.split("[- ]", 3);
                    return Long.parseUnsignedLong(range[0], 16) <= address
                            && address < Long.parseUnsignedLong(range[1], 16);
                })
                .map(line -> line.split(" ")[1])
                .findFirst();
    }
}
