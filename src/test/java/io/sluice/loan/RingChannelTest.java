package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Pipe;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.io.OutputStream;
import java.io.Writer;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The ring as a channel of java.nio, alone and among the ring's other faces. */
@ExpectNoLeaks.OfMappings
class RingChannelTest {
    private static final int SLOT = 4 * PAGE;

    private Pipe pipe;
    private PageRing ring;
    private WritableByteChannel channel;

    @BeforeEach
    void open() throws IOException {
        pipe = Pipe.open();
        ring = PageRing.over(pipe.sink(), SLOT, 3);
        channel = ring.channel();
    }

    @AfterEach
    void close() throws IOException {
        pipe.source().close();
        try {
            ring.close();
        } finally {
            pipe.close();
        }
    }

    @Test
    void takesAllOfEveryKindOfBuffer() throws IOException {
        byte[] content = Workbench.bytes(2 * SLOT + 300);
        ByteBuffer heap = ByteBuffer.wrap(content, 0, SLOT - 1);
        assertThat(channel.write(heap)).isEqualTo(SLOT - 1);
        assertThat(heap.hasRemaining()).isFalse();
        assertThat(pipe.available()).isZero();
        ByteBuffer direct = ByteBuffer.allocateDirect(SLOT + 10)
                .put(content, SLOT - 1, SLOT)
                .flip();
        assertThat(channel.write(direct.position(0))).isEqualTo(SLOT);
        assertThat(pipe.available()).isEqualTo(SLOT);
        ByteBuffer readOnly = ByteBuffer.wrap(content).asReadOnlyBuffer().position(2 * SLOT - 1);
        assertThat(channel.write(readOnly)).isEqualTo(301);
        assertThat(pipe.available()).isEqualTo(2 * SLOT);
        assertThat(channel.write(ByteBuffer.allocate(0))).isZero();
        ring.flush();
        ring.flush();
        assertThat(pipe.available()).isEqualTo(content.length);
        Scene.holds(pipe.source(), 0, content.length);
    }

    @Test
    void closingFlushesItAndLeavesTheRingOpen() throws Exception {
        channel.write(ByteBuffer.wrap(Workbench.bytes(10)));
        assertThat(channel.isOpen()).isTrue();
        channel.close();
        channel.close();
        assertThat(channel.isOpen()).isFalse();
        Scene.holds(pipe.source(), 0, 10);
        assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
        ring.channel().write(ByteBuffer.wrap(Workbench.bytes(20)));
        assertThat(pipe.available()).isZero();
        ring.close();
        Scene.holds(pipe.source(), 0, 20);
    }

    @Test
    void carriesAWriter() throws IOException {
        String text = "żółw ✓ 𝄞 ".repeat(2000);
        try (Writer writer = Channels.newWriter(channel, UTF_8)) {
            writer.write(text);
        }
        assertThat(new String(Scene.read(pipe.source(), text.getBytes(UTF_8).length), UTF_8))
                .isEqualTo(text);
    }

    @Test
    void takesTurnsWithTheStreamAndTheLog() throws Exception {
        OutputStream stream = ring.outputStream();
        RingLog log = ring.log(RingLog.Flush.WHEN_FULL);
        channel.write(ByteBuffer.wrap("one ".getBytes(UTF_8)));
        stream.write("two ".getBytes(UTF_8));
        log.line("three");
        channel.write(ByteBuffer.wrap("four\n".getBytes(UTF_8)));
        stream.flush();
        assertThat(new String(Scene.read(pipe.source(), 19), UTF_8)).isEqualTo("one two three\nfour\n");
        ring.acquire().set(JAVA_BYTE, 0, (byte) 'x');
        ring.publish(1);
        assertThat(Scene.read(pipe.source(), 1)).containsExactly('x');
    }

    @Test
    void anInterruptWhileItWaitsForASlotLeavesItOpen() throws Exception {
        Scene.assumePagesAreReferenced();
        channel.write(ByteBuffer.wrap(Workbench.bytes(3 * SLOT)));
        ByteBuffer more = ByteBuffer.wrap(Workbench.bytes(3 * SLOT + 7)).position(3 * SLOT);
        Thread.currentThread().interrupt();
        assertThatThrownBy(() -> channel.write(more))
                .isInstanceOfSatisfying(
                        InterruptedIOException.class,
                        e -> assertThat(e.bytesTransferred).isZero());
        assertThat(Thread.interrupted()).isTrue();
        assertThat(more.remaining()).isEqualTo(7);
        assertThat(channel.isOpen()).isTrue();
        assertThat(pipe.sink().isOpen()).isTrue();
        Scene.holds(pipe.source(), 0, 3 * SLOT);
        channel.write(more);
        channel.close();
        Scene.holds(pipe.source(), 3 * SLOT, 3 * SLOT + 7);
    }

    @Test
    void belongsToTheRingsThread() throws Exception {
        channel.write(ByteBuffer.wrap(Workbench.bytes(1)));
        FutureTask<Void> elsewhere = new FutureTask<>(() -> {
            assertThatThrownBy(() -> channel.write(ByteBuffer.allocate(1))).isInstanceOf(WrongThreadException.class);
            assertThatThrownBy(() -> ring.outputStream().write(1)).isInstanceOf(WrongThreadException.class);
            assertThatThrownBy(() -> ring.log(RingLog.Flush.WHEN_FULL).line(""))
                    .isInstanceOf(WrongThreadException.class);
            assertThatThrownBy(ring::close).isInstanceOf(WrongThreadException.class);
            return null;
        });
        Thread.ofPlatform().start(elsewhere);
        elsewhere.get();
        channel.write(ByteBuffer.wrap(Workbench.bytes(2)).position(1));
        ring.flush();
        Scene.holds(pipe.source(), 0, 2);
    }

    @Test
    void whatWasPublishedIsClosedToIt() throws IOException {
        channel.write(ByteBuffer.wrap(Workbench.bytes(SLOT)));
        for (int i = 0; i < 5; i++) {
            Scene.holds(pipe.source(), 0, SLOT);
            channel.write(MemorySegment.ofArray(Workbench.bytes(SLOT)).asByteBuffer());
        }
        Scene.holds(pipe.source(), 0, SLOT);
    }
}
