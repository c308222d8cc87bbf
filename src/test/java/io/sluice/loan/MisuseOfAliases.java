package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.loan.Scene.closed;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Pipe;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SegmentAllocator;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.VarHandle;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.IntBuffer;
import java.nio.channels.AsynchronousChannelGroup;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.FileChannel;
import java.util.Spliterator;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/** Reaching lent memory through whatever led to it before. */
final class MisuseOfAliases {
    private static final byte[] OTHER = new byte[PAGE];

    @Misuse(value = "store through the lent segment", outcome = "IllegalStateException; the reader gets the original")
    void segment(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        Loan loan = scene.lend(page);
        closed(() -> page.set(JAVA_BYTE, 0, (byte) 1));
        closed(() -> page.setAtIndex(JAVA_LONG, 1, 1));
        closed(() -> page.setString(0, "other"));
        closed(() -> page.get(JAVA_BYTE, 0));
        scene.attack(loan, page);
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "store through slices taken before",
            outcome = "IllegalStateException; the reader gets the original")
    void slices(Scene scene) throws IOException {
        MemorySegment page = scene.filled(2 * PAGE);
        MemorySegment slice = page.asSlice(100, PAGE);
        MemorySegment sliceOfSlice = slice.asSlice(10, 20);
        MemorySegment readOnly = page.asReadOnly();
        Loan loan = scene.lend(page);
        closed(() -> readOnly.get(JAVA_BYTE, 0));
        scene.attack(loan, slice, sliceOfSlice);
        scene.holds(0, 2 * PAGE);
    }

    @Misuse(
            value = "slice the lent segment, then store",
            outcome = "IllegalStateException; the reader gets the original")
    void slicesTakenAfterwards(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        Loan loan = scene.lend(page);
        scene.attack(loan, page.asSlice(8), page.asSlice(0, 8));
        closed(() -> page.reinterpret(2 * PAGE).set(JAVA_BYTE, 0, (byte) 1));
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "put into ByteBuffer views taken before",
            outcome = "IllegalStateException; the reader gets the original")
    void buffers(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        ByteBuffer view = page.asByteBuffer();
        ByteBuffer duplicate = view.duplicate();
        ByteBuffer slice = view.slice(16, 16);
        IntBuffer ints = view.asIntBuffer();
        ByteBuffer readOnly = view.asReadOnlyBuffer();
        Loan loan = scene.lend(page);
        closed(() -> view.put(0, (byte) 1));
        closed(() -> view.put(OTHER));
        closed(() -> view.putLong(1));
        closed(() -> duplicate.put(ByteBuffer.wrap(OTHER)));
        closed(() -> slice.put((byte) 1));
        closed(() -> ints.put(0, 1));
        closed(() -> readOnly.get(0));
        scene.attack(loan, page);
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "make a segment of a ByteBuffer view and store through it",
            outcome = "IllegalStateException; the reader gets the original")
    void segmentOfBuffer(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        ByteBuffer view = page.asByteBuffer();
        MemorySegment before = MemorySegment.ofBuffer(view);
        Loan loan = scene.lend(page);
        scene.attack(loan, before, MemorySegment.ofBuffer(view));
        scene.holds(0, PAGE);
    }

    @Misuse(value = "store through a VarHandle", outcome = "IllegalStateException; the reader gets the original")
    void varHandle(Scene scene) throws IOException {
        VarHandle ints = JAVA_INT.arrayElementVarHandle();
        MemorySegment page = scene.filled(PAGE);
        Loan loan = scene.lend(page);
        closed(() -> ints.set(page, 0L, 3L, 1));
        closed(() -> ints.setVolatile(page, 0L, 3L, 1));
        closed(() -> ints.compareAndSet(page, 0L, 0L, 0, 1));
        closed(() -> ints.getAndAdd(page, 0L, 0L, 1));
        scene.attack(loan);
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "go on with a Spliterator begun before",
            outcome = "IllegalStateException; the reader gets the original")
    void spliterator(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        Spliterator<MemorySegment> elements = page.spliterator(JAVA_INT);
        int first = page.get(JAVA_INT, 0);
        Spliterator<MemorySegment> half = elements.trySplit();
        half.tryAdvance(element -> element.set(JAVA_INT, 0, first));
        Loan loan = scene.lend(page);
        closed(() -> elements.tryAdvance(element -> element.set(JAVA_INT, 0, 1)));
        closed(() -> half.forEachRemaining(element -> element.set(JAVA_INT, 0, 1)));
        scene.attack(loan);
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "lend in the middle of an elements() stream that stores",
            outcome = "IllegalStateException; the reader gets the original")
    void stream(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        boolean[] lent = {false};
        closed(() -> page.elements(JAVA_LONG).forEach(element -> {
            if (lent[0]) {
                element.set(JAVA_LONG, 0, 1);
            } else {
                lent[0] = true;
                unchecked(() -> scene.lend(page));
            }
        }));
        scene.holds(0, PAGE);
    }

