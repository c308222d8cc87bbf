package io.sluice;

import io.sluice.internal.Descriptor;
import io.sluice.internal.Ledger;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.lang.ref.Reference;
import org.jspecify.annotations.Nullable;

/**
 * One side of a transfer, be it the end of a pipe or another descriptor.
 *
 * @param owner what must stay reachable during a call, or the descriptor is closed under it; a caller may hold no other
 *     reference
 * @param descriptor what is passed to the kernel
 * @param kind what it stands for
 * @param copies whether what is spliced to it is copied before the call returns, so that nobody holds its pages afterwards
 * @param words how messages call it
 * @param ledger that of the pipe this is an end of, or null
 */
record Side(
        Object owner,
        Descriptor descriptor,
        Fd.Kind kind,
        boolean copies,
        String words,
        @Nullable Ledger ledger) {
    int number() {
        return descriptor.number();
    }

    boolean isPipe() {
        return kind == Fd.Kind.PIPE;
    }

    /** Whether a call on it may wait for a disk or a device, which non-blocking mode does not prevent. */
    boolean mayWait() {
        return kind == Fd.Kind.FILE || kind == Fd.Kind.OTHER;
    }

    /** Begins a call that brings bytes to this side or takes them from it, alone if somebody counts them; false if it is closed. */
    boolean begin() {
        return ledger == null ? descriptor.enter() : descriptor.enterAlone();
    }

    @SuppressWarnings("ReachabilityFenceUsage") // called from a finally
    void end() {
        if (ledger == null) {
            descriptor.exit();
        } else {
            descriptor.exitAlone();
        }
        Reference.reachabilityFence(owner);
    }

    /** Bytes that have entered the pipe so far, as far as they are counted. */
    long entered() {
        return ledger == null ? 0 : ledger.entered();
    }

    /** A call of which {@code n} is the result took bytes out for good. Less than it asked for means that it found the pipe empty. */
    void taken(long n, long asked, long enteredBefore) {
        if (ledger == null) {
            return;
        }
        if (n < asked && (n >= 0 || n == -Linux.EAGAIN())) {
            ledger.leaveEmpty(Math.max(n, 0), enteredBefore);
        } else if (n > 0) {
            ledger.leave(n, false);
        }
    }

    void entered(long n) {
        if (ledger != null) {
            ledger.enter(n);
        }
    }

    void left(long n, boolean byReference) {
        if (ledger != null) {
            ledger.leave(n, byReference);
        }
    }

    void duplicated(long n) {
        if (ledger != null) {
            ledger.duplicate(n);
        }
    }

    boolean isOpenedForAppend() {
        if (!descriptor.enter()) {
            return false;
        }
        try {
            int flags = Syscalls.fcntl(number(), Linux.F_GETFL(), 0);
            return flags >= 0 && (flags & Linux.O_APPEND()) != 0;
        } finally {
            descriptor.exit();
        }
    }
}
