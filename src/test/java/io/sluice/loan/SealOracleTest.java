package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.testing.Results.gives;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.Pipe;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Loopback;
import io.sluice.testing.Results;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/**
 * The kernel's own opinion of what the ledger says. A memfd can be sealed against writing only when nothing holds a page of it any more: no
 * mapping, no pipe, no socket. So a loan of such memory that is RELEASED can be sealed, and one whose bytes are under way cannot.
 */
@ExpectNoLeaks.OfMappings
class SealOracleTest {
    private static final int SIZE = 2 * PAGE;
    private static final long SEED = 20260604;
    private static final int WALKS = 24;
    private static final int STEPS = 40;

    /** What becomes of a loan in a pipe, and how its pages are freed in the end. */
    private interface Way {
        Cleanup go(Scene scene) throws Exception;
    }

    private interface Cleanup {
        void run() throws Exception;
    }

    private enum Held {
        BY_NOBODY,
        UNTIL_READ,
        /** A socket frees what was read when it comes to it, which may be late: then the kernel's opinion is one-sided. */
        UNTIL_READ_OR_LONGER
    }

    private record Row(String name, State state, Held held, Way way) {
        @Override
        public String toString() {
            return name + " → " + state + ", " + (held == Held.BY_NOBODY ? "free" : "held");
        }
    }

    @TestFactory
    Stream<DynamicTest> theKernelAgrees() {
        return Stream.of(
                        new Row(
                                "left in the pipe",
                                State.IN_PIPE,
                                Held.UNTIL_READ,
                                scene -> () -> scene.holds(0, SIZE)),
                        new Row("read", State.RELEASED, Held.BY_NOBODY, scene -> {
                            scene.holds(0, SIZE);
                            return () -> {};
                        }),
                        new Row("read but for one byte", State.IN_PIPE, Held.UNTIL_READ, scene -> {
                            scene.holds(0, SIZE - 1);
                            return () -> scene.holds(SIZE - 1, SIZE);
                        }),
                        new Row("spliced to /dev/null", State.RELEASED, Held.BY_NOBODY, scene -> {
                            spliceTo(scene, Path.of("/dev/null"));
                            return () -> {};
                        }),
                        new Row("spliced to a file of ext4", State.RELEASED, Held.BY_NOBODY, scene -> {
                            assumeTrue(typeOfTemporaryFolder().equals("ext4"), "needs a temporary folder on ext4");
                            spliceTo(scene, scene.bench.path(new byte[0]));
                            return () -> {};
                        }),
                        new Row("spliced to a file of tmpfs", State.RELEASED, Held.BY_NOBODY, scene -> {
                            assumeTrue(Files.isWritable(Path.of("/dev/shm")), "needs /dev/shm");
                            spliceTo(
                                    scene,
                                    Files.createFile(scene.bench
                                            .folder(Path.of("/dev/shm"))
                                            .resolve("file")));
                            return () -> {};
                        }),
                        new Row("tee'd, and the original read", State.FORWARDED, Held.UNTIL_READ, scene -> {
                            int copy = keepForLater(scene, true);
                            scene.holds(0, SIZE);
                            return () -> scene.bench.readFully(copy, SIZE);
                        }),
                        new Row("spliced to a second pipe", State.FORWARDED, Held.UNTIL_READ, scene -> {
                            int second = keepForLater(scene, false);
                            return () -> scene.bench.readFully(second, SIZE);
                        }),
                        new Row(
                                "spliced to TCP, unread",
                                State.FORWARDED,
                                Held.UNTIL_READ_OR_LONGER,
                                scene -> socket(scene, scene.bench.tcp())),
                        new Row(
                                "spliced to AF_UNIX, unread",
                                State.FORWARDED,
                                Held.UNTIL_READ_OR_LONGER,
                                scene -> socket(scene, scene.bench.unix(Linux.SOCK_STREAM()))),
                        new Row(
                                "spliced to UDP, unread",
                                State.FORWARDED,
                                Held.UNTIL_READ_OR_LONGER,
                                scene -> socket(scene, new Loopback(scene.bench).datagrams())),
                        new Row("in a pipe whose source was closed", State.FORWARDED, Held.UNTIL_READ, scene -> {
                            scene.pipe.source().close();
                            return scene.pipe::close;
                        }),
                        new Row("in a pipe that was closed", State.FORWARDED, Held.BY_NOBODY, scene -> {
                            scene.pipe.close();
                            return () -> {};
                        }),
                        new Row("read by a stranger", State.FORWARDED, Held.BY_NOBODY, scene -> {
                            scene.bench.readFully(scene.pipe.source().number(), SIZE);
                            return () -> {};
                        }),
                        new Row("spliced on by a stranger", State.FORWARDED, Held.UNTIL_READ, scene -> {
                            int number = scene.pipe.source().number();
                            var second = scene.bench.pipe();
                            gives(SIZE, Syscalls.splice(number, -1, second.sink(), -1, SIZE, 0));
                            return () -> scene.bench.readFully(second.source(), SIZE);
                        }),
                        new Row("read by a stranger as promised", State.RELEASED, Held.BY_NOBODY, scene -> {
                            scene.pipe.sink().promiseReadersCopy();
                            scene.bench.readFully(scene.pipe.source().number(), SIZE);
                            return () -> {};
                        }))
                .map(row -> DynamicTest.dynamicTest(row.toString(), () -> check(row)));
    }

