package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Arch;
import io.sluice.internal.FileCalls;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;

/** Pages on their way into files, which keep a copy, and out of them, which stay the file's. */
final class FileLifetimeConformance extends Family {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");

    /** A file of one page of A, by path and by descriptor. */
    private record Page(Path path, int fd) {}

    /** Something that happens to a file between splice and read. */
    private interface Change {
        void happenTo(Page file) throws IOException;
    }

    @Row("lf_file")
    void filesKeepTheOriginal(Workbench bench) {
        assumePagesAreReferenced();
        List<Integer> targets = new ArrayList<>();
        targets.add(bench.file(bytes(0)));
        targets.add(bench.open(bench.folder(SHARED_MEMORY).resolve("file"), O_RDWR() | O_CREAT()));
        targets.add(bench.memfd(0));
        String direct = bench.folder().resolve("file").toString();
        int fd = FileCalls.open(direct, O_RDWR() | O_CREAT() | Arch.current().oDirect | O_CLOEXEC(), 0600);
        if (fd != -EINVAL()) {
            targets.add(bench.own(fd));
        }
        for (int target : targets) {
            for (int gift : new int[] {NONE, SPLICE_F_GIFT()}) {
                for (int move : new int[] {NONE, SPLICE_F_MOVE()}) {
                    keepsTheOriginal(bench, target, gift, move);
                }
            }
        }
    }

    @Row("lf_filemod")
    void storesToAFileAreSeenInThePipe(Workbench bench) throws IOException {
        for (Path parent : List.of(Path.of(System.getProperty("java.io.tmpdir")), SHARED_MEMORY)) {
            assertThat(seenAfter(bench, parent, file -> overwrite(bench, file.fd())))
                    .containsOnly('B');
            assertThat(seenAfter(
                            bench,
                            parent,
                            file -> bench.map(PAGE, MAP_SHARED(), file.fd()).fill((byte) 'B')))
                    .containsOnly('B');
            assertThat(seenAfter(bench, parent, file -> gives(0, Libc.ftruncate(file.fd(), 0))))
                    .containsOnly('A');
            assertThat(seenAfter(bench, parent, file -> Files.delete(file.path())))
                    .containsOnly('A');
            assertThat(seenAfter(bench, parent, FileLifetimeConformance::replace))
                    .containsOnly('A');
            assertThat(seenAfter(bench, parent, file -> gives(0, Libc.ftruncate(file.fd(), 100))))
                    .isEqualTo(zeroFrom(100));
        }
    }

    @Row("lf_sendfile")
    void storesToAFileAreSeenByThePeer(Workbench bench) throws Exception {
        int file = bench.file(filled(PAGE, 'A'));
        Sockets tcp = bench.tcp();
        gives(PAGE, Libc.sendfile(tcp.near(), file, 0, PAGE));
        awaitAcknowledged(tcp.near());
        overwrite(bench, file);
        assertThat(bench.readFully(tcp.far(), PAGE)).hasSize(PAGE).containsOnly('B');
    }

    @Row("lf_reopen")
    void pipeWithoutReaderCanBeReopened(Workbench bench) {
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        bench.close(pipe.source());
        int reopened = bench.open(Path.of("/proc/self/fd/" + pipe.sink()), O_RDONLY());
        assertThat(bench.read(reopened, PAGE)).isEqualTo(bytes(PAGE));
    }

    private static void keepsTheOriginal(Workbench bench, int target, int gift, int move) {
        Ends pipe = bench.pipe();
        gives(0, Libc.ftruncate(target, 0));
        gives(0, Libc.lseek(target, 0, 0));
        MemorySegment page = bench.pages(PAGE, 'A');
        gives(PAGE, vmsplice(pipe.sink(), page, gift));
        gives(PAGE, splice(pipe.source(), target, PAGE, move));
        page.fill((byte) 'B');
        MemorySegment content = bench.map(PAGE);
        gives(PAGE, Libc.pread(target, content, PAGE, 0));
        assertThat(bytesOf(content)).containsOnly('A');
    }

    private static byte[] seenAfter(Workbench bench, Path parent, Change change) throws IOException {
        Path path = Files.write(bench.folder(parent).resolve("file"), filled(PAGE, 'A'));
        int fd = bench.open(path, O_RDWR());
        Ends pipe = bench.pipe();
        gives(PAGE, splice(fd, pipe.sink(), PAGE, NONE));
        change.happenTo(new Page(path, fd));
        byte[] seen = bench.read(pipe.source(), PAGE);
        assertThat(seen).hasSize(PAGE);
        return seen;
    }

    private static void replace(Page file) throws IOException {
        Path other = Files.write(file.path().resolveSibling("other"), filled(PAGE, 'B'));
        Files.move(other, file.path(), StandardCopyOption.REPLACE_EXISTING);
    }
}
