package io.sluice.loan;

import static io.sluice.loan.Loan.State.RELEASED;
import static java.lang.foreign.ValueLayout.JAVA_BYTE;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Kernel;
import io.sluice.Pipe;
import io.sluice.PipeSink;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Await;
import io.sluice.testing.Libc;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import java.io.InputStream;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.nio.channels.Channels;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.FutureTask;

/**
 * A program that lends memory in every way the library has, takes it back at once, rewrites it, and compares what its readers get. Run in a
 * JVM of its own where vmsplice copies or is refused.
 */
final class LendingProgram {
    private static final int PAGE = MemoryCalls.pageSize();
    private static final int SIZE = 3 * PAGE;

    private final Kernel.Outcome regime = Kernel.observed().vmsplice().outcome();

    /** @param arguments nothing; or {@code load} and a C library; or {@code refuse} and the number of an errno */
    public static void main(String[] arguments) throws Exception {
        if (arguments.length == 0) {
            new LendingProgram().run();
        } else if (arguments[0].equals("load")) {
            System.load(arguments[1]);
            new LendingProgram().run();
        } else {
            Map<SystemCall, Integer> refused = Map.of(SystemCall.VMSPLICE, Integer.valueOf(arguments[1]));
            Seccomp.refusing(refused, () -> {
                new LendingProgram().run();
                return null;
            });
        }
    }

    private void run() throws Exception {
        one();
        asFarAsThereIsRoom();
        longerThanThePipe();
        cutShort();
        several();
        passedOn();
        closedArena();
        frozen();
        ring();
        ringCutShort();
        log();
        fifo();
        nobodyReads();
        System.out.println(regime + ": all arrived as it was lent");
    }

