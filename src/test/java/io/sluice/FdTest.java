package io.sluice;

import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.sluice.Fd.Kind;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Await;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What a descriptor is, whose it is, and when it is closed. */
class FdTest {
    @TempDir
    Path folder;

    @ParameterizedTest
    @CsvSource({
        "/dev/null, NULL, null device /dev/null",
        "/dev/zero, OTHER, descriptor /dev/zero",
        "/proc, OTHER, descriptor /proc",
        "/proc/self/status, FILE, file /proc/self/status"
    })
    void aPathHasAKindAndAName(Path path, Kind kind, String name) throws IOException {
        try (Fd fd = Fd.open(path)) {
            assertThat(fd.kind()).isEqualTo(kind);
            assertThat(fd).hasToString(name);
            assertThat(OpenFiles.nameOf(fd.number())).isNotEmpty();
        }
    }

    @Test
    void aBorrowedNumberHasAKindAndAName() throws IOException {
        try (Workbench bench = new Workbench()) {
            assertThat(kindOf(bench.file(new byte[1]))).isEqualTo(Kind.FILE);
            assertThat(kindOf(bench.memfd(1))).isEqualTo(Kind.FILE);
            assertThat(kindOf(bench.pipe().sink())).isEqualTo(Kind.PIPE);
            assertThat(kindOf(bench.unix(Linux.SOCK_STREAM()).near())).isEqualTo(Kind.SOCKET);
            assertThat(kindOf(bench.unix(Linux.SOCK_DGRAM()).near())).isEqualTo(Kind.SOCKET);
            assertThat(kindOf(bench.tcp().near())).isEqualTo(Kind.SOCKET);
            assertThat(kindOf(bench.own(WaitCalls.eventfd()))).isEqualTo(Kind.OTHER);
            int pipe = bench.pipe().source();
            try (Fd fd = Fd.borrow(pipe)) {
                assertThat(fd).hasToString("pipe " + pipe + " (" + OpenFiles.nameOf(pipe) + ")");
            }
        }
    }

    private static Kind kindOf(int number) throws IOException {
        try (Fd fd = Fd.borrow(number)) {
            assertThat(fd.number()).isEqualTo(number);
            return fd.kind();
        }
    }

    @Test
    void anOwnedDescriptorIsClosedOnce() throws IOException {
        Fd fd = Fd.open(Path.of("/dev/zero"));
        assertThat(fd.isOpen()).isTrue();
        fd.close();
        assertThat(fd.isOpen()).isFalse();
        assertThatThrownBy(fd::number).isExactlyInstanceOf(ClosedChannelException.class);
        try (Workbench bench = new Workbench()) {
            // One of these has the number now.
            List<Integer> others = IntStream.range(0, 10)
                    .map(i -> bench.open(Path.of("/dev/null"), Linux.O_RDONLY()))
                    .boxed()
                    .toList();
            fd.close();
            assertThat(OpenFiles.named("/dev/null")).containsAll(others);
        }
        assertThat(fd.kind()).isEqualTo(Kind.OTHER);
        assertThat(fd).hasToString("descriptor /dev/zero");
    }

    @Test
    void aBorrowedDescriptorIsNeverClosed() throws Exception {
        try (Workbench bench = new Workbench()) {
            int file = bench.file(Content.ascii("content"));
            Fd.borrow(file).close();
            assertThat(bench.contentOf(file, 7)).asString().isEqualTo("content");
            awaitCollectionOfDropped(file);
            assertThat(bench.contentOf(file, 7)).asString().isEqualTo("content");
        }
    }

