package io.sluice.send;

import io.sluice.Fd;
import io.sluice.internal.FdAccess;
import io.sluice.internal.Hold;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** {@code write} and {@code sendmsg}, which copy: what was sent is released at once. */
final class WriteEngine implements Engine {
    private final FdAccess access = FdAccess.get();
    private final Fd socket;

    WriteEngine(Fd socket) {
        this.socket = socket;
    }

    @Override
    public Hold.Means means() {
        return Hold.Means.WRITE;
    }

    @Override
    public long send(long address, long length, Consumer<Hold> lent) throws IOException {
        MemorySegment from = MemorySegment.ofAddress(address).reinterpret(Math.min(length, Syscalls.MAX_LENGTH));
        long n = access.tryWrite(socket, from);
        if (n > 0) {
            lent.accept(CopiedHold.INSTANCE);
        }
        return n;
    }

    @Override
    public long send(long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException {
        long n = together(addresses, lengths);
        if (n == -Linux.EPERM() || n == -Linux.ENOSYS()) {
            return send(addresses[0], lengths[0], hold -> lent[0] = hold);
        } else if (n < 0 && n != -Linux.EAGAIN()) {
            throw access.failure("sendmsg", socket, Arrays.stream(lengths).sum() + " bytes", (int) -n);
        }
        long rest = n;
        for (int i = 0; rest > 0; i++) {
            lent[i] = CopiedHold.INSTANCE;
            rest -= lengths[i];
        }
        return Math.max(n, 0);
    }

    private long together(long[] addresses, long[] lengths) throws IOException {
        int fd = access.enter(socket);
        try {
            return SocketCalls.send(fd, addresses, lengths, Linux.MSG_DONTWAIT() | Linux.MSG_NOSIGNAL());
        } finally {
            access.exit(socket);
        }
    }

    @Override
    public int reap() {
        return 0;
    }

    @Override
    public boolean isInVain() {
        return true;
    }

    @Override
    public void await(SentHold hold, long nanos) {}

    @Override
    public void close() {}
}
