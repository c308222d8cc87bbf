package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static io.sluice.testing.Results.gives;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import io.sluice.internal.Syscalls;
import io.sluice.loan.Loan.State;
import io.sluice.testing.Helper;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench.Ends;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.ProcessBuilder.Redirect;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Letting somebody else at the pipe that holds lent memory: native code, a child process, whoever opens it once more. */
final class MisuseByStrangers {
    private static final int SIZE = 3 * PAGE;

    @Misuse(value = "splice on by the source's number()", outcome = "fresh pages; the second pipe holds the original")
    void numberSplices(Scene scene) throws IOException {
        Ends second = scene.bench.pipe();
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        gives(SIZE, Syscalls.splice(scene.pipe.source().number(), -1, second.sink(), -1, SIZE, 0));
        scene.isForwarded(loan, pages);
        Scene.isOriginal(scene.bench.readFully(second.source(), SIZE), 0, SIZE);
    }

    @Misuse(value = "read by the source's number()", outcome = "fresh pages: nobody promised that it was only read")
    void numberReads(Scene scene) throws IOException {
        Loan loan = scene.lend(scene.filled(SIZE));
        byte[] got = scene.bench.readFully(scene.pipe.source().number(), SIZE);
        scene.isForwarded(loan);
        Scene.isOriginal(got, 0, SIZE);
    }

    @Misuse(
            value = "read by number(), with promiseReadersCopy",
            outcome = "IN_PIPE until all is read, then the same pages again")
    void numberReadsAsPromised(Scene scene) throws IOException {
        scene.pipe.sink().promiseReadersCopy();
        int number = scene.pipe.source().number();
        Loan loan = scene.lend(scene.filled(SIZE));
        byte[] most = scene.bench.readFully(number, SIZE - 1);
        Scene.isIn(State.IN_PIPE, loan);
        scene.attack(loan);
        byte[] last = scene.bench.readFully(number, 1);
        Scene.isOriginal(most, 0, SIZE - 1);
        Scene.isOriginal(last, SIZE - 1, SIZE);
        if (Scene.pagesAreReferenced()) {
            scene.isReleased(loan);
        }
    }

    @Misuse(
            value = "read by vmsplice on the source's number()",
            outcome = "fresh pages; with the promise, the same ones")
    void numberVmsplices(Scene scene) throws IOException {
        Scene.assumePagesAreReferenced();
        int number = scene.pipe.source().number();
        MemorySegment into = scene.bench.map(SIZE);
        Loan loan = scene.lend(scene.filled(SIZE));
        gives(SIZE, Syscalls.vmsplice(number, into.address(), SIZE, 0));
        scene.isForwarded(loan);
        Scene.isOriginal(into.toArray(JAVA_BYTE), 0, SIZE);
        scene.pipe.sink().promiseReadersCopy();
        Loan second = scene.lend(scene.filled(SIZE));
        gives(SIZE, Syscalls.vmsplice(number, into.address(), SIZE, 0));
        scene.isReleased(second);
        Scene.isOriginal(into.toArray(JAVA_BYTE), 0, SIZE);
    }

    @Misuse(
            value = "promise that readers copy, then splice on by the library",
            outcome = "fresh pages all the same; the second pipe holds the original")
    void ownSpliceBreaksThePromise(Scene scene) throws IOException {
        scene.pipe.sink().promiseReadersCopy();
        int number = scene.pipe.source().number();
        try (Pipe second = Pipe.open()) {
            Loan read = scene.lend(scene.filled(SIZE));
            scene.bench.readFully(number, SIZE);
            Loan spliced = scene.lend(scene.filled(SIZE));
            assertThat(scene.pipe.source().spliceTo(second.sink(), SIZE)).isEqualTo(SIZE);
            assertThat(read.state()).isNotEqualTo(State.IN_PIPE);
            scene.isForwarded(spliced);
            Scene.holds(second.source(), 0, SIZE);
        }
    }

    @Misuse(
            value = "promise that the child copies, read a part by it and tee the rest by the library",
            outcome = "fresh pages for the rest; the second pipe holds the original")
    void ownTeeBreaksThePromise(Scene scene) throws IOException {
        scene.pipe.sink().promiseReadersCopy();
        try (InputStream child =
                        new FileInputStream(scene.pipe.source().redirect().file());
                Pipe second = Pipe.open()) {
            scene.lend(scene.filled(SIZE));
            assertThat(child.readNBytes(SIZE)).hasSize(SIZE);
            Loan rest = scene.lend(scene.filled(SIZE));
            assertThat(scene.pipe.source().teeTo(second.sink(), SIZE)).isEqualTo(SIZE);
            assertThat(child.readNBytes(SIZE)).hasSize(SIZE);
            scene.isForwarded(rest);
            Scene.holds(second.source(), 0, SIZE);
        }
    }

