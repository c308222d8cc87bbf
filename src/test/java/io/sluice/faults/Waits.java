package io.sluice.faults;

import io.sluice.ErrnoException;
import io.sluice.Pipe;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.Arrays;

/** Moves that have to wait until {@link #feed} supplies bytes or makes room. */
abstract class Waits extends Job {
    final Pipe first = pipe();
    final Pipe second = pipe();
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    Waits() throws IOException {}

    /** What is in the pipe where the content ends. */
    static byte[] drained(Pipe pipe) throws IOException {
        byte[] all = new byte[pipe.available()];
        int n = all.length == 0 ? 0 : pipe.source().tryRead(ByteBuffer.wrap(all));
        if (n != all.length) {
            throw new IOException("the pipe had " + all.length + " bytes and gave " + n);
        }
        return all;
    }

    /** Fills a pipe to its last slot with what is not content. */
    static void stuff(Pipe pipe) throws IOException {
        pipe.sink().write(ByteBuffer.allocate((int) pipe.capacity()));
    }

    /** Takes out what {@link #stuff} put in. */
    static void clear(Pipe pipe) throws IOException {
        ByteBuffer stuffing = ByteBuffer.allocate((int) pipe.capacity());
        while (stuffing.hasRemaining()) {
            pipe.source().read(stuffing);
        }
    }

    final void deliver(byte[] bytes) {
        out.writeBytes(bytes);
    }

    final int deliveredSoFar() {
        return out.size();
    }

    @Override
    byte[] delivered() throws IOException {
        return out.toByteArray();
    }

    /** A read of an empty pipe. */
    static final class Read extends Waits {
        Read() throws IOException {}

        @Override
        void run() throws IOException {
            byte[] piece = new byte[LENGTH];
            while (deliveredSoFar() < LENGTH) {
                int n = first.source().read(ByteBuffer.wrap(piece));
                deliver(Arrays.copyOf(piece, n));
            }
        }

        @Override
        void feed() throws IOException {
            first.sink().write(ByteBuffer.wrap(content()));
        }

        @Override
        long accounted() throws IOException {
            return first.available() + deliveredSoFar();
        }
    }

    /** A splice from an empty pipe. */
    static final class SpliceFromEmpty extends Waits {
        private long moved;

        SpliceFromEmpty() throws IOException {}

        @Override
        void run() throws IOException {
            while (moved < LENGTH) {
                moved += first.source().spliceTo(second.sink(), LENGTH);
            }
        }

        @Override
        void feed() throws IOException {
            first.sink().write(ByteBuffer.wrap(content()));
        }

        @Override
        long accounted() throws IOException {
            return first.available() + second.available();
        }

        @Override
        byte[] delivered() throws IOException {
            return drained(second);
        }
    }

    /** A splice into a full pipe. */
    static final class SpliceToFull extends Waits {
        private long moved;

        SpliceToFull() throws IOException {
            first.sink().write(ByteBuffer.wrap(content()));
            stuff(second);
        }

        @Override
        void run() throws IOException {
            while (moved < LENGTH) {
                moved += first.source().spliceTo(second.sink(), LENGTH);
            }
        }

        @Override
        void feed() throws IOException {
            clear(second);
        }

        @Override
        long accounted() throws IOException {
            return first.available() + second.available();
        }

        @Override
        byte[] delivered() throws IOException {
            return drained(second);
        }
    }

    /** A tee from an empty pipe. */
    static final class TeeFromEmpty extends Waits {
        private boolean duplicated;

        TeeFromEmpty() throws IOException {}

        @Override
        void run() throws IOException {
            if (!duplicated) {
                first.source().teeTo(second.sink(), LENGTH);
                duplicated = true;
            }
        }

        @Override
        void feed() throws IOException {
            first.sink().write(ByteBuffer.wrap(content()));
        }

        @Override
        long accounted() throws IOException {
            return duplicated && second.available() != LENGTH ? -1 : first.available();
        }

        @Override
        byte[] delivered() throws IOException {
            return drained(second);
        }
    }

    /** A write that is longer than its pipe, from native memory: part of it goes in, the rest waits. */
    static final class LongWrite extends Waits {
        private final MemorySegment from = Arena.ofAuto().allocate(CAPACITY + LENGTH);
        private long written;

        LongWrite() throws IOException {
            from.asSlice(CAPACITY).copyFrom(MemorySegment.ofArray(content()));
        }

        @Override
        void run() throws IOException {
            try {
                written += first.sink().write(from.asSlice(written));
            } catch (ErrnoException e) {
                written += e.transferred();
                throw e;
            }
        }

        @Override
        void feed() throws IOException {
            clear(first);
        }

        @Override
        long accounted() throws IOException {
            return from.byteSize() - written + first.available();
        }

        @Override
        byte[] delivered() throws IOException {
            return drained(first);
        }

        /** How much the write had moved before it failed. */
        @Override
        long remarkable() {
            return written;
        }
    }

    /** As {@link LongWrite}, from a buffer whose position tells how much was written. */
    static final class LongBufferWrite extends Waits {
        private final ByteBuffer from = ByteBuffer.allocate(CAPACITY + LENGTH);

        LongBufferWrite() throws IOException {
            from.position(CAPACITY).put(content()).flip();
        }

        @Override
        void run() throws IOException {
            first.sink().write(from);
        }

        @Override
        void feed() throws IOException {
            clear(first);
        }

        @Override
        long accounted() throws IOException {
            return from.remaining() + first.available();
        }

        @Override
        byte[] delivered() throws IOException {
            return drained(first);
        }

        /** How much the write had moved before it failed. */
        @Override
        long remarkable() {
            return from.position();
        }
    }
}
