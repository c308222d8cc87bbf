package io.sluice.steady;

import io.sluice.Fd;
import io.sluice.flow.Transfer;
import io.sluice.internal.Syscalls;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.FutureTask;

/** Transfers of a known length, each run anew. */
final class Transfers {
    /** What the socket of a long transfer holds, in bytes, with what the kernel needs for keeping it. */
    static final int SEND_BUFFER = 208 << 10;

    private Transfers() {}

    static final class FileToFile extends Turns {
        private static final long LENGTH = 8L * MEBIBYTE;
        private final Transfer transfer;

        FileToFile() throws IOException {
            Fd from = own(Fd.borrow(file(LENGTH)));
            Fd to = own(Fd.borrow(file(LENGTH)));
            transfer = Transfer.from(from, 0).to(to, 0).exactly(LENGTH);
        }

        @Override
        long bytes() {
            return LENGTH;
        }

        @Override
        boolean move() throws IOException {
            transfer.run();
            return true;
        }

        @Override
        long taken() {
            return LENGTH;
        }
    }

    /** More than the socket's buffer holds, to a reader who takes it meanwhile. */
    static final class LongFileToSocket extends Turns {
        private static final long LENGTH = 4L * MEBIBYTE;

        private final int[] sockets = sockets(SEND_BUFFER / 2);
        private final Transfer transfer;
        private FutureTask<Long> reader = new FutureTask<>(() -> 0L);

        LongFileToSocket() throws IOException {
            transfer = Transfer.from(own(Fd.borrow(file(LENGTH))), 0)
                    .to(own(Fd.borrow(sockets[0])))
                    .exactly(LENGTH);
        }

        @Override
        long bytes() {
            return LENGTH;
        }

        @Override
        void feed() {
            reader = new FutureTask<>(this::read);
            Thread.ofPlatform().daemon().start(reader);
        }

        private long read() {
            MemorySegment into = Arena.ofAuto().allocate(CHUNK);
            long taken = 0;
            for (long n; taken < LENGTH && (n = Syscalls.read(sockets[1], into, CHUNK)) > 0; ) {
                taken += n;
            }
            return taken;
        }

        @Override
        boolean move() throws IOException {
            transfer.run();
            return true;
        }

        @Override
        long taken() throws Exception {
            return reader.get();
        }
    }

    private abstract static class ToSocket extends Turns {
        final int[] sockets = sockets();
        final Fd to = own(Fd.borrow(sockets[0]));

        ToSocket() throws IOException {}

        @Override
        long bytes() {
            return CHUNK;
        }

        @Override
        long taken() throws IOException {
            return take(sockets[1]);
        }
    }

    static final class FileToSocket extends ToSocket {
        private final Transfer transfer;

        FileToSocket() throws IOException {
            transfer = Transfer.from(own(Fd.borrow(file(CHUNK))), 0).to(to).exactly(CHUNK);
        }

        @Override
        boolean move() throws IOException {
            transfer.run();
            return true;
        }
    }

    static final class PipeToSocket extends ToSocket {
        private final int[] pipe = pipe(CHUNK);
        private final Transfer transfer =
                Transfer.from(own(Fd.borrow(pipe[0]))).to(to).exactly(CHUNK);

        PipeToSocket() throws IOException {}

        @Override
        void feed() throws IOException {
            give(pipe[1], CHUNK);
        }

        @Override
        boolean move() throws IOException {
            transfer.run();
            return true;
        }
    }

    static final class SocketToFile extends Turns {
        private final int[] sockets = sockets();
        private final Transfer transfer;

        SocketToFile() throws IOException {
            transfer = Transfer.from(own(Fd.borrow(sockets[1])))
                    .to(own(Fd.borrow(file(CHUNK))), 0)
                    .exactly(CHUNK);
        }

        @Override
        long bytes() {
            return CHUNK;
        }

        @Override
        void feed() throws IOException {
            give(sockets[0], CHUNK);
        }

        @Override
        boolean move() throws IOException {
            transfer.run();
            return true;
        }

        @Override
        long taken() {
            return CHUNK;
        }
    }
}
