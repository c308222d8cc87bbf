package io.sluice.internal;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Allocations;
import io.sluice.testing.ExpectNoLeaks;
import io.sluice.testing.Inventory;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;

@ExtendWith(ExpectNoLeaks.class)
class SyscallsTest {
    private static final long NO_OFFSET = -1;
    private static final int NONE = 0;
    private static final int THREADS = 200;

    private final Workbench bench = new Workbench();

    @AfterEach
    void clear() throws IOException {
        bench.close();
    }

    @Test
    void largestLengthIsTheKernels() {
        assertThat(Syscalls.MAX_LENGTH).isEqualTo(Integer.MAX_VALUE & -PAGE);
    }

    @Test
    void largerLengthsAreClampedInSplice() {
        Ends pipe = bench.pipe();
        int file = bench.file(bytes(PAGE));
        gives(PAGE, Syscalls.splice(file, NO_OFFSET, pipe.sink(), NO_OFFSET, Long.MAX_VALUE, NONE));
        gives(PAGE, Syscalls.splice(pipe.source(), NO_OFFSET, file, NO_OFFSET, Long.MAX_VALUE, NONE));
    }

    @Test
    void largerLengthsAreClampedInTee() {
        Ends pipe = bench.pipeHolding(bytes(PAGE));
        gives(PAGE, Syscalls.tee(pipe.source(), bench.pipe().sink(), Long.MAX_VALUE, NONE));
    }

    @Test
    void largerLengthsAreClampedInVmsplice() {
        Ends pipe = bench.pipe();
        long memory = bench.map(2 * CAPACITY).address();
        gives(CAPACITY, Syscalls.vmsplice(pipe.sink(), memory, Long.MAX_VALUE, SPLICE_F_NONBLOCK()));
        gives(CAPACITY, Syscalls.vmsplice(pipe.source(), memory, Long.MAX_VALUE, NONE));
    }

    @Test
    void largerLengthsAreClampedInReadAndWrite() {
        Ends pipe = bench.pipe(O_NONBLOCK());
        MemorySegment memory = bench.map(2 * CAPACITY);
        gives(CAPACITY, Syscalls.write(pipe.sink(), memory, Long.MAX_VALUE));
        gives(CAPACITY, Syscalls.read(pipe.source(), memory, Long.MAX_VALUE));
    }

    @Test
    void givesResultOrErrno() {
        fails(EINVAL(), Syscalls.pipe2(~0));
        fails(EBADF(), Syscalls.close(-1));
        fails(EBADF(), Syscalls.fcntl(-1, F_GETFL(), 0));
        fails(EBADF(), Syscalls.ioctl(-1, FIONREAD()));
        fails(EBADF(), Syscalls.splice(-1, NO_OFFSET, -1, NO_OFFSET, PAGE, NONE));
        fails(EINVAL(), Syscalls.tee(-1, -1, PAGE, ~0));
        fails(EBADF(), Syscalls.read(-1, bench.buffer(1), 1));
        fails(EBADF(), Syscalls.write(-1, bench.buffer(1), 1));
        Ends pipe = bench.pipe();
        gives(O_WRONLY(), Syscalls.fcntl(pipe.sink(), F_GETFL(), 0));
        gives(FD_CLOEXEC(), Syscalls.fcntl(pipe.source(), F_GETFD(), 0));
    }

    @Test
    void refusalsArriveAsTheyAre() throws Exception {
        Ends pipe = bench.pipe();
        MemorySegment page = bench.map(PAGE);
        Map<SystemCall, Integer> refused = Map.of(
                SystemCall.SPLICE, ENOSYS(),
                SystemCall.TEE, EPERM(),
                SystemCall.VMSPLICE, EOPNOTSUPP(),
                SystemCall.PIPE2, EMFILE());
        long[] results = Seccomp.refusing(refused, () -> new long[] {
            Syscalls.splice(-1, NO_OFFSET, -1, NO_OFFSET, PAGE, NONE),
            Syscalls.tee(-1, -1, PAGE, NONE),
            Syscalls.vmsplice(-1, page.address(), PAGE, NONE),
            Syscalls.pipe2(O_CLOEXEC()),
            Syscalls.write(pipe.sink(), page, PAGE)
        });
        fails(ENOSYS(), results[0]);
        fails(EPERM(), results[1]);
        fails(EOPNOTSUPP(), results[2]);
        fails(EMFILE(), results[3]);
        gives(PAGE, results[4]);
    }

