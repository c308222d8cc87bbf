package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Syscalls;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import io.sluice.testing.Workbench.Sockets;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.Random;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.LongSupplier;

/** Rows that are whole jobs: relays, and calls made at the same time by several threads. */
final class SpliceJobsConformance extends Family {
    private static final int PATIENCE_SECONDS = 60;
    private static final int STEP = 1 << 20;
    private static final long NO_LIMIT = Long.MAX_VALUE;

    private static final List<Amount> AMOUNTS = List.of(
            new Amount(128, 128, NO_LIMIT),
            new Amount(4096, 1 << 20, NO_LIMIT),
            new Amount(5 << 20, 1 << 30, NO_LIMIT),
            new Amount(4096, 1 << 20, 1 << 10),
            new Amount(1024, 4096, 4096 + 100),
            new Amount(32, 128, 128));

    /** How much is sent, in chunks of which size, and where the relay is to stop. */
    private record Amount(int chunk, long total, long limit) {
        long relayed() {
            return Math.min(total, limit);
        }
    }

    @Row("sp_go_matrix")
    void relays(Workbench bench) throws Exception {
        for (Amount amount : AMOUNTS) {
            relay(amount, bench, bench.tcp(), bench.tcp());
            relay(amount, bench, bench.unix(SOCK_STREAM()), bench.tcp());
            relay(amount, bench, bench.tcp(), bench.unix(SOCK_STREAM()));
            relayToFile(amount, bench, bench.tcp());
            relayToFile(amount, bench, bench.unix(SOCK_STREAM()));
        }
    }

    @Row("sp_gv_conc")
    void fileOffsetUnderConcurrentUse(Workbench bench) throws Exception {
        int file = bench.file(new byte[] {1, 1});
        Ends pipe = bench.pipe();
        MemorySegment page = bench.pages(PAGE, (char) 1);
        MemorySegment into = bench.buffer(CAPACITY);
        AtomicBoolean done = new AtomicBoolean();
        AtomicBoolean fed = new AtomicBoolean();

        FutureTask<?> unmapping = repeatedly(done, () -> Libc.madvise(page.address(), PAGE, MADV_DONTNEED()));
        FutureTask<?> reading = repeatedly(done, () -> {
            Libc.lseek(file, 0, 0);
            return Syscalls.read(file, page, 1);
        });
        FutureTask<?> draining = repeatedly(done, () -> Syscalls.read(pipe.source(), page, 1));
        FutureTask<?> feeding = repeatedly(fed, () -> Syscalls.write(pipe.sink(), page, 1));
        try {
            for (int i = 0; i < 5000; i++) {
                assertThat(Libc.lseek(file, 0, 0)).isNotNegative();
                gives(1, splice(pipe.source(), file, 1, NONE));
            }
        } finally {
            done.set(true);
            for (FutureTask<?> thread : List.of(unmapping, reading, draining)) {
                thread.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
            }
            fed.set(true);
            bench.setNonBlocking(pipe.source(), true);
            while (!feeding.isDone()) {
                Syscalls.read(pipe.source(), into, CAPACITY);
            }
        }
    }

    private static void relay(Amount amount, Workbench bench, Sockets from, Sockets to) throws Exception {
        MemorySegment chunk = chunk(amount, bench);
        FutureTask<Long> received = concurrently(() -> receive(bench, to.far(), chunk));
        send(amount, bench, from, to.near(), chunk);
        bench.close(to.near());
        assertThat(received.get(PATIENCE_SECONDS, TimeUnit.SECONDS)).isEqualTo(amount.relayed());
        bench.close(to.far());
    }

    private static void relayToFile(Amount amount, Workbench bench, Sockets from) throws Exception {
        MemorySegment chunk = chunk(amount, bench);
        int file = bench.file(bytes(0));
        send(amount, bench, from, file, chunk);
        gives(0, Libc.lseek(file, 0, 0));
        assertThat(receive(bench, file, chunk)).isEqualTo(amount.relayed());
        gives(0, Libc.ftruncate(file, 0));
        bench.close(file);
    }

    private static void send(Amount amount, Workbench bench, Sockets from, int to, MemorySegment chunk)
            throws Exception {
        FutureTask<Long> sent = concurrently(() -> {
            long n = sendAll(from.near(), chunk, amount.total());
            bench.close(from.near());
            return n;
        });
        assertThat(move(bench, from.far(), to, amount.limit())).isEqualTo(amount.relayed());
        bench.close(from.far());
        long n = sent.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        if (amount.limit() >= amount.total()) {
            gives(amount.total(), n);
        }
    }

    /** Sends the chunk over and over; stops early if the other side has closed. */
    private static long sendAll(int to, MemorySegment chunk, long total) {
        long sent = 0;
        while (sent < total) {
            long at = sent % chunk.byteSize();
            long n = Syscalls.write(to, chunk.asSlice(at), Math.min(chunk.byteSize() - at, total - sent));
            if (n < 0) {
                return n;
            }
            sent += n;
        }
        return sent;
    }

    private static long move(Workbench bench, int from, int to, long limit) {
        Ends pipe = bench.pipe();
        long moved = 0;
        while (moved < limit) {
            long n = splice(from, pipe.sink(), Math.min(STEP, limit - moved), NONE);
            assertThat(n).isNotNegative();
            if (n == 0) {
                break;
            }
            for (long left = n; left > 0; ) {
                long out = splice(pipe.source(), to, left, NONE);
                assertThat(out).isPositive();
                left -= out;
            }
            moved += n;
        }
        bench.close(pipe.source());
        bench.close(pipe.sink());
        return moved;
    }

    /** Reads to the end, and compares with the chunk over and over. */
    private static long receive(Workbench bench, int from, MemorySegment chunk) {
        MemorySegment into = bench.buffer(STEP);
        long received = 0;
        long n;
        while ((n = Syscalls.read(from, into, STEP)) > 0) {
            for (long at = 0; at < n; ) {
                long inChunk = (received + at) % chunk.byteSize();
                long length = Math.min(n - at, chunk.byteSize() - inChunk);
                assertThat(MemorySegment.mismatch(into, at, at + length, chunk, inChunk, inChunk + length))
                        .isNegative();
                at += length;
            }
            received += n;
        }
        gives(0, n);
        return received;
    }

    private static MemorySegment chunk(Amount amount, Workbench bench) {
        byte[] content = new byte[amount.chunk()];
        new Random(amount.total()).nextBytes(content);
        return bench.buffer(content);
    }

    private static FutureTask<?> repeatedly(AtomicBoolean done, LongSupplier call) {
        return concurrently(() -> {
            while (!done.get()) {
                assertThat(call.getAsLong()).isNotNegative();
            }
            return null;
        });
    }
}
