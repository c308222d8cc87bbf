package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Pipe.Option;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Packet mode, and one descriptor for both ends. */
class PipeModesTest {
    private static final int PAGE = Kernel.observed().pageSize();

    @Test
    void packetsAreKeptApart() throws IOException {
        try (Pipe pipe = Pipe.open(Option.PACKETS)) {
            for (String packet : List.of("one", "two", "three")) {
                Content.put(pipe, packet);
            }
            assertThat(read(pipe, PAGE)).isEqualTo("one");
            assertThat(read(pipe, PAGE)).isEqualTo("two");
            assertThat(read(pipe, PAGE)).isEqualTo("three");
            assertThat(read(pipe, PAGE)).isEmpty();
        }
    }

    @Test
    void aShortReadLosesTheRestOfItsPacketOnly() throws IOException {
        try (Pipe pipe = Pipe.open(Option.PACKETS)) {
            Content.put(pipe, "packet");
            Content.put(pipe, "next");
            assertThat(read(pipe, 3)).isEqualTo("pac");
            assertThat(read(pipe, PAGE)).isEqualTo("next");
        }
    }

    @Test
    void withoutPacketModeBytesRunTogether() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            Content.put(pipe, "one");
            Content.put(pipe, "two");
            assertThat(read(pipe, PAGE)).isEqualTo("onetwo");
        }
    }

    @ParameterizedTest(name = "packets: {0}")
    @ValueSource(booleans = {false, true})
    void oneDescriptorCanStandForBothEnds(boolean packets) throws IOException {
        Pipe pipe = packets ? Pipe.open(Option.SINGLE_DESCRIPTOR, Option.PACKETS) : Pipe.open(Option.SINGLE_DESCRIPTOR);
        String name = OpenFiles.nameOf(pipe.source().number());
        assertThat(pipe.source().number()).isEqualTo(pipe.sink().number());
        assertThat(OpenFiles.named(name)).containsExactly(pipe.source().number());
        Content.put(pipe, "one");
        Content.put(pipe, "two");
        assertThat(read(pipe, PAGE)).isEqualTo(packets ? "one" : "onetwo");
        pipe.sink().close();
        assertThat(OpenFiles.named(name)).hasSize(1);
        assertThat(Content.takeText(pipe)).isEqualTo(packets ? "two" : "");
        assertThat(pipe.capacity()).isPositive();
        pipe.source().close();
        assertThat(OpenFiles.named(name)).isEmpty();
    }

    @Test
    void theSinkOfASingleDescriptorOutlivesItsSource() throws IOException {
        try (Pipe pipe = Pipe.open(Option.SINGLE_DESCRIPTOR)) {
            pipe.source().close();
            Content.put(pipe, "kept");
            assertThat(pipe.available()).isEqualTo(4);
        }
    }

    @Test
    void aSingleDescriptorHasNoEndOfStream() throws IOException {
        try (Pipe pipe = Pipe.open(Option.SINGLE_DESCRIPTOR)) {
            pipe.sink().close();
            assertThat(pipe.source().tryRead(ByteBuffer.allocate(1))).isZero();
        }
    }

    @Test
    void anArrayOfSeveralPacketsIsCutIntoPackets() throws IOException {
        try (Pipe pipe = Pipe.open(Option.PACKETS)) {
            assertThat(pipe.sink().tryWrite(ByteBuffer.allocate(PAGE + 10))).isEqualTo(PAGE + 10);
            assertThat(pipe.source().tryRead(ByteBuffer.allocate(2 * PAGE))).isEqualTo(PAGE);
            assertThat(pipe.source().tryRead(ByteBuffer.allocate(2 * PAGE))).isEqualTo(10);
        }
    }

    @ParameterizedTest
    @EnumSource(Option.class)
    void everyModeGivesItsDescriptorsBack(Option option) throws IOException {
        int before = OpenFiles.count();
        for (int i = 0; i < 100; i++) {
            Pipe.open(option).close();
        }
        OpenFiles.assertAsManyAs(before);
    }

    private static String read(Pipe pipe, int room) throws IOException {
        byte[] into = new byte[room];
        int n = pipe.source().tryRead(ByteBuffer.wrap(into));
        return new String(into, 0, Math.max(n, 0), StandardCharsets.US_ASCII);
    }
}
