package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Workbench.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Assumptions;

/** Rows of the table that belong together: each a method with {@link Row} that takes an empty workbench. */
abstract class Family {
    static final long NO_OFFSET = -1;
    static final int NONE = 0;

    private static final boolean PAGES_ARE_REFERENCED = probe() == 'B';

    /** Skips a row that is about pages the kernel holds, on a kernel that takes copies instead. */
    static void assumePagesAreReferenced() {
        Assumptions.assumeTrue(PAGES_ARE_REFERENCED, "this kernel copies what vmsplice is given");
    }

    static long splice(int in, int out, long length, int flags) {
        return Syscalls.splice(in, NO_OFFSET, out, NO_OFFSET, length, flags);
    }

    static long vmsplice(int fd, MemorySegment memory, int flags) {
        return Syscalls.vmsplice(fd, memory.address(), memory.byteSize(), flags);
    }

    /** The events among these that the descriptor has now. */
    static int ready(int fd, int events) {
        return WaitCalls.poll(fd, events, 0);
    }

    static byte[] filled(int length, char with) {
        return String.valueOf(with).repeat(length).getBytes(StandardCharsets.US_ASCII);
    }

    static byte[] bytesOf(MemorySegment memory) {
        return memory.toArray(ValueLayout.JAVA_BYTE);
    }

    /** What the reader of a page sees if B is stored over A between vmsplice and read. */
    static char probe() {
        try (Workbench bench = new Workbench()) {
            Ends pipe = bench.pipe();
            MemorySegment page = bench.pages(PAGE, 'A');
            assertThat(vmsplice(pipe.sink(), page, SPLICE_F_NONBLOCK())).isIn((long) PAGE, -(long) EPERM());
            page.fill((byte) 'B');
            return bench.available(pipe.source()) == 0 ? 'A' : (char) bench.read(pipe.source(), PAGE)[0];
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }
}
