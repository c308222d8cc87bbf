package io.sluice.steady;

import io.sluice.Pipe;
import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import io.sluice.loan.PageRing;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/** Memory that is lent to a pipe and taken back when it was read. */
final class Lends {
    private Lends() {}

    private abstract static class ToPipe extends Turns {
        final Pipe pipe = own(Pipe.open());
        private final MemorySegment into = Arena.global().allocate(CHUNK);

        ToPipe() throws IOException {
            if (pipe.capacity() < CHUNK) {
                throw new MissingException("needs pipes of 64 KiB");
            }
        }

        @Override
        long bytes() {
            return CHUNK;
        }

        @Override
        long taken() throws IOException {
            return pipe.source().tryRead(into);
        }
    }

    static final class Ring extends ToPipe {
        private final PageRing ring = own(PageRing.over(pipe.sink(), CHUNK, 3));

        Ring() throws IOException {}

        @Override
        boolean move() throws IOException, InterruptedException {
            ring.acquire();
            ring.publish(CHUNK);
            return true;
        }
    }

    static final class Loans extends ToPipe {
        private final PageArena arena = PageArena.open();
        private MemorySegment segment = arena.allocate(CHUNK, CHUNK);
        private @Nullable Loan loan;

        Loans() throws IOException {
            own(arena::close);
        }

        @Override
        boolean move() throws IOException {
            if (loan != null) {
                segment = loan.reclaim();
            }
            loan = arena.lend(segment, pipe.sink());
            return true;
        }
    }
}
