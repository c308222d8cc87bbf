package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.__kernel_timespec;
import io.sluice.internal.ffi.io_uring_cqe;
import io.sluice.internal.ffi.io_uring_getevents_arg;
import io.sluice.internal.ffi.io_uring_params;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.VarHandle;
import java.lang.ref.Cleaner;
import java.lang.ref.Reference;

/**
 * An io_uring: requests are written into memory shared with the kernel, handed over in one {@code io_uring_enter} for any number of them,
 * and answered by completions in the same memory.
 *
 * <p>A zero-copy send is answered twice: with its result, which {@linkplain #hasMore promises more}, and with a {@linkplain #isNotification
 * notification} when the kernel has let go of the memory. A send that fails is mostly answered twice as well, and sometimes once; {@link
 * #inFlight} counts by what each completion promises. Notifications of different sends come in any order, and over loopback too not before
 * the peer has acknowledged; that of a send which found no room may come with an earlier one's. The memory is the kernel's until
 * the last of them, whatever the first said; if the ring is closed before, or has {@linkplain #lost} completions, it is the kernel's for good.
 *
 * <p>A send is made with MSG_DONTWAIT, because one without waits in the kernel where its socket would block, O_NONBLOCK or not.
 *
 * <p>To be used by one thread at a time, which may be another each time and may be virtual: the ring is set up without
 * IORING_SETUP_SINGLE_ISSUER and IORING_SETUP_DEFER_TASKRUN, which tie it to one. It has IORING_SETUP_COOP_TASKRUN: a completion does not
 * interrupt the thread that asked for it while that computes, but comes when it next enters the kernel, which the kernel's own clock has
 * it do some hundred times a second. Waiting for {@link #descriptor} is done outside.
 */
public final class Uring implements AutoCloseable {
    /** To wait for completions without a limit. */
    public static final long FOREVER = Long.MAX_VALUE;

    private static final int FEATURES = Linux.IORING_FEAT_SINGLE_MMAP()
            | Linux.IORING_FEAT_NODROP()
            | Linux.IORING_FEAT_SUBMIT_STABLE()
            | Linux.IORING_FEAT_EXT_ARG();
    private static final int SETUP = Linux.IORING_SETUP_CQSIZE()
            | Linux.IORING_SETUP_CLAMP()
            | Linux.IORING_SETUP_SUBMIT_ALL()
            | Linux.IORING_SETUP_COOP_TASKRUN();

    private static final VarHandle INDEX = JAVA_INT.varHandle();
    private static final long COMPLETION = io_uring_cqe.sizeof();
    private static final long TAG = io_uring_cqe.user_data$offset();
    private static final long RESULT = io_uring_cqe.res$offset();
    private static final long FLAGS = io_uring_cqe.flags$offset();

    private static final long ARGUMENT = io_uring_getevents_arg.sizeof();
    private static final long SECONDS = ARGUMENT + __kernel_timespec.tv_sec$offset();
    private static final long NANOS = ARGUMENT + __kernel_timespec.tv_nsec$offset();
    private static final long SECOND = 1_000_000_000;

    private static final Cleaner CLEANER = Cleaner.create();

    /** {@code io_uring_enter} on this ring. */
    @FunctionalInterface
    interface Gateway {
        int enter(int submit, int completions, int flags, long argument, long size);
    }

    private record Resources(Descriptor descriptor, UringMapping mapping) implements Runnable {
        @Override
        public void run() {
            descriptor.close();
            mapping.unmap();
        }
    }

    private final Descriptor descriptor;
    private final UringMapping mapping;
    private final Gateway gateway;
    private final Cleaner.Cleanable resources;
    private final UringRequest request;

    /** A {@code struct io_uring_getevents_arg}, and the time it points to. */
    private final MemorySegment timeout = Arena.ofAuto().allocate(ARGUMENT + __kernel_timespec.sizeof(), 8);

    // Indices count up for ever and wrap at 2^32, so that only their differences mean something.
    private int prepared;
    private int taken;
    private int there;

    private int inFlight;
    private boolean closed;

    private long tag;
    private int result;
    private int flags;

    Uring(Descriptor descriptor, UringMapping mapping, Gateway gateway) {
        this.descriptor = descriptor;
        this.mapping = mapping;
        this.gateway = gateway;
        this.request = new UringRequest(mapping.requests);
        this.prepared = (int) INDEX.getAcquire(mapping.queues, mapping.requestTail);
        this.taken = (int) INDEX.getAcquire(mapping.queues, mapping.completionHead);
        this.there = taken;
        io_uring_getevents_arg.ts(timeout, timeout.address() + ARGUMENT);
        this.resources = CLEANER.register(this, new Resources(descriptor, mapping));
    }

