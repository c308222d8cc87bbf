package io.sluice.steady;

import io.sluice.Fd;
import io.sluice.flow.OneWay;
import io.sluice.flow.Relay;
import io.sluice.flow.Way;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Await;
import io.sluice.testing.BlockedCall;
import io.sluice.testing.Libc;
import io.sluice.testing.SystemCall;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.FutureTask;
import org.jspecify.annotations.Nullable;

/** Relays that are stepped whenever something has come, and such as run from the first byte to the end. */
final class Relays {
    private Relays() {}

    /** Steps, each of which finds as much as the pipe between the two holds. */
    static final class OfPipes extends Turns {
        private final int[] in = pipe(MEBIBYTE);
        private final int[] out = pipe(MEBIBYTE);
        private final OneWay relay = own(Relay.oneWay(own(Fd.borrow(in[0])), own(Fd.borrow(out[1]))));

        OfPipes() throws IOException {}

        @Override
        long bytes() {
            return MEBIBYTE;
        }

        @Override
        void feed() throws IOException {
            give(in[1], MEBIBYTE);
        }

        @Override
        boolean move() throws IOException {
            relay.step();
            return true;
        }

        @Override
        long taken() throws IOException {
            return take(out[0]);
        }
    }

    /** Steps of a relay of both ways, of which one or both have something to carry. */
    static final class OfSockets extends Turns {
        private final int[] left = sockets();
        private final int[] right = sockets();
        private final Relay relay = own(Relay.between(own(Fd.borrow(left[1])), own(Fd.borrow(right[0]))));
        private final Set<Way> ways;

        OfSockets(Way... ways) throws IOException {
            this.ways = EnumSet.copyOf(List.of(ways));
        }

        @Override
        long bytes() {
            return (long) ways.size() * CHUNK;
        }

        @Override
        void feed() throws IOException {
            if (ways.contains(Way.FORTH)) {
                give(left[0], CHUNK);
            }
            if (ways.contains(Way.BACK)) {
                give(right[1], CHUNK);
            }
        }

        @Override
        boolean move() throws IOException {
            relay.step();
            return true;
        }

        @Override
        long taken() throws IOException {
            return take(right[1]) + take(left[0]);
        }
    }

    /** Runs of a relay between connections that have sent all they had, and said so, before it begins. */
    static final class Runs extends Turns {
        private final boolean bothWays;
        private int[] left = {};
        private int[] right = {};
        private @Nullable Fd first;
        private @Nullable Fd second;

        Runs(boolean bothWays) {
            this.bothWays = bothWays;
        }

        @Override
        long bytes() {
            return bothWays ? 2L * CHUNK : CHUNK;
        }

        @Override
        void feed() throws IOException {
            left = sockets();
            right = sockets();
            first = own(Fd.borrow(left[1]));
            second = own(Fd.borrow(right[0]));
            finish(left[0]);
            if (bothWays) {
                finish(right[1]);
            }
        }

        private void finish(int socket) throws IOException {
            give(socket, CHUNK);
            Libc.shutdown(socket, Linux.SHUT_WR());
        }

        @Override
        boolean move() throws IOException {
            if (bothWays) {
                Relay.between(first, second).run();
            } else {
                Relay.oneWay(first, second).run();
            }
            return true;
        }

        @Override
        long taken() throws IOException {
            return take(left[0]) + take(right[1]);
        }
    }

    /** A run of a relay that is woken by each of several messages, all of which go one way. */
    static final class Woken extends Turns {
        static final int MESSAGES = 8;
        private static final int MESSAGE = 1 << 10;

        private static final Path CALL = Path.of("/proc/self/syscall");

        private final MemorySegment arrived = Arena.ofAuto().allocate(MESSAGE);
        private @Nullable Fd first;
        private @Nullable Fd second;
        private FutureTask<Long> peers = new FutureTask<>(() -> 0L);
        private volatile int mover;

        @Override
        long bytes() {
            return (long) MESSAGES * MESSAGE;
        }

        @Override
        void feed() throws IOException {
            if (!Files.exists(CALL)) {
                throw new MissingException("needs a kernel that shows which call a thread sleeps in");
            }
            int[] left = sockets();
            int[] right = sockets();
            first = own(Fd.borrow(left[1]));
            second = own(Fd.borrow(right[0]));
            peers = new FutureTask<>(() -> {
                try {
                    return converse(left[0], right[1]);
                } finally {
                    Libc.shutdown(left[0], Linux.SHUT_WR());
                    Libc.shutdown(right[1], Linux.SHUT_WR());
                }
            });
            Thread.ofPlatform().start(peers);
        }

        private long converse(int from, int to) throws Exception {
            long bytes = 0;
            for (int i = 0; i < MESSAGES; i++) {
                Await.until(() -> BlockedCall.isIn(SystemCall.POLL, mover), "the relay waits");
                give(from, MESSAGE);
                bytes += Syscalls.read(to, arrived, MESSAGE);
            }
            return bytes;
        }

        @Override
        boolean move() throws IOException {
            mover = Libc.gettid();
            Relay.between(first, second).run();
            return true;
        }

        @Override
        long taken() throws Exception {
            return peers.get();
        }
    }
}
