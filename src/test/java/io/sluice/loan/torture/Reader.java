package io.sluice.loan.torture;

import io.sluice.Fd;
import io.sluice.PipeSource;
import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.torture.Episode.Ending;
import io.sluice.loan.torture.Figures.Count;
import io.sluice.testing.Results;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.SplittableRandom;

/** Empties one pipe after the other in every way there is, and compares what comes out. */
final class Reader implements AutoCloseable {
    private static final int BUFFER = 256 << 10;

    private final Stream stream;
    private final SplittableRandom random;
    private final Figures figures;
    private final Outlets outlets;
    private final Run run;
    private final Journal journal = new Journal("reader");
    private final MemorySegment memory = Arena.ofAuto().allocate(BUFFER, 64);
    private final byte[] array = new byte[BUFFER];
    private final Fd nothing = Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE);
    private Episode episode;
    private PipeSource source;
    private long position;

    Reader(Stream stream, SplittableRandom random, Figures figures, Outlets outlets, Run run) throws IOException {
        this.stream = stream;
        this.random = random;
        this.figures = figures;
        this.outlets = outlets;
        this.run = run;
    }

    Journal journal() {
        return journal;
    }

    /** Empties a pipe to the end of the stream, or until it is closed, and closes its source. */
    void read(Episode next) throws Exception {
        episode = next;
        source = next.pipe.source();
        position = next.start;
        boolean ended = false;
        try {
            while (!ended && !hasEnded() && run.goesOn()) {
                ended = step() < 0;
            }
            if (ended) {
                requireAll();
            }
        } catch (Exception e) {
            throw next.explained(e);
        } finally {
            next.closing = true;
            next.closeForeignSource();
            source.close();
            if (next.ending == Ending.READER_CLOSES_BOTH) {
                next.pipe.close();
            }
        }
    }

    /** Whether the reader has closed its end, or is to do so here. */
    private boolean hasEnded() throws IOException {
        if (position >= episode.shareAt && !episode.shared && episode.others.read()) {
            episode.share();
        }
        if (position < episode.cut) {
            return false;
        }
        return switch (episode.ending) {
            case READER_CLOSES, READER_CLOSES_BOTH -> true;
            case WRITER_IS_INTERRUPTED -> {
                if (!episode.closing) {
                    episode.closing = true;
                    episode.writer.interrupt();
                }
                yield false;
            }
            default -> false;
        };
    }

    /** At the end of the stream, no byte is missing and none was doubled. */
    private void requireAll() {
        if (position < episode.written || position > episode.writtenAtMost) {
            throw new Corruption("the stream ended at %d; written were %d to %d bytes"
                    .formatted(position, episode.written, episode.writtenAtMost));
        }
    }

    private long step() throws IOException {
        outlets.step();
        long n = switch (random.nextInt(32)) {
            case 0, 1, 2, 3, 4 -> read(false, Sizes.some(random));
            case 5, 6 -> readArray();
            case 7 -> readBuffer();
            case 8 -> read(true, Sizes.some(random));
            case 9, 10 -> read(false, Sizes.small(random));
            case 11, 12, 13, 14, 15 -> splice(outlets.file());
            case 16, 17, 18, 19, 20 -> splice(outlets.pipe());
            case 21, 22, 23, 24, 25 -> splice(outlets.socket());
            case 26, 27, 28 -> tee(outlets.pipe());
            case 29 -> spliceToNothing();
            case 30 -> resize();
            default -> takeForeign();
        };
        return n == 0 ? read(false, Sizes.small(random)) : n;
    }

    private long read(boolean atOnce, long most) throws IOException {
        MemorySegment into = memory.asSlice(0, most);
        begin(atOnce ? "tryRead" : "read", most);
        return compared(left(atOnce ? source.tryRead(into) : source.read(into), false), into);
    }

    private long readArray() throws IOException {
        MemorySegment into = MemorySegment.ofArray(array).asSlice(0, Sizes.some(random));
        begin("read array", into.byteSize());
        return compared(left(source.read(into), false), into);
    }

    private long readBuffer() throws IOException {
        int offset = random.nextInt(64);
        int most = Math.min(Sizes.some(random), BUFFER - offset);
        ByteBuffer into = random.nextBoolean() ? ByteBuffer.wrap(array, offset, most) : memory.asByteBuffer();
        MemorySegment filled = MemorySegment.ofBuffer(into);
        begin("read buffer", into.remaining());
        return compared(left(source.read(into), false), filled);
    }

    private long splice(Outlet outlet) throws IOException {
        long most = Sizes.some(random);
        begin("splice to " + outlet, most);
        long n = outlet.fill(source, most);
        if (n > 0) {
            outlet.expect(position, n);
        } else if (n == 0) {
            outlets.drainSome(outlet);
        }
        return left(n, outlet.takesReferences());
    }

    private long tee(PipeOutlet outlet) throws IOException {
        long most = Sizes.some(random);
        begin("tee to " + outlet, most);
        long n = random.nextBoolean() && outlet.pending() == 0
                ? source.teeTo(outlet.pipe.sink(), most)
                : source.tryTeeTo(outlet.pipe.sink(), most);
        if (n > 0) {
            outlet.expect(position, n);
            episode.forwarded(position, position + n);
        } else if (n == 0) {
            outlets.drainSome(outlet);
        }
        episode.limit = position;
        return journal.end(n);
    }

    private long spliceToNothing() throws IOException {
        long most = Sizes.small(random);
        begin("splice to null", most);
        long n = source.spliceTo(nothing, most);
        figures.add(Count.BYTES_ABANDONED, Math.max(n, 0));
        return left(n, false);
    }

    private long resize() throws IOException {
        episode.resize(random);
        return 0;
    }

    /** As the other reader would, who tells the library nothing. */
    private long takeForeign() throws IOException {
        int foreign = episode.foreignSource();
        if (foreign < 0) {
            return read(false, Sizes.some(random));
        }
        long most = Sizes.some(random);
        if (episode.others == Episode.Others.A_READER_WHO_COPIES) {
            MemorySegment into = memory.asSlice(0, most);
            begin("foreign read", most);
            return compared(left(result(Syscalls.read(foreign, into, most)), false), into);
        }
        PipeOutlet outlet = outlets.pipe();
        begin("foreign splice to " + outlet, most);
        long n = result(Syscalls.splice(foreign, -1, outlet.pipe.sink().number(), -1, most, Linux.SPLICE_F_NONBLOCK()));
        if (n > 0) {
            outlet.expect(position, n);
        }
        return left(n, true);
    }

    private static long result(long n) {
        if (n < 0 && n != -Linux.EAGAIN()) {
            throw new AssertionError("foreign reader: " + Results.shown(n));
        }
        return n == 0 ? -1 : Math.max(n, 0);
    }

    private void begin(String operation, long most) {
        journal.begin(operation, position, most);
        episode.limit = position + most;
    }

    /** Notes how many bytes left, and how; in this order, because the writer's thread looks at it in the other. */
    private long left(long n, boolean byReference) {
        if (n > 0) {
            if (byReference) {
                episode.forwarded(position, position + n);
            }
            position += n;
            episode.taken = position;
        }
        episode.limit = position;
        return journal.end(n);
    }

    private long compared(long n, MemorySegment into) {
        if (n > 0) {
            stream.check(into.asSlice(0, n), position - n, "read");
            figures.add(Count.BYTES_COMPARED, n);
        }
        return n;
    }

    @Override
    public void close() {
        nothing.close();
    }
}