    @Misuse(value = "copy into it, fill it", outcome = "IllegalStateException; the reader gets the original")
    void bulk(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        Loan loan = scene.lend(page);
        MemorySegment other = MemorySegment.ofArray(OTHER);
        closed(() -> page.copyFrom(other));
        closed(() -> page.fill((byte) 1));
        closed(() -> MemorySegment.copy(other, 0, page, 0, PAGE));
        closed(() -> MemorySegment.copy(OTHER, 0, page, JAVA_BYTE, 0, PAGE));
        closed(() -> page.mismatch(other));
        scene.attack(loan);
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "allocate from a SegmentAllocator over it",
            outcome = "IllegalStateException; the reader gets the original")
    void allocator(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        SegmentAllocator slicing = SegmentAllocator.slicingAllocator(page);
        MemorySegment before = slicing.allocate(64);
        Loan loan = scene.lend(page);
        closed(() -> slicing.allocateFrom("other"));
        closed(() -> SegmentAllocator.prefixAllocator(page).allocateFrom(JAVA_INT, 1));
        scene.attack(loan, before);
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "read a file into it through a view",
            outcome = "IllegalStateException; the reader gets the original")
    void fileChannel(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        ByteBuffer view = page.asByteBuffer();
        Loan loan = scene.lend(page);
        try (FileChannel file = FileChannel.open(scene.bench.path(OTHER))) {
            closed(() -> file.read(view));
            closed(() -> file.read(new ByteBuffer[] {view, view.duplicate()}));
            assertThat(file.position()).isZero();
        }
        scene.attack(loan);
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "have an asynchronous channel read into it while it is lent",
            outcome = "the read fails; the reader gets the original")
    void asynchronousChannel(Scene scene) throws Exception {
        MemorySegment page = scene.filled(PAGE);
        ByteBuffer view = page.asByteBuffer();
        AsynchronousChannelGroup threads = AsynchronousChannelGroup.withFixedThreadPool(1, Thread::new);
        try (AsynchronousServerSocketChannel server = AsynchronousServerSocketChannel.open(threads)
                        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
                AsynchronousSocketChannel client = AsynchronousSocketChannel.open(threads)) {
            client.connect(server.getLocalAddress()).get();
            Future<Integer> read = client.read(view);
            Loan loan = scene.lend(page);
            try (AsynchronousSocketChannel peer = server.accept().get()) {
                assertThat(peer.write(ByteBuffer.wrap(OTHER)).get()).isEqualTo(PAGE);
                assertThatThrownBy(read::get).isInstanceOf(ExecutionException.class);
            }
            scene.attack(loan, page);
        } finally {
            threads.shutdownNow();
        }
        scene.holds(0, PAGE);
    }

    @Misuse(value = "read a pipe into it", outcome = "IllegalStateException; nothing leaves that pipe")
    void pipeSource(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        ByteBuffer view = page.asByteBuffer();
        Loan loan = scene.lend(page);
        try (Pipe other = Pipe.open()) {
            other.sink().write(ByteBuffer.wrap(OTHER));
            closed(() -> other.source().read(page));
            closed(() -> other.source().tryRead(page));
            closed(() -> other.source().read(view));
            assertThat(other.available()).isEqualTo(PAGE);
        }
        scene.attack(loan);
        scene.holds(0, PAGE);
    }

