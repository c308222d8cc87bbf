package io.sluice.steady;

import io.sluice.Fd;
import io.sluice.flow.MasterPipe;
import io.sluice.flow.PatternSender;
import io.sluice.flow.PipePool;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/** Responses of a master pipe, each with a head, over one connection. */
final class Responses extends Turns {
    private static final int HEAD = 100;
    private static final int PATTERN = 64;

    private final int body;
    private final int[] sockets;
    private final MemorySegment head = Arena.global().allocate(HEAD);
    private final MasterPipe master = own(MasterPipe.of(Arena.global().allocate(PATTERN), MEBIBYTE, PipePool.shared()));
    private final PatternSender sender;
    private boolean begun;

    /** @param sendBuffer what the socket takes at once, or half of that, as far as the kernel grants it */
    Responses(int body, int sendBuffer) throws IOException {
        this.body = body;
        sockets = sockets(sendBuffer);
        sender = own(master.to(own(Fd.borrow(sockets[0]))));
        if (master.capacity() < MEBIBYTE) {
            throw new MissingException("needs pipes of 1 MiB");
        }
    }

    @Override
    long bytes() {
        return HEAD + body;
    }

    @Override
    boolean move() throws IOException {
        if (!begun) {
            sender.begin(head, 0, body);
        }
        begun = sender.step() != PatternSender.Step.DONE;
        return !begun;
    }

    @Override
    long taken() throws IOException {
        return take(sockets[1]);
    }
}
