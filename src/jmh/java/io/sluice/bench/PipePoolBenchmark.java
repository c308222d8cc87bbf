package io.sluice.bench;

import io.sluice.Pipe;
import io.sluice.internal.FileCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;

/**
 * A pipe for the length of a job: taken from a pool and given back proven empty, or opened and closed. The pool is the simplest that would
 * do, a stack under a lock.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
public class PipePoolBenchmark {
    private static final int FLAGS = Linux.O_CLOEXEC() | Linux.O_NONBLOCK();

    private final ReentrantLock lock = new ReentrantLock();
    private final ArrayDeque<Pipe> pool = new ArrayDeque<>();
    private int pooledSource;

    @Setup
    public void open() throws IOException {
        Pipe pipe = Pipe.open();
        pooledSource = pipe.source().number();
        pool.push(pipe);
    }

    @TearDown
    public void close() throws IOException {
        take().close();
    }

    @Benchmark
    public void poolApi() throws IOException {
        Pipe pipe = take();
        if (pipe.available() != 0) {
            throw new IllegalStateException("a pooled pipe is not empty");
        }
        giveBack(pipe);
    }

    @Benchmark
    public void poolSyscall() {
        if (Syscalls.available(pooledSource) != 0) {
            throw new IllegalStateException("a pooled pipe is not empty");
        }
    }

    @Benchmark
    public void openCloseApi() throws IOException {
        Pipe.open().close();
    }

    @Benchmark
    public void openCloseSyscall() {
        long ends = opened(Syscalls.pipe2(FLAGS));
        Syscalls.close((int) (ends >>> 32));
        Syscalls.close((int) ends);
    }

    @Benchmark
    public void openCloseSingleApi() throws IOException {
        Pipe.open(Pipe.Option.SINGLE_DESCRIPTOR).close();
    }

    @Benchmark
    public void openCloseSingleSyscall() {
        long ends = opened(Syscalls.pipe2(FLAGS));
        int both = FileCalls.open("/proc/self/fd/" + (int) ends, Linux.O_RDWR() | FLAGS, 0);
        Syscalls.close((int) ends);
        Syscalls.close((int) (ends >>> 32));
        Syscalls.close((int) opened(both));
    }

    private static long opened(long result) {
        if (result < 0) {
            throw new IllegalStateException("error " + -result);
        }
        return result;
    }

    private Pipe take() {
        lock.lock();
        try {
            return pool.pop();
        } finally {
            lock.unlock();
        }
    }

    private void giveBack(Pipe pipe) {
        lock.lock();
        try {
            pool.push(pipe);
        } finally {
            lock.unlock();
        }
    }
}
