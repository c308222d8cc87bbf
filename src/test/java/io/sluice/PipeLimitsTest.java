package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;
import static org.assertj.core.api.Assertions.catchThrowableOfType;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Pipe.Option;
import io.sluice.internal.FileCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.rlimit;
import io.sluice.testing.Libc;
import java.io.File;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.channels.DatagramChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What is said when a process or a user has had its share of descriptors or pages. */
class PipeLimitsTest {
    private static final int SOME = 20;
    private static final String NOBODY = "65534";

    @Test
    void withoutDescriptorsLeftAPipeSaysHowManyThereMayBe() throws Exception {
        ErrnoException e = whenNoDescriptorIsLeft(Pipe::open);
        assertThat(e.call()).isEqualTo("pipe2");
        assertThat(e.name()).isEqualTo("EMFILE");
        assertThat(e).hasMessageContaining("Too many open files");
        assertThat(e.cure().orElseThrow()).matches(".* \\d+ \\(ulimit -n\\): close some or raise the limit.*");
    }

    @ParameterizedTest
    @EnumSource(Option.class)
    void aPipeThatCouldNotBeOpenedLeavesNothingBehind(Option option) throws Exception {
        int before = OpenFiles.count();
        assertThat(whenNoDescriptorIsLeft(() -> Pipe.open(option))).hasMessageContainingAll("EMFILE", option.name());
        OpenFiles.assertAsManyAs(before);
    }

    @Test
    void withoutDescriptorsLeftNothingElseIsOpenedEither() throws Exception {
        try (DatagramChannel channel = DatagramChannel.open()) {
            Fd.of(channel).close();
            assertThat(whenNoDescriptorIsLeft(() -> Fd.of(channel)))
                    .hasMessageContainingAll("F_DUPFD_CLOEXEC", "EMFILE");
            assertThat(whenNoDescriptorIsLeft(() -> Fd.open(Path.of("/dev/null"))))
                    .hasMessageContainingAll("open(/dev/null)", "EMFILE");
        }
    }

    @Test
    void pastTheSoftLimitOfAUserPipesAreSmallAndCannotGrow() throws IOException, InterruptedException {
        assumeTrue(Files.isExecutable(Path.of("/usr/bin/setpriv")), "needs setpriv");
        String[] asNobody = {"setpriv", "--reuid=" + NOBODY, "--clear-groups"};
        Path marker = Path.of("target", "test-classes", "io", "sluice", "PipeLimitsTest.class");
        assumeTrue(
                Child.run(Child.command(asNobody, "test", "-r", marker.toString()))
                                .status()
                        == 0,
                "another user may not be assumed, or may not read the classes");
        Child child = Child.java(asNobody, List.of(), "io.sluice.PipeLimitsTest$TooManyPipes");
        assumeTrue(child.status() != TooManyPipes.NO_LIMIT, "there is no soft limit, or it is too far away");
        assertThat(child.status()).as(child.said()).isZero();
        assertThat(child.said().lines())
                .anyMatch(line -> line.contains("EPERM") && line.contains("/proc/sys/fs/pipe-user-pages-soft = "))
                .anyMatch(line -> line.matches("a new pipe has [12] slots"));
    }

    /** Runs as another user. */
    static final class TooManyPipes {
        static final int NO_LIMIT = 3;

        private static final int LARGE = 1 << 20;
        private static final int ENOUGH = 200;

        private TooManyPipes() {}

        public static void main(String[] args) throws IOException {
            List<Pipe> pipes = new ArrayList<>();
            try {
                while (pipes.size() < ENOUGH) {
                    pipes.add(Pipe.open());
                    pipes.getLast().capacity(LARGE);
                }
                System.exit(NO_LIMIT);
            } catch (ErrnoException e) {
                System.out.println(e.getMessage());
            }
            System.out.println("a new pipe has " + Pipe.open().slots() + " slots");
            for (Pipe pipe : pipes) {
                pipe.close();
            }
        }
    }

    /** What the call throws while this process may open no more; first with everything it needs, so that classes are loaded. */
    private static ErrnoException whenNoDescriptorIsLeft(Callable<? extends AutoCloseable> open) throws Exception {
        open.call().close();
        long limit = FileCalls.openFilesLimit();
        assertThat(catchThrowable(() -> Fd.borrow(-1))).isInstanceOf(ErrnoException.class);
        List<Fd> taken = new ArrayList<>();
        Fd first = Fd.open(Path.of("/dev/null"));
        taken.add(first);
        setLimit(highest() + SOME);
        try {
            ThrowingCallable takeAll = () -> {
                while (true) {
                    taken.add(Fd.open(Path.of("/dev/null")));
                }
            };
            assertThat(catchThrowable(takeAll)).isInstanceOf(ErrnoException.class);
            return catchThrowableOfType(ErrnoException.class, open::call);
        } finally {
            setLimit(limit);
            taken.forEach(Fd::close);
        }
    }

    private static int highest() {
        return Arrays.stream(new File("/proc/self/fd").list())
                .mapToInt(Integer::parseInt)
                .max()
                .orElseThrow();
    }

    private static void setLimit(long descriptors) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment limit = rlimit.allocate(arena);
            assertThat(Libc.prlimit(Linux.RLIMIT_NOFILE(), 0, limit.address())).isZero();
            rlimit.rlim_cur(limit, descriptors);
            assertThat(Libc.prlimit(Linux.RLIMIT_NOFILE(), limit.address(), 0)).isZero();
        }
    }
}