    private static void check(Row row) throws Exception {
        assumeMemfds();
        try (Scene scene = new Scene()) {
            Witness witness = new Witness(scene, SIZE);
            Cleanup cleanup = row.way.go(scene);
            assertThat(witness.loan.state()).isEqualTo(row.state);
            assertThat(witness.isFree()).isEqualTo(row.held == Held.BY_NOBODY);
            cleanup.run();
            if (row.held != Held.UNTIL_READ_OR_LONGER) {
                Await.until(witness::isFree, "a memfd that can be sealed after all");
            }
        }
    }

    /** A loan that was forwarded and reclaimed has another memfd, which nobody holds. */
    @Test
    void whatReclaimGivesIsHeldByNobody() throws IOException {
        assumeMemfds();
        try (Scene scene = new Scene();
                Pipe second = Pipe.open()) {
            int fresh;
            try (PageArena arena = PageArena.open(PageArena.Option.MEMFD)) {
                MemorySegment pages = Scene.filled(arena, SIZE);
                long before = inode(memfdOf(pages.address()));
                Loan loan = arena.lend(pages, scene.pipe.sink());
                assertThat(scene.pipe.source().spliceTo(second.sink(), SIZE)).isEqualTo(SIZE);
                int memfd = memfdOf(loan.reclaim().address());
                assertThat(inode(memfd)).isNotEqualTo(before);
                fresh = scene.bench.own(Syscalls.fcntl(memfd, Linux.F_DUPFD_CLOEXEC(), 0));
            }
            gives(0, seal(fresh));
            Scene.holds(second.source(), 0, SIZE);
        }
    }

