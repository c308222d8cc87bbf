package io.sluice;

import static java.nio.file.StandardOpenOption.APPEND;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Results;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Map;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A failed call says what was called, on what, why it failed and what to do; and the bytes are where they were. */
class ErrnoExceptionTest {
    @TempDir
    Path folder;

    private Pipe pipe;

    @BeforeEach
    void open() throws IOException {
        pipe = Pipe.open();
        Content.put(pipe, "content");
    }

    @AfterEach
    void close() throws IOException {
        pipe.close();
    }

    private static ErrnoException thrownBy(ThrowingCallable call) {
        return catchThrowableOfType(ErrnoException.class, call);
    }

    private void assertContentIsStillThere() throws IOException {
        assertThat(Content.takeText(pipe)).isEqualTo("content");
    }

    private String source() {
        return pipe.source().toString();
    }

    private String sink() {
        return pipe.sink().toString();
    }

    @Test
    void aFileOpenedForAppendIsNamedAsSuch() throws IOException {
        Path path = Files.createFile(folder.resolve("log"));
        try (Fd file = Fd.open(path, APPEND)) {
            ErrnoException e = thrownBy(() -> pipe.source().spliceTo(file, 65536));
            assertThat(e)
                    .hasMessage("splice(" + source() + " → file " + path + " opened for append, 65536 bytes): "
                            + "EINVAL (Invalid argument); the kernel does not splice into a file opened for append: "
                            + "open it without APPEND, and give an offset or let it use its position");
            assertThat(e.errno()).isEqualTo(Linux.EINVAL());
            assertThat(e.name()).isEqualTo("EINVAL");
            assertThat(e.call()).isEqualTo("splice");
            assertThat(e.cure()).hasValueSatisfying(cure -> assertThat(cure).endsWith("let it use its position"));
            assertThat(e.transferred()).isZero();
        }
        assertContentIsStillThere();
    }

    @Test
    void aBorrowedNumberThatIsInAppendModeGetsTheSameAdvice() throws IOException {
        try (Workbench bench = new Workbench();
                Fd file = Fd.borrow(bench.open(bench.path(new byte[0]), Linux.O_WRONLY() | Linux.O_APPEND()))) {
            assertThat(thrownBy(() -> pipe.source().trySpliceTo(file, 1)))
                    .hasMessageContaining("opened for append: open it without APPEND");
        }
        assertContentIsStillThere();
    }

    @Test
    void anOffsetWhereThereAreNone() throws IOException {
        try (Connection connection = Connection.unix();
                Fd socket = Fd.of(connection.near());
                Fd other = Fd.borrow(pipe.sink().number())) {
            ErrnoException toSocket = thrownBy(() -> pipe.source().spliceTo(socket, 10, 1));
            assertThat(toSocket.cure()).isPresent();
            assertThat(toSocket).hasMessageContaining("at offset 10, 1 byte)");
            assertThat(thrownBy(() -> pipe.source().spliceTo(other, 10, 2)))
                    .hasMessageContainingAll(
                            "at offset 10, 2 bytes)",
                            "ESPIPE (Illegal seek)",
                            "a pipe or socket has no offsets: use the form without one");
        }
        assertContentIsStillThere();
    }

    @Test
    void bothEndsOfOnePipe() throws IOException {
        assertThat(thrownBy(() -> pipe.source().spliceTo(pipe.sink(), 5)))
                .hasMessage(
                        "splice(" + source() + " → " + sink()
                                + ", 5 bytes): EINVAL (Invalid argument); both ends belong to the same pipe: splice moves bytes between two");
        assertThat(thrownBy(() -> pipe.source().teeTo(pipe.sink(), 5)))
                .hasMessage(
                        "tee(" + source() + " → " + sink()
                                + ", 5 bytes): EINVAL (Invalid argument); both ends belong to the same pipe: tee copies from one to another");
        assertContentIsStillThere();
    }

    @Test
    void aDescriptorOpenedTheOtherWay() throws IOException {
        Path path = Files.write(folder.resolve("file"), new byte[1]);
        try (Fd reading = Fd.open(path, READ);
                Fd writing = Fd.open(path, WRITE)) {
            assertThat(thrownBy(() -> pipe.source().spliceTo(reading, 1)))
                    .hasMessageContainingAll("EBADF", "the source must be open for reading and the target for writing");
            assertThat(thrownBy(() -> pipe.sink().spliceFrom(writing, 1))).hasMessageContaining("EBADF");
        }
        assertContentIsStillThere();
    }

