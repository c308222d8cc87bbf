package io.sluice.flow;

import io.sluice.internal.Bounce;
import io.sluice.internal.FdAccess;
import java.io.Closeable;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/** The memory that takes the pipe's place where splice is refused. */
final class CopyBuffer {
    private final MemorySegment memory = Bounce.take();
    private long at;
    private long end;

    /** Bytes that were read and not written. */
    int held() {
        return (int) (end - at);
    }

    /** One {@code read}, of a source that is read only while this is empty. */
    long readFrom(Closeable source) throws IOException {
        long n = FdAccess.get().tryRead(source, memory);
        at = 0;
        end = Math.max(n, 0);
        return n;
    }

    /** One {@code write} of what is held. */
    long writeTo(Closeable sink) throws IOException {
        long n = FdAccess.get().tryWrite(sink, at == 0 && end == Bounce.SIZE ? memory : memory.asSlice(at, end - at));
        at += n;
        return n;
    }

    /** Hands the memory back, and returns what was held. */
    byte[] release() {
        byte[] rest = memory.asSlice(at, end - at).toArray(ValueLayout.JAVA_BYTE);
        at = end;
        Bounce.giveBack(memory);
        return rest;
    }
}
