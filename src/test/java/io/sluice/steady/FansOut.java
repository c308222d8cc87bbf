package io.sluice.steady;

import io.sluice.Fd;
import io.sluice.flow.Fanout;
import io.sluice.flow.WhenSlow;
import io.sluice.testing.Libc;
import java.io.IOException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** A file to a primary and two branches, on three threads, none of which waits for anything but the others. */
final class FansOut extends Turns {
    private final long length;
    private final int file;
    private final Fd from;
    private final Fd nowhere = own(Fd.open(Path.of("/dev/null"), StandardOpenOption.WRITE));

    FansOut(long length) throws IOException {
        this.length = length;
        file = file(length);
        from = own(Fd.borrow(file));
    }

    @Override
    long bytes() {
        return length;
    }

    @Override
    void feed() {
        Libc.lseek(file, 0, 0);
    }

    @Override
    boolean move() throws IOException {
        try (Fanout fanout = Fanout.from(from).to(nowhere)) {
            fanout.add(nowhere, WhenSlow.waitForIt());
            fanout.add(nowhere, WhenSlow.waitForIt());
            fanout.run();
        }
        return true;
    }

    @Override
    long taken() {
        return length;
    }
}
