package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.testing.Await;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.FutureTask;

/** Rows of the table that belong together: each a method with {@link Row} that takes an empty workbench. */
abstract class Family {
    static final long NO_OFFSET = -1;
    static final int NONE = 0;

    private static final Regime REGIME = probe();

    /** What this kernel does with memory that vmsplice is given. */
    enum Regime {
        REFERENCES,
        COPIES,
        DENIED
    }

    /** Skips a row that is about pages the kernel holds, on a kernel that takes copies instead. */
    static void assumePagesAreReferenced() {
        assumeTrue(REGIME == Regime.REFERENCES, "this kernel does not reference what vmsplice is given: " + REGIME);
    }

    static void assumeVmspliceIsAllowed() {
        assumeTrue(REGIME != Regime.DENIED, "vmsplice is denied here");
    }

    static void assumePagesAreCopied() {
        assumeTrue(REGIME == Regime.COPIES, "this kernel does not copy what vmsplice is given: " + REGIME);
    }

    static long splice(int in, int out, long length, int flags) {
        return Syscalls.splice(in, NO_OFFSET, out, NO_OFFSET, length, flags);
    }

    static long vmsplice(int fd, MemorySegment memory, int flags) {
        assumeVmspliceIsAllowed();
        return Syscalls.vmsplice(fd, memory.address(), memory.byteSize(), flags);
    }

    /** The events among these that the descriptor has now. */
    static int ready(int fd, int events) {
        return WaitCalls.poll(fd, events, 0);
    }

    static <T> FutureTask<T> concurrently(Callable<T> body) {
        FutureTask<T> task = new FutureTask<>(body);
        Thread.ofPlatform().daemon().start(task);
        return task;
    }

    static byte[] filled(int length, char with) {
        return String.valueOf(with).repeat(length).getBytes(StandardCharsets.US_ASCII);
    }

    /** A page of which the first bytes are A and the others 0. */
    static byte[] zeroFrom(int start) {
        return Arrays.copyOf(filled(start, 'A'), PAGE);
    }

    /** Writes a page of B over the start of a file of A. */
    static void overwrite(Workbench bench, int file) {
        gives(PAGE, Libc.pwrite(file, bench.buffer(filled(PAGE, 'B')), PAGE, 0));
    }

    /** Waits until everything sent has been acknowledged, which is less than consumed. */
    static void awaitAcknowledged(int socket) throws Exception {
        Await.until(() -> Syscalls.ioctl(socket, SIOCOUTQ()) == 0, "the acknowledgement");
    }

    static byte[] bytesOf(MemorySegment memory) {
        return memory.toArray(ValueLayout.JAVA_BYTE);
    }

    /** Stores B over A between vmsplice and read, and looks which the reader sees. */
    static Regime probe() {
        try (Workbench bench = new Workbench()) {
            Ends pipe = bench.pipe();
            MemorySegment page = bench.pages(PAGE, 'A');
            if (Syscalls.vmsplice(pipe.sink(), page.address(), PAGE, SPLICE_F_NONBLOCK()) != PAGE) {
                return Regime.DENIED;
            }
            page.fill((byte) 'B');
            return bench.read(pipe.source(), PAGE)[0] == 'B' ? Regime.REFERENCES : Regime.COPIES;
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
