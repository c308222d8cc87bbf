package io.sluice.loan.torture;

import io.sluice.internal.Syscalls;
import io.sluice.internal.ffi.Linux;
import io.sluice.loan.FrozenPages;
import io.sluice.loan.PageArena;
import io.sluice.loan.PageRing;
import io.sluice.loan.torture.Figures.Count;
import io.sluice.testing.Results;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** Fills one pipe after the other with what the stream has next, in every way there is. */
final class Writer implements AutoCloseable {
    private static final int REST_TRIES = 6;

    private final Stream stream;
    private final SplittableRandom random;
    private final Figures figures;
    private final Lender lender;
    private final Run run;
    private final Journal journal = new Journal("writer");
    private final Arena arena = Arena.ofConfined();
    private final MemorySegment buffer = arena.allocate(64 << 10, 64);
    private final byte[] array = new byte[64 << 10];
    private Episode episode;
    private PageRing ring;
    private long position;

    Writer(Stream stream, SplittableRandom random, Figures figures, Lender lender, Run run) {
        this.stream = stream;
        this.random = random;
        this.figures = figures;
        this.lender = lender;
        this.run = run;
    }

    Journal journal() {
        return journal;
    }

    /** Fills a pipe and closes its sink. */
    void write(Episode next) throws Exception {
        episode = next;
        position = next.start;
        try {
            lender.begin(next);
            while (position < next.end && run.goesOn()) {
                if (position >= next.cut) {
                    endEarly();
                }
                if (position >= next.shareAt && !next.shared && next.others == Episode.Others.A_WRITER) {
                    next.share();
                }
                step();
                next.written = position;
            }
        } catch (Exception e) {
            throw next.explained(e);
        } finally {
            closeRing();
            next.closeForeignSink();
            next.pipe.sink().close();
        }
    }

    private void endEarly() throws IOException {
        switch (episode.ending) {
            case WRITER_CLOSES_BOTH -> {
                episode.closing = true;
                episode.pipe.close();
            }
            case READER_IS_INTERRUPTED -> {
                if (!episode.closing) {
                    episode.closing = true;
                    episode.reader.interrupt();
                }
            }
            default -> {}
        }
    }

    private void step() throws Exception {
        if (random.nextInt(4) == 0) {
            lender.reuse();
        }
        switch (random.nextInt(32)) {
            case 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 -> lend(true);
            case 10, 11, 12, 13, 14, 15 -> lend(false);
            case 16, 17 -> lendThree();
            case 18, 19, 20, 21, 22 -> publish();
            case 23 -> stream();
            case 24, 25 -> lendFrozen();
            case 26 -> lendFrozenOnce();
            case 27 -> spliceFromFile();
            case 28 -> writeForeign();
            case 29 -> tryWrite();
            default -> write();
        }
    }

    private void lend(boolean wait) throws Exception {
        Lender.Filled filled = filled(lender.take(), position);
        long size = begin(wait ? "lend" : "tryLend", filled.range().byteSize());
        long n = figured(moved(lender.lend(filled, wait)));
        if (n == 0) {
            write();
        } else if (n < size && random.nextInt(3) > 0) {
            lendRest(size - n);
        }
    }

    private void lendRest(long rest) throws IOException {
        long left = rest;
        for (int i = 0; i < REST_TRIES && left > 0; i++) {
            begin("tryLendRest", left);
            left -= figured(moved(lender.lendRest()));
            Thread.yield();
        }
    }

