package io.sluice.send;

import io.sluice.Fd;
import io.sluice.internal.FdAccess;
import io.sluice.internal.SocketCalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.Loan.Method;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Which engines there are, in the order in which they are preferred. */
final class Engines {
    private Engines() {}

    /** The first that works over this socket, in this process. */
    static Engine choose(Fd socket) throws IOException {
        for (Method method : List.of(Method.SEND_ZC, Method.MSG_ZEROCOPY)) {
            Engine engine = open(socket, method);
            if (engine != null) {
                return engine;
            }
        }
        return new WriteEngine(socket);
    }

    /**
     * One in particular.
     *
     * @return null if it does not work here
     */
    static @Nullable Engine open(Fd socket, Method method) throws IOException {
        return switch (method) {
            case MSG_ZEROCOPY -> ZeroCopyEngine.open(socket);
            case WRITE -> new WriteEngine(socket);
            case SEND_ZC -> knowsZeroCopy(socket) ? UringEngine.open(socket) : null;
            case VMSPLICE ->
                throw new IllegalArgumentException(
                        "vmsplice leads to a pipe, and no socket says when it is done with what came from one");
        };
    }

    // Setting the option to what it is succeeds where the socket's protocol has it, which a send over io_uring needs
    // too.
    private static boolean knowsZeroCopy(Fd socket) throws IOException {
        FdAccess access = FdAccess.get();
        int fd = access.enter(socket);
        try {
            int now = SocketCalls.option(fd, Linux.SO_ZEROCOPY());
            return now >= 0 && SocketCalls.setOption(fd, Linux.SOL_SOCKET(), Linux.SO_ZEROCOPY(), now) == 0;
        } finally {
            access.exit(socket);
        }
    }

    static void requireStream(Fd socket) throws IOException {
        FdAccess access = FdAccess.get();
        int fd = access.enter(socket);
        try {
            if (socket.kind() != Fd.Kind.SOCKET || SocketCalls.option(fd, Linux.SO_TYPE()) != Linux.SOCK_STREAM()) {
                throw new IllegalArgumentException(
                        "a sender needs a connected stream socket, which this is not: " + socket);
            }
        } finally {
            access.exit(socket);
        }
    }
}