    private void one() throws Exception {
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open()) {
            MemorySegment pages = filled(arena, SIZE);
            Loan loan = arena.lend(pages, pipe.sink());
            released(loan, SIZE);
            isClosed(pages);
            MemorySegment again = loan.reclaim();
            expect(Arrays.equals(again.toArray(JAVA_BYTE), content(SIZE)), "the same pages come back");
            again.fill((byte) -1);
            expectNext(pipe, 0, SIZE);
            Loan slice = arena.lend(filled(arena, SIZE).asSlice(100, PAGE), pipe.sink());
            slice.reclaim().fill((byte) -1);
            expectNext(pipe, 100, PAGE + 100);
        }
    }

    private void asFarAsThereIsRoom() throws Exception {
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open()) {
            pipe.capacity(2 * PAGE);
            Loan loan = arena.tryLend(filled(arena, SIZE), pipe.sink()).orElseThrow();
            released(loan, 2 * PAGE);
            expect(loan.tryLendRest() == 0, "there is no room for the rest");
            MemorySegment other = filled(arena, PAGE);
            expect(arena.tryLend(other, pipe.sink()).isEmpty(), "there is no room for another");
            other.fill((byte) -1);
            expectNext(pipe, 0, PAGE);
            expect(loan.tryLendRest() == PAGE, "there is room for the rest");
            released(loan, SIZE);
            loan.reclaim().fill((byte) -1);
            expectNext(pipe, PAGE, SIZE);
        }
    }

    private void longerThanThePipe() throws Exception {
        int length = 1 << 20;
        try (PageArena arena = PageArena.open(PageArena.Option.MEMFD);
                Pipe pipe = Pipe.open()) {
            FutureTask<byte[]> reader = reader(pipe);
            Loan loan = arena.lend(filled(arena, length), pipe.sink());
            released(loan, length);
            loan.reclaim().fill((byte) -1);
            pipe.sink().close();
            expect(Arrays.equals(reader.get(), content(length)), "all of a long loan arrives");
        }
    }

    private void cutShort() throws Exception {
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open()) {
            int capacity = (int) pipe.capacity();
            FutureTask<Void> breaker = new FutureTask<>(() -> {
                Await.until(() -> pipe.available() == capacity, "a full pipe");
                pipe.sink().close();
                return null;
            });
            Thread.ofPlatform().daemon().start(breaker);
            Loan loan = arena.lend(filled(arena, 2 * capacity), pipe.sink());
            breaker.get();
            released(loan, capacity);
            loan.reclaim().fill((byte) -1);
            expectNext(pipe, 0, capacity);
        }
    }

    private void several() throws Exception {
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open()) {
            List<Loan> loans = arena.lend(List.of(filled(arena, PAGE), filled(arena, SIZE)), pipe.sink());
            expect(loans.size() == 2, "each is lent");
            for (Loan loan : loans) {
                released(loan, loan.requested());
                loan.reclaim().fill((byte) -1);
            }
            expectNext(pipe, 0, PAGE);
            expectNext(pipe, 0, SIZE);
        }
    }

    private void passedOn() throws Exception {
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open();
                Pipe second = Pipe.open();
                Pipe third = Pipe.open()) {
            Loan loan = arena.lend(filled(arena, SIZE), pipe.sink());
            pipe.source().teeTo(third.sink(), SIZE);
            pipe.source().spliceTo(second.sink(), SIZE);
            released(loan, SIZE);
            loan.reclaim().fill((byte) -1);
            expectNext(second, 0, SIZE);
            expectNext(third, 0, SIZE);
        }
    }

    private void closedArena() throws Exception {
        try (Pipe pipe = Pipe.open()) {
            Loan loan;
            try (PageArena arena = PageArena.open()) {
                loan = arena.lend(filled(arena, SIZE), pipe.sink());
            }
            released(loan, SIZE);
            pipe.source().number();
            released(loan, SIZE);
            expectNext(pipe, 0, SIZE);
        }
    }

    private void frozen() throws Exception {
        FrozenPages pages = FrozenPages.filled(SIZE, memory -> memory.copyFrom(MemorySegment.ofArray(content(SIZE))));
        try (Pipe pipe = Pipe.open()) {
            for (int round = 0; round < 3; round++) {
                for (int sent = 0; sent < SIZE; ) {
                    sent += (int) pages.lend(pipe.sink(), sent, SIZE - sent);
                }
                expectNext(pipe, 0, SIZE);
            }
            pipe.capacity(PAGE);
            expect(pages.tryLend(pipe.sink(), 100, SIZE - 100) > 0, "frozen pages are lent as far as there is room");
            expect(pages.tryLend(pipe.sink(), 0, SIZE) == 0, "frozen pages find no room");
            expectNext(pipe, 100, pipe.available() + 100);
        }
    }

    private void ringCutShort() throws Exception {
        try (Pipe pipe = Pipe.open();
                PageRing ring = PageRing.over(pipe.sink(), 4 * PAGE, 2)) {
            pipe.capacity(2 * PAGE);
            FutureTask<Void> reader = new FutureTask<>(() -> {
                Await.until(() -> pipe.available() == 2 * PAGE, "a full pipe");
                pipe.source().close();
                return null;
            });
            Thread.ofPlatform().daemon().start(reader);
            ring.acquire().copyFrom(MemorySegment.ofArray(content(4 * PAGE)));
            boolean failed = false;
            try {
                ring.publish(4 * PAGE);
            } catch (ErrnoException e) {
                failed = e.errno() == Linux.EPIPE();
            }
            reader.get();
            expect(failed, "a publish whose reader went fails");
            expect(ring.sent() == 2 * PAGE, "what went in is counted");
            byte[] rest = Arrays.copyOfRange(content(4 * PAGE), 2 * PAGE, 4 * PAGE);
            expect(Arrays.equals(ring.unsent().toArray(JAVA_BYTE), rest), "the rest is kept");
            ring.publish(ring.sent());
            ring.acquire().fill((byte) -1);
        }
    }

    private void log() throws Exception {
        try (Pipe pipe = Pipe.open();
                PageRing ring = PageRing.over(pipe.sink(), 3 * PAGE, 2);
                RingLog log = ring.log(RingLog.Flush.WHEN_FULL)) {
            String line = "✓".repeat(PAGE / 2);
            for (int i = 0; i < 9; i++) {
                log.line(line);
                log.line(line);
                log.flush();
                byte[] two = (line + "\n" + line + "\n").getBytes(StandardCharsets.UTF_8);
                byte[] got = new byte[two.length];
                expect(pipe.source().tryRead(MemorySegment.ofArray(got)) == got.length, "both lines are there");
                expect(Arrays.equals(got, two), "lines arrive as they were");
            }
        }
    }

    private void ring() throws Exception {
        int length = 4 << 20;
        byte[] content = content(length);
        try (Pipe pipe = Pipe.open();
                Pipe second = Pipe.open();
                PageRing ring = PageRing.over(pipe.sink(), 4 * PAGE, 2)) {
            FutureTask<Void> middle = new FutureTask<>(() -> {
                while (pipe.source().spliceTo(second.sink(), Long.MAX_VALUE) >= 0) {
                    // Goes on until the ring's pipe is at its end.
                }
                second.sink().close();
                return null;
            });
            Thread.ofPlatform().daemon().start(middle);
            FutureTask<byte[]> reader = reader(second);
            try (OutputStream stream = ring.outputStream()) {
                stream.write(content);
            }
            pipe.sink().close();
            expect(Arrays.equals(reader.get(), content), "all that was published arrives");
            middle.get();
        }
    }

    private void fifo() throws Exception {
        Path folder = Files.createTempDirectory("sluice");
        Path fifo = folder.resolve("fifo");
        try {
            expect(Libc.mkfifo(fifo.toString(), 0600) == 0, "a FIFO is made");
            try (Fd both = Fd.open(fifo, StandardOpenOption.READ, StandardOpenOption.WRITE);
                    PipeSink sink = PipeSink.of(both);
                    InputStream reader = Files.newInputStream(fifo);
                    PageArena arena = PageArena.open();
                    Pipe single = Pipe.open(Pipe.Option.SINGLE_DESCRIPTOR)) {
                Loan loan = arena.lend(filled(arena, SIZE), sink);
                released(loan, SIZE);
                loan.reclaim().fill((byte) -1);
                expect(Arrays.equals(reader.readNBytes(SIZE), content(SIZE)), "a loan arrives through a FIFO");
                arena.lend(filled(arena, SIZE), single.sink()).reclaim().fill((byte) -1);
                expectNext(single, 0, SIZE);
            }
        } finally {
            Files.deleteIfExists(fifo);
            Files.delete(folder);
        }
    }

    private void nobodyReads() throws Exception {
        try (PageArena arena = PageArena.open();
                Pipe pipe = Pipe.open()) {
            pipe.source().close();
            MemorySegment page = filled(arena, PAGE);
            try {
                arena.lend(page, pipe.sink());
                throw new AssertionError("a pipe that nobody reads takes no loan");
            } catch (ErrnoException e) {
                expect(e.errno() == Linux.EPIPE(), "a pipe that nobody reads gives EPIPE, not " + e);
            }
            page.fill((byte) -1);
        }
    }

    private void released(Loan loan, long accepted) throws InterruptedException {
        expect(loan.regime() == regime, "a loan's regime is the kernel's");
        expect(loan.state() == RELEASED && loan.await() == RELEASED, "a loan is released at once: " + loan);
        expect(loan.accepted() == accepted, accepted + " bytes are accepted: " + loan);
    }

    private static void isClosed(MemorySegment segment) {
        try {
            segment.fill((byte) -1);
        } catch (IllegalStateException e) {
            return;
        }
        throw new AssertionError("a lent segment is closed");
    }

    private static FutureTask<byte[]> reader(Pipe pipe) {
        FutureTask<byte[]> reader =
                new FutureTask<>(() -> Channels.newInputStream(pipe.source()).readAllBytes());
        Thread.ofPlatform().daemon().start(reader);
        return reader;
    }

    private static void expectNext(Pipe pipe, int from, int to) throws Exception {
        byte[] got = new byte[to - from];
        for (int at = 0; at < got.length; ) {
            long n = pipe.source().tryRead(MemorySegment.ofArray(got).asSlice(at));
            expect(n > 0, "there are " + (got.length - at) + " more bytes in the pipe");
            at += (int) n;
        }
        expect(Arrays.equals(got, Arrays.copyOfRange(content(to), from, to)), "the reader gets what was lent");
    }

    private static MemorySegment filled(PageArena arena, int size) {
        return arena.allocate(size, 1).copyFrom(MemorySegment.ofArray(content(size)));
    }

    private static byte[] content(int length) {
        byte[] content = new byte[length];
        for (int i = 0; i < length; i++) {
            content[i] = (byte) (i * 31 + (i >>> 8) * 7);
        }
        return content;
    }

    private static void expect(boolean holds, String statement) {
        if (!holds) {
            throw new AssertionError("it does not hold that " + statement);
        }
    }
}
