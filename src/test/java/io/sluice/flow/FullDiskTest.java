package io.sluice.flow;

import static io.sluice.flow.Bytes.bytes;
import static java.nio.file.StandardOpenOption.CREATE;
import static java.nio.file.StandardOpenOption.WRITE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.testing.Helper;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Jobs whose files are on a file system that fills up: what is said, and that every byte is somewhere. */
class FullDiskTest {
    private static final String SIZE = "256k";
    private static final int LENGTH = 200_000;
    private static final int BALLAST = 128 << 10;

    /** What the script ends with where it may not mount. */
    private static final int NOT_MOUNTED = 77;

    @TempDir
    private Path folder;

    @Test
    void whatDoesNotFitIsSaidAndAccountedFor() throws Exception {
        assumeTrue(Helper.exists("unshare") && Helper.exists("mount"), "needs unshare and mount");
        String script = "mount -t tmpfs -o size=" + SIZE + " none \"$0\" || exit " + NOT_MOUNTED + "; exec \"$@\"";
        List<String> command =
                new ArrayList<>(List.of("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script));
        command.addAll(List.of(
                folder.toString(),
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                "target/classes:target/test-classes",
                Program.class.getName(),
                folder.toString()));
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes());
        assumeTrue(
                process.waitFor() != NOT_MOUNTED && !said.startsWith("unshare:"), "needs a tmpfs of its own: " + said);
        assertThat(said.lines())
                .as(said)
                .containsExactly(
                        "gather: ENOSPC in part 1, counted true, whole when there is room true",
                        "primary: ENOSPC, counted true, whole true",
                        "branch: FAILED by ENOSPC, counted true, primary whole true",
                        "spill: FAILED, named true, primary whole true");
    }

    /** Runs where its folder is a small file system that has little room left. */
    static final class Program {
        private final Path disk;
        private final Path outside;
        private final byte[] content = bytes(LENGTH);
        private final Path source;
        private final PipePool pool = PipePool.of(4, 16 << 10);

        private Program(Path disk, Path outside) throws IOException {
            this.disk = disk;
            this.outside = outside;
            this.source = Files.write(outside.resolve("source"), content);
            Files.write(disk.resolve("ballast"), new byte[BALLAST]);
        }

        public static void main(String[] args) throws Exception {
            Path outside = Files.createTempDirectory(Path.of("/dev/shm"), "sluice");
            try {
                Program program = new Program(Path.of(args[0]), outside);
                program.gather();
                program.primary();
                program.branch();
                program.spill();
            } finally {
                try (var files = Files.list(outside)) {
                    for (Path file : files.toList()) {
                        Files.delete(file);
                    }
                }
                Files.delete(outside);
            }
        }

        private void gather() throws IOException {
            Path target = disk.resolve("target");
            byte[] head = bytes(100);
            try (Fd out = Fd.open(target, CREATE, WRITE);
                    Gather gather =
                            Gather.to(out, pool).bytes(head).file(source).bytes(head)) {
                try {
                    gather.run();
                    System.out.println("it fits");
                } catch (GatherException e) {
                    boolean counted = Files.size(target) == e.delivered() && e.delivered() == gather.delivered();
                    System.out.print(
                            "gather: " + errno(e.getCause()) + " in part " + e.part() + ", counted " + counted);
                }
                Files.delete(disk.resolve("ballast"));
                gather.run();
            }
            System.out.println(", whole when there is room "
                    + Arrays.equals(Files.readAllBytes(target), joined(head, content, head)));
            Files.delete(target);
            Files.write(disk.resolve("ballast"), new byte[BALLAST]);
        }

        private void primary() throws IOException {
            Path target = disk.resolve("target");
            try (Fd in = Fd.open(source);
                    Fd out = Fd.open(target, CREATE, WRITE);
                    Fanout fanout = Fanout.from(in, pool).to(out)) {
                try {
                    fanout.run();
                    System.out.println("it fits");
                } catch (FanoutException e) {
                    byte[] written = Files.readAllBytes(target);
                    byte[] rest = Bytes.all(fanout.remainder());
                    boolean counted = written.length == e.delivered() && rest.length == e.undelivered();
                    Path left = outside.resolve("left");
                    try (Fd to = Fd.open(left, CREATE, WRITE)) {
                        Transfer.from(in).to(to).run();
                    }
                    byte[] whole = joined(written, rest, Files.readAllBytes(left));
                    System.out.println("primary: " + errno(e.getCause()) + ", counted " + counted + ", whole "
                            + (written.length > 0 && Arrays.equals(whole, content)));
                }
            }
            Files.delete(target);
        }

        private void branch() throws Exception {
            Path copy = disk.resolve("copy");
            Path target = outside.resolve("primary");
            try (Fd in = Fd.open(source);
                    Fd out = Fd.open(target, CREATE, WRITE);
                    Fd small = Fd.open(copy, CREATE, WRITE);
                    Fanout fanout = Fanout.from(in, pool).to(out)) {
                Branch branch = fanout.add(small, WhenSlow.waitForIt());
                fanout.run();
                Branch.State state = branch.await();
                byte[] written = Files.readAllBytes(copy);
                boolean counted = branch.delivered() == written.length
                        && written.length > 0
                        && branch.behind() > 0
                        && Arrays.equals(written, Arrays.copyOf(content, written.length));
                System.out.println("branch: " + state + " by "
                        + errno(branch.failure().orElseThrow()) + ", counted " + counted + ", primary whole "
                        + Arrays.equals(Files.readAllBytes(target), content));
            }
            Files.delete(copy);
        }

        private void spill() throws Exception {
            Path target = outside.resolve("primary");
            try (Fd in = Fd.open(source);
                    Fd out = Fd.open(target, CREATE, WRITE);
                    Pipe stuck = Pipe.open();
                    Fanout fanout = Fanout.from(in, pool).to(out)) {
                stuck.capacity(4096);
                Branch branch = fanout.add(stuck.sink(), WhenSlow.spillAfter(Duration.ZERO, disk, Long.MAX_VALUE));
                fanout.run();
                Branch.State state = branch.await();
                String why = branch.failure().orElseThrow().getMessage();
                boolean named =
                        why.startsWith("write(spill file in " + disk) && why.contains("No space left on device");
                System.out.println("spill: " + state + ", named " + named + ", primary whole "
                        + Arrays.equals(Files.readAllBytes(target), content));
            }
        }

        private static String errno(Throwable failure) {
            return failure instanceof ErrnoException e ? e.name() : failure.toString();
        }

        private static byte[] joined(byte[]... parts) {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            for (byte[] part : parts) {
                all.writeBytes(part);
            }
            return all.toByteArray();
        }
    }
}
