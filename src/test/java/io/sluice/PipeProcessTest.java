package io.sluice;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Libc;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pipes that are shared: with streams of java.io, with child processes, and with whoever opened them first. */
class PipeProcessTest {
    private static final int LINES = 100_000;

    @TempDir
    Path folder;

    @Test
    void anInputStreamReadsASourceToItsEnd() throws IOException {
        try (Pipe pipe = Pipe.open();
                InputStream input = Channels.newInputStream(pipe.source())) {
            Content.put(pipe, "through a stream");
            pipe.sink().close();
            assertThat(input.read()).isEqualTo('t');
            assertThat(input.readAllBytes()).asString(StandardCharsets.US_ASCII).isEqualTo("hrough a stream");
            assertThat(input.read()).isEqualTo(-1);
        }
    }

    @Test
    void anOutputStreamWritesMoreThanAPipeHolds() throws Exception {
        byte[] content = Content.bytes(300_000);
        try (Pipe pipe = Pipe.open()) {
            Started<Void> write = Started.On.VIRTUAL.call(() -> {
                try (OutputStream output = Channels.newOutputStream(pipe.sink())) {
                    output.write(content);
                }
                return null;
            });
            assertThat(Content.takeAll(pipe.source())).isEqualTo(content);
            write.result();
            assertThat(pipe.sink().isOpen()).isFalse();
        }
    }

    @Test
    void aChildWritesStraightIntoAPipe() throws Exception {
        try (Pipe pipe = Pipe.open()) {
            Process seq = new ProcessBuilder("seq", "1", Integer.toString(LINES))
                    .redirectOutput(pipe.sink().redirect())
                    .start();
            pipe.sink().close();
            assertThat(Content.takeAll(pipe.source())).isEqualTo(lines());
            assertThat(seq.waitFor()).isZero();
        }
    }

    @Test
    void bothOutputsOfAChildCanGoIntoOnePipe() throws Exception {
        try (Pipe pipe = Pipe.open()) {
            Process child = new ProcessBuilder("sh", "-c", "echo out; echo error >&2; echo out")
                    .redirectOutput(pipe.sink().redirect())
                    .redirectError(pipe.sink().redirect())
                    .start();
            pipe.sink().close();
            assertThat(Content.takeAll(pipe.source())).asString().isEqualTo("out\nerror\nout\n");
            assertThat(child.waitFor()).isZero();
        }
    }

    @Test
    void aChildReadsStraightFromAPipe() throws Exception {
        try (Pipe pipe = Pipe.open()) {
            Process child = new ProcessBuilder("wc", "-c")
                    .redirectInput(pipe.source().redirect())
                    .start();
            // The child's descriptor waits; ours does not.
            assertThat(OpenFiles.flags(pipe.source().number()) & Linux.O_NONBLOCK())
                    .isNotZero();
            pipe.source().close();
            assertThat(pipe.sink().write(ByteBuffer.wrap(lines()))).isEqualTo(lines().length);
            pipe.sink().close();
            assertThat(child.inputReader().readLine().strip()).isEqualTo(Integer.toString(lines().length));
            assertThat(child.waitFor()).isZero();
        }
    }

    @Test
    void theStreamDoesNotEndWhileAChildCanWrite() throws Exception {
        try (Pipe pipe = Pipe.open()) {
            Process child = new ProcessBuilder("sh", "-c", "read line; echo $line")
                    .redirectOutput(pipe.sink().redirect())
                    .start();
            pipe.sink().close();
            assertThat(pipe.source().tryRead(ByteBuffer.allocate(1))).isZero();
            try (OutputStream input = child.getOutputStream()) {
                input.write(Content.ascii("answer\n"));
            }
            assertThat(Content.takeAll(pipe.source())).asString().isEqualTo("answer\n");
            assertThat(child.waitFor()).isZero();
        }
    }

    @Test
    void aClosedEndCannotBeRedirected() throws IOException {
        Pipe pipe = Pipe.open();
        pipe.close();
        assertThatThrownBy(() -> pipe.source().redirect()).isExactlyInstanceOf(ClosedChannelException.class);
        assertThatThrownBy(() -> pipe.sink().redirect()).isExactlyInstanceOf(ClosedChannelException.class);
    }