    /** Loans in random sizes leave the pipe in random pieces in every way; whatever is said to be released is free. */
    @Test
    void whateverIsReleasedIsFree() throws Exception {
        assumeMemfds();
        int released = 0;
        int held = 0;
        for (int walk = 0; walk < WALKS; walk++) {
            Random random = new Random(SEED + walk);
            try (Scene scene = new Scene();
                    Pipe second = Pipe.open();
                    Fd nowhere = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE)) {
                List<Witness> witnesses = new ArrayList<>();
                for (int step = 0; step < STEPS; step++) {
                    step(scene, second, nowhere, random, witnesses);
                }
                boolean lookedAtHeld = false;
                for (Witness witness : witnesses) {
                    State state = witness.loan.state();
                    if (state == State.RELEASED) {
                        assertThat(witness.isFree())
                                .as("walk %d: %s", walk, witness.loan)
                                .isTrue();
                        released++;
                    } else if (state == State.IN_PIPE && !lookedAtHeld && walk % 4 == 0) {
                        assertThat(witness.isFree())
                                .as("walk %d: %s", walk, witness.loan)
                                .isFalse();
                        lookedAtHeld = true;
                        held++;
                    }
                    witness.close();
                }
            }
        }
        assertThat(released).as("loans released").isGreaterThan(2 * WALKS);
        assertThat(held).as("loans held").isPositive();
    }

    private static void step(Scene scene, Pipe second, Fd nowhere, Random random, List<Witness> witnesses)
            throws Exception {
        int max = 1 + random.nextInt(3 * PAGE);
        MemorySegment into = MemorySegment.ofArray(new byte[3 * PAGE]).asSlice(0, max);
        switch (random.nextInt(12)) {
            case 0, 1, 2 -> {
                if (scene.pipe.available() < 8 * PAGE && witnesses.size() < 12) {
                    witnesses.add(new Witness(scene, (1 + random.nextInt(3)) * PAGE));
                }
            }
            case 3 -> scene.pipe.sink().tryWrite(into.asSlice(0, Math.min(max, 100)));
            case 4 -> scene.pipe.source().tryTeeTo(second.sink(), max);
            case 5 -> scene.pipe.source().trySpliceTo(second.sink(), max);
            case 6 -> second.source().tryRead(into);
            case 7, 8 -> scene.pipe.source().trySpliceTo(nowhere, max);
            default -> scene.pipe.source().tryRead(into);
        }
    }

    /** A loan of memory behind a memfd, alone in its arena. */
    private static final class Witness implements AutoCloseable {
        final Loan loan;
        private final PageArena arena;
        private final int memfd;
        private boolean unmapped;

        Witness(Scene scene, int size) throws IOException {
            arena = PageArena.open(PageArena.Option.MEMFD);
            MemorySegment pages = Scene.filled(arena, size);
            memfd = scene.bench.own(Syscalls.fcntl(memfdOf(pages.address()), Linux.F_DUPFD_CLOEXEC(), 0));
            loan = arena.lend(pages, scene.pipe.sink());
        }

        @Override
        public void close() {
            if (!unmapped) {
                arena.close();
                unmapped = true;
            }
        }

        /** Whether the kernel says that nobody holds a page of it; its mapping has to go first. */
        boolean isFree() {
            close();
            long result = seal(memfd);
            assertThat(result).as(() -> Results.shown(result)).isIn(0L, (long) -Linux.EBUSY());
            return result == 0;
        }
    }

    private static long seal(int memfd) {
        return Syscalls.fcntl(memfd, Linux.F_ADD_SEALS(), Linux.F_SEAL_WRITE());
    }

    private static void assumeMemfds() {
        Scene.assumePagesAreReferenced();
        assumeTrue(Kernel.observed().memfd().isUsable(), "needs memfd_create");
    }

    /** The library's descriptor of the memfd that is mapped at an address: the one with the same inode. */
    private static int memfdOf(long address) throws IOException {
        String mapping = Files.readAllLines(Path.of("/proc/self/maps")).stream()
                .filter(line -> {
                    String[] range = line.split("[- ]", 3);
                    return Long.parseUnsignedLong(range[0], 16) <= address
                            && address < Long.parseUnsignedLong(range[1], 16);
                })
                .findFirst()
                .orElseThrow();
        long inode = Long.parseLong(mapping.split(" +")[4]);
        try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
            for (Path descriptor : open.toList()) {
                int number = Integer.parseInt(descriptor.getFileName().toString());
                if (inode(number) == inode
                        && Files.readSymbolicLink(descriptor).toString().startsWith("/memfd:")) {
                    return number;
                }
            }
        }
        throw new AssertionError("no descriptor for " + mapping);
    }

    private static long inode(long descriptor) throws IOException {
        Path path = Path.of("/proc/self/fd/" + descriptor);
        return Files.exists(path) ? (long) Files.getAttribute(path, "unix:ino") : -1;
    }

    private static String typeOfTemporaryFolder() throws IOException {
        return Files.getFileStore(Path.of(System.getProperty("java.io.tmpdir"))).type();
    }

    private static void spliceTo(Scene scene, Path path) throws IOException {
        try (Fd file = Fd.open(path, StandardOpenOption.WRITE)) {
            scene.spliceTo(file, SIZE);
        }
    }

    /** Passes the loan on to a second pipe, and returns the descriptor where it can be read. */
    private static int keepForLater(Scene scene, boolean tee) throws IOException {
        try (Pipe second = Pipe.open()) {
            long n = tee
                    ? scene.pipe.source().teeTo(second.sink(), SIZE)
                    : scene.pipe.source().spliceTo(second.sink(), SIZE);
            assertThat(n).isEqualTo(SIZE);
            return scene.bench.own(Syscalls.fcntl(second.source().number(), Linux.F_DUPFD_CLOEXEC(), 0));
        }
    }

    private static Cleanup socket(Scene scene, Sockets sockets) throws IOException {
        try (Fd near = Fd.borrow(sockets.near())) {
            scene.spliceTo(near, SIZE);
        }
        return () -> {
            scene.bench.readFully(sockets.far(), SIZE);
            scene.bench.close(sockets.near());
            scene.bench.close(sockets.far());
        };
    }
}
