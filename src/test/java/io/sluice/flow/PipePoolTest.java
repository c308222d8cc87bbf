package io.sluice.flow;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Pipe;
import io.sluice.testing.Helper;
import java.io.File;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/** Pipes that wait for their next user: which are kept, how many, and how large. */
class PipePoolTest {
    private static final int CAPACITY = 1 << 17;

    @Test
    void aPipeComesBackToTheNextUser() throws IOException {
        try (PipePool pool = PipePool.of(2, CAPACITY)) {
            Pipe pipe = pool.take();
            assertThat(pipe.capacity()).isEqualTo(CAPACITY);
            pool.giveBack(pipe);
            assertThat(pool.idle()).isEqualTo(1);
            assertThat(pool.take()).isSameAs(pipe);
            assertThat(pool.idle()).isZero();
            pipe.close();
        }
    }

    @Test
    @DisplayName("lesson 6: a pipe with bytes in it never comes back, though it was told to be empty")
    void lesson6ADirtyPipeIsClosed() throws IOException {
        try (PipePool pool = PipePool.of(2, CAPACITY)) {
            Pipe pipe = pool.take();
            pipe.sink().tryWrite(ByteBuffer.wrap(new byte[] {1}));
            pool.giveBack(pipe);
            assertThat(pipe.isOpen()).isFalse();
            assertThat(pool.idle()).isZero();
        }
    }

    @Test
    void aPipeThatIsHalfClosedIsClosed() throws IOException {
        try (PipePool pool = PipePool.of(2, CAPACITY)) {
            Pipe withoutSink = pool.take();
            withoutSink.sink().close();
            Pipe withoutSource = pool.take();
            withoutSource.source().close();
            pool.giveBack(withoutSink);
            pool.giveBack(withoutSource);
            assertThat(pool.idle()).isZero();
            assertThat(withoutSink.isOpen() || withoutSource.isOpen()).isFalse();
        }
    }

    @Test
    void aPipeOfWhichSomebodyElseMayHaveAnEndIsClosed() throws IOException {
        try (PipePool pool = PipePool.of(4, CAPACITY)) {
            Pipe known = pool.take();
            known.sink().number();
            Pipe read = pool.take();
            read.source().redirect();
            Pipe written = pool.take();
            written.sink().redirect();
            for (Pipe pipe : List.of(known, read, written)) {
                pool.giveBack(pipe);
                assertThat(pipe.isOpen()).isFalse();
            }
            assertThat(pool.idle()).isZero();
        }
    }

    @Test
    void noMorePipesWaitThanThereArePlaces() throws IOException {
        try (PipePool pool = PipePool.of(3, CAPACITY)) {
            List<Pipe> pipes = new ArrayList<>();
            for (int i = 0; i < 5; i++) {
                pipes.add(pool.take());
            }
            for (Pipe pipe : pipes) {
                pool.giveBack(pipe);
            }
            assertThat(pool.idle()).isEqualTo(3);
            assertThat(pipes.stream().filter(Pipe::isOpen)).hasSize(3);
        }
    }

    @Test
    void aPipeGivenBackTwiceIsRefused() throws IOException {
        try (PipePool pool = PipePool.of(2, CAPACITY)) {
            Pipe pipe = pool.take();
            pool.giveBack(pipe);
            assertThatIllegalStateException()
                    .isThrownBy(() -> pool.giveBack(pipe))
                    .withMessageContaining("twice");
            assertThat(pool.idle()).isEqualTo(1);
        }
    }

    @Test
    void aClosedPoolClosesWhatItHasAndWhatComesBack() throws IOException {
        PipePool pool = PipePool.of(2, CAPACITY);
        Pipe idle = pool.take();
        Pipe inUse = pool.take();
        pool.giveBack(idle);
        pool.close();
        assertThat(idle.isOpen()).isFalse();
        assertThat(inUse.isOpen()).isTrue();
        pool.giveBack(inUse);
        assertThat(inUse.isOpen()).isFalse();
        assertThat(pool.idle()).isZero();
        Pipe late = pool.take();
        pool.giveBack(late);
        assertThat(late.isOpen()).isFalse();
    }

