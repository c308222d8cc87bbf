package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.io_cqring_offsets;
import io.sluice.internal.ffi.io_sqring_offsets;
import io.sluice.internal.ffi.io_uring_cqe;
import io.sluice.internal.ffi.io_uring_params;
import io.sluice.internal.ffi.io_uring_sqe;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;
import java.util.Deque;

/**
 * The other side of a ring, played in memory of our own: it completes each request with how many it has had before, and may be told to
 * refuse. Its indices begin wherever a test wants.
 */
final class FakeKernel implements Uring.Gateway {
    static final int ENTRIES = 4;
    static final int COMPLETIONS = 8;

    private static final int HEAD = 0;
    private static final int TAIL = 4;
    private static final int FLAGS = 8;
    private static final int COMPLETION_HEAD = 16;
    private static final int COMPLETION_TAIL = 20;
    private static final int OVERFLOW = 24;
    private static final int NUMBERS = 64;
    private static final int COMPLETED = 128;
    private static final long PAGE = 4096;

    private final MemorySegment queues = page();
    private final MemorySegment requests = page();
    private final Deque<Long> backlog = new ArrayDeque<>();
    private final Deque<Integer> answers = new ArrayDeque<>();
    private int completed;
    private int entered;

    FakeKernel(int start) {
        for (int index : new int[] {HEAD, TAIL, COMPLETION_HEAD, COMPLETION_TAIL}) {
            queues.set(JAVA_INT, index, start);
        }
    }

    /** The ring on this side. */
    Uring ring() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = io_uring_params.allocate(arena);
            io_uring_params.sq_entries(params, ENTRIES);
            io_uring_params.cq_entries(params, COMPLETIONS);
            MemorySegment submission = io_uring_params.sq_off(params);
            io_sqring_offsets.head(submission, HEAD);
            io_sqring_offsets.tail(submission, TAIL);
            io_sqring_offsets.flags(submission, FLAGS);
            io_sqring_offsets.array(submission, NUMBERS);
            MemorySegment completion = io_uring_params.cq_off(params);
            io_cqring_offsets.head(completion, COMPLETION_HEAD);
            io_cqring_offsets.tail(completion, COMPLETION_TAIL);
            io_cqring_offsets.overflow(completion, OVERFLOW);
            io_cqring_offsets.cqes(completion, COMPLETED);
            return new Uring(Descriptor.owned(WaitCalls.eventfd()), new UringMapping(queues, requests, params), this);
        }
    }

    /** The next call takes so many requests, or fails with this −errno. */
    void answer(int takenOrError) {
        answers.add(takenOrError);
    }

    int entered() {
        return entered;
    }

    void loseOne() {
        queues.set(JAVA_INT, OVERFLOW, queues.get(JAVA_INT, OVERFLOW) + 1);
    }

    @Override
    public int enter(int submit, int completions, int flags, long argument, long size) {
        entered++;
        int take = answers.isEmpty() ? submit : answers.remove();
        for (int i = 0; i < take; i++) {
            int head = queues.get(JAVA_INT, HEAD);
            int number = queues.get(JAVA_INT, NUMBERS + (head & ENTRIES - 1) * 4L);
            long request = number * io_uring_sqe.sizeof();
            backlog.add(requests.get(JAVA_LONG, request + io_uring_sqe.user_data$offset()));
            queues.set(JAVA_INT, HEAD, head + 1);
        }
        int tail = queues.get(JAVA_INT, COMPLETION_TAIL);
        while (!backlog.isEmpty() && tail - queues.get(JAVA_INT, COMPLETION_HEAD) < COMPLETIONS) {
            long at = COMPLETED + (tail++ & COMPLETIONS - 1) * io_uring_cqe.sizeof();
            queues.set(JAVA_LONG, at + io_uring_cqe.user_data$offset(), backlog.remove());
            queues.set(JAVA_INT, at + io_uring_cqe.res$offset(), completed++);
            queues.set(JAVA_INT, at + io_uring_cqe.flags$offset(), 0);
        }
        queues.set(JAVA_INT, COMPLETION_TAIL, tail);
        queues.set(JAVA_INT, FLAGS, backlog.isEmpty() ? 0 : Linux.IORING_SQ_CQ_OVERFLOW());
        return take;
    }

    private static MemorySegment page() {
        long address = MemoryCalls.map(0, PAGE, Linux.MAP_PRIVATE() | Linux.MAP_ANONYMOUS(), -1);
        return MemorySegment.ofAddress(address).reinterpret(PAGE);
    }
}
