package io.sluice.faults;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Moves the content through a pipe, a piece at a time: fills the pipe from a source, drains it to a target. */
abstract class Pump extends Job {
    static final int PIECE = 7_000;

    private long inPipe;
    private boolean ended;
    private long nothingMoved;

    @Override
    final void run() throws IOException {
        while (!ended || inPipe > 0) {
            if (inPipe > 0) {
                inPipe -= counted(drain(inPipe));
            } else {
                long n = counted(fill(PIECE));
                ended = n < 0;
                inPipe += Math.max(n, 0);
            }
        }
    }

    private long counted(long n) {
        nothingMoved += n == 0 ? 1 : 0;
        return n;
    }

    /** How often a form that does not wait said that it would have had to. */
    @Override
    final long remarkable() {
        return nothingMoved;
    }

    abstract long fill(long max) throws IOException;

    abstract long drain(long max) throws IOException;

    /** Which of the library's forms are used. */
    enum Form {
        WAITING,
        TRYING,
        AT_OFFSETS
    }

    static final class BetweenFiles extends Pump {
        private final Pipe pipe = pipe();
        private final Path folder = Files.createTempDirectory("sluice-faults");
        private final Path target = folder.resolve("target");
        private final Fd in;
        private final Fd out;
        private final Form form;
        private long taken;
        private long given;

        BetweenFiles(Form form) throws IOException {
            Path source = Files.write(folder.resolve("source"), content());
            this.form = form;
            own(() -> {
                Files.delete(source);
                Files.delete(target);
                Files.delete(folder);
            });
            in = own(Fd.open(source));
            out = own(Fd.open(target, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW));
        }

        @Override
        long fill(long max) throws IOException {
            long n = switch (form) {
                case WAITING -> pipe.sink().spliceFrom(in, max);
                case TRYING -> pipe.sink().trySpliceFrom(in, max);
                case AT_OFFSETS -> pipe.sink().spliceFrom(in, taken, max);
            };
            taken += Math.max(n, 0);
            return n;
        }

        @Override
        long drain(long max) throws IOException {
            long n = switch (form) {
                case WAITING -> pipe.source().spliceTo(out, max);
                case TRYING -> pipe.source().trySpliceTo(out, max);
                case AT_OFFSETS -> pipe.source().spliceTo(out, given, max);
            };
            given += n;
            return n;
        }

        @Override
        long accounted() throws IOException {
            return LENGTH - (form == Form.AT_OFFSETS ? taken : position(in)) + pipe.available() + Files.size(target);
        }

        @Override
        byte[] delivered() throws IOException {
            return Files.readAllBytes(target);
        }

        static long position(Fd fd) throws IOException {
            return Files.readAllLines(Path.of("/proc/self/fdinfo/" + fd.number())).stream()
                    .filter(line -> line.startsWith("pos:"))
                    .mapToLong(line -> Long.parseLong(line.substring(4).strip()))
                    .sum();
        }
    }

    static final class BetweenPipes extends Pump {
        private final Pipe first = pipe();
        private final Pipe second = pipe();
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();
        private final Form form;

        BetweenPipes(Form form) throws IOException {
            this.form = form;
            first.sink().write(ByteBuffer.wrap(content()));
            first.sink().close();
        }

        @Override
        long fill(long max) throws IOException {
            return form == Form.WAITING
                    ? first.source().spliceTo(second.sink(), max)
                    : first.source().trySpliceTo(second.sink(), max);
        }

        @Override
        long drain(long max) throws IOException {
            byte[] piece = new byte[(int) max];
            int n = second.source().read(ByteBuffer.wrap(piece));
            out.write(piece, 0, n);
            return n;
        }

        @Override
        long accounted() throws IOException {
            return first.available() + second.available() + out.size();
        }

        @Override
        byte[] delivered() {
            return out.toByteArray();
        }
    }

    /** From memory to memory: write and read. */
    static final class Copying extends Pump {
        private final Pipe pipe = pipe();
        private final ByteBuffer from;
        private final MemorySegment into;
        private final ByteArrayOutputStream out = new ByteArrayOutputStream();
        private final Form form;

        Copying(Form form, boolean heap) throws IOException {
            this.form = form;
            from = heap ? ByteBuffer.allocate(LENGTH) : ByteBuffer.allocateDirect(LENGTH);
            from.put(content()).flip();
            into = heap
                    ? MemorySegment.ofArray(new byte[PIECE])
                    : Arena.ofAuto().allocate(PIECE);
        }

        @Override
        long fill(long max) throws IOException {
            if (!from.hasRemaining()) {
                return -1;
            }
            ByteBuffer piece = from.slice(from.position(), (int) Math.min(max, from.remaining()));
            try {
                return form == Form.WAITING
                        ? pipe.sink().write(piece)
                        : pipe.sink().tryWrite(piece);
            } finally {
                from.position(from.position() + piece.position());
            }
        }

        @Override
        long drain(long max) throws IOException {
            MemorySegment piece = into.asSlice(0, max);
            long n = form == Form.WAITING
                    ? pipe.source().read(piece)
                    : pipe.source().tryRead(piece);
            out.write(piece.asSlice(0, n).toArray(ValueLayout.JAVA_BYTE), 0, (int) n);
            return n;
        }

        @Override
        long accounted() throws IOException {
            return from.remaining() + pipe.available() + out.size();
        }

        @Override
        byte[] delivered() {
            return out.toByteArray();
        }
    }

    /** Hands every failure on to the next attempt, until all is moved. */
    static final class Stubborn extends Job {
        private final Pump pump;
        private long failures;

        Stubborn(Pump pump) {
            this.pump = own(pump);
        }

        @Override
        void run() throws IOException {
            for (boolean moved = false; !moved; ) {
                try {
                    pump.run();
                    moved = true;
                } catch (ErrnoException e) {
                    failures++;
                    if (pump.accounted() != pump.expected().length) {
                        throw new IOException("bytes are missing", e);
                    }
                }
            }
        }

        @Override
        long accounted() throws IOException {
            return pump.accounted();
        }

        @Override
        byte[] delivered() throws IOException {
            return pump.delivered();
        }

        /** How many failures there were. */
        @Override
        long remarkable() {
            return failures;
        }
    }
}