    @Test
    void aPoolOfNothingIsRefused() {
        assertThatIllegalArgumentException().isThrownBy(() -> PipePool.of(0, CAPACITY));
        assertThatIllegalArgumentException().isThrownBy(() -> PipePool.of(1, 0));
    }

    @Test
    void noTwoThreadsHaveTheSamePipe() throws Exception {
        Set<Pipe> inUse = Collections.synchronizedSet(Collections.newSetFromMap(new IdentityHashMap<>()));
        try (PipePool pool = PipePool.of(4, CAPACITY);
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Void>> users = new ArrayList<>();
            for (int i = 0; i < 64; i++) {
                users.add(threads.submit(() -> {
                    for (int round = 0; round < 50; round++) {
                        Pipe pipe = pool.take();
                        assertThat(inUse.add(pipe)).isTrue();
                        Thread.yield();
                        assertThat(pipe.available()).isZero();
                        inUse.remove(pipe);
                        pool.giveBack(pipe);
                    }
                    return null;
                }));
            }
            for (Future<Void> user : users) {
                user.get();
            }
            assertThat(pool.idle()).isBetween(1, 4);
        }
    }

    @Test
    @DisplayName("lesson 14: past the user's share of pages a pipe is as large as is granted, and not kept")
    void lesson14PastTheSoftLimitPipesAreHalved() throws Exception {
        assumeTrue(Helper.exists("setpriv"), "needs setpriv");
        String[] asNobody = {"setpriv", "--reuid=65534", "--clear-groups"};
        Path classes = Path.of("target", "test-classes", "io", "sluice", "flow", "PipePoolTest.class");
        assumeTrue(
                run(asNobody, "test", "-r", classes.toString()).isEmpty(),
                "another user may not be assumed, or may not read the classes");
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        String said = run(
                asNobody,
                java,
                "-XX:TieredStopAtLevel=1",
                "--enable-native-access=ALL-UNNAMED",
                "-cp",
                "target/classes" + File.pathSeparator + "target/test-classes",
                "io.sluice.flow.PipePoolTest$Greedy");
        assumeTrue(!said.contains("no limit"), "there is no soft limit, or it is too far away");
        assertThat(said.lines()).contains("halved true", "smallest true", "kept 0", "full again true");
    }

    private static String run(String[] prefix, String... command) throws IOException, InterruptedException {
        List<String> whole = new ArrayList<>(List.of(prefix));
        whole.addAll(List.of(command));
        Process process = new ProcessBuilder(whole).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes());
        return process.waitFor() == 0 || !said.isEmpty() ? said.strip() : "status";
    }

    /** Runs as another user, and opens pipes until they become small. */
    static final class Greedy {
        private static final long WANTED = 768 << 10;
        private static final int ENOUGH = 300;

        private Greedy() {}

        public static void main(String[] args) throws IOException {
            List<Pipe> taken = new ArrayList<>();
            Set<Long> sizes = new java.util.TreeSet<>();
            // So that the share is not a multiple of what is wanted.
            try (Pipe small = Pipe.open();
                    PipePool pool = PipePool.of(ENOUGH, WANTED)) {
                if (small.slots() < 16) {
                    System.out.println("no limit to be reached: it is passed already");
                    return;
                }
                while (taken.size() < ENOUGH && !sizes.contains(8192L)) {
                    Pipe pipe = pool.take();
                    taken.add(pipe);
                    sizes.add(pipe.capacity());
                }
                if (!sizes.contains(8192L)) {
                    System.out.println("no limit " + Files.readString(Path.of("/proc/sys/fs/pipe-user-pages-soft")));
                    return;
                }
                System.out.println("halved " + sizes.stream().anyMatch(size -> size > 8192 && size < WANTED));
                System.out.println("smallest " + (taken.getLast().capacity() == 8192));
                pool.giveBack(taken.removeLast());
                System.out.println("kept " + pool.idle());
                for (Pipe pipe : taken) {
                    pipe.close();
                }
                Pipe pipe = pool.take();
                System.out.println("full again " + (pipe.capacity() >= WANTED));
                pool.giveBack(pipe);
            }
        }
    }
}
