package io.sluice.flow;

import java.lang.foreign.MemorySegment;

/** A response of a {@link PatternSender}: a head, then a range of the repeated pattern; and how much of it the kernel has taken. */
final class Response {
    static final MemorySegment NO_HEAD = MemorySegment.NULL;

    private final Pattern pattern;
    private MemorySegment head = NO_HEAD;
    private long start;
    private long total;
    private long sent;

    Response(Pattern pattern) {
        this.pattern = pattern;
    }

    void begin(MemorySegment before, long offset, long length) {
        head = before;
        start = offset;
        total = before.byteSize() + length;
        sent = 0;
    }

    /** The head is the caller's again. */
    void end() {
        head = NO_HEAD;
    }

    void taken(long n) {
        sent += n;
    }

    long total() {
        return total;
    }

    long sent() {
        return sent;
    }

    long left() {
        return total - sent;
    }

    long headLeft() {
        return Math.max(0, head.byteSize() - sent);
    }

    long patternLeft() {
        return left() - headLeft();
    }

    /** Which byte of the pattern comes next after what is left of the head. */
    long phase() {
        return pattern.phase(start, sent + headLeft() - head.byteSize());
    }

    /** Copies up to {@code most} bytes that come next, of which up to {@code mostOfPattern} are behind the head. */
    long copy(MemorySegment into, long most, long mostOfPattern) {
        long ofHead = Math.min(headLeft(), most);
        MemorySegment.copy(head, head.byteSize() - headLeft(), into, 0, ofHead);
        long ofPattern = Math.min(mostOfPattern, most - ofHead);
        pattern.copy(phase(), into, ofHead, ofPattern);
        return ofHead + ofPattern;
    }
}
