package io.sluice.loan.torture;

import io.sluice.Pipe;
import io.sluice.PipeSource;
import java.io.IOException;
import java.lang.foreign.MemorySegment;

/** A second pipe. */
final class PipeOutlet extends Outlet {
    final Pipe pipe;

    PipeOutlet(String name, Stream stream, Figures figures) throws IOException {
        super(name, stream, figures);
        pipe = Pipe.open();
    }

    @Override
    boolean takesReferences() {
        return true;
    }

    @Override
    long fill(PipeSource source, long max) throws IOException {
        return source.trySpliceTo(pipe.sink(), max);
    }

    @Override
    long take(MemorySegment into) throws IOException {
        return pipe.source().tryRead(into);
    }

    @Override
    long passOn(Outlet next, long max) throws IOException {
        return next.fill(pipe.source(), max);
    }

    @Override
    public void close() throws IOException {
        pipe.close();
    }
}