    @Misuse(
            value = "splice on by a PipeSource.of(Fd.borrow(number))",
            outcome = "fresh pages; the second pipe holds the original")
    void borrowedSource(Scene scene) throws IOException {
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        try (Fd borrowed = Fd.borrow(scene.pipe.source().number());
                PipeSource stranger = PipeSource.of(borrowed);
                Pipe second = Pipe.open()) {
            assertThat(stranger.spliceTo(second.sink(), SIZE)).isEqualTo(SIZE);
            scene.isForwarded(loan, pages);
            Scene.holds(second.source(), 0, SIZE);
        }
    }

    @Misuse(
            value = "lend through a PipeSink.of, read by the pipe's source",
            outcome = "fresh pages: its ledger does not see that reader")
    void borrowedSink(Scene scene) throws IOException {
        MemorySegment pages = scene.filled(SIZE);
        try (Fd borrowed = Fd.borrow(scene.pipe.sink().number());
                PipeSink stranger = PipeSink.of(borrowed)) {
            Loan loan = scene.arena.lend(pages, stranger);
            Scene.isIn(State.IN_PIPE, loan);
            byte[] got = Scene.read(scene.pipe.source(), SIZE);
            scene.isForwarded(loan, pages);
            Scene.isOriginal(got, 0, SIZE);
        }
    }

    @Misuse(value = "reuse after a FIFO's reader took it", outcome = "fresh pages; with the promise, the same ones")
    void fifo(Scene scene) throws IOException {
        Path fifo = scene.bench.folder().resolve("fifo");
        gives(0, Libc.mkfifo(fifo.toString(), 0600));
        try (Fd both = Fd.open(fifo, StandardOpenOption.READ, StandardOpenOption.WRITE);
                PipeSink sink = PipeSink.of(both);
                InputStream reader = new FileInputStream(fifo.toFile())) {
            Loan loan = scene.arena.lend(scene.filled(SIZE), sink);
            byte[] got = reader.readNBytes(SIZE);
            scene.isForwarded(loan);
            Scene.isOriginal(got, 0, SIZE);
            sink.promiseReadersCopy();
            Loan second = scene.arena.lend(scene.filled(SIZE), sink);
            got = reader.readNBytes(SIZE);
            scene.isReleased(second);
            Scene.isOriginal(got, 0, SIZE);
        }
    }

    @Misuse(
            value = "read it through /proc/self/fd with a FileInputStream",
            outcome = "fresh pages; the stream reads the original")
    void openedOnceMoreAndRead(Scene scene) throws IOException {
        Loan loan = scene.lend(scene.filled(SIZE));
        try (InputStream stranger = new FileInputStream(openedOnceMore(scene.pipe.source()))) {
            byte[] got = stranger.readNBytes(SIZE);
            scene.isForwarded(loan);
            Scene.isOriginal(got, 0, SIZE);
        }
    }

    @Misuse(
            value = "open it once more through /proc/self/fd and splice on, behind the library's back",
            outcome =
                    "fresh pages, though the library's own reader then reads as much; the second pipe holds the original")
    void openedOnceMoreAndSpliced(Scene scene) throws Exception {
        try (Fd reopened = Fd.open(Path.of(openedOnceMore(scene.pipe.source())));
                PipeSource stranger = PipeSource.of(reopened);
                Pipe second = Pipe.open()) {
            Loan taken = scene.lend(scene.filled(SIZE));
            Loan read = scene.lend(scene.filled(SIZE));
            assertThat(stranger.spliceTo(second.sink(), SIZE)).isEqualTo(SIZE);
            scene.holds(0, SIZE);
            scene.isForwarded(taken);
            assertThat(read.await()).isNotEqualTo(State.IN_PIPE);
            Scene.holds(second.source(), 0, SIZE);
        }
    }

