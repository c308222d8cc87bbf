package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Memory lent to a pipe, taken out of it, and had back. The API closes the memory to Java, proves its release and opens it again; the
 * system calls do none of that, and neither does the twin.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class LendingBenchmark {
    private static final int PAGE = 4096;
    private static final int PAGES = 64 << 10;
    private static final int SLOTS = PAGES / PAGE;

    /** More than there is: who asks for it finds the pipe empty, which the ledger takes for the kernel's word. */
    private static final int MORE = 2 * PAGES;

    private static final int FLAGS = Linux.SPLICE_F_NONBLOCK();

    private final MemorySegment into = Arena.ofAuto().allocate(MORE, PAGE);
    private Fd nullDevice;
    private Pipe lentTo;
    private PageArena arena;
    private MemorySegment page;
    private MemorySegment pages;
    private final MemorySegment[] several = new MemorySegment[SLOTS];
    private final Loan[] loans = new Loan[SLOTS];

    /** Of the bare calls: its number is known, which would make every reader of the pipe a stranger. */
    private Pipe bare;

    private int nullNumber;
    private int source;
    private int sink;
    private long address;

    /** For each iteration, because each may be run by another virtual thread. */
    @Setup(Level.Iteration)
    public void open() throws IOException {
        nullDevice = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
        lentTo = Pipe.open();
        arena = PageArena.open();
        page = arena.allocate(PAGE).fill((byte) 1);
        pages = arena.allocate(PAGES).fill((byte) 1);
        for (int i = 0; i < SLOTS; i++) {
            several[i] = arena.allocate(PAGE).fill((byte) 1);
        }
        bare = Pipe.open();
        nullNumber = nullDevice.number();
        source = bare.source().number();
        sink = bare.sink().number();
        address = arena.allocate(PAGES).fill((byte) 1).address();
    }

    @TearDown(Level.Iteration)
    public void close() throws IOException {
        arena.close();
        lentTo.close();
        bare.close();
        nullDevice.close();
    }

    /** Takes as much as was lent, and so not known to be all: the kernel has to be asked. */
    @Benchmark
    public void pageExactApi() throws IOException {
        Loan loan = arena.lend(page, lentTo.sink());
        all(lentTo.source().trySpliceTo(nullDevice, PAGE), PAGE);
        page = loan.reclaim();
    }

    @Benchmark
    public void pageExactSyscall() {
        all(Syscalls.vmsplice(sink, address, PAGE, FLAGS), PAGE);
        all(Syscalls.splice(source, -1, nullNumber, -1, PAGE, FLAGS), PAGE);
    }

    /** As {@link #pageExactApi}, with as many in flight as the pipe holds: the kernel is asked once for all of them. */
    @Benchmark
    @OperationsPerInvocation(SLOTS)
    public void severalExactApi() throws IOException {
        for (int i = 0; i < SLOTS; i++) {
            loans[i] = arena.lend(several[i], lentTo.sink());
        }
        for (int i = 0; i < SLOTS; i++) {
            all(lentTo.source().trySpliceTo(nullDevice, PAGE), PAGE);
        }
        for (int i = 0; i < SLOTS; i++) {
            several[i] = loans[i].reclaim();
        }
    }

    @Benchmark
    @OperationsPerInvocation(SLOTS)
    public void severalExactSyscall() {
        for (int i = 0; i < SLOTS; i++) {
            all(Syscalls.vmsplice(sink, address + i * PAGE, PAGE, FLAGS), PAGE);
        }
        for (int i = 0; i < SLOTS; i++) {
            all(Syscalls.splice(source, -1, nullNumber, -1, PAGE, FLAGS), PAGE);
        }
    }

    @Benchmark
    public void pageSpliceApi() throws IOException {
        Loan loan = arena.lend(page, lentTo.sink());
        all(lentTo.source().trySpliceTo(nullDevice, MORE), PAGE);
        page = loan.reclaim();
    }

    @Benchmark
    public void pageSpliceSyscall() {
        all(Syscalls.vmsplice(sink, address, PAGE, FLAGS), PAGE);
        all(Syscalls.splice(source, -1, nullNumber, -1, MORE, FLAGS), PAGE);
    }

    @Benchmark
    public void pageReadApi() throws IOException {
        Loan loan = arena.lend(page, lentTo.sink());
        all(lentTo.source().tryRead(into), PAGE);
        page = loan.reclaim();
    }

    @Benchmark
    public void pageReadSyscall() {
        all(Syscalls.vmsplice(sink, address, PAGE, FLAGS), PAGE);
        all(Syscalls.read(source, into, MORE), PAGE);
    }

    @Benchmark
    public void pagesSpliceApi() throws IOException {
        Loan loan = arena.lend(pages, lentTo.sink());
        all(lentTo.source().trySpliceTo(nullDevice, MORE), PAGES);
        pages = loan.reclaim();
    }

    @Benchmark
    public void pagesSpliceSyscall() {
        all(Syscalls.vmsplice(sink, address, PAGES, FLAGS), PAGES);
        all(Syscalls.splice(source, -1, nullNumber, -1, MORE, FLAGS), PAGES);
    }

    @Benchmark
    public void pagesReadApi() throws IOException {
        Loan loan = arena.lend(pages, lentTo.sink());
        all(lentTo.source().tryRead(into), PAGES);
        pages = loan.reclaim();
    }

    @Benchmark
    public void pagesReadSyscall() {
        all(Syscalls.vmsplice(sink, address, PAGES, FLAGS), PAGES);
        all(Syscalls.read(source, into, MORE), PAGES);
    }

    private static void all(long n, long length) {
        if (n != length) {
            throw new IllegalStateException("not " + length + " but " + n);
        }
    }
}
