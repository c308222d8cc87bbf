package io.sluice.conformance;

import static io.sluice.internal.ffi.Linux.*;
import static io.sluice.testing.Results.fails;
import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.CAPACITY;
import static io.sluice.testing.Workbench.PAGE;
import static io.sluice.testing.Workbench.bytes;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.Syscalls;
import io.sluice.testing.BlockedCall;
import io.sluice.testing.Libc;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.Map;

/** Vmsplice, in both directions. */
final class VmspliceConformance extends Family {
    @Row("vm_ltp01")
    void largerThanThePipe(Workbench bench) {
        assumePagesAreReferenced();
        MemorySegment memory = bench.map(2 * CAPACITY).copyFrom(MemorySegment.ofArray(bytes(2 * CAPACITY)));
        int file = bench.file(bytes(0));
        Ends pipe = bench.pipe();
        for (int at = 0; at < 2 * CAPACITY; at += CAPACITY) {
            gives(POLLOUT(), ready(pipe.sink(), POLLOUT()));
            gives(CAPACITY, vmsplice(pipe.sink(), memory.asSlice(at), NONE));
            gives(CAPACITY, splice(pipe.source(), file, CAPACITY, NONE));
        }
        assertThat(bench.contentOf(file, 2 * CAPACITY)).isEqualTo(bytes(2 * CAPACITY));
    }

    @Row("vm_ltp02a")
    void noDescriptor(Workbench bench) {
        fails(EBADF(), vmsplice(-1, bench.map(PAGE), NONE));
    }

    @Row("vm_ltp03")
    void outOfThePipe(Workbench bench) {
        MemorySegment memory = bench.map(CAPACITY);
        gives(CAPACITY, vmsplice(bench.fullPipe().source(), memory, NONE));
        assertThat(bytesOf(memory)).isEqualTo(bytes(CAPACITY));
    }

    @Row("vm_ltp04a")
    void fullPipeWithoutWaiting(Workbench bench) {
        Ends pipe = filledByVmsplice(bench);
        fails(EAGAIN(), vmsplice(pipe.sink(), bench.map(PAGE), SPLICE_F_NONBLOCK()));
    }

    @Row("vm_ltp04b")
    void waitsForRoom(Workbench bench) throws Exception {
        Ends pipe = filledByVmsplice(bench);
        MemorySegment page = bench.pages(PAGE, 'A');
        BlockedCall<Long> vmsplice = BlockedCall.in(SystemCall.VMSPLICE, () -> vmsplice(pipe.sink(), page, NONE));
        bench.readFully(pipe.source(), PAGE);
        gives(PAGE, vmsplice.result());
    }

    @Row("vm_empty")
    void noRanges(Workbench bench) {
        assumeVmspliceIsAllowed();
        gives(0, Libc.vmsplice(bench.pipe().sink(), 0, 0, NONE));
    }

    @Row("vm_len0")
    void emptyRangeIntoFullPipe(Workbench bench) {
        gives(0, vmsplice(bench.fullPipe().sink(), bench.map(PAGE).asSlice(0, 0), NONE));
    }

    @Row("vm_gift")
    void giftThatIsNoWholePage(Workbench bench) {
        MemorySegment unaligned = bench.pages(PAGE, 'A').asSlice(100, 8);
        gives(8, vmsplice(bench.pipe().sink(), unaligned, SPLICE_F_GIFT()));
    }

    @Row("vm_efault")
    void memoryThatCannotBeRead(Workbench bench) {
        MemorySegment page = bench.pages(PAGE, 'A');
        gives(0, Libc.mprotect(page.address(), PAGE, PROT_NONE()));
        fails(EFAULT(), vmsplice(bench.pipe().sink(), page, NONE));
    }

    @Row("vm_badiov")
    void rangesAtBadAddress(Workbench bench) {
        assumeVmspliceIsAllowed();
        fails(EFAULT(), Libc.vmsplice(bench.pipe().sink(), 1, 1, NONE));
    }

    @Row("vm_neg")
    void negativeLength(Workbench bench) {
        assumeVmspliceIsAllowed();
        fails(EINVAL(), Syscalls.vmsplice(bench.pipe().sink(), bench.map(PAGE).address(), Long.MIN_VALUE, NONE));
    }

    @Row("vm_secret")
    void secretMemory(Workbench bench) {
        assumePagesAreReferenced();
        int secret = Libc.memfdSecret(NONE);
        assumeTrue(secret != -ENOSYS(), "needs memfd_secret");
        bench.own(secret);
        gives(0, Libc.ftruncate(secret, PAGE));
        MemorySegment page = bench.map(PAGE, MAP_SHARED(), secret).fill((byte) 'A');
        fails(EFAULT(), vmsplice(bench.pipe().sink(), page, NONE));
    }

