package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** When publishing fails, the ring says how much went in, keeps the rest, and sends nothing twice. */
@ExpectNoLeaks.OfMappings
class PageRingFailureTest {
    private static final int SLOT = 8 * PAGE;
    private static final int CAPACITY = 2 * PAGE;

    /** So long that only a reader who waits for bytes that were lost runs into it. */
    private static final int PATIENCE_SECONDS = 60;

    private Workbench bench;
    private PipeSink sink;

    /** Not the library's, so that the pipe can lose its reader and get another. */
    private int reader;

    private PageRing ring;

    @BeforeEach
    void open() throws IOException {
        bench = new Workbench();
        Workbench.Ends ends = bench.pipe();
        reader = ends.source();
        try (Fd fd = Fd.borrow(ends.sink())) {
            sink = PipeSink.of(fd);
        }
        sink.capacity(CAPACITY);
        ring = PageRing.over(sink, SLOT, 2);
    }

    @AfterEach
    void close() throws IOException {
        try {
            ring.close();
        } catch (IOException e) {
            assertThat(e).as("what was not flushed").isNotNull();
        }
        sink.close();
        bench.close();
    }

    @Test
    void whatWentInIsCountedAndTheRestIsKept() throws Exception {
        fill(ring.acquire());
        failsMidway(() -> ring.publish(SLOT));
        assertThat(ring.sent()).isEqualTo(CAPACITY);
        Scene.isOriginal(ring.unsent().toArray(JAVA_BYTE), CAPACITY, SLOT);
        assertThat(ring.unsent().isReadOnly()).isTrue();
        for (ThrowingCallable use : new ThrowingCallable[] {
            ring::acquire,
            ring::tryAcquire,
            () -> ring.log(RingLog.Flush.WHEN_FULL).line("x")
        }) {
            assertThatIllegalStateException().isThrownBy(use).withMessageContaining(CAPACITY + " of " + SLOT);
        }
        assertThatExceptionOfType(IndexOutOfBoundsException.class).isThrownBy(() -> ring.publish(CAPACITY - 1));
        fails(() -> ring.publish(SLOT));
        assertThat(ring.sent()).isEqualTo(CAPACITY);
    }

    @Test
    void publishingAgainSendsTheRestAndOnlyThat() throws Exception {
        fill(ring.acquire());
        failsMidway(() -> ring.publish(SLOT));
        FutureTask<byte[]> got = readOn(2 * SLOT);
        ring.publish(SLOT);
        assertThat(ring.sent()).isZero();
        assertThat(ring.unsent().byteSize()).isZero();
        fill(ring.acquire());
        ring.publish(SLOT);
        byte[] bytes = result(got);
        Scene.isOriginal(slice(bytes, 0, SLOT), 0, SLOT);
        Scene.isOriginal(slice(bytes, SLOT, 2 * SLOT), 0, SLOT);
    }

    @Test
    void publishingAsMuchAsWasSentGivesTheRestUp() throws Exception {
        fill(ring.acquire());
        failsMidway(() -> ring.publish(SLOT));
        ring.publish(ring.sent());
        assertThat(ring.sent()).isZero();
        FutureTask<byte[]> got = readOn(CAPACITY + 100);
        fill(ring.acquire());
        ring.publish(100);
        Scene.isOriginal(slice(result(got), CAPACITY, CAPACITY + 100), 0, 100);
    }

    @Test
    void whenNothingWentInTheSlotIsAsItWas() throws Exception {
        bench.close(reader);
        MemorySegment slot = ring.acquire();
        fill(slot);
        for (int n : new int[] {SLOT, PAGE, 1}) {
            fails(() -> ring.publish(n));
            assertThat(ring.sent()).isZero();
            Scene.isOriginal(ring.unsent().toArray(JAVA_BYTE), 0, n);
            assertThat(ring.acquire()).isEqualTo(slot);
            Scene.isOpenInPlace(slot);
        }
        FutureTask<byte[]> got = readOn(SLOT);
        ring.publish(SLOT);
        Scene.isOriginal(result(got), 0, SLOT);
    }

    @Test
    void aSinkThatIsClosedEndsIt() throws Exception {
        fill(ring.acquire());
        FutureTask<Void> closed = start(() -> {
            Await.until(() -> sink.available() == CAPACITY, "a full pipe");
            sink.close();
            return null;
        });
        assertThatThrownBy(() -> ring.publish(SLOT)).isInstanceOf(ClosedChannelException.class);
        closed.get();
        assertThat(ring.sent()).isEqualTo(CAPACITY);
        Scene.isOriginal(ring.unsent().toArray(JAVA_BYTE), CAPACITY, SLOT);
        assertThatThrownBy(() -> ring.publish(SLOT)).isInstanceOf(ClosedChannelException.class);
        Scene.isOriginal(bench.readFully(reader, CAPACITY), 0, CAPACITY);
    }

    @Test
    void anInterruptClosesTheSinkAndSaysWhatWentIn() throws Exception {
        FutureTask<Long> publishing = new FutureTask<>(() -> {
            try (PageRing own = PageRing.over(sink, SLOT, 2)) {
                fill(own.acquire());
                assertThatThrownBy(() -> own.publish(SLOT)).isInstanceOf(ClosedChannelException.class);
                assertThat(Thread.interrupted()).isTrue();
                return own.sent();
            }
        });
        Thread thread = Thread.ofPlatform().start(publishing);
        Await.until(() -> sink.available() == CAPACITY, "a full pipe");
        thread.interrupt();
        assertThat(publishing.get()).isEqualTo(CAPACITY);
        assertThat(sink.isOpen()).isFalse();
        Scene.isOriginal(bench.readFully(reader, CAPACITY), 0, CAPACITY);
    }

