package io.sluice.bench;

import io.sluice.Fd;
import io.sluice.internal.MemoryCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.Uring;
import io.sluice.internal.UringFailedException;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.channels.SocketChannel;
import java.util.Arrays;

/** Messages from buffers that a ring knows beforehand, each used again when all its notifications have come: as {@code uring.c} has it. */
final class RegisteredCourse implements SendWay.Course {
    private static final int ENTRIES = 8;
    private static final int COMPLETIONS = 512;
    private static final int LONGEST = 1 << 20;
    private static final int FLAGS = Linux.MSG_WAITALL() | Linux.MSG_NOSIGNAL();

    private final Fd socket;
    private final int number;
    private final int size;
    private final long address;
    private final int[] due;
    private final Uring ring;
    private int next;
    private long notified;
    private long copied;

    RegisteredCourse(SocketChannel channel, int size, int slots) throws IOException {
        this.size = size;
        this.due = new int[slots];
        this.address = MemoryCalls.map(
                0, (long) slots * size, Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS() | Linux.MAP_POPULATE(), -1);
        MemorySegment.ofAddress(address).reinterpret((long) slots * size).fill((byte) 7);
        try {
            ring = Uring.open(ENTRIES, COMPLETIONS);
        } catch (UringFailedException e) {
            throw new UnsupportedOperationException(e.getMessage());
        }
        long[] addresses = new long[slots];
        Arrays.setAll(addresses, i -> address + (long) i * size);
        long[] lengths = new long[slots];
        Arrays.fill(lengths, size);
        requireOk(ring.register().buffers(addresses, lengths));
        socket = Fd.of(channel);
        number = socket.number();
        mode(false);
    }

    // As the twin has it: the library's own descriptors do not block.
    private void mode(boolean nonBlocking) {
        int flags = (int) requireOk(Syscalls.fcntl(number, Linux.F_GETFL(), 0));
        int without = flags & ~Linux.O_NONBLOCK();
        requireOk(Syscalls.fcntl(number, Linux.F_SETFL(), nonBlocking ? without | Linux.O_NONBLOCK() : without));
    }

    @Override
    public void send() {
        await(next);
        for (int done = 0; done < size; done += LONGEST) {
            long from = address + (long) next * size + done;
            ring.prepareSend(number, from, Math.min(LONGEST, size - done), next)
                    .operation(FLAGS)
                    .buffer(next);
            due[next]++;
            requireOk(ring.submit(1, Uring.FOREVER));
            take();
        }
        next = (next + 1) % due.length;
    }

    private void await(int slot) {
        for (take(); due[slot] > 0; take()) {
            requireOk(ring.submit(1, Uring.FOREVER));
        }
    }

    private void take() {
        while (ring.next()) {
            if (ring.isNotification()) {
                notified++;
                copied += ring.wasCopied() ? 1 : 0;
                due[(int) ring.tag()]--;
            } else {
                requireOk(ring.result());
            }
        }
    }

    private static long requireOk(long result) {
        if (result < 0) {
            throw new IllegalStateException("error " + -result);
        }
        return result;
    }

    @Override
    public void finish() {
        for (int i = 0; i < due.length; i++) {
            await(i);
        }
    }

    @Override
    public double copiedShare() {
        return (double) copied / notified;
    }

    @Override
    public void close() throws IOException {
        ring.close();
        MemoryCalls.unmap(address, (long) due.length * size);
        mode(true);
        socket.close();
    }
}
