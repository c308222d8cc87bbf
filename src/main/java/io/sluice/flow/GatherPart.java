package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.PipeSource;
import io.sluice.internal.FdAccess;
import io.sluice.loan.FrozenPages;
import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** One part of a {@link Gather}: its length, how much of it was delivered, and how to deliver more. */
abstract sealed class GatherPart implements Closeable {
    final long length;

    /** Bytes delivered, from its start. */
    long done;

    private GatherPart(long length) {
        this.length = length;
    }

    /**
     * Delivers what the sink takes at once.
     *
     * @return bytes; 0 if the sink has no room or {@link #lacking} has nothing
     * @throws EOFException if there is less than its length
     */
    abstract long deliver(Closeable sink, GatherPipe pipe) throws IOException;

    /** Whether all that is left of it is offered to the sink at once. */
    boolean isOfferedWhole() {
        return false;
    }

    /** What has to bring bytes before this can go on, or null if it is the sink that has to make room. */
    @Nullable
    Closeable lacking() throws IOException {
        return null;
    }

    @Override
    public void close() throws IOException {}

    Optional<Loan> loan() {
        return Optional.empty();
    }

    static final class Memory extends GatherPart {
        private final MemorySegment memory;

        Memory(MemorySegment memory) {
            super(memory.byteSize());
            this.memory = memory;
        }

        @Override
        long deliver(Closeable sink, GatherPipe pipe) throws IOException {
            return Attempts.write(sink, done == 0 ? memory : memory.asSlice(done));
        }

        @Override
        boolean isOfferedWhole() {
            return true;
        }

        @Override
        public String toString() {
            return length + " bytes of memory";
        }
    }

    /** Frozen pages are lent where there are enough of them for that to be cheaper than a copy. */
    static final class Frozen extends GatherPart {
        private static final long WORTH_LENDING = 32 << 10;

        private final FrozenPages pages;
        private final long offset;
        private long lent;

        Frozen(FrozenPages pages, long offset, long length) {
            super(length);
            this.pages = pages;
            this.offset = offset;
        }

        @Override
        long deliver(Closeable sink, GatherPipe pipe) throws IOException {
            if (lent == done && (length - done < WORTH_LENDING || Call.SPLICE.isDenied())) {
                long n = Attempts.write(sink, pages.segment().asSlice(offset + done, length - done));
                lent += n;
                return n;
            }
            if (lent == done) {
                lent += pipe.filled(pages.tryLend(pipe.sink(), offset + lent, length - lent));
            }
            return pipe.drain();
        }

        @Override
        public String toString() {
            return length + " bytes of frozen pages at " + offset;
        }
    }

    static final class Lent extends GatherPart {
        private final PageArena arena;
        private final MemorySegment segment;
        private @Nullable Loan loan;

        Lent(PageArena arena, MemorySegment segment) {
            super(segment.byteSize());
            this.arena = arena;
            this.segment = segment;
        }

        @Override
        long deliver(Closeable sink, GatherPipe pipe) throws IOException {
            if (pipe.isEmpty()) {
                pipe.filled(lend(pipe));
            }
            return pipe.drain();
        }

        private long lend(GatherPipe pipe) throws IOException {
            if (loan != null) {
                return loan.tryLendRest();
            }
            loan = arena.tryLend(segment, pipe.sink()).orElse(null);
            return loan == null ? 0 : loan.accepted();
        }

        @Override
        Optional<Loan> loan() {
            return Optional.ofNullable(loan);
        }

        @Override
        public String toString() {
            return length + " bytes of lent pages";
        }
    }

    /** A range of a file, sent by sendfile; read and written where that cannot be used. */
    static final class Range extends GatherPart {
        private static final int COPIED_AT_ONCE = 64 << 10;

        private final Fd file;
        private final boolean owns;
        private final long offset;
        private boolean copies = Call.SENDFILE.isDenied();
        private @Nullable FileChannel channel;
        private @Nullable ByteBuffer buffer;

        Range(Fd file, boolean owns, long offset, long length) {
            super(length);
            this.file = file;
            this.owns = owns;
            this.offset = offset;
        }

        @Override
        long deliver(Closeable sink, GatherPipe pipe) throws IOException {
            if (!copies) {
                try {
                    return checked(FdAccess.get().trySendfile(file, offset + done, sink, length - done));
                } catch (ErrnoException e) {
                    if (done > 0 || !Call.SENDFILE.isRefused(e)) {
                        throw e;
                    }
                    copies = true;
                }
            }
            return copy(sink);
        }

        @Override
        boolean isOfferedWhole() {
            return !copies;
        }

        private long checked(long n) throws EOFException {
            if (n < 0) {
                throw new EOFException(file + " ends at byte " + (offset + done) + ", before the end of the range at "
                        + (offset + length) + ": it has become shorter, or never had as much");
            }
            return n;
        }

        private long copy(Closeable sink) throws IOException {
            ByteBuffer bytes = buffer;
            if (bytes == null) {
                buffer = bytes = ByteBuffer.allocateDirect(COPIED_AT_ONCE).limit(0);
                // A description of its own, read by position: that of the caller stays where it is.
                channel = FileChannel.open(Path.of("/proc/self/fd/" + file.number()), StandardOpenOption.READ);
            }
            FileChannel from = channel;
            if (!bytes.hasRemaining() && from != null) {
                ByteBuffer into = bytes.clear().limit((int) Math.min(COPIED_AT_ONCE, length - done));
                try {
                    checked(Attempts.aside(() -> from.read(into, offset + done)));
                } finally {
                    into.flip();
                }
            }
            return Attempts.write(sink, bytes);
        }

        @Override
        public void close() throws IOException {
            if (channel != null) {
                channel.close();
            }
            if (owns) {
                file.close();
            }
        }

        @Override
        public String toString() {
            return length + " bytes of " + file + " at offset " + offset;
        }
    }

    static final class Piped extends GatherPart {
        private final PipeSource source;
        private @Nullable Outflow outflow;

        Piped(PipeSource source, long length) {
            super(length);
            this.source = source;
        }

        @Override
        long deliver(Closeable sink, GatherPipe pipe) throws IOException {
            Outflow out = outflow;
            if (out == null) {
                outflow = out = new Outflow(source, sink);
            }
            long n = out.deliver(length - done);
            if (n < 0) {
                throw new EOFException(source + " ended after " + done + " of " + length + " bytes");
            }
            return n;
        }

        @Override
        @Nullable
        Closeable lacking() throws IOException {
            Outflow out = outflow;
            return (out == null || !out.isHolding()) && source.available() == 0 ? source : null;
        }

        @Override
        public String toString() {
            return length + " bytes of " + source;
        }
    }
}
