package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.io_cqring_offsets;
import io.sluice.internal.ffi.io_sqring_offsets;
import io.sluice.internal.ffi.io_uring_cqe;
import io.sluice.internal.ffi.io_uring_params;
import io.sluice.internal.ffi.io_uring_sqe;
import java.lang.foreign.MemorySegment;

/**
 * The memory that a ring shares with the kernel, and where in it things are: both queues with their indices in one mapping
 * (IORING_FEAT_SINGLE_MMAP), the requests in another.
 */
final class UringMapping {
    /** Both queues. */
    final MemorySegment queues;

    /** The requests themselves, of which the queue holds the numbers. */
    final MemorySegment requests;

    final int requestMask;
    final int completionMask;

    /** Where the kernel writes up to which request it has taken them. */
    final long requestHead;

    /** Where the program writes up to which request there are any. */
    final long requestTail;

    /** Where the kernel says that it must be entered. */
    final long flags;

    /** Where the program writes up to which completion it has taken them. */
    final long completionHead;

    /** Where the kernel writes up to which completion there are any. */
    final long completionTail;

    /** Where the kernel counts completions that it had no memory to keep. */
    final long lost;

    final long firstCompletion;

    UringMapping(MemorySegment queues, MemorySegment requests, MemorySegment params) {
        MemorySegment submission = io_uring_params.sq_off(params);
        MemorySegment completion = io_uring_params.cq_off(params);
        this.queues = queues;
        this.requests = requests;
        requestMask = io_uring_params.sq_entries(params) - 1;
        completionMask = io_uring_params.cq_entries(params) - 1;
        requestHead = io_sqring_offsets.head(submission);
        requestTail = io_sqring_offsets.tail(submission);
        flags = io_sqring_offsets.flags(submission);
        completionHead = io_cqring_offsets.head(completion);
        completionTail = io_cqring_offsets.tail(completion);
        lost = io_cqring_offsets.overflow(completion);
        firstCompletion = io_cqring_offsets.cqes(completion);
        // The queue of numbers stays as it is: place i always holds request i.
        long numbers = io_sqring_offsets.array(submission);
        for (int i = 0; i <= requestMask; i++) {
            queues.set(JAVA_INT, numbers + (long) i * Integer.BYTES, i);
        }
    }

    /** Maps what {@code io_uring_setup} described. */
    static UringMapping of(int ring, MemorySegment params) throws UringFailedException {
        MemorySegment submission = io_uring_params.sq_off(params);
        MemorySegment completion = io_uring_params.cq_off(params);
        long entries = io_uring_params.sq_entries(params);
        long queuesSize = Math.max(
                io_sqring_offsets.array(submission) + entries * Integer.BYTES,
                io_cqring_offsets.cqes(completion) + io_uring_params.cq_entries(params) * io_uring_cqe.sizeof());
        MemorySegment queues = map(ring, queuesSize, Linux.IORING_OFF_SQ_RING());
        try {
            MemorySegment requests = map(ring, entries * io_uring_sqe.sizeof(), Linux.IORING_OFF_SQES());
            return new UringMapping(queues, requests, params);
        } catch (UringFailedException e) {
            MemoryCalls.unmap(queues.address(), queues.byteSize());
            throw e;
        }
    }

    private static MemorySegment map(int ring, long size, long offset) throws UringFailedException {
        long address = MemoryCalls.map(0, size, Linux.MAP_SHARED() | Linux.MAP_POPULATE(), ring, offset);
        if (address < 0) {
            throw new UringFailedException("mmap", (int) -address);
        }
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    void unmap() {
        MemoryCalls.unmap(queues.address(), queues.byteSize());
        MemoryCalls.unmap(requests.address(), requests.byteSize());
    }
}
