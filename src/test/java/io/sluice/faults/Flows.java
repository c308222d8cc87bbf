package io.sluice.faults;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.Branch;
import io.sluice.flow.Fanout;
import io.sluice.flow.FanoutException;
import io.sluice.flow.Gather;
import io.sluice.flow.GatherException;
import io.sluice.flow.PipePool;
import io.sluice.flow.WhenSlow;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.concurrent.locks.LockSupport;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** Whole jobs, each of which goes on where it stopped as its user would make it. */
final class Flows {
    private static final int SMALL = 16 << 10;

    private Flows() {}

    private static ErrnoException told(IOException e) throws IOException {
        if (e.getCause() instanceof ErrnoException cause) {
            return cause;
        }
        throw e;
    }

    /** From a pipe to two files, in steps of 16 KiB. */
    static final class FannedOut extends Job {
        private final PipePool pool = own(PipePool.of(4, SMALL));
        private final Path folder = Files.createTempDirectory("sluice-faults");
        private final Path target = folder.resolve("target");
        private final Path copied = folder.resolve("copy");
        private final Pipe source = pipe();
        private final Fd primary;
        private final Fd copy;
        private @Nullable Fanout fanout;

        FannedOut() throws IOException {
            own(() -> {
                Files.delete(target);
                Files.delete(copied);
                Files.delete(folder);
            });
            primary = own(Fd.open(target, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW));
            copy = own(Fd.open(copied, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW));
            source.sink().write(ByteBuffer.wrap(content()));
            source.sink().close();
        }

        @Override
        void run() throws IOException {
            Fanout before = fanout;
            if (before != null && before.undelivered() > 0) {
                deliver(before.remainder());
                before.close();
            }
            fanout = own(Fanout.from(source.source(), pool).to(primary));
            Branch branch = fanout.add(copy, WhenSlow.waitForIt());
            try {
                fanout.run();
            } catch (FanoutException e) {
                throw told(e);
            } finally {
                try {
                    branch.await();
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            }
        }

        private void deliver(ReadableByteChannel rest) throws IOException {
            ByteBuffer buffer = ByteBuffer.allocate(LENGTH);
            while (rest.read(buffer) >= 0) {}
            try (Pipe pipe = Pipe.open()) {
                pipe.sink().write(buffer.flip());
                while (pipe.available() > 0) {
                    pipe.source().spliceTo(primary, LENGTH);
                }
            }
        }

        @Override
        long accounted() throws IOException {
            return source.available() + fanout.undelivered() + Files.size(target);
        }

        @Override
        byte[] delivered() throws IOException {
            return Files.readAllBytes(target);
        }

        /** How much the copy has, or −1 if it is not the beginning of the content. */
        @Override
        long remarkable() {
            try {
                byte[] there = Files.readAllBytes(copied);
                return Arrays.equals(there, Arrays.copyOf(content(), there.length)) ? there.length : -1;
            } catch (IOException e) {
                return -2;
            }
        }
    }

    /** Memory, a range of a file, bytes of a pipe and again memory, into a pipe that holds less than the range. */
    static final class Gathered extends Job {
        private static final int FIRST = 3_000;
        private static final int RANGE = 30_000;
        private static final int PIPED = 5_000;

        private final PipePool pool = own(PipePool.of(4, SMALL));
        private final Pipe target = pipe();
        private final Pipe piped = pipe();
        private final Path path = Files.write(Files.createTempFile("sluice", ".faults"), content());
        private final Gather gather;
        private final ReentrantLock lock = new ReentrantLock();
        private final ByteArrayOutputStream arrived = new ByteArrayOutputStream();
        private boolean ran;
        private volatile boolean closed;

        Gathered() throws IOException {
            own(() -> {
                closed = true;
                Files.delete(path);
            });
            target.capacity(SMALL);
            byte[] content = content();
            piped.sink().write(ByteBuffer.wrap(content, FIRST + RANGE, PIPED));
            gather = own(Gather.to(target.sink()))
                    .bytes(Arrays.copyOf(content, FIRST))
                    .file(path, FIRST, RANGE)
                    .pipe(piped.source(), PIPED)
                    .bytes(Arrays.copyOfRange(content, FIRST + RANGE + PIPED, LENGTH));
        }

        @Override
        void run() throws IOException {
            if (ran) {
                feed();
            }
            ran = true;
            try {
                gather.run();
            } catch (GatherException e) {
                throw told(e);
            }
        }

        @Override
        void feed() {
            Thread.ofPlatform().daemon().start(() -> {
                while (!closed) {
                    take();
                    LockSupport.parkNanos(100_000);
                }
            });
        }

        private void take() {
            lock.lock();
            try {
                ByteBuffer buffer = ByteBuffer.allocate(SMALL);
                while (!closed && target.source().tryRead(buffer.clear()) > 0) {
                    arrived.write(buffer.array(), 0, buffer.position());
                }
            } catch (IOException e) {
                closed = true;
            } finally {
                lock.unlock();
            }
        }

        @Override
        long accounted() throws IOException {
            lock.lock();
            try {
                long ahead = gather.length() - gather.delivered() - (PIPED - gather.delivered(2));
                return ahead + piped.available() + target.available() + arrived.size();
            } finally {
                lock.unlock();
            }
        }

        @Override
        byte[] delivered() {
            take();
            return arrived.toByteArray();
        }

        /** How much was delivered by what the job says. */
        @Override
        long remarkable() {
            return gather.delivered();
        }
    }
}
