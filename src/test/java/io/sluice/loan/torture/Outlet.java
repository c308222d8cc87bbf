package io.sluice.loan.torture;

import io.sluice.PipeSource;
import io.sluice.loan.torture.Figures.Count;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.util.ArrayDeque;

/**
 * Somewhere to put bytes that left a pipe, and to leave them for a while, so that pages passed on by reference are held. What comes out is
 * compared.
 */
abstract class Outlet implements AutoCloseable {
    private record Range(long from, long to) {}

    private final String name;
    private final Stream stream;
    private final Figures figures;
    private final ArrayDeque<Range> expected = new ArrayDeque<>();
    private long pending;

    /** Steps that it is left alone from now on. */
    int rest;

    Outlet(String name, Stream stream, Figures figures) {
        this.name = name;
        this.stream = stream;
        this.figures = figures;
    }

    /** Whether pages that are spliced to it are passed on, and not copied. */
    abstract boolean takesReferences();

    /** Moves up to {@code max} bytes here without waiting for room; bytes moved, 0 or −1 as {@link PipeSource} says. */
    abstract long fill(PipeSource source, long max) throws IOException;

    /** Takes up to the buffer's size of the oldest bytes; 0 if none have arrived. */
    abstract long take(MemorySegment into) throws IOException;

    /** Moves up to {@code max} of the oldest bytes on to another outlet; 0 if this kind cannot. */
    long passOn(Outlet next, long max) throws IOException {
        return 0;
    }

    @Override
    public abstract void close() throws IOException;

    final long pending() {
        return pending;
    }

    /** Bytes that moved here are to come out after all others. */
    final void expect(long position, long n) {
        Range last = expected.peekLast();
        if (last != null && last.to == position) {
            expected.removeLast();
            expected.add(new Range(last.from, position + n));
        } else {
            expected.add(new Range(position, position + n));
        }
        pending += n;
    }

    /** Takes and compares up to {@code max} bytes; 0 if none have arrived. */
    final long drain(MemorySegment buffer, long max) throws IOException {
        Range head = expected.peekFirst();
        if (head == null) {
            return 0;
        }
        MemorySegment into = buffer.asSlice(0, Math.min(Math.min(max, buffer.byteSize()), head.to - head.from));
        long n = take(into);
        if (n > 0) {
            stream.check(into.asSlice(0, n), head.from, name);
            figures.add(Count.BYTES_COMPARED, n);
            gone(head, n);
        }
        return n;
    }

    /** Moves up to {@code max} bytes on to another outlet. */
    final long drainTo(Outlet next, long max) throws IOException {
        Range head = expected.peekFirst();
        if (head == null) {
            return 0;
        }
        long n = passOn(next, Math.min(max, head.to - head.from));
        if (n > 0) {
            next.expect(head.from, n);
            gone(head, n);
        }
        return n;
    }

    /** Fails if more comes out than went in. */
    void requireEmpty(MemorySegment buffer) throws IOException {
        long more = take(buffer);
        if (more > 0) {
            throw new Corruption(name + ": gave " + more + " bytes that were not put into it");
        }
    }

    private void gone(Range head, long n) {
        expected.removeFirst();
        if (head.from + n < head.to) {
            expected.addFirst(new Range(head.from + n, head.to));
        }
        pending -= n;
    }

    @Override
    public String toString() {
        return name + " with " + pending + " bytes";
    }
}
