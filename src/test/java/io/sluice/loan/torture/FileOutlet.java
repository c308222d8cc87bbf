package io.sluice.loan.torture;

import io.sluice.Fd;
import io.sluice.PipeSource;
import io.sluice.internal.FileCalls;
import io.sluice.testing.Libc;
import io.sluice.testing.Workbench;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** A regular file, which is overwritten from its start again and again. */
final class FileOutlet extends Outlet {
    private static final int SIZE = 1 << 20;
    private static final int SEEK_SET = 0;

    private final Workbench bench;
    private final int number;
    private final Fd file;
    private final boolean atPosition;
    private final boolean copies;
    private long written;
    private long taken;

    private FileOutlet(String name, Stream stream, Figures figures, Workbench bench, int number, boolean atPosition)
            throws IOException {
        super(name, stream, figures);
        this.bench = bench;
        this.number = number;
        this.file = Fd.borrow(number);
        this.atPosition = atPosition;
        this.copies = FileCalls.copiesWhatItIsGiven(number);
    }

    /** A file where temporary files are, written at its position. */
    static FileOutlet disk(Stream stream, Figures figures) throws IOException {
        Workbench bench = new Workbench();
        return new FileOutlet("file", stream, figures, bench, bench.file(new byte[0]), true);
    }

    /** A file in memory, written at offsets. */
    static FileOutlet memory(Stream stream, Figures figures) throws IOException {
        Workbench bench = new Workbench();
        return new FileOutlet("memfd", stream, figures, bench, bench.memfd(SIZE), false);
    }

    @Override
    boolean takesReferences() {
        return !copies;
    }

    @Override
    long fill(PipeSource source, long max) throws IOException {
        long at = written % SIZE;
        long room = Math.min(SIZE - pending(), SIZE - at);
        if (room == 0) {
            return 0;
        }
        long n;
        if (atPosition) {
            Libc.lseek(number, at, SEEK_SET);
            n = source.trySpliceTo(file, Math.min(max, room));
        } else {
            n = source.trySpliceTo(file, at, Math.min(max, room));
        }
        written += Math.max(n, 0);
        return n;
    }

    @Override
    long take(MemorySegment into) {
        long at = taken % SIZE;
        long n = Libc.pread(number, into, Math.min(into.byteSize(), SIZE - at), at);
        if (n <= 0) {
            throw new Corruption(this + ": reading it at " + at + " gave " + n);
        }
        taken += n;
        return n;
    }

    @Override
    void requireEmpty(MemorySegment buffer) {
        // What was taken is still there.
    }

    @Override
    public void close() throws IOException {
        file.close();
        bench.close();
    }
}