    @Misuse(
            value =
                    "open it once more through /proc/self/fd and tee, behind the library's back, before or after lending",
            outcome = "fresh pages, though the library's own reader then reads it; the second pipe holds the original")
    void openedOnceMoreAndTeed(Scene scene) throws Exception {
        try (Fd reopened = Fd.open(Path.of(openedOnceMore(scene.pipe.source())));
                PipeSource stranger = PipeSource.of(reopened);
                Pipe second = Pipe.open()) {
            Loan loan = scene.lend(scene.filled(SIZE));
            assertThat(stranger.teeTo(second.sink(), SIZE)).isEqualTo(SIZE);
            scene.holds(0, SIZE);
            scene.isForwarded(loan);
            Scene.holds(second.source(), 0, SIZE);
        }
        try (Pipe other = Pipe.open();
                Pipe second = Pipe.open()) {
            scene.arena.lend(scene.arena.allocate(SIZE), other.sink());
            other.source().read(MemorySegment.ofArray(new byte[SIZE]));
            try (Fd reopened = Fd.open(Path.of(openedOnceMore(other.source())));
                    PipeSource stranger = PipeSource.of(reopened)) {
                Loan loan = scene.arena.lend(scene.filled(SIZE), other.sink());
                assertThat(stranger.teeTo(second.sink(), SIZE)).isEqualTo(SIZE);
                Scene.holds(other.source(), 0, SIZE);
                scene.isForwarded(loan);
                Scene.holds(second.source(), 0, SIZE);
            }
        }
    }

    @Misuse(
            value = "open it once more through /proc/self/fd and write, behind the library's back",
            outcome = "IN_PIPE, though as much was read; the reader gets the original")
    void openedOnceMoreAndWritten(Scene scene) throws IOException {
        try (OutputStream stranger = new FileOutputStream(openedOnceMore(scene.pipe.sink()))) {
            stranger.write(new byte[SIZE]);
            Loan loan = scene.lend(scene.filled(SIZE));
            assertThat(Scene.read(scene.pipe.source(), SIZE)).containsOnly(0);
            Scene.isIn(State.IN_PIPE, loan);
            scene.attack(loan);
            scene.holds(0, SIZE);
        }
    }

    @Misuse(value = "have a child process read it", outcome = "fresh pages; the child reads the original")
    void child(Scene scene) throws Exception {
        readByChild(scene, State.FORWARDED);
    }

    @Misuse(
            value = "have a child process read it, with promiseReadersCopy",
            outcome = "the same pages again; the child reads the original")
    void childAsPromised(Scene scene) throws Exception {
        scene.pipe.sink().promiseReadersCopy();
        readByChild(scene, State.RELEASED);
    }

    @Misuse(
            value = "have a child process write before and after",
            outcome = "IN_PIPE until it is its turn; all arrives in order")
    void writingChild(Scene scene) throws Exception {
        assumeTrue(Helper.exists("printf"), "needs printf");
        write(scene, "before");
        Loan loan = scene.lend(scene.filled(SIZE));
        write(scene, "after");
        assertThat(Scene.read(scene.pipe.source(), 6)).asString().isEqualTo("before");
        scene.holds(0, SIZE - 1);
        Scene.isIn(State.IN_PIPE, loan);
        scene.attack(loan);
        scene.holds(SIZE - 1, SIZE);
        assertThat(loan.state()).isEqualTo(Scene.pagesAreReferenced() ? State.IN_PIPE : State.RELEASED);
        assertThat(Scene.read(scene.pipe.source(), 5)).asString().isEqualTo("after");
        assertThat(loan.state()).isEqualTo(State.RELEASED);
    }

    @Misuse(
            value = "close the source, read through /proc/self/fd what was left",
            outcome = "fresh pages; what was left is the original")
    void leftInThePipe(Scene scene) throws IOException {
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        scene.pipe.source().close();
        scene.isForwarded(loan, pages);
        try (InputStream stranger = new FileInputStream(openedOnceMore(scene.pipe.sink()))) {
            Scene.isOriginal(stranger.readNBytes(SIZE), 0, SIZE);
        }
    }

    /** What somebody can open who saw the number, but was not given it. */
    private static String openedOnceMore(Object end) {
        return "/proc/self/fd/" + end.toString().replaceAll("\\D", "");
    }

    private static void readByChild(Scene scene, State expected) throws Exception {
        assumeTrue(Helper.exists("cat"), "needs cat");
        Path output = scene.bench.path(new byte[0]);
        Process child = new ProcessBuilder("cat")
                .redirectInput(scene.pipe.source().redirect())
                .redirectOutput(output.toFile())
                .redirectError(Redirect.INHERIT)
                .start();
        MemorySegment pages = scene.filled(SIZE);
        Loan loan = scene.lend(pages);
        if (Scene.pagesAreReferenced()) {
            assertThat(loan.await()).isEqualTo(expected);
        }
        scene.attack(loan, pages);
        scene.pipe.close();
        assertThat(child.waitFor()).isZero();
        Scene.isOriginal(Files.readAllBytes(output), 0, SIZE);
    }

    private static void write(Scene scene, String text) throws IOException, InterruptedException {
        Process child = new ProcessBuilder("printf", text)
                .redirectOutput(scene.pipe.sink().redirect())
                .redirectError(Redirect.INHERIT)
                .start();
        assertThat(child.waitFor()).isZero();
    }
}