    @Row("vm_ronb")
    void nonBlockingReadEndStillWaits(Workbench bench) throws Exception {
        assumePagesAreReferenced();
        Ends pipe = bench.pipe();
        bench.setNonBlocking(pipe.source(), true);
        MemorySegment page = bench.map(PAGE);
        BlockedCall<Long> vmsplice = BlockedCall.in(SystemCall.VMSPLICE, () -> vmsplice(pipe.source(), page, NONE));
        bench.write(pipe.sink(), bytes(5));
        gives(5, vmsplice.result());
    }

    @Row("vm_rd_nb")
    void emptyPipeWithoutWaiting(Workbench bench) {
        fails(EAGAIN(), vmsplice(bench.pipe().source(), bench.map(PAGE), SPLICE_F_NONBLOCK()));
    }

    @Row("vm_rd_eof")
    void emptyPipeWithoutWriter(Workbench bench) {
        Ends pipe = bench.pipe();
        bench.close(pipe.sink());
        gives(0, vmsplice(pipe.source(), bench.map(PAGE), NONE));
    }

    @Row("vm_rd_short")
    void noMoreThanThereIs(Workbench bench) {
        gives(5, vmsplice(bench.pipeHolding(bytes(5)).source(), bench.map(4 * PAGE), NONE));
    }

    @Row("vm_rdwr")
    void descriptorForBothDirectionsIsWrittenTo(Workbench bench) {
        int fifo = bench.open(fifo(bench), O_RDWR());
        gives(9, vmsplice(fifo, bench.pages(PAGE, 'A').asSlice(0, 9), NONE));
        gives(9, bench.available(fifo));
    }

    @Row("vm_slots")
    void aByteTakesASlot(Workbench bench) {
        assumePagesAreReferenced();
        Ends pipe = bench.pipe();
        MemorySegment one = bench.pages(PAGE, 'A').asSlice(0, 1);
        for (int slot = 0; slot < 16; slot++) {
            gives(1, vmsplice(pipe.sink(), one, SPLICE_F_NONBLOCK()));
        }
        fails(EAGAIN(), vmsplice(pipe.sink(), one, SPLICE_F_NONBLOCK()));
        gives(16, bench.available(pipe.source()));
    }

    @Row("vm_unal")
    void unalignedMemoryTakesOneSlotMore(Workbench bench) {
        assumePagesAreReferenced();
        MemorySegment memory = bench.map(18 * PAGE).asSlice(100, 17 * PAGE);
        gives(16 * PAGE - 100, vmsplice(bench.pipe().sink(), memory, SPLICE_F_NONBLOCK()));
    }

    @Row("vm_probe")
    void whetherPagesAreReferenced(Workbench bench) {
        assumeVmspliceIsAllowed();
        assertThat(probe()).isIn(Regime.REFERENCES, Regime.COPIES);
    }

    @Row("vm_seccomp")
    void refusedByAProfile(Workbench bench) throws Exception {
        Ends pipe = bench.pipe();
        MemorySegment page = bench.pages(PAGE, 'A');
        long[] results = Seccomp.refusing(Map.of(SystemCall.VMSPLICE, EPERM()), () -> new long[] {
            Syscalls.vmsplice(pipe.sink(), page.address(), PAGE, SPLICE_F_NONBLOCK()),
            Syscalls.vmsplice(-1, page.address(), PAGE, SPLICE_F_NONBLOCK()),
            Syscalls.write(pipe.sink(), page, PAGE)
        });
        fails(EPERM(), results[0]);
        fails(EPERM(), results[1]);
        gives(PAGE, results[2]);
    }

    @Row("vm_next")
    void fifoOnAKernelThatCopies(Workbench bench) {
        assumePagesAreCopied();
        int fifo = bench.open(fifo(bench), O_RDWR());
        fails(EOPNOTSUPP(), vmsplice(fifo, bench.pages(PAGE, 'A'), SPLICE_F_NONBLOCK()));
    }

    private static Ends filledByVmsplice(Workbench bench) {
        Ends pipe = bench.pipe();
        gives(CAPACITY, vmsplice(pipe.sink(), bench.map(CAPACITY), NONE));
        return pipe;
    }

    private static Path fifo(Workbench bench) {
        Path path = bench.folder().resolve("fifo");
        gives(0, Libc.mkfifo(path.toString(), 0600));
        return path;
    }
}
