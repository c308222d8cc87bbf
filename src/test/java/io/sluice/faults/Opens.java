package io.sluice.faults;

import static io.sluice.faults.Waits.drained;

import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSource;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Calls that move nothing: they open, ask, set and close. The content lies in a pipe or a socket meanwhile. */
abstract class Opens extends Job {
    final Pipe pipe = pipe();

    Opens() throws IOException {}

    final void store() throws IOException {
        pipe.sink().write(ByteBuffer.wrap(content()));
    }

    @Override
    long accounted() throws IOException {
        return pipe.available();
    }

    @Override
    byte[] delivered() throws IOException {
        return drained(pipe);
    }

    /** Several pipes, each of which then passes its part of the content. */
    static final class Pipes extends Opens {
        private static final int COUNT = 5;

        private final List<Pipe> pipes = new ArrayList<>();
        private final Pipe.Option[] options;

        Pipes(Pipe.Option... options) throws IOException {
            this.options = options;
        }

        @Override
        void run() throws IOException {
            while (pipes.size() < COUNT) {
                pipes.add(own(Pipe.open(options)));
            }
        }

        @Override
        long accounted() {
            return LENGTH;
        }

        @Override
        byte[] delivered() throws IOException {
            ByteBuffer out = ByteBuffer.allocate(LENGTH);
            byte[] content = content();
            int part = LENGTH / COUNT;
            for (int i = 0; i < COUNT; i++) {
                Pipe pipe = pipes.get(i);
                pipe.sink().write(ByteBuffer.wrap(content, i * part, part));
                for (int end = out.position() + part; out.position() < end; ) {
                    pipe.source().tryRead(out);
                }
            }
            return out.array();
        }

        /** How many are open. */
        @Override
        long remarkable() {
            return pipes.size();
        }
    }

    /** One pipe, and none before it. */
    static final class Alone extends Job {
        private @Nullable Pipe pipe;

        @Override
        void run() throws IOException {
            pipe = own(Pipe.open());
            pipe.sink().write(ByteBuffer.wrap(content()));
        }

        @Override
        long accounted() throws IOException {
            return pipe.available();
        }

        @Override
        byte[] delivered() throws IOException {
            return drained(pipe);
        }
    }

    /** The content by vmsplice, and by write what vmsplice does not take. */
    static final class Lend extends Opens {
        private final MemorySegment memory = Arena.ofAuto().allocate(LENGTH).copyFrom(MemorySegment.ofArray(content()));
        private long lent;

        Lend() throws IOException {}

        @Override
        void run() throws IOException {
            if (pipe.available() == 0) {
                lent = Syscalls.vmsplice(pipe.sink().number(), memory.address(), LENGTH, Linux.SPLICE_F_NONBLOCK());
                pipe.sink().write(memory.asSlice(Math.max(lent, 0)));
            }
        }

        /** What vmsplice returned. */
        @Override
        long remarkable() {
            return lent;
        }
    }

    static final class Capacity extends Opens {
        private long capacity;

        Capacity() throws IOException {
            store();
        }

        @Override
        void run() throws IOException {
            long before = pipe.capacity();
            capacity = pipe.capacity(2 * before);
            if (pipe.capacity() != capacity) {
                throw new IOException("granted " + capacity + ", now " + pipe.capacity());
            }
        }

        /** The capacity that was granted. */
        @Override
        long remarkable() {
            return capacity;
        }
    }

    static final class Available extends Opens {
        private long available;

        Available() throws IOException {
            store();
        }

        @Override
        void run() throws IOException {
            available = pipe.available();
        }

        /** How much the pipe said it held. */
        @Override
        long remarkable() {
            return available;
        }
    }

    static final class SourceOf extends Opens {
        private @Nullable PipeSource again;

        SourceOf() throws IOException {
            store();
        }

        @Override
        void run() throws IOException {
            again = own(PipeSource.of(own(Fd.borrow(pipe.source().number()))));
        }

        @Override
        byte[] delivered() throws IOException {
            byte[] all = new byte[LENGTH];
            int n = again.read(ByteBuffer.wrap(all));
            return Arrays.copyOf(all, n);
        }
    }

    static final class FilePath extends Opens {
        private final Path path = Files.createTempFile("sluice-faults", "");

        FilePath() throws IOException {
            own(() -> Files.delete(path));
            store();
        }

        @Override
        void run() throws IOException {
            own(Fd.open(path));
        }
    }

    /** Closes a pipe whose descriptors the kernel, as injection has it, did not give back; then this does. */
    static final class Closing extends Opens {
        private final Pipe toClose = pipe();
        private final List<Integer> numbers = new ArrayList<>();
        private final List<Path> targets = new ArrayList<>();
        private long left;

        Closing() throws IOException {
            store();
            for (int number :
                    new int[] {toClose.sink().number(), toClose.source().number()}) {
                numbers.add(number);
                targets.add(Files.readSymbolicLink(descriptor(number)));
            }
        }

        @Override
        void run() throws IOException {
            toClose.close();
        }

        @Override
        byte[] delivered() throws IOException {
            for (int i = 0; i < numbers.size(); i++) {
                Path now = descriptor(numbers.get(i));
                if (Files.isSymbolicLink(now) && Files.readSymbolicLink(now).equals(targets.get(i))) {
                    Syscalls.close(numbers.get(i));
                    left++;
                }
            }
            return super.delivered();
        }

        /** How many descriptors were left open. */
        @Override
        long remarkable() {
            return left;
        }

        private static Path descriptor(int number) {
            return Path.of("/proc/self/fd/" + number);
        }
    }
}