    @Test
    void aPipeThatNobodyReads() throws IOException {
        try (Pipe other = Pipe.open()) {
            other.source().close();
            String sink = other.sink().toString();
            String because = ": EPIPE (Broken pipe); nobody reads that end any more: close this one";
            assertThat(thrownBy(() -> other.sink().write(ByteBuffer.allocate(1))))
                    .hasMessage("write(" + sink + ", 1 byte)" + because);
            assertThat(thrownBy(() -> pipe.source().spliceTo(other.sink(), 2)))
                    .hasMessage("splice(" + source() + " → " + sink + ", 2 bytes)" + because);
            assertThat(thrownBy(() -> pipe.source().teeTo(other.sink(), 2)))
                    .hasMessage("tee(" + source() + " → " + sink + ", 2 bytes)" + because);
        }
        assertContentIsStillThere();
    }

    @ParameterizedTest
    @EnumSource(Connection.Over.class)
    void aSocketWhosePeerIsGone(Connection.Over over) throws IOException {
        try (Connection connection = over.open();
                Fd socket = Fd.of(connection.near());
                SocketChannel near = connection.near()) {
            near.shutdownOutput();
            assertThat(thrownBy(() -> pipe.source().spliceTo(socket, 2)))
                    .hasMessageContainingAll(
                            "splice(" + source() + " → socket ", "EPIPE", "nobody reads that end any more");
        }
        assertContentIsStillThere();
    }

    @Test
    void aKindThatCannotBeSpliced() throws IOException {
        try (Fd folderFd = Fd.open(folder)) {
            assertThat(thrownBy(() -> pipe.sink().spliceFrom(folderFd, 1)))
                    .hasMessageContaining("splice(descriptor " + folder + " → " + sink() + ", 1 byte): E")
                    .extracting(ErrnoException::name)
                    .isIn("EINVAL", "EISDIR", "EBADF");
        }
        try (Workbench bench = new Workbench();
                Fd eventfd = Fd.borrow(bench.own(WaitCalls.eventfd()))) {
            ErrnoException e = thrownBy(() -> pipe.source().spliceTo(eventfd, 7));
            assertThat(e)
                    .hasMessageContainingAll(
                            "EINVAL", "this kind of descriptor cannot be spliced", "use read and write");
        }
        assertContentIsStillThere();
    }

    @Test
    void anOffsetPastTheLargestFile() throws IOException {
        try (Fd file = Fd.open(Files.createFile(folder.resolve("file")), WRITE)) {
            ErrnoException e = thrownBy(() -> pipe.source().spliceTo(file, Long.MAX_VALUE - 1, 7));
            assertThat(e.name()).isIn("EINVAL", "EFBIG", "EOVERFLOW");
            assertThat(e).hasMessageContaining("at offset " + (Long.MAX_VALUE - 1));
        }
        assertContentIsStillThere();
    }

    @Test
    void aSealedMemoryFile() throws IOException {
        try (Workbench bench = new Workbench()) {
            int number = bench.memfd(100);
            Results.gives(0, Syscalls.fcntl(number, Linux.F_ADD_SEALS(), Linux.F_SEAL_WRITE()));
            try (Fd memory = Fd.borrow(number)) {
                ErrnoException e = thrownBy(() -> pipe.source().spliceTo(memory, 0, 7));
                assertThat(e)
                        .hasMessageContainingAll(
                                "EPERM", "/memfd:sluice", "sealed memfd", "the call itself is allowed here");
            }
        }
        assertContentIsStillThere();
    }

    @Test
    void aFullDevice() throws IOException {
        try (Fd full = Fd.open(Path.of("/dev/full"), WRITE)) {
            ErrnoException e = thrownBy(() -> pipe.source().spliceTo(full, 7));
            assertThat(e.name()).isIn("EINVAL", "ENOSPC");
            assertThat(e).hasMessageContaining("descriptor /dev/full");
        }
        assertContentIsStillThere();
    }

    @Test
    void aFileOfProcThatCannotBeSpliced() throws IOException {
        try (Fd none = Fd.open(Path.of("/proc/self/mem"))) {
            ErrnoException e = thrownBy(() -> pipe.sink().spliceFrom(none, 7));
            assertThat(e).hasMessageContainingAll("file /proc/self/mem → " + sink(), "EINVAL", "use read and write");
        }
        assertContentIsStillThere();
    }

    @ParameterizedTest
    @EnumSource(
            value = SystemCall.class,
            names = {"SPLICE", "TEE"})
    void aCallThatASandboxDenies(SystemCall call) throws Exception {
        try (Pipe other = Pipe.open()) {
            for (int errno : new int[] {Linux.EPERM(), Linux.ENOSYS()}) {
                ErrnoException e = Seccomp.refusing(
                        Map.of(call, errno),
                        () -> thrownBy(() -> {
                            if (call == SystemCall.SPLICE) {
                                pipe.source().trySpliceTo(other.sink(), 1);
                            } else {
                                pipe.source().tryTeeTo(other.sink(), 1);
                            }
                        }));
                assertThat(e.errno()).isEqualTo(errno);
                assertThat(e.cure().orElseThrow()).contains(call.name().toLowerCase(Locale.ROOT), "sandbox");
            }
        }
        assertContentIsStillThere();
    }
}