    @Test
    void aStreamKeepsWhatItTook() throws Exception {
        byte[] content = Workbench.bytes(SLOT);
        OutputStream stream = ring.outputStream();
        stream.write(content, 0, SLOT - 1);
        failsMidway(stream::flush);
        fails(stream::flush);
        fails(() -> stream.write(1));
        assertThatIllegalStateException().isThrownBy(ring::acquire).withMessageContaining("flush()");
        assertThatIllegalStateException().isThrownBy(() -> ring.publish(SLOT)).withMessageContaining("flush()");
        FutureTask<byte[]> got = readOn(SLOT);
        stream.write(content[SLOT - 1]);
        stream.close();
        Scene.isOriginal(result(got), 0, SLOT);
    }

    @Test
    void aChannelSaysByThePositionWhatItTook() throws Exception {
        ByteBuffer content = ByteBuffer.wrap(Workbench.bytes(3 * SLOT));
        WritableByteChannel channel = ring.channel();
        failsMidway(() -> channel.write(content));
        assertThat(content.position()).isEqualTo(SLOT);
        fails(() -> channel.write(content));
        assertThat(content.position()).isEqualTo(SLOT);
        FutureTask<byte[]> got = readOn(3 * SLOT);
        assertThat(channel.write(content)).isEqualTo(2 * SLOT);
        Scene.isOriginal(result(got), 0, 3 * SLOT);
        channel.close();
        assertThat(channel.isOpen()).isFalse();
    }

    @Test
    void aLogSaysWhichLinesItTook() throws Exception {
        RingLog log = ring.log(RingLog.Flush.WHEN_FULL);
        String line = "x".repeat(SLOT / 2 - 1);
        log.line(line);
        failsMidway(() -> log.line(line));
        assertThat(log.lines()).isEqualTo(2);
        fails(() -> log.line(line));
        assertThat(log.lines()).isEqualTo(2);
        FutureTask<byte[]> got = readOn(SLOT + 5);
        log.line("last");
        log.close();
        assertThat(new String(result(got), StandardCharsets.UTF_8)).isEqualTo(line + "\n" + line + "\nlast\n");
        assertThat(log.lines()).isEqualTo(3);
    }

    @Test
    void aLineThatWasTornIsEnded() throws Exception {
        RingLog log = ring.log(RingLog.Flush.EVERY_LINE);
        failsMidway(() -> log.line("x".repeat(3 * SLOT)));
        assertThat(log.lines()).isZero();
        FutureTask<byte[]> got = readOn(SLOT + 6);
        log.line("next");
        assertThat(new String(result(got), StandardCharsets.UTF_8)).isEqualTo("x".repeat(SLOT) + "\nnext\n");
        assertThat(log.lines()).isEqualTo(1);
    }

    @Test
    void closingUnmapsThoughItCannotFlush() throws Exception {
        ring.outputStream().write(1);
        bench.close(reader);
        fails(ring::close);
        ring.close();
        assertThatIllegalStateException().isThrownBy(ring::acquire);
    }

    @Test
    void aRingWhoseSlotWasKeptOpenByANativeCallGoesRound() throws Throwable {
        try (Pipe pipe = Pipe.open();
                PageRing round = PageRing.over(pipe.sink(), SLOT, 2)) {
            MemorySegment slot = round.acquire();
            fill(slot);
            boolean[] published = {false};
            MisuseWhileLending.sort(slot.asSlice(0, 16), () -> {
                if (!published[0]) {
                    round.publish(SLOT);
                    published[0] = true;
                }
            });
            Scene.holds(pipe.source(), 0, SLOT);
            for (int i = 0; i < 5; i++) {
                fill(round.acquire());
                round.publish(SLOT);
                Scene.holds(pipe.source(), 0, SLOT);
            }
        }
    }

    /** The reader goes when the pipe is full. */
    private void failsMidway(ThrowingCallable publish) throws Exception {
        FutureTask<Void> gone = start(() -> {
            Await.until(() -> sink.available() == CAPACITY, "a full pipe");
            bench.close(reader);
            return null;
        });
        fails(publish);
        gone.get();
    }

    private static void fails(ThrowingCallable publish) {
        assertThatThrownBy(publish)
                .isInstanceOfSatisfying(
                        ErrnoException.class, e -> assertThat(e.errno()).isEqualTo(Linux.EPIPE()));
    }

    /** Another reader takes so many bytes, beginning with those that the first one left. */
    private FutureTask<byte[]> readOn(int length) throws Exception {
        try (Fd fd = Fd.borrow(sink.number())) {
            PipeSource source = PipeSource.of(fd);
            return start(() -> {
                try (source) {
                    byte[] got = new byte[length];
                    for (int at = 0; at < length; ) {
                        long n = source.read(MemorySegment.ofArray(got).asSlice(at));
                        assertThat(n).isPositive();
                        at += (int) n;
                    }
                    return got;
                }
            });
        }
    }

    private static byte[] result(FutureTask<byte[]> reading) throws Exception {
        return reading.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private static byte[] slice(byte[] bytes, int from, int to) {
        return Arrays.copyOfRange(bytes, from, to);
    }

    private static void fill(MemorySegment slot) {
        slot.copyFrom(MemorySegment.ofArray(Workbench.bytes((int) slot.byteSize())));
    }

    private static <T> FutureTask<T> start(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }
}