    @Misuse(value = "write it to a sink as well", outcome = "IllegalStateException; nothing is written")
    void sink(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        ByteBuffer view = page.asByteBuffer();
        scene.lend(page);
        closed(() -> scene.pipe.sink().write(page));
        closed(() -> scene.pipe.sink().tryWrite(page));
        closed(() -> scene.pipe.sink().write(view));
        assertThat(scene.pipe.available()).isEqualTo(PAGE);
        scene.holds(0, PAGE);
    }

    @Misuse(
            value = "pass it to a native function that stores",
            outcome = "IllegalStateException before the call; the reader gets the original")
    void downcall(Scene scene) throws IOException {
        Linker linker = Linker.nativeLinker();
        MethodHandle memset = linker.downcallHandle(
                linker.defaultLookup().find("memset").orElseThrow(),
                FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.ADDRESS, JAVA_INT, JAVA_LONG));
        MemorySegment page = scene.filled(PAGE);
        Loan loan = scene.lend(page);
        closed(() -> {
            MemorySegment same = (MemorySegment) memset.invokeExact(page, 1, (long) PAGE);
            assertThat(same.address()).isZero();
        });
        scene.attack(loan);
        scene.holds(0, PAGE);
    }

    @Misuse(value = "lend it twice", outcome = "IllegalStateException; it is in the pipe once")
    void twice(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        scene.lend(page);
        assertThatIllegalStateException().isThrownBy(() -> scene.lend(page)).withMessageContaining("lent already");
        assertThatIllegalStateException().isThrownBy(() -> scene.arena.tryLend(page, scene.pipe.sink()));
        assertThat(scene.pipe.available()).isEqualTo(PAGE);
        scene.holds(0, PAGE);
    }

    @Misuse(value = "lend two aliases of it", outcome = "IllegalStateException for the second; the first arrives")
    void twoAliases(Scene scene) throws IOException {
        MemorySegment page = scene.filled(2 * PAGE);
        MemorySegment slice = page.asSlice(PAGE);
        MemorySegment ofBuffer = MemorySegment.ofBuffer(page.asByteBuffer());
        scene.lend(page.asReadOnly());
        assertThatIllegalStateException().isThrownBy(() -> scene.lend(slice)).withMessageContaining("lent already");
        assertThatIllegalStateException().isThrownBy(() -> scene.lend(ofBuffer));
        assertThat(scene.pipe.available()).isEqualTo(2 * PAGE);
        scene.holds(0, 2 * PAGE);
    }

    @Misuse(
            value = "lend a slice, then touch the rest of the allocation",
            outcome = "IllegalStateException; the rest comes back with reclaim")
    void restOfTheAllocation(Scene scene) throws IOException {
        MemorySegment pages = scene.filled(4 * PAGE);
        MemorySegment rest = pages.asSlice(3 * PAGE);
        Loan loan = scene.lend(pages.asSlice(PAGE + 100, PAGE));
        assertThat(loan.accepted()).isEqualTo(PAGE);
        closed(() -> rest.fill((byte) 1));
        closed(() -> pages.asSlice(0, PAGE).fill((byte) 1));
        scene.holds(PAGE + 100, 2 * PAGE + 100);
        MemorySegment again = loan.reclaim();
        assertThat(again.byteSize()).isEqualTo(4 * PAGE);
        Scene.isOpenInPlace(again);
    }

    @Misuse(
            value = "keep an alias over reclaim",
            outcome = "IllegalStateException for ever; only the new segment is open")
    void aliasOfAnEarlierLife(Scene scene) throws IOException {
        MemorySegment page = scene.filled(PAGE);
        ByteBuffer view = page.asByteBuffer();
        Loan loan = scene.lend(page);
        scene.holds(0, PAGE);
        MemorySegment again = loan.reclaim();
        closed(() -> page.fill((byte) 1));
        closed(() -> view.put(0, (byte) 1));
        assertThatIllegalStateException().isThrownBy(() -> scene.lend(page));
        again.copyFrom(MemorySegment.ofArray(Workbench.bytes(PAGE)));
        Loan second = scene.lend(again);
        scene.attack(second, page, again);
        scene.holds(0, PAGE);
    }

    private interface Action {
        void run() throws IOException;
    }

    private static void unchecked(Action action) {
        try {
            action.run();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
