package io.sluice.internal;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;

import io.sluice.internal.ffi.Linux;
import io.sluice.internal.ffi.io_uring_sqe;
import java.lang.foreign.MemorySegment;

/** The request that a ring is being given: a {@code struct io_uring_sqe}, zero but for what is said here. One object for all of a ring's. */
public final class UringRequest {
    private static final long SIZE = io_uring_sqe.sizeof();
    private static final long OPCODE = io_uring_sqe.opcode$offset();
    private static final long FLAGS = io_uring_sqe.flags$offset();
    private static final long PRIORITY = io_uring_sqe.ioprio$offset();
    private static final long DESCRIPTOR = io_uring_sqe.fd$offset();
    private static final long OFFSET = io_uring_sqe.off$offset();
    private static final long ADDRESS = io_uring_sqe.addr$offset();
    private static final long LENGTH = io_uring_sqe.len$offset();
    private static final long OPERATION_FLAGS = io_uring_sqe.rw_flags$offset();
    private static final long TAG = io_uring_sqe.user_data$offset();
    private static final long BUFFER = io_uring_sqe.buf_index$offset();
    private static final long SOURCE = io_uring_sqe.splice_fd_in$offset();
    private static final long SOURCE_OFFSET = io_uring_sqe.splice_off_in$offset();

    private static final long NAME = io_uring_sqe.addr2$offset();
    private static final long NAME_LENGTH = io_uring_sqe.addr_len$offset();

    private final MemorySegment requests;
    private long at;

    UringRequest(MemorySegment requests) {
        this.requests = requests;
    }

    UringRequest begin(int index, int opcode, int fd, long tag) {
        at = index * SIZE;
        for (long word = at; word < at + SIZE; word += Long.BYTES) {
            requests.set(JAVA_LONG, word, 0);
        }
        requests.set(JAVA_BYTE, at + OPCODE, (byte) opcode);
        requests.set(JAVA_INT, at + DESCRIPTOR, fd);
        requests.set(JAVA_LONG, at + TAG, tag);
        return this;
    }

    /** The bytes it is about, or a structure that describes them; more than one call moves are clamped as in {@link Syscalls}. */
    public UringRequest memory(long address, long length) {
        requests.set(JAVA_LONG, at + ADDRESS, address);
        return length(length);
    }

    /** How many bytes, where there is no memory. */
    public UringRequest length(long length) {
        requests.set(JAVA_INT, at + LENGTH, (int) Math.min(length, Syscalls.MAX_LENGTH));
        return this;
    }

    /** The offset in the file, or for a splice in its target; −1 for its position, or for what has none. */
    public UringRequest offset(long offset) {
        requests.set(JAVA_LONG, at + OFFSET, offset);
        return this;
    }

    /** Where a send goes to that has no peer: a {@code struct sockaddr}, which is read before {@link Uring#submit} returns. */
    public UringRequest to(long name, int length) {
        requests.set(JAVA_LONG, at + NAME, name);
        requests.set(JAVA_SHORT, at + NAME_LENGTH, (short) length);
        return this;
    }

    /** What a splice or a tee takes bytes from, and at which offset; −1 for none. */
    public UringRequest from(int fd, long offset) {
        requests.set(JAVA_INT, at + SOURCE, fd);
        requests.set(JAVA_LONG, at + SOURCE_OFFSET, offset);
        return this;
    }

    /** The flags that the call would take: MSG_…, SPLICE_F_…. */
    public UringRequest operation(int flags) {
        requests.set(JAVA_INT, at + OPERATION_FLAGS, flags);
        return this;
    }

    /** What a send takes besides (IORING_SEND_ZC_…), in the place of a priority. */
    public UringRequest priority(int value) {
        requests.set(JAVA_SHORT, at + PRIORITY, (short) value);
        return this;
    }

    /** The memory is within this registered buffer. */
    public UringRequest buffer(int index) {
        requests.set(JAVA_SHORT, at + BUFFER, (short) index);
        int before = requests.get(JAVA_SHORT, at + PRIORITY);
        return priority(before | Linux.IORING_RECVSEND_FIXED_BUF());
    }

    /** What holds for any request: IOSQE_…. */
    public UringRequest request(int flags) {
        requests.set(JAVA_BYTE, at + FLAGS, (byte) flags);
        return this;
    }
}
