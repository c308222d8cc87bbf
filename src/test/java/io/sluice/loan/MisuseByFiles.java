package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.internal.Arch;
import io.sluice.testing.Libc;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Using memory again after it was spliced to a file or a device. */
final class MisuseByFiles {
    private static final int SIZE = 3 * PAGE;
    private static final int CLONE_NEWUTS = 0x4000000;
    private static final int CLONE_NEWNS = 0x20000;
    private static final int MS_REC = 0x4000;
    private static final int MS_PRIVATE = 1 << 18;
    private static final int MOUNT = Arch.current() == Arch.X86_64 ? 165 : 40;

    @Misuse(
            value = "reuse after splice to a file of tmpfs",
            outcome = "the same pages again; the file holds the original")
    void tmpfs(Scene scene) throws IOException {
        Path memory = Path.of("/dev/shm");
        assumeTrue(Files.isWritable(memory), "needs /dev/shm");
        copiedTo(scene, scene.bench.folder(memory).resolve("file"), "tmpfs");
    }

    @Misuse(
            value = "reuse after splice to a file of ext4",
            outcome = "the same pages again; the file holds the original")
    void ext4(Scene scene) throws IOException {
        copiedTo(scene, scene.bench.folder().resolve("file"), "ext4");
    }

    @Misuse(
            value = "reuse after splice to a place in a file",
            outcome = "the same pages again; the file holds the original there")
    void fileOffset(Scene scene) throws IOException {
        Path path = scene.bench.path(new byte[PAGE]);
        assumeTrue(Files.getFileStore(path).type().matches("ext4|tmpfs"), "needs a temporary folder on ext4 or tmpfs");
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        try (Fd file = Fd.open(path, StandardOpenOption.WRITE)) {
            assertThat(scene.pipe.source().spliceTo(file, 100, SIZE)).isEqualTo(SIZE);
        }
        scene.isReleased(loan, pages);
        byte[] content = Files.readAllBytes(path);
        assertThat(content).hasSize(SIZE + 100);
        Scene.isOriginal(Arrays.copyOfRange(content, 100, content.length), 0, SIZE);
    }

    @Misuse(value = "reuse after splice to /dev/null", outcome = "the same pages again")
    void nullDevice(Scene scene) throws IOException {
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        try (Fd nowhere = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
            scene.spliceTo(nowhere, SIZE);
        }
        scene.isReleased(loan, pages);
    }

    @Misuse(value = "reuse after splice to another device", outcome = "fresh pages: nothing is known of what it keeps")
    void otherDevice(Scene scene) throws IOException {
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        try (Fd device = Fd.open(Path.of("/dev/zero"), StandardOpenOption.WRITE)) {
            scene.spliceTo(device, SIZE);
        }
        scene.isForwarded(loan, pages);
    }

    @Misuse(
            value = "reuse after splice to a file of ramfs",
            outcome = "fresh pages, as on every file system but two; the file holds the original")
    void ramfs(Scene scene) throws Exception {
        MemorySegment pages = scene.filled(SIZE);
        try (Fd file = onRamfs(scene.bench.folder().resolve("mounted"))) {
            Loan loan = scene.lend(pages);
            scene.spliceTo(file, SIZE);
            scene.isForwarded(loan, pages);
            Scene.isOriginal(scene.bench.contentOf(file.number(), SIZE), 0, SIZE);
        }
    }

    @Misuse(
            value = "reuse after splice to a file of procfs",
            outcome = "fresh pages; the kernel has taken the original")
    void procfs(Scene scene) throws Exception {
        Path path = Path.of("/proc/sys/kernel/domainname");
        byte[] name = "lent.example".getBytes(StandardCharsets.US_ASCII);
        MemorySegment page = scene.arena.allocate(PAGE);
        MemorySegment.copy(name, 0, page, JAVA_BYTE, 0, name.length);
        Loan loan = scene.lend(page.asSlice(0, name.length));
        String taken = onAThread(() -> {
            assumeTrue(Libc.unshare(CLONE_NEWUTS) == 0, "needs a user who may have a domain name of his own");
            try (Fd file = Fd.open(path, StandardOpenOption.WRITE)) {
                scene.spliceTo(file, name.length);
            }
            return Files.readString(path);
        });
        scene.isForwarded(loan, page);
        assertThat(taken).isEqualTo("lent.example\n");
    }

    private static void copiedTo(Scene scene, Path path, String fileSystem) throws IOException {
        Files.createFile(path);
        assumeTrue(
                Files.getFileStore(path).type().equals(fileSystem), "needs " + path.getParent() + " on " + fileSystem);
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        try (Fd file = Fd.open(path, StandardOpenOption.WRITE)) {
            scene.spliceTo(file, SIZE);
        }
        scene.isReleased(loan, pages);
        assertThat(path).hasBinaryContent(bytes(SIZE));
    }

    /** A file of a file system that only a thread of its own ever saw. */
    private static Fd onRamfs(Path folder) throws Exception {
        Files.createDirectory(folder);
        return onAThread(() -> {
            assumeTrue(Libc.unshare(CLONE_NEWNS) == 0, "needs a user who may mount");
            assumeTrue(mount("none", "/", MS_REC | MS_PRIVATE) == 0, "needs a user who may mount");
            assumeTrue(mount("ramfs", folder.toString(), 0) == 0, "needs a user who may mount ramfs");
            return Fd.open(
                    folder.resolve("file"),
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE,
                    StandardOpenOption.CREATE);
        });
    }

    private static <T> T onAThread(Callable<T> body) throws Exception {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().start(task);
        try {
            return task.get();
        } catch (ExecutionException e) {
            throw e.getCause() instanceof RuntimeException unchecked ? unchecked : e;
        }
    }

    private static long mount(String type, String target, long flags) {
        try (Arena arena = Arena.ofConfined()) {
            long name = arena.allocateFrom(type).address();
            return Libc.syscall(MOUNT, name, arena.allocateFrom(target).address(), name, flags, 0);
        }
    }
}
