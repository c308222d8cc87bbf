package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.internal.Arch;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Libc;
import io.sluice.testing.Loopback;
import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** Using memory again after the library's own reader took it out of the pipe, by each of the ways there are. */
final class MisuseByReaders {
    private static final int SIZE = 3 * PAGE;
    private static final int MLOCK = Arch.current() == Arch.X86_64 ? 149 : 228;

    @Misuse(value = "reuse after read", outcome = "the same pages again; the reader has a copy")
    void read(Scene scene) throws IOException {
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        byte[] got = Scene.read(scene.pipe.source(), SIZE);
        scene.isReleased(loan, pages);
        Scene.isOriginal(got, 0, SIZE);
    }

    @Misuse(
            value = "reuse after tee, with the original read",
            outcome = "fresh pages; the other pipe holds the original")
    void tee(Scene scene) throws IOException {
        try (Pipe copy = Pipe.open()) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.lend(pages);
            assertThat(scene.pipe.source().teeTo(copy.sink(), SIZE)).isEqualTo(SIZE);
            Scene.isIn(State.IN_PIPE, loan);
            scene.holds(0, SIZE);
            scene.isForwarded(loan, pages);
            Scene.holds(copy.source(), 0, SIZE);
        }
    }

    @Misuse(
            value = "reuse after a tee of the first byte only",
            outcome = "fresh pages; the other pipe holds the original")
    void teeOfOneByte(Scene scene) throws IOException {
        try (Pipe copy = Pipe.open()) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.lend(pages);
            assertThat(scene.pipe.source().tryTeeTo(copy.sink(), 1)).isEqualTo(1);
            scene.holds(0, SIZE);
            scene.isForwarded(loan, pages);
            Scene.holds(copy.source(), 0, 1);
        }
    }

    @Misuse(
            value = "reuse the loan behind one that was tee'd",
            outcome = "the same pages again; fresh ones for the loan that was tee'd")
    void teeOfTheLoanBefore(Scene scene) throws IOException {
        try (Pipe copy = Pipe.open()) {
            Loan first = scene.lend(scene.filled(PAGE));
            Loan second = scene.lend(scene.filled(PAGE));
            assertThat(scene.pipe.source().teeTo(copy.sink(), PAGE)).isEqualTo(PAGE);
            scene.holds(0, PAGE);
            scene.holds(0, PAGE);
            scene.isReleased(second);
            scene.isForwarded(first);
            Scene.holds(copy.source(), 0, PAGE);
        }
    }

    @Misuse(
            value = "reuse after splice to TCP, peer has not read",
            outcome = "fresh pages; the peer reads the original")
    void tcp(Scene scene) throws IOException {
        forwardedThrough(scene, scene.bench.tcp());
    }

    @Misuse(
            value = "reuse after splice to AF_UNIX, peer has not read",
            outcome = "fresh pages; the peer reads the original")
    void unix(Scene scene) throws IOException {
        forwardedThrough(scene, scene.bench.unix(Linux.SOCK_STREAM()));
    }

    @Misuse(
            value = "reuse after splice to UDP, peer has not received",
            outcome = "fresh pages; the peer receives the original")
    void udp(Scene scene) throws IOException {
        Sockets sockets = new Loopback(scene.bench).datagrams();
        try (Fd near = Fd.borrow(sockets.near())) {
            MemorySegment page = scene.filled(PAGE);
            Loan loan = scene.lend(page);
            scene.spliceTo(near, PAGE);
            scene.isForwarded(loan, page);
            Scene.isOriginal(scene.bench.read(sockets.far(), 2 * PAGE), 0, PAGE);
        }
    }

    @Misuse(
            value = "reuse after splice to TCP, with socket and pipe closed by the sender",
            outcome = "fresh pages; the peer reads the original")
    void tcpClosed(Scene scene) throws IOException {
        Sockets sockets = scene.bench.tcp();
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        try (Fd near = Fd.borrow(sockets.near())) {
            scene.spliceTo(near, SIZE);
        }
        scene.bench.close(sockets.near());
        scene.pipe.close();
        scene.isForwarded(loan, pages);
        Scene.isOriginal(scene.bench.readFully(sockets.far(), SIZE), 0, SIZE);
    }

    @Misuse(
            value = "reuse memfd-backed memory after splice to TCP",
            outcome = "another memfd; the peer reads the original")
    void tcpFromMemfd(Scene unused) throws IOException {
        try (Scene scene = new Scene(PageArena.Option.MEMFD)) {
            forwardedThrough(scene, scene.bench.tcp());
        }
    }

    @Misuse(value = "reuse huge pages after splice to TCP", outcome = "fresh pages; the peer reads the original")
    void tcpFromHugePages(Scene unused) throws IOException {
        try (Scene scene = new Scene(PageArena.Option.HUGE_PAGES)) {
            scene.arena.allocate(4 << 20).fill((byte) 1);
            forwardedThrough(scene, scene.bench.tcp());
        }
    }

    @Misuse(
            value = "reuse locked memory after splice to a second pipe",
            outcome = "fresh pages; that pipe holds the original")
    void lockedMemory(Scene scene) throws IOException {
        try (Pipe second = Pipe.open()) {
            MemorySegment before = scene.filled(PAGE);
            MemorySegment pages = scene.filled(SIZE);
            MemorySegment after = scene.filled(PAGE);
            assumeTrue(Libc.syscall(MLOCK, pages.address(), SIZE) == 0, "needs leave to lock three pages");
            Loan loan = scene.lend(pages);
            assertThat(scene.pipe.source().spliceTo(second.sink(), SIZE)).isEqualTo(SIZE);
            scene.isForwarded(loan, pages);
            Scene.isOpenInPlace(before);
            Scene.isOpenInPlace(after);
            Scene.holds(second.source(), 0, SIZE);
        }
    }

    @Misuse(value = "reuse after splice to a second pipe", outcome = "fresh pages; that pipe holds the original")
    void secondPipe(Scene scene) throws IOException {
        try (Pipe second = Pipe.open()) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.lend(pages);
            assertThat(scene.pipe.source().spliceTo(second.sink(), SIZE)).isEqualTo(SIZE);
            scene.isForwarded(loan, pages);
            Scene.holds(second.source(), 0, SIZE);
        }
    }

    @Misuse(value = "reuse after splice through three pipes", outcome = "fresh pages; the last pipe holds the original")
    void chainOfPipes(Scene scene) throws IOException {
        try (Pipe second = Pipe.open();
                Pipe third = Pipe.open()) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.lend(pages);
            assertThat(scene.pipe.source().spliceTo(second.sink(), SIZE)).isEqualTo(SIZE);
            assertThat(second.source().spliceTo(third.sink(), SIZE)).isEqualTo(SIZE);
            scene.isForwarded(loan, pages);
            Scene.holds(third.source(), 0, SIZE);
        }
    }

    @Misuse(
            value = "reuse after a reader cut a packet short, tee'd the loan behind it and read on",
            outcome =
                    "fresh pages, though as much was counted as if it had been read; the second pipe holds the original")
    void packets(Scene scene) throws IOException {
        try (Pipe packets = Pipe.open(Pipe.Option.PACKETS);
                Pipe second = Pipe.open()) {
            packets.sink().write(MemorySegment.ofArray(new byte[PAGE]));
            assertThat(packets.source().read(MemorySegment.ofArray(new byte[1])))
                    .isEqualTo(1);
            MemorySegment page = scene.filled(PAGE);
            Loan loan = scene.arena.lend(page.asSlice(0, 100), packets.sink());
            assertThat(packets.source().teeTo(second.sink(), 100)).isEqualTo(100);
            Scene.holds(packets.source(), 0, 100);
            packets.sink().write(MemorySegment.ofArray(new byte[2 * PAGE]));
            assertThat(Scene.read(packets.source(), 2 * PAGE)).containsOnly(0);
            scene.isForwarded(loan, page);
            Scene.holds(second.source(), 0, 100);
        }
    }

    @Misuse(
            value = "reuse after half was read and half spliced on",
            outcome = "fresh pages; the second pipe holds the rest")
    void halfAndHalf(Scene scene) throws IOException {
        try (Pipe second = Pipe.open()) {
            MemorySegment page = scene.filled(PAGE);
            Loan loan = scene.lend(page);
            scene.holds(0, PAGE / 2);
            assertThat(scene.pipe.source().spliceTo(second.sink(), PAGE)).isEqualTo(PAGE / 2);
            scene.isForwarded(loan, page);
            Scene.holds(second.source(), PAGE / 2, PAGE);
        }
    }

    @Misuse(
            value = "reuse after half a page was read",
            outcome = "IllegalStateException, IN_PIPE; the rest is the original")
    void halfAPage(Scene scene) throws IOException {
        Scene.assumePagesAreReferenced();
        MemorySegment page = scene.filled(PAGE);
        Loan loan = scene.lend(page);
        scene.holds(0, PAGE / 2);
        Scene.isIn(State.IN_PIPE, loan);
        assertThatIllegalStateException().isThrownBy(loan::reclaim).withMessageContaining("in the pipe");
        scene.attack(loan, page);
        scene.holds(PAGE / 2, PAGE);
        scene.isReleased(loan);
    }

    @Misuse(value = "reuse after all but the last byte was read", outcome = "IllegalStateException, IN_PIPE")
    void allButOneByte(Scene scene) throws IOException {
        Scene.assumePagesAreReferenced();
        Loan loan = scene.lend(scene.filled(SIZE));
        scene.holds(0, SIZE - 1);
        scene.attack(loan);
        Scene.isIn(State.IN_PIPE, loan);
        scene.holds(SIZE - 1, SIZE);
        scene.isReleased(loan);
    }

    private static void forwardedThrough(Scene scene, Sockets sockets) throws IOException {
        try (Fd near = Fd.borrow(sockets.near())) {
            MemorySegment pages = scene.filled(SIZE);
            Loan loan = scene.lend(pages);
            scene.spliceTo(near, SIZE);
            scene.isForwarded(loan, pages);
            Scene.isOriginal(scene.bench.readFully(sockets.far(), SIZE), 0, SIZE);
        }
    }
}
