package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/** Moves of one page: by copying, by reference, and both. Each leaves the pipes as it found them. */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class MoveBenchmark {
    private static final int BLOCK = 4096;
    private static final int FLAGS = Linux.SPLICE_F_NONBLOCK();

    private final MemorySegment memory = Arena.ofAuto().allocate(BLOCK, BLOCK);
    private Fd nullDevice;
    private Pipe first;
    private Pipe second;
    /** Holds one block whenever no benchmark runs. */
    private Pipe master;

    private int nullNumber;
    private int firstSource;
    private int firstSink;
    private int secondSource;
    private int secondSink;
    private int masterSource;
    private int masterSink;

    @Setup
    public void open() throws IOException {
        nullDevice = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
        first = Pipe.open();
        second = Pipe.open();
        master = Pipe.open();
        all(master.sink().tryWrite(memory));
        nullNumber = nullDevice.number();
        firstSource = first.source().number();
        firstSink = first.sink().number();
        secondSource = second.source().number();
        secondSink = second.sink().number();
        masterSource = master.source().number();
        masterSink = master.sink().number();
    }

    @TearDown
    public void close() throws IOException {
        nullDevice.close();
        first.close();
        second.close();
        master.close();
    }

    @Benchmark
    public void writeReadApi() throws IOException {
        all(first.sink().tryWrite(memory));
        all(first.source().tryRead(memory));
    }

    @Benchmark
    public void writeReadSyscall() {
        all(Syscalls.write(firstSink, memory, BLOCK));
        all(Syscalls.read(firstSource, memory, BLOCK));
    }

    @Benchmark
    public void spliceThereAndBackApi() throws IOException {
        all(master.source().trySpliceTo(second.sink(), BLOCK));
        all(second.source().trySpliceTo(master.sink(), BLOCK));
    }

    @Benchmark
    public void spliceThereAndBackSyscall() {
        all(Syscalls.splice(masterSource, -1, secondSink, -1, BLOCK, FLAGS));
        all(Syscalls.splice(secondSource, -1, masterSink, -1, BLOCK, FLAGS));
    }

    @Benchmark
    public void writeSpliceReadApi() throws IOException {
        all(first.sink().tryWrite(memory));
        all(first.source().trySpliceTo(second.sink(), BLOCK));
        all(second.source().tryRead(memory));
    }

    @Benchmark
    public void writeSpliceReadSyscall() {
        all(Syscalls.write(firstSink, memory, BLOCK));
        all(Syscalls.splice(firstSource, -1, secondSink, -1, BLOCK, FLAGS));
        all(Syscalls.read(secondSource, memory, BLOCK));
    }

    @Benchmark
    public void teeDrainApi() throws IOException {
        all(master.source().tryTeeTo(second.sink(), BLOCK));
        all(second.source().trySpliceTo(nullDevice, BLOCK));
    }

    @Benchmark
    public void teeDrainSyscall() {
        all(Syscalls.tee(masterSource, secondSink, BLOCK, FLAGS));
        all(Syscalls.splice(secondSource, -1, nullNumber, -1, BLOCK, FLAGS));
    }

    private static void all(long n) {
        if (n != BLOCK) {
            throw new IllegalStateException("not " + BLOCK + " but " + n);
        }
    }
}