    private static void awaitCollectionOfDropped(int number) throws Exception {
        Fd.borrow(number);
        int canary = Fd.open(Path.of("/dev/full")).number();
        Await.until(
                () -> {
                    System.gc();
                    return OpenFiles.named("/dev/full").isEmpty();
                },
                "descriptor " + canary + " closed after having been dropped");
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 1_000_000, Integer.MIN_VALUE})
    void aNumberThatIsNotOpenCannotBeBorrowed(int number) {
        ErrnoException e = catchThrowableOfType(ErrnoException.class, () -> Fd.borrow(number));
        assertThat(e.name()).isEqualTo("EBADF");
        assertThat(e.cure()).hasValue("no descriptor " + number + " is open in this process");
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void aBorrowedSocketGetsItsModeBack(boolean nonBlocking) throws IOException {
        try (Workbench bench = new Workbench()) {
            int socket = bench.unix(Linux.SOCK_STREAM() | (nonBlocking ? Linux.O_NONBLOCK() : 0))
                    .near();
            int before = OpenFiles.flags(socket);
            Fd fd = Fd.borrow(socket);
            assertThat(OpenFiles.flags(socket)).isEqualTo(before | Linux.O_NONBLOCK());
            fd.close();
            assertThat(OpenFiles.flags(socket)).isEqualTo(before);
        }
    }

    @Test
    void aBorrowedPipeKeepsItsMode() throws IOException {
        try (Workbench bench = new Workbench();
                Pipe pipe = Pipe.open()) {
            int source = bench.pipeHolding(Content.ascii("content")).source();
            int before = OpenFiles.flags(source);
            try (Fd fd = Fd.borrow(source)) {
                assertThat(OpenFiles.flags(source)).isEqualTo(before);
                assertThat(pipe.sink().spliceFrom(fd, 100)).isEqualTo(7);
                assertThat(pipe.sink().trySpliceFrom(fd, 100)).isZero();
            }
        }
    }

    @ParameterizedTest
    @EnumSource
    void closingWakesAllWhoWait(Started.On on) throws Exception {
        try (Workbench bench = new Workbench();
                Pipe in = Pipe.open();
                Pipe out = Pipe.open()) {
            int socket = bench.unix(Linux.SOCK_STREAM()).near();
            Fd fd = Fd.borrow(socket);
            Content.fill(out.sink());
            Started<Long> reader = on.call(() -> in.sink().spliceFrom(fd, 100)).waiting();
            Started<Long> writer = on.<Long>call(() -> {
                        while (true) {
                            out.source().spliceTo(fd, Long.MAX_VALUE);
                            Content.fill(out.sink());
                        }
                    })
                    .waiting();
            fd.close();
            assertThat(reader.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThat(writer.failure()).isExactlyInstanceOf(AsynchronousCloseException.class);
            assertThat(in.sink().isOpen()).isTrue();
            assertThat(out.source().isOpen()).isTrue();
        }
    }

    @Test
    void theDescriptorBehindAFifosStreamIsDuplicated() throws IOException {
        Path fifo = folder.resolve("fifo");
        assertThat(Libc.mkfifo(fifo.toString(), 0600)).isZero();
        try (RandomAccessFile both = new RandomAccessFile(fifo.toFile(), "rw");
                FileInputStream stream = new FileInputStream(fifo.toFile());
                Pipe pipe = Pipe.open()) {
            both.write(Content.ascii("content"));
            int before = OpenFiles.flags(numberOf(fifo));
            try (Fd fd = Fd.of(stream.getFD())) {
                assertThat(fd.kind()).isEqualTo(Kind.PIPE);
                assertThat(fd).hasToString("pipe " + fd.number() + " (" + fifo + ")");
                assertThat(pipe.sink().spliceFrom(fd, 3)).isEqualTo(3);
            }
            assertThat(OpenFiles.flags(numberOf(fifo))).isEqualTo(before);
            assertThat(stream.read()).isEqualTo('t');
            assertThat(Content.takeText(pipe)).isEqualTo("con");
        }
    }

    private static int numberOf(Path file) throws IOException {
        return OpenFiles.named(file.toString()).getLast();
    }

    @Test
    void theDescriptorBehindAFilesStreamCannotBeTold() throws IOException {
        Path file = Files.write(folder.resolve("file"), new byte[1]);
        try (FileInputStream stream = new FileInputStream(file.toFile())) {
            assertThatThrownBy(() -> Fd.of(stream.getFD()))
                    .isInstanceOf(IOException.class)
                    .hasMessageContainingAll("cannot be polled", "Fd.open(path)");
            int before = OpenFiles.count();
            assertThatThrownBy(() -> Fd.of(stream.getFD())).isInstanceOf(IOException.class);
            OpenFiles.assertAsManyAs(before);
            assertThat(stream.read()).isZero();
        }
    }

    @Test
    void aFileDescriptorThatIsNotOpenIsRefused() throws IOException {
        assertThatThrownBy(() -> Fd.of(new FileDescriptor())).isExactlyInstanceOf(ClosedChannelException.class);
        FileInputStream stream = new FileInputStream("/dev/zero");
        FileDescriptor descriptor = stream.getFD();
        stream.close();
        assertThatThrownBy(() -> Fd.of(descriptor)).isExactlyInstanceOf(ClosedChannelException.class);
    }

    @Test
    void aDroppedDescriptorIsClosed() throws Exception {
        Path file = Files.createFile(folder.resolve("dropped"));
        openAndDrop(file);
        Await.until(
                () -> {
                    System.gc();
                    return OpenFiles.named(file.toString()).isEmpty();
                },
                "a dropped descriptor closed");
    }

    private static void openAndDrop(Path file) throws IOException {
        assertThat(Fd.open(file, READ, WRITE).isOpen()).isTrue();
    }
}