    @Test
    void allocatesNothing() throws Exception {
        Ends pipe = bench.pipe(O_NONBLOCK());
        Ends other = bench.pipe(O_NONBLOCK());
        int nothing = bench.open(Path.of("/dev/null"), O_WRONLY());
        MemorySegment page = bench.map(PAGE);
        long address = page.address();

        Allocations.awaitNone(() -> {
            Syscalls.write(pipe.sink(), page, PAGE);
            Syscalls.tee(pipe.source(), other.sink(), PAGE, NONE);
            Syscalls.read(pipe.source(), page, PAGE);
            Syscalls.splice(other.source(), NO_OFFSET, nothing, NO_OFFSET, PAGE, NONE);
        });
        Allocations.awaitNone(() -> {
            Syscalls.vmsplice(pipe.sink(), address, PAGE, SPLICE_F_NONBLOCK());
            Syscalls.ioctl(pipe.source(), FIONREAD());
            Syscalls.splice(pipe.source(), NO_OFFSET, nothing, NO_OFFSET, PAGE, NONE);
        });
        Allocations.awaitNone(() -> {
            Syscalls.splice(pipe.source(), NO_OFFSET, nothing, NO_OFFSET, PAGE, NONE);
            Syscalls.read(-1, page, PAGE);
            Syscalls.fcntl(pipe.source(), F_GETPIPE_SZ(), 0);
            WaitCalls.poll(pipe.source(), POLLIN(), 0);
        });
        Allocations.awaitNone(() -> {
            long ends = Syscalls.pipe2(O_CLOEXEC());
            Syscalls.close((int) ends);
            Syscalls.close((int) (ends >>> 32));
        });
    }

    @Test
    void everyThreadSeesItsOwnErrno() throws Exception {
        Ends empty = bench.pipe(O_NONBLOCK());
        Ends unread = bench.pipe();
        bench.close(unread.source());
        int file = bench.file(bytes(10));
        int nothing = bench.open(Path.of("/dev/null"), O_WRONLY());
        MemorySegment page = bench.map(PAGE);
        List<Call> calls = List.of(
                new Call(-EBADF(), () -> Syscalls.read(-1, page, PAGE)),
                new Call(-EAGAIN(), () -> Syscalls.read(empty.source(), page, PAGE)),
                new Call(-EPIPE(), () -> Syscalls.write(unread.sink(), page, PAGE)),
                new Call(-EINVAL(), () -> Syscalls.splice(file, 0, file, 0, 1, NONE)),
                new Call(-ESPIPE(), () -> Syscalls.splice(empty.source(), 0, file, NO_OFFSET, 1, NONE)),
                new Call(-ENOTTY(), () -> Syscalls.ioctl(nothing, SIOCOUTQ())),
                new Call(PAGE, () -> Syscalls.write(nothing, page, PAGE)));

        List<Future<?>> threads = new ArrayList<>();
        try (ExecutorService virtual = Executors.newVirtualThreadPerTaskExecutor();
                ExecutorService platform = Executors.newFixedThreadPool(4)) {
            for (int i = 0; i < THREADS; i++) {
                int first = i;
                ExecutorService executor = i % 10 == 0 ? platform : virtual;
                threads.add(executor.submit(() -> {
                    for (int n = 0; n < 500; n++) {
                        Call call = calls.get((first + n / 100) % calls.size());
                        gives(call.expected(), call.made().getAsLong());
                        Thread.yield();
                    }
                }));
            }
        }
        for (Future<?> thread : threads) {
            thread.get();
        }
    }

    @Test
    void noTwoThreadsShareACallState() throws Exception {
        Set<CallState> states = Collections.synchronizedSet(Collections.newSetFromMap(new IdentityHashMap<>()));
        CountDownLatch held = new CountDownLatch(THREADS);
        try (ExecutorService virtual = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < THREADS; i++) {
                virtual.execute(() -> {
                    CallState state = CallState.acquire();
                    states.add(state);
                    held.countDown();
                    awaitAll(held);
                    state.release();
                });
            }
        }
        assertThat(states).hasSize(THREADS);
    }

    @Test
    @Tag("slow")
    void aMillionPipesLeaveNothingBehind() throws Exception {
        Ends first = bench.pipe();
        bench.close(first.source());
        bench.close(first.sink());
        Inventory before = Inventory.ofDescriptorsAndMappings();
        for (int i = 0; i < 1_000_000; i++) {
            long ends = Syscalls.pipe2(O_CLOEXEC());
            int failed = Syscalls.close((int) ends) | Syscalls.close((int) (ends >>> 32));
            assertThat(failed).isZero();
        }
        before.expectNothingLeft(Duration.ofSeconds(5));
        assertThat(bench.pipe()).isEqualTo(first);
    }

    private static void awaitAll(CountDownLatch latch) {
        try {
            latch.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /** A call, and what it must always give. */
    private record Call(long expected, LongSupplier made) {}
}