    /**
     * {@code io_uring_setup}.
     *
     * @param entries how many requests it can be handed at once; rounded up to a power of two
     * @param completions how many completions it has room for; the kernel keeps further ones elsewhere, at a price
     * @throws UringFailedException if io_uring is denied, or older than what is needed here
     */
    public static Uring open(int entries, int completions) throws UringFailedException {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment params = io_uring_params.allocate(arena);
            io_uring_params.flags(params, SETUP);
            io_uring_params.cq_entries(params, completions);
            int ring;
            do {
                ring = UringCalls.setup(entries, params.address());
            } while (ring == -Linux.EINTR());
            if (ring < 0) {
                throw new UringFailedException("io_uring_setup", -ring);
            }
            Descriptor descriptor = Descriptor.owned(ring);
            try {
                if ((io_uring_params.features(params) & FEATURES) != FEATURES) {
                    throw new UringFailedException("io_uring_setup", Linux.ENOSYS());
                }
                return new Uring(descriptor, UringMapping.of(ring, params), gateway(ring));
            } catch (UringFailedException e) {
                descriptor.close();
                throw e;
            }
        }
    }

    private static Gateway gateway(int ring) {
        return (submit, completions, flags, argument, size) ->
                UringCalls.enter(ring, submit, completions, flags, argument, size);
    }

    /** What is readable when there are completions. */
    public Descriptor descriptor() {
        return descriptor;
    }

    /** Requests that may be prepared before the next {@link #submit}. */
    public int room() {
        requireOpen();
        return mapping.requestMask + 1 - unsubmitted();
    }

    /** Requests that were handed over and will have completions yet. */
    public int inFlight() {
        return inFlight;
    }

    /** Completions that the kernel had no memory to keep, ever; of the requests in flight it cannot be said which they were. */
    public int lost() {
        requireOpen();
        return (int) INDEX.getAcquire(mapping.queues, mapping.lost);
    }

    /**
     * Begins a request, to be described further on what is returned and handed over by {@link #submit}.
     *
     * @param tag given back with its completions
     * @throws IllegalStateException if there is no {@link #room}, or the ring is closed
     */
    public UringRequest prepare(int opcode, int fd, long tag) {
        requireOpen();
        if (room() == 0) {
            throw new IllegalStateException("no room for another request: submit first");
        }
        return request.begin(prepared++ & mapping.requestMask, opcode, fd, tag);
    }

    /** Sends memory, which is the kernel's until the notification: IORING_OP_SEND_ZC. */
    public UringRequest prepareSend(int socket, long address, long length, long tag) {
        return asSend(prepare(Linux.IORING_OP_SEND_ZC(), socket, tag).memory(address, length));
    }

    /**
     * Sends the ranges of a {@code struct msghdr}, which are the kernel's until the notification; the structure itself only until {@link
     * #submit} returns: IORING_OP_SENDMSG_ZC.
     */
    public UringRequest prepareSendMessage(int socket, long message, long tag) {
        return asSend(prepare(Linux.IORING_OP_SENDMSG_ZC(), socket, tag).memory(message, 1));
    }

    private static UringRequest asSend(UringRequest request) {
        return request.operation(Linux.MSG_DONTWAIT() | Linux.MSG_NOSIGNAL())
                .priority(Linux.IORING_SEND_ZC_REPORT_USAGE());
    }

    /** Moves bytes from, to or between pipes; an offset is −1 where there is none: IORING_OP_SPLICE. */
    public UringRequest prepareSplice(int in, long inOffset, int out, long outOffset, long length, long tag) {
        return prepare(Linux.IORING_OP_SPLICE(), out, tag)
                .from(in, inOffset)
                .offset(outOffset)
                .length(length);
    }

    /** Duplicates bytes from one pipe to another: IORING_OP_TEE. */
    public UringRequest prepareTee(int in, int out, long length, long tag) {
        return prepare(Linux.IORING_OP_TEE(), out, tag).from(in, 0).length(length);
    }

    /**
     * Hands over all that was prepared, and waits until so many completions are there to be taken, earlier ones included, or the time is
     * over, or the thread gets a signal: one {@code io_uring_enter} unless the kernel takes the requests by parts. A thread that waits here
     * holds its carrier and cannot be interrupted.
     *
     * @param completions how many to wait for; 0 also for none
     * @param nanos the most to wait, or {@link #FOREVER}
     * @return requests handed over; if that is fewer than were prepared, the others are dropped; −errno if none was
     */
    public int submit(int completions, long nanos) {
        requireOpen();
        try {
            return handOver(completions, nanos);
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private int handOver(int completions, long nanos) {
        INDEX.setRelease(mapping.queues, mapping.requestTail, prepared);
        int accepted = 0;
        int error = 0;
        for (int left = unsubmitted(); left > 0; left = unsubmitted()) {
            int n = enter(left, completions, nanos);
            if (n > 0) {
                accepted += n;
            } else if (n != -Linux.EINTR()) {
                error = n;
                withdraw();
            }
        }
        inFlight += accepted;
        if (accepted == 0 && error == 0 && completions > 0) {
            error = enter(0, completions, nanos);
            return error == -Linux.EINTR() || error == -Linux.ETIME() ? 0 : error;
        }
        return accepted > 0 ? accepted : error;
    }

    // What the kernel has not taken it does not look at before it is entered again.
    private void withdraw() {
        prepared = (int) INDEX.getAcquire(mapping.queues, mapping.requestHead);
        INDEX.setRelease(mapping.queues, mapping.requestTail, prepared);
    }

    private int unsubmitted() {
        return prepared - (int) INDEX.getAcquire(mapping.queues, mapping.requestHead);
    }

    private int enter(int submit, int completions, long nanos) {
        if (completions == 0 || nanos == FOREVER) {
            return gateway.enter(submit, completions, Linux.IORING_ENTER_GETEVENTS(), 0, 0);
        }
        timeout.set(JAVA_LONG, SECONDS, nanos / SECOND);
        timeout.set(JAVA_LONG, NANOS, nanos % SECOND);
        int how = Linux.IORING_ENTER_GETEVENTS() | Linux.IORING_ENTER_EXT_ARG();
        return gateway.enter(submit, completions, how, timeout.address(), ARGUMENT);
    }

    /** Takes the next completion, if one is there; then {@link #tag}, {@link #result} and the rest are about that one. */
    public boolean next() {
        requireOpen();
        try {
            if (taken == there && !look()) {
                return false;
            }
            MemorySegment queues = mapping.queues;
            long at = mapping.firstCompletion + (taken & mapping.completionMask) * COMPLETION;
            tag = queues.get(JAVA_LONG, at + TAG);
            result = queues.get(JAVA_INT, at + RESULT);
            flags = queues.get(JAVA_INT, at + FLAGS);
            INDEX.setRelease(queues, mapping.completionHead, ++taken);
            if (!hasMore()) {
                inFlight--;
            }
            return true;
        } finally {
            Reference.reachabilityFence(this);
        }
    }

    private boolean look() {
        there = (int) INDEX.getAcquire(mapping.queues, mapping.completionTail);
        int state = (int) INDEX.getAcquire(mapping.queues, mapping.flags);
        if (there == taken && (state & Linux.IORING_SQ_CQ_OVERFLOW()) != 0) {
            // The kernel brings what it kept elsewhere as soon as it is entered and there is room.
            gateway.enter(0, 0, Linux.IORING_ENTER_GETEVENTS(), 0, 0);
            there = (int) INDEX.getAcquire(mapping.queues, mapping.completionTail);
        }
        return there != taken;
    }

    /** What the request of the completion that was taken last was called. */
    public long tag() {
        return tag;
    }

    /** Its result, or −errno; of a notification, IORING_NOTIF_USAGE_ZC_COPIED or nothing. */
    public int result() {
        return result;
    }

    /** Whether it says that the kernel has let go of a send's memory: IORING_CQE_F_NOTIF. */
    public boolean isNotification() {
        return (flags & Linux.IORING_CQE_F_NOTIF()) != 0;
    }

    /** Whether the same request will have another: IORING_CQE_F_MORE. */
    public boolean hasMore() {
        return (flags & Linux.IORING_CQE_F_MORE()) != 0;
    }

    /** Of a notification, whether any of the send's bytes were copied after all. */
    public boolean wasCopied() {
        return (result & Linux.IORING_NOTIF_USAGE_ZC_COPIED()) != 0;
    }

    /** Other things that a ring is told, or asked. */
    public UringRegister register() {
        requireOpen();
        return new UringRegister(descriptor.number());
    }

    private void requireOpen() {
        if (closed) {
            throw new IllegalStateException("the ring is closed");
        }
    }

    /**
     * Gives the ring back, and wakes all who wait for its descriptor. Requests that have not begun are cancelled; what is with a socket stays
     * with it, and nobody will say any more when it is done. Does nothing the second time.
     */
    @Override
    public void close() {
        closed = true;
        resources.clean();
    }
}
