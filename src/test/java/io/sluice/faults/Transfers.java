package io.sluice.faults;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.flow.PipePool;
import io.sluice.flow.Transfer;
import io.sluice.flow.TransferException;
import io.sluice.internal.Syscalls;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.jspecify.annotations.Nullable;

/** Transfers of the content between two ends; what one of them left over is delivered by the next. */
final class Transfers extends Job {
    private final Supply supply;
    private final Outlet outlet;
    private final PipePool pool;
    private @Nullable ReadableByteChannel undelivered;
    private long left;
    private Transfer.@Nullable Result result;

    /** Where the content is, and what of it is still there. */
    private record Supply(Transfer.From from, Count remaining) {}

    /** Where it goes, and what has arrived. */
    private record Outlet(Closeable target, Count arrived, Bytes content) {}

    private interface Count {
        long get() throws IOException;
    }

    private interface Bytes {
        byte[] get() throws IOException;
    }

    /** The kinds of end. */
    enum End {
        FILE,
        SOCKET,
        PIPE
    }

    Transfers(End source, End target) throws IOException {
        supply = switch (source) {
            case FILE -> file();
            case SOCKET -> socket();
            case PIPE -> fullPipe();
        };
        outlet = switch (target) {
            case FILE -> intoFile();
            case SOCKET -> intoSocket();
            case PIPE -> intoPipe();
        };
        // Pipes of two pages, so that the content takes several fills.
        pool = own(PipePool.of(1, 8192));
    }

    @Override
    void run() throws IOException {
        try {
            if (undelivered != null) {
                result = into(Transfer.from(undelivered));
                undelivered.close();
                undelivered = null;
                left = 0;
            }
            result = into(supply.from());
        } catch (TransferException e) {
            undelivered = own(e.undelivered());
            left = e.undeliveredBytes();
            if (e.getCause() instanceof ErrnoException cause) {
                throw cause;
            }
            throw e;
        }
    }

    private Transfer.Result into(Transfer.From from) throws IOException {
        Transfer transfer = outlet.target() instanceof Fd fd ? from.to(fd) : from.to(((Pipe) outlet.target()).sink());
        return transfer.pool(pool).run();
    }

    /** Which engine the last transfer came to its end with, by its place in their list; −1 if it has not. */
    @Override
    long remarkable() {
        return result == null ? -1 : result.engine().ordinal();
    }

    @Override
    long accounted() throws IOException {
        return supply.remaining().get() + left + outlet.arrived().get();
    }

    @Override
    byte[] delivered() throws IOException {
        return outlet.content().get();
    }

    private Supply file() throws IOException {
        Path folder = Files.createTempDirectory("sluice-faults");
        Path path = Files.write(folder.resolve("source"), content());
        own(() -> {
            Files.delete(path);
            Files.delete(folder);
        });
        Fd fd = own(Fd.open(path));
        return new Supply(Transfer.from(fd), () -> LENGTH - Pump.BetweenFiles.position(fd));
    }

    private Supply socket() throws IOException {
        SocketChannel[] connection = Sockets.connection(this);
        // In several buffers of the kernel, because a splice takes one at a time.
        for (int at = 0; at < LENGTH; at += Pump.PIECE) {
            connection[1].write(ByteBuffer.wrap(content(), at, Math.min(Pump.PIECE, LENGTH - at)));
        }
        connection[1].shutdownOutput();
        Fd fd = own(Fd.of(connection[0]));
        return new Supply(Transfer.from(fd), () -> Syscalls.available(fd.number()));
    }

    private Supply fullPipe() throws IOException {
        Pipe pipe = pipe();
        pipe.sink().write(ByteBuffer.wrap(content()));
        pipe.sink().close();
        return new Supply(Transfer.from(pipe.source()), pipe::available);
    }

    private Outlet intoFile() throws IOException {
        Path folder = Files.createTempDirectory("sluice-faults");
        Path path = folder.resolve("target");
        own(() -> {
            Files.delete(path);
            Files.delete(folder);
        });
        Fd fd = own(Fd.open(path, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW));
        return new Outlet(fd, () -> Files.size(path), () -> Files.readAllBytes(path));
    }

    private Outlet intoSocket() throws IOException {
        SocketChannel[] connection = Sockets.connection(this);
        SocketChannel receiver = connection[1];
        receiver.configureBlocking(false);
        Fd received = own(Fd.of(receiver));
        return new Outlet(own(Fd.of(connection[0])), () -> Syscalls.available(received.number()), () -> {
            ByteArrayOutputStream arrived = new ByteArrayOutputStream();
            ByteBuffer buffer = ByteBuffer.allocate(LENGTH);
            while (receiver.read(buffer.clear()) > 0) {
                arrived.write(buffer.array(), 0, buffer.position());
            }
            return arrived.toByteArray();
        });
    }

    private Outlet intoPipe() throws IOException {
        Pipe pipe = pipe();
        return new Outlet(pipe, pipe::available, () -> Waits.drained(pipe));
    }
}