    private void lendThree() throws Exception {
        List<MemorySegment> memory = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            memory.add(lender.take());
        }
        // The memory that was taken first is gone if its arena was closed to have more.
        if (memory.removeIf(piece -> !piece.scope().isAlive())) {
            memory.forEach(lender::untouched);
            write();
            return;
        }
        Lender.Filled first = filled(memory.get(0), position);
        Lender.Filled second = filled(memory.get(1), first.end());
        Lender.Filled third = filled(memory.get(2), second.end());
        begin("lend three", third.end() - position);
        figured(moved(lender.lend(first, second, third)));
    }

    private Lender.Filled filled(MemorySegment memory, long at) {
        long size = memory.byteSize();
        long length = random.nextInt(3) == 0 ? size : Math.min(size, Sizes.some(random));
        long offset = random.nextBoolean() ? 0 : random.nextLong(size - length + 1);
        MemorySegment range = memory.asSlice(offset, length);
        stream.fill(range, at);
        return new Lender.Filled(memory, range, at);
    }

    private void publish() throws Exception {
        MemorySegment slot = ring().acquire();
        long n = begin(
                "publish", Math.min(slot.byteSize(), random.nextBoolean() ? slot.byteSize() : Sizes.some(random)));
        stream.fill(slot.asSlice(0, n), position);
        ring.publish(n);
        if (slot.scope().isAlive()) {
            slot.fill(Stream.HOSTILE);
        }
        moved(n);
    }

    private void stream() throws IOException {
        int n = (int) begin("ring's stream", Math.min(array.length, Sizes.some(random)));
        stream.fill(MemorySegment.ofArray(array).asSlice(0, n), position);
        OutputStream out = ring().outputStream();
        out.write(array, 0, n);
        out.flush();
        moved(n);
    }

    private PageRing ring() {
        if (ring == null) {
            PageArena.Option[] options = random.nextInt(3) == 0
                    ? new PageArena.Option[] {
                        PageArena.Option.values()[random.nextInt(PageArena.Option.values().length)]
                    }
                    : new PageArena.Option[0];
            ring = PageRing.over(episode.pipe.sink(), 4096 + random.nextInt(96 << 10), 2 + random.nextInt(8), options);
        }
        return ring;
    }

    private void closeRing() {
        if (ring != null) {
            try {
                ring.close();
            } catch (IOException e) {
                // It flushes again what it could not, which the pipe's end was seen to have prevented.
            }
            ring = null;
        }
    }

    private void lendFrozen() throws IOException {
        boolean wait = random.nextInt(3) > 0;
        long n = begin(wait ? "frozen" : "frozen, try", Sizes.some(random));
        FrozenPages frozen = stream.content().frozen();
        long place = stream.placeOf(position);
        moved(wait ? frozen.lend(episode.pipe.sink(), place, n) : frozen.tryLend(episode.pipe.sink(), place, n));
    }

    /** Pages that are unmapped when the collector finds them, in the pipe or not. */
    private void lendFrozenOnce() throws IOException {
        if (random.nextInt(8) > 0) {
            write();
            return;
        }
        long size = begin("frozen once", Sizes.some(random));
        FrozenPages frozen = FrozenPages.filled(size, memory -> stream.fill(memory, position));
        long lent = 0;
        while (lent < size) {
            lent += moved(frozen.lend(episode.pipe.sink(), lent, size - lent));
        }
    }

    private void spliceFromFile() throws IOException {
        long n = begin("splice from file", Sizes.some(random));
        moved(episode.pipe.sink().spliceFrom(stream.content().file(), stream.placeOf(position), n));
    }

    /** As the other writer would, who tells the library nothing. */
    private void writeForeign() throws IOException {
        if (episode.foreignSink() < 0) {
            write();
            return;
        }
        MemorySegment from = content("foreign write");
        long n = Syscalls.write(episode.foreignSink(), from, from.byteSize());
        if (n < 0 && n != -Linux.EAGAIN() && !episode.closing) {
            throw new AssertionError("foreign write: " + Results.shown(n));
        }
        moved(Math.max(n, 0));
        from.fill(Stream.HOSTILE);
    }

    private void tryWrite() throws IOException {
        MemorySegment from = content("tryWrite");
        moved(episode.pipe.sink().tryWrite(from));
        from.fill(Stream.HOSTILE);
    }

    private void write() throws IOException {
        MemorySegment from = content("write");
        if (random.nextInt(3) == 0) {
            MemorySegment.copy(from, ValueLayout.JAVA_BYTE, 0, array, 0, (int) from.byteSize());
            moved(episode.pipe.sink().write(ByteBuffer.wrap(array, 0, (int) from.byteSize())));
        } else {
            moved(episode.pipe.sink().write(from));
        }
        from.fill(Stream.HOSTILE);
    }

    /** Memory that is overwritten as soon as it was written, which nobody must see because it was copied. */
    private MemorySegment content(String operation) {
        MemorySegment from = buffer.asSlice(0, Math.min(buffer.byteSize(), Sizes.small(random)));
        begin(operation, from.byteSize());
        stream.fill(from, position);
        return from;
    }

    private long begin(String operation, long bytes) {
        journal.begin(operation, position, bytes);
        episode.writtenAtMost = position + bytes;
        return bytes;
    }

    private long moved(long n) {
        position += n;
        return journal.end(n);
    }

    private long figured(long n) {
        figures.add(Count.BYTES_LENT, n);
        return n;
    }

    @Override
    public void close() {
        arena.close();
    }
}
