package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Started.On;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import java.util.concurrent.CyclicBarrier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Bytes on their way from a writer through a relay to a reader while somebody closes and interrupts at random: nobody hangs, no descriptor
 * is left, and every byte that went in came out or is still there.
 */
class CloseRaceTest {
    private static final int ROUNDS = 400;

    /** Two pipes with a relay between them; a second source of each keeps what is in it when all else is closed. */
    private static final class Line implements AutoCloseable {
        final Pipe first = Pipe.open();
        final Pipe second = Pipe.open();
        final PipeSource firstKept = kept(first);
        final PipeSource secondKept = kept(second);
        volatile long written;
        volatile long relayed;
        volatile long read;

        Line() throws IOException {}

        private static PipeSource kept(Pipe pipe) throws IOException {
            try (Fd fd = Fd.borrow(pipe.source().number())) {
                return PipeSource.of(fd);
            }
        }

        /** Writes until something stops it. */
        Void write() throws IOException {
            ByteBuffer chunk = ByteBuffer.allocate(20_000);
            while (true) {
                try {
                    first.sink().write(chunk.clear());
                } finally {
                    written += chunk.position();
                }
            }
        }

        Void relay() throws IOException {
            for (long n; (n = first.source().spliceTo(second.sink(), 50_000)) >= 0; ) {
                relayed += n;
            }
            return null;
        }

        Void read() throws IOException {
            ByteBuffer buffer = ByteBuffer.allocateDirect(30_000);
            for (int n; (n = second.source().read(buffer.clear())) >= 0; ) {
                read += n;
            }
            return null;
        }

        @Override
        public void close() throws IOException {
            first.close();
            second.close();
            firstKept.close();
            secondKept.close();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3})
    void noByteIsLostWhoeverClosesOrInterrupts(long seed) throws Exception {
        Random random = new Random(seed);
        for (int i = 0; i < ROUNDS; i++) {
            round(random);
        }
    }

    private static void round(Random random) throws Exception {
        try (Line line = new Line()) {
            Started<Void> writer = on(random).call(line::write);
            Started<Void> relay = on(random).call(line::relay);
            Started<Void> reader = on(random).call(line::read);
            int events = 1 + random.nextInt(3);
            for (int i = 0; i < events; i++) {
                for (int spins = random.nextInt(20_000); spins > 0; spins--) {
                    Thread.onSpinWait();
                }
                switch (random.nextInt(8)) {
                    case 0 -> line.first.sink().close();
                    case 1 -> line.first.source().close();
                    case 2 -> line.second.sink().close();
                    case 3 -> line.second.source().close();
                    case 4 -> writer.interrupt();
                    case 5 -> relay.interrupt();
                    case 6 -> reader.interrupt();
                    default -> line.first.close();
                }
            }
            // Whatever still runs is told to stop, in the order of the stream.
            line.first.sink().close();
            writer.ending();
            line.first.source().close();
            relay.ending();
            line.second.close();
            reader.ending();
            assertThat(line.relayed + line.firstKept.available()).isEqualTo(line.written);
            assertThat(line.read + line.secondKept.available()).isEqualTo(line.relayed);
        }
    }

    private static On on(Random random) {
        return random.nextBoolean() ? On.PLATFORM : On.VIRTUAL;
    }

    @Test
    void closersAndUsersOfOneEndMeet() throws Exception {
        Random random = new Random(ROUNDS);
        for (int i = 0; i < ROUNDS; i++) {
            Pipe pipe = Pipe.open();
            Content.put(pipe, new byte[1000]);
            int delay = random.nextInt(2000);
            CyclicBarrier start = new CyclicBarrier(4);
            Started<Void> reader = On.PLATFORM.call(() -> {
                start.await();
                while (pipe.source().tryRead(ByteBuffer.allocate(1)) >= 0) {
                    pipe.source().capacity();
                    pipe.source().available();
                }
                return null;
            });
            Started<Void> waiter = On.VIRTUAL.call(() -> {
                start.await();
                while (pipe.source().read(ByteBuffer.allocate(10)) >= 0) {}
                return null;
            });
            Started<Void> closer = On.PLATFORM.call(() -> {
                start.await();
                for (int spins = delay; spins > 0; spins--) {
                    Thread.onSpinWait();
                }
                pipe.source().close();
                return null;
            });
            start.await();
            closer.result();
            assertThat(reader.failure()).isInstanceOf(ClosedChannelException.class);
            assertThat(waiter.failure()).isInstanceOf(ClosedChannelException.class);
            pipe.close();
        }
    }

    @Test
    void aNumberThatAFileGetsNextConfusesNoWaiter(@TempDir Path folder) throws Exception {
        Path file = Files.createFile(folder.resolve("file"));
        Random random = new Random(ROUNDS);
        for (int i = 0; i < 20 * ROUNDS; i++) {
            Pipe pipe = Pipe.open();
            Started<Integer> reader = On.VIRTUAL.call(() -> pipe.source().read(ByteBuffer.allocate(1)));
            for (int spins = random.nextInt(3000); spins > 0; spins--) {
                Thread.onSpinWait();
            }
            pipe.close();
            // A file cannot be waited for.
            try (Fd next = Fd.open(file)) {
                assertThat(next.kind()).isEqualTo(Fd.Kind.FILE);
                assertThat(reader.failure()).isInstanceOf(ClosedChannelException.class);
            }
        }
    }
}
