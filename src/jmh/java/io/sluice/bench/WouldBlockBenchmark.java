package io.sluice.bench;

import io.sluice.Pipe;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * Calls that find a pipe empty, or full: they move nothing, so what they take is what a call takes. The kernel's part is the same for the
 * C twin.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class WouldBlockBenchmark {
    private static final int BLOCK = 4096;
    private static final int FLAGS = Linux.SPLICE_F_NONBLOCK();
    private static final long EAGAIN = -Linux.EAGAIN();

    private final MemorySegment memory = Arena.ofAuto().allocate(BLOCK, BLOCK);
    private Pipe empty;
    private Pipe other;
    private Pipe full;
    private int emptySource;
    private int otherSink;
    private int fullSink;

    @Setup
    public void open() throws IOException {
        empty = Pipe.open();
        other = Pipe.open();
        full = Pipe.open();
        while (full.sink().tryWrite(memory) > 0) {}
        emptySource = empty.source().number();
        otherSink = other.sink().number();
        fullSink = full.sink().number();
    }

    @TearDown
    public void close() throws IOException {
        empty.close();
        other.close();
        full.close();
    }

    @Benchmark
    public long spliceApi() throws IOException {
        return expect(0, empty.source().trySpliceTo(other.sink(), BLOCK));
    }

    @Benchmark
    public long spliceSyscall() {
        return expect(EAGAIN, Syscalls.splice(emptySource, -1, otherSink, -1, BLOCK, FLAGS));
    }

    @Benchmark
    public long teeApi() throws IOException {
        return expect(0, empty.source().tryTeeTo(other.sink(), BLOCK));
    }

    @Benchmark
    public long teeSyscall() {
        return expect(EAGAIN, Syscalls.tee(emptySource, otherSink, BLOCK, FLAGS));
    }

    @Benchmark
    public long readApi() throws IOException {
        return expect(0, empty.source().tryRead(memory));
    }

    @Benchmark
    public long readSyscall() {
        return expect(EAGAIN, Syscalls.read(emptySource, memory, BLOCK));
    }

    @Benchmark
    public long writeApi() throws IOException {
        return expect(0, full.sink().tryWrite(memory));
    }

    @Benchmark
    public long writeSyscall() {
        return expect(EAGAIN, Syscalls.write(fullSink, memory, BLOCK));
    }

    private static long expect(long expected, long n) {
        if (n != expected) {
            throw new IllegalStateException("not " + expected + " but " + n);
        }
        return n;
    }
}
