package io.sluice.faults;

import io.sluice.Fd;
import io.sluice.flow.MasterPipe;
import io.sluice.flow.PatternSender;
import io.sluice.flow.PipePool;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import org.jspecify.annotations.Nullable;

/** One response from a master pipe, whose reader takes what has come between two steps. */
final class MasterPipes extends Job {
    /** The content three times, and then so much of it as is still spliced. */
    private static final int RESPONSE = 3 * LENGTH + 36_000;

    private static final int PIECE = 16 << 10;

    private final long capacity;
    private final PipePool pool = own(PipePool.of(2, CAPACITY));
    private final ByteArrayOutputStream arrived = new ByteArrayOutputStream();
    private final SocketChannel reader;
    private final Fd socket;
    private @Nullable MasterPipe master;
    private @Nullable PatternSender sender;

    /** @param fills whether making and filling the master is part of the job, and may fail */
    MasterPipes(boolean fills, long capacity) throws IOException {
        pipe();
        this.capacity = capacity;
        SocketChannel[] connection = Sockets.connection(this);
        reader = connection[1];
        reader.configureBlocking(false);
        socket = own(Fd.of(connection[0]));
        if (!fills) {
            make();
        }
    }

    private void make() throws IOException {
        master = own(MasterPipe.of(MemorySegment.ofArray(content()), capacity, pool));
        sender = own(master.to(socket));
        sender.begin(RESPONSE);
    }

    @Override
    void run() throws IOException {
        if (sender == null) {
            make();
        }
        while (sender.step() != PatternSender.Step.DONE) {
            receive();
        }
    }

    @Override
    byte[] expected() {
        byte[] pattern = content();
        byte[] all = new byte[RESPONSE];
        for (int i = 0; i < all.length; i++) {
            all[i] = pattern[i % pattern.length];
        }
        return all;
    }

    @Override
    long accounted() throws IOException {
        receive();
        return RESPONSE - sender.sent() + arrived.size();
    }

    @Override
    byte[] delivered() throws IOException {
        receive();
        return arrived.toByteArray();
    }

    /** What was sent by reference. */
    @Override
    long remarkable() {
        return master == null ? -1 : master.bytesSpliced();
    }

    private void receive() throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(PIECE);
        while (reader.read(buffer.clear()) > 0) {
            arrived.write(buffer.array(), 0, buffer.position());
        }
    }
}
