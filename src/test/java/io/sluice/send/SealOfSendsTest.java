package io.sluice.send;

import static io.sluice.send.Scene.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Kernel;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan;
import io.sluice.loan.Loan.Method;
import io.sluice.loan.Loan.State;
import io.sluice.loan.PageArena;
import io.sluice.testing.Await;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Results;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.Parameter;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * The kernel's own opinion of what a sender says: a memfd can be sealed against writing only when nothing holds a page of it. The notification
 * is given a moment before the last page is let go of, so what is released can be sealed at once or very soon, and without the peer's doing.
 */
@ExpectNoLeaks.OfMappings
@ParameterizedClass(name = "{0}")
@EnumSource(names = {"MSG_ZEROCOPY", "SEND_ZC"})
class SealOfSendsTest {
    @Parameter
    private Method method;

    private static final int SIZE = 2 * PAGE;

    @Test
    void whatCannotArriveIsHeldAndSaidToBeOut() throws Exception {
        try (Scene scene = scene()) {
            scene.holdUp();
            Witness witness = new Witness(scene);
            assertThat(witness.loan.state()).isEqualTo(State.IN_PIPE);
            assertThat(witness.isFree()).isFalse();
            scene.letGo();
            scene.peerReads(SIZE);
            assertThat(witness.loan.await()).isEqualTo(State.RELEASED);
            Await.until(witness::isFree, "a memfd that can be sealed");
        }
    }

    @Test
    void whatIsReleasedIsFreeThoughThePeerHasNotRead() throws Exception {
        try (Scene scene = scene()) {
            Witness witness = new Witness(scene);
            assertThat(witness.loan.await()).isEqualTo(State.RELEASED);
            Await.until(witness::isFree, "a memfd that can be sealed");
            scene.peerReads(SIZE);
        }
    }

    @Test
    void whatIsRetiredMayBeHeld() throws Exception {
        try (Scene scene = scene()) {
            scene.holdUp();
            Witness witness = new Witness(scene);
            scene.sender.close();
            assertThat(witness.loan.state()).isEqualTo(State.FORWARDED);
            assertThat(witness.isFree()).isFalse();
        }
    }

    @Test
    void whatAResetConnectionHadIsReleasedAndFree() throws Exception {
        try (Scene scene = scene()) {
            scene.holdUp();
            Witness witness = new Witness(scene);
            assertThat(witness.isFree()).isFalse();
            scene.peerResets();
            assertThat(witness.loan.await()).isEqualTo(State.RELEASED);
            Await.until(witness::isFree, "a memfd that can be sealed");
        }
    }

    private Scene scene() throws IOException {
        assumeTrue(Kernel.observed().memfd().isUsable(), "needs memfd_create");
        return new Scene(method);
    }

    /** A loan of memory behind a memfd, whose arena is closed at once: only the kernel can hold its pages. */
    private static final class Witness {
        final Loan loan;
        private final int memfd;

        Witness(Scene scene) throws IOException {
            Set<Path> before = memfds();
            try (PageArena arena = PageArena.open(PageArena.Option.MEMFD)) {
                MemorySegment pages = arena.allocate(SIZE);
                pages.copyFrom(MemorySegment.ofArray(Workbench.bytes(SIZE)));
                Set<Path> after = memfds();
                after.removeAll(before);
                assertThat(after).hasSize(1);
                int number =
                        Integer.parseInt(after.iterator().next().getFileName().toString());
                memfd = scene.bench.own(Syscalls.fcntl(number, Linux.F_DUPFD_CLOEXEC(), 0));
                loan = arena.lend(pages, scene.sender);
            }
        }

        boolean isFree() {
            long result = Syscalls.fcntl(memfd, Linux.F_ADD_SEALS(), Linux.F_SEAL_WRITE());
            assertThat(result).as(() -> Results.shown(result)).isIn(0L, (long) -Linux.EBUSY());
            return result == 0;
        }

        private static Set<Path> memfds() throws IOException {
            Set<Path> found = new HashSet<>();
            try (Stream<Path> open = Files.list(Path.of("/proc/self/fd"))) {
                for (Path path : open.toList()) {
                    if (Files.isSymbolicLink(path)
                            && Files.readSymbolicLink(path).toString().startsWith("/memfd:sluice")) {
                        found.add(path);
                    }
                }
            }
            return found;
        }
    }
}