    @Test
    void bothEndsOfAFifoCanBeAdopted() throws IOException {
        Path fifo = folder.resolve("fifo");
        assertThat(Libc.mkfifo(fifo.toString(), 0600)).isZero();
        // Open for both, so that opening waits for nobody.
        Fd fd = Fd.open(fifo, READ, WRITE);
        try (PipeSource source = PipeSource.of(fd)) {
            PipeSink sink = PipeSink.of(fd);
            fd.close();
            sink.write(ByteBuffer.wrap(Content.ascii("through a fifo")));
            assertThat(source.available()).isEqualTo(14);
            assertThat(source.capacity()).isEqualTo(sink.capacity()).isPositive();
            assertThat(Content.take(source)).asString().isEqualTo("through a fifo");
            sink.close();
            assertThat(source.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @Test
    void aFifoThatNobodyReadsCannotBeAdoptedForWriting() throws IOException {
        Path fifo = folder.resolve("fifo");
        assertThat(Libc.mkfifo(fifo.toString(), 0600)).isZero();
        Fd both = Fd.open(fifo, READ, WRITE);
        try (Fd writer = Fd.open(fifo, WRITE)) {
            both.close();
            assertThatThrownBy(() -> PipeSink.of(writer))
                    .isInstanceOf(ErrnoException.class)
                    .hasMessageContaining("ENXIO");
        }
    }

    @Test
    void onlyAPipeCanBeAdopted() throws IOException {
        try (Fd zero = Fd.open(Path.of("/dev/zero"))) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> PipeSource.of(zero))
                    .withMessageContaining("/dev/zero is not a pipe");
            assertThatIllegalArgumentException().isThrownBy(() -> PipeSink.of(zero));
        }
    }

    @Test
    void aClosedDescriptorCannotBeAdopted() throws IOException {
        try (Pipe pipe = Pipe.open()) {
            Fd fd = Fd.borrow(pipe.source().number());
            fd.close();
            assertThatThrownBy(() -> PipeSource.of(fd)).isExactlyInstanceOf(ClosedChannelException.class);
            assertThatThrownBy(() -> PipeSink.of(fd)).isExactlyInstanceOf(ClosedChannelException.class);
        }
    }

    @Test
    void theOutputOfARunningChildCanBeAdopted() throws Exception {
        Process child = new ProcessBuilder("sh", "-c", "echo $$; read line").start();
        try (Fd output = Fd.open(Path.of("/proc/" + child.pid() + "/fd/1"), READ);
                PipeSource source = PipeSource.of(output)) {
            ByteBuffer said = ByteBuffer.allocate(100);
            while (said.position() == 0 || said.get(said.position() - 1) != '\n') {
                source.read(said);
            }
            assertThat(new String(said.array(), 0, said.position(), StandardCharsets.US_ASCII))
                    .isEqualTo(child.pid() + "\n");
        } finally {
            child.getOutputStream().close();
            child.waitFor();
        }
    }

    @Test
    void theInputOfARunningChildCanBeAdopted() throws Exception {
        Process child = new ProcessBuilder("wc", "-l").start();
        try (Fd input = Fd.open(Path.of("/proc/" + child.pid() + "/fd/0"), WRITE);
                PipeSink sink = PipeSink.of(input)) {
            sink.write(ByteBuffer.wrap(lines()));
        }
        child.getOutputStream().close();
        assertThat(child.inputReader().readLine().strip()).isEqualTo(Integer.toString(LINES));
        assertThat(child.waitFor()).isZero();
    }

    /** Splices standard input to standard output, each of them a pipe that somebody else opened. */
    static final class Pass {
        private Pass() {}

        public static void main(String[] args) throws IOException {
            try (Fd in = Fd.borrow(0);
                    Fd out = Fd.borrow(1);
                    PipeSource source = PipeSource.of(in);
                    PipeSink sink = PipeSink.of(out)) {
                while (source.spliceTo(sink, Long.MAX_VALUE) >= 0) {}
            }
        }
    }

    @Test
    void aProcessCanAdoptItsOwnStandardStreams() throws Exception {
        List<String> command = Child.javaCommand(List.of(), "io.sluice.PipeProcessTest$Pass");
        Process child =
                new ProcessBuilder(command).redirectError(Redirect.INHERIT).start();
        Started<Void> feed = Started.On.PLATFORM.call(() -> {
            try (OutputStream input = child.getOutputStream()) {
                input.write(lines());
            }
            return null;
        });
        assertThat(child.getInputStream().readAllBytes()).isEqualTo(lines());
        feed.result();
        assertThat(child.waitFor()).isZero();
    }

    private static byte[] lines() {
        return Content.ascii(
                IntStream.rangeClosed(1, LINES).mapToObj(Integer::toString).collect(Collectors.joining("\n")) + "\n");
    }
}
