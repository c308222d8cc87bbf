package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.testing.Allocations;
import io.sluice.testing.ExpectNoLeaks;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.CharBuffer;
import java.nio.channels.Channels;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Lines in are lines out, whole, when they should be. */
@ExpectNoLeaks.OfMappings
class RingLogTest {
    private static final int SLOT = 2 * PAGE;
    private static final long SEED = 20260604;

    private Pipe pipe;
    private PageRing ring;

    @BeforeEach
    void open() throws IOException {
        pipe = Pipe.open();
        ring = PageRing.over(pipe.sink(), SLOT, 4);
    }

    @AfterEach
    void close() throws IOException {
        ring.close();
        pipe.close();
    }

    @Test
    void publishesWhenTheNextLineDoesNotFitWhenFlushedAndWhenClosed() throws IOException {
        RingLog log = ring.log(RingLog.Flush.WHEN_FULL);
        String third = "x".repeat(SLOT / 3);
        log.line(third);
        log.line(third);
        assertThat(pipe.available()).isZero();
        log.line(third);
        assertThat(pipe.available()).isEqualTo(2 * (SLOT / 3 + 1));
        log.flush();
        assertThat(pipe.available()).isEqualTo(3 * (SLOT / 3 + 1));
        log.flush();
        log.line("");
        log.close();
        log.close();
        assertThat(text(3 * (SLOT / 3 + 1) + 1)).isEqualTo((third + "\n").repeat(3) + "\n");
        assertThat(log.lines()).isEqualTo(4);
        assertThatThrownBy(() -> log.line("more"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("closed");
        assertThatThrownBy(log::flush).isInstanceOf(IOException.class).hasMessageContaining("closed");
    }

    @Test
    void aLineThatFillsTheSlotExactlyIsPublished() throws IOException {
        RingLog log = ring.log(RingLog.Flush.WHEN_FULL);
        for (String line :
                List.of("x".repeat(SLOT - 1), "é".repeat(SLOT / 2 - 1) + "x", "𝄞".repeat(SLOT / 4 - 1) + "xyz")) {
            log.line(line);
            assertThat(pipe.available()).isEqualTo(SLOT);
            assertThat(text(SLOT)).isEqualTo(line + "\n");
        }
    }

    @Test
    void everyLineCanBePublishedAtOnce() throws IOException {
        RingLog log = ring.log(RingLog.Flush.EVERY_LINE);
        for (String line : List.of("one", "", "drei ß", "4 ✓")) {
            log.line(line);
            assertThat(text(pipe.available())).isEqualTo(line + "\n");
        }
    }

    @Test
    void encodesAsTheJdkDoes() throws IOException {
        RingLog log = ring.log(RingLog.Flush.EVERY_LINE);
        StringBuilder all = new StringBuilder();
        for (int i = 0; i <= Character.MAX_VALUE; i++) {
            all.append((char) i).append(i % 1000 == 0 ? "\uD834\uDD1E\uDBFF\uDFFF\uD800\uDC00" : "");
        }
        for (int at = 0; at < all.length(); at += 500) {
            CharSequence line = all.subSequence(at, Math.min(all.length(), at + 500));
            log.line(line);
            byte[] expected = (line + "\n").getBytes(UTF_8);
            assertThat(Scene.read(pipe.source(), expected.length)).isEqualTo(expected);
        }
        for (String odd : List.of("\uD834", "\uDD1E", "\uDD1E\uD834", "a\uD834b", "\uD834\uD834\uDD1E")) {
            log.line(odd);
            assertThat(text(pipe.available())).isEqualTo(new String((odd + "\n").getBytes(UTF_8), UTF_8));
        }
        assertThat(pipe.available()).isZero();
    }

    @Test
    void aLineLongerThanASlotIsDivided() throws Exception {
        RingLog log = ring.log(RingLog.Flush.WHEN_FULL);
        String line = "ab✓𝄞".repeat(3 * SLOT / 9);
        log.line("before");
        log.line(line);
        log.line("after");
        log.close();
        assertThat(text(pipe.available())).isEqualTo("before\n" + line + "\nafter\n");
        assertThat(log.lines()).isEqualTo(3);
    }

    @Test
    void linesInAreLinesOutAndNoneIsDividedBetweenPublishes() throws Exception {
        Random random = new Random(SEED);
        try (Pipe packets = Pipe.open(Pipe.Option.PACKETS);
                PageRing small = PageRing.over(packets.sink(), PAGE, 2);
                RingLog log = small.log(RingLog.Flush.WHEN_FULL)) {
            List<String> in = new ArrayList<>();
            List<String> out = new ArrayList<>();
            for (int i = 0; i < 5000; i++) {
                String line = i + " " + "é".repeat(random.nextInt(300));
                in.add(line);
                log.line(line);
                if (random.nextInt(50) == 0) {
                    log.flush();
                }
                while (packets.available() > 0) {
                    // A packet is what one publish of up to a page wrote.
                    byte[] packet = new byte[PAGE];
                    int n = (int) packets.source().tryRead(MemorySegment.ofArray(packet));
                    assertThat(packet[n - 1]).isEqualTo((byte) '\n');
                    out.addAll(new String(packet, 0, n, UTF_8).lines().toList());
                }
            }
            log.flush();
            byte[] rest = new byte[PAGE];
            int n = Math.max(0, (int) packets.source().tryRead(MemorySegment.ofArray(rest)));
            out.addAll(new String(rest, 0, n, UTF_8).lines().toList());
            assertThat(out).isEqualTo(in);
        }
    }

    @Test
    void threadsWithARingEachNeverMixTheirLines() throws Exception {
        int lines = 3000;
        List<FutureTask<Void>> writers = new ArrayList<>();
        for (char name : new char[] {'a', 'b', 'c'}) {
            FutureTask<Void> writer = new FutureTask<>(() -> {
                Random random = new Random(name);
                try (PageRing own = PageRing.over(pipe.sink(), SLOT, 2);
                        RingLog log = own.log(RingLog.Flush.EVERY_LINE)) {
                    for (int i = 0; i < lines; i++) {
                        log.line(String.valueOf(name).repeat(1 + random.nextInt(400)) + i);
                    }
                }
                return null;
            });
            writers.add(writer);
            Thread.ofPlatform().daemon().start(writer);
        }
        int[] next = new int['c' + 1];
        BufferedReader reader =
                new BufferedReader(new InputStreamReader(Channels.newInputStream(pipe.source()), UTF_8));
        for (int i = 0; i < 3 * lines; i++) {
            String line = reader.readLine();
            char name = line.charAt(0);
            assertThat(line).matches(name + "+" + next[name]++);
        }
        for (FutureTask<Void> writer : writers) {
            writer.get();
        }
    }

    @Test
    void aLineCostsNoGarbage() throws Exception {
        try (Fd nowhere = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
                PageRing large = PageRing.over(pipe.sink(), 16L << 20, 2)) {
            RingLog log = large.log(RingLog.Flush.WHEN_FULL);
            String ascii = "2026-06-04 12:00:00 INFO a line of a log";
            String latin = "größer, français, señor";
            CharBuffer chars = CharBuffer.wrap("in a buffer");
            FutureTask<Void> drain = new FutureTask<>(() -> {
                while (pipe.source().spliceTo(nowhere, Long.MAX_VALUE) >= 0) {
                    // Goes on until the pipe is at its end.
                }
                return null;
            });
            Thread.ofPlatform().daemon().start(drain);
            // A batch of these is much less than a slot, so that most batches publish nothing.
            Allocations.awaitNoneBut(3, () -> {
                try {
                    log.line(ascii);
                    log.line(latin);
                    log.line(chars);
                } catch (IOException e) {
                    throw new UncheckedIOException(e);
                }
            });
            log.close();
            pipe.sink().close();
            drain.get();
        }
    }

    private String text(int length) throws IOException {
        return new String(Scene.read(pipe.source(), length), UTF_8);
    }
}
