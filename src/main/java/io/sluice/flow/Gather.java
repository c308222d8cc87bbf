package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import io.sluice.internal.FdAccess;
import io.sluice.loan.FrozenPages;
import io.sluice.loan.Loan;
import io.sluice.loan.PageArena;
import java.io.Closeable;
import java.io.IOException;
import java.io.InputStream;
import java.io.InterruptedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.SelectableChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Parts of different kinds, delivered in order to one sink as one stream: what {@code writev} is to memory, for memory, lent pages, ranges of
 * files and pipes together.
 *
 * {@snippet :
 * try (Gather response = Gather.to(socket)) {
 *     response.bytes(header).file(path).bytes(trailer).run();
 * }
 * }
 *
 * <p>Memory is written, ranges of files are sent by {@code sendfile}, lent pages and pipes are spliced (write(2), sendfile(2), splice(2)). A
 * part whose sink cannot take it so, as a file opened for append, is read and written instead; that is settled before its first byte. A TCP
 * socket is corked meanwhile (tcp(7), TCP_CORK), so that the header and the first bytes of a file travel in one segment. It is uncorked
 * where one part fills it, while a pipe is waited for, so that nothing lies there, and at the end, also after an error, whatever it was
 * before.
 *
 * <p>What was delivered is known per part. After an exception {@link #run} may be called again, and goes on with the first byte that was not
 * delivered. {@link #clear} forgets the parts, for the next stream to the same sink.
 *
 * <p>Memory must not be changed, and files and pipes not be closed, until {@code run} has returned. For one thread at a time.
 */
public final class Gather implements Closeable {
    private final Closeable sink;
    private final boolean ownsSink;
    private final GatherPipe pipe;
    private final List<GatherPart> parts = new ArrayList<>();

    /** The first part that is not delivered. */
    private int current;

    private boolean corked;

    private Gather(Closeable sink, boolean ownsSink, PipePool pool) {
        this.sink = sink;
        this.ownsSink = ownsSink;
        this.pipe = new GatherPipe(pool, sink);
    }

    /**
     * A stream to a descriptor.
     *
     * @param sink open for writing; a file is written at its position
     * @return without parts
     */
    public static Gather to(Fd sink) {
        return new Gather(sink, false, PipePool.shared());
    }

    /**
     * As {@link #to(Fd)}, with pipes of one's own.
     *
     * @param sink open for writing
     * @param pool where the pipe for lent pages comes from
     * @return without parts
     */
    public static Gather to(Fd sink, PipePool pool) {
        return new Gather(sink, false, pool);
    }

    /**
     * A stream into a pipe.
     *
     * @param sink the pipe's sink
     * @return without parts
     */
    public static Gather to(PipeSink sink) {
        return new Gather(sink, false, PipePool.shared());
    }

    /**
     * A stream to a channel. A duplicate of its descriptor is open until this is closed; the channel itself is not closed.
     *
     * @param sink a socket channel or the sink of a java.nio pipe; see {@link Fd#of(SelectableChannel)} for what may be done with it meanwhile
     * @return without parts, to be closed
     * @throws IOException if the channel is closed, or no descriptor is left
     */
    public static Gather to(SelectableChannel sink) throws IOException {
        return new Gather(Fd.of(sink), true, PipePool.shared());
    }

    /**
     * Adds bytes of an array.
     *
     * @param bytes all of it
     * @return this
     */
    public Gather bytes(byte[] bytes) {
        return bytes(MemorySegment.ofArray(bytes));
    }

    /**
     * Adds bytes of a buffer.
     *
     * @param bytes a heap or direct buffer, from its position to its limit, neither of which changes
     * @return this
     */
    public Gather bytes(ByteBuffer bytes) {
        return bytes(MemorySegment.ofBuffer(bytes));
    }

    /**
     * Adds bytes of a segment.
     *
     * @param bytes heap or native memory, all of it
     * @return this
     */
    public Gather bytes(MemorySegment bytes) {
        return add(new GatherPart.Memory(bytes));
    }

    /**
     * Adds a range of frozen pages, lent to the sink where they are enough for that to be worth it.
     *
     * @param pages the pages
     * @param offset where the range begins, in bytes
     * @param length bytes
     * @return this
     * @throws IndexOutOfBoundsException if the range is not within the pages
     */
    public Gather pages(FrozenPages pages, long offset, long length) {
        Objects.checkFromIndexSize(offset, length, pages.segment().byteSize());
        return add(new GatherPart.Frozen(pages, offset, length));
    }

    /**
     * Adds memory of an arena that is lent to the sink: it is closed to Java from the moment when it is that part's turn, and {@link #loan}
     * says what has become of it.
     *
     * @param arena the memory's arena; {@link #run} must then be called on its thread
     * @param segment an allocation of that arena, or a slice of one
     * @return this
     */
    public Gather lend(PageArena arena, MemorySegment segment) {
        return add(new GatherPart.Lent(arena, segment));
    }

    /**
     * Adds a range of a file. The file's position is neither used nor changed.
     *
     * @param file open for reading
     * @param offset where the range begins, in bytes
     * @param length bytes; if the file turns out to have less, {@link #run} throws
     * @return this
     * @throws IllegalArgumentException if offset or length is negative, or this is no regular file
     */
    public Gather file(Fd file, long offset, long length) {
        return file(file, false, offset, length);
    }

    /**
     * Adds a whole file, as long as it is now.
     *
     * @param file its path
     * @return this
     * @throws IllegalArgumentException if this is no regular file, or one that does not say how long it is, as those of {@code /proc}
     * @throws IOException if it cannot be opened
     */
    public Gather file(Path file) throws IOException {
        long length = Files.size(file);
        if (length == 0 && Files.isRegularFile(file) && hasContent(file)) {
            throw new IllegalArgumentException(file + " says that it has no bytes, and has some, as files of /proc do:"
                    + " read it, and add what was read with bytes()");
        }
        return file(file, 0, length);
    }

    private static boolean hasContent(Path file) throws IOException {
        try (InputStream in = Files.newInputStream(file)) {
            return in.read() >= 0;
        }
    }

    /**
     * Adds a range of a file, which is open from now until {@link #clear} or {@link #close}.
     *
     * @param file its path
     * @param offset where the range begins, in bytes
     * @param length bytes; if the file turns out to have less, {@link #run} throws
     * @return this
     * @throws IllegalArgumentException if offset or length is negative, or this is no regular file
     * @throws IOException if it cannot be opened
     */
    public Gather file(Path file, long offset, long length) throws IOException {
        Fd fd = Fd.open(file);
        try {
            return file(fd, true, offset, length);
        } catch (IllegalArgumentException e) {
            fd.close();
            throw e;
        }
    }

    private Gather file(Fd file, boolean owns, long offset, long length) {
        if (offset < 0 || length < 0 || offset > Long.MAX_VALUE - length) {
            throw new IllegalArgumentException("no range of a file: " + length + " bytes at " + offset);
        } else if (file.kind() != Fd.Kind.FILE) {
            throw new IllegalArgumentException(
                    file + " is no regular file, so it has no ranges: splice it through a pipe");
        }
        return add(new GatherPart.Range(file, owns, offset, length));
    }

    /**
     * Adds the next bytes of another pipe.
     *
     * @param source the pipe's source
     * @param length bytes; if the pipe ends before, {@link #run} throws
     * @return this
     * @throws IllegalArgumentException if the length is negative
     */
    public Gather pipe(PipeSource source, long length) {
        if (length < 0) {
            throw new IllegalArgumentException("a part cannot have a negative length: " + length);
        }
        return add(new GatherPart.Piped(source, length));
    }

    private Gather add(GatherPart part) {
        parts.add(part);
        return this;
    }

    /**
     * Delivers what has not been delivered yet, and returns when the sink has taken all of it. On a virtual thread no carrier is held while
     * it waits.
     *
     * @return bytes that this call delivered
     * @throws GatherException if a part or the sink failed, a file or a pipe had less than was said (the cause is an {@link
     *     java.io.EOFException}), or the thread was interrupted (an {@link InterruptedIOException}; the interrupt status stays set, and
     *     nothing was closed); it says which part and how far
     */
    public long run() throws GatherException {
        GatherEvent event = new GatherEvent();
        event.begin();
        long before = delivered();
        boolean corks = corkIfMoreFollow();
        try {
            deliver(corks);
        } catch (IOException e) {
            GatherPart part = parts.get(current);
            throw new GatherException(current, parts.size(), part.toString(), part.done, part.length, delivered(), e);
        } finally {
            uncork();
            if (event.isEnabled()) {
                event.sink = sink.toString();
                event.parts = parts.size();
                event.length = length();
                event.delivered = delivered();
                event.commit();
            }
        }
        return delivered() - before;
    }

    /** @param corks whether the sink is one that can be corked, and is */
    private void deliver(boolean corks) throws IOException {
        Attempts attempts = new Attempts();
        // Invariant: the sink has all bytes of the parts before current, the first done bytes of that one, and no
        // others.
        while (current < parts.size()) {
            GatherPart part = parts.get(current);
            if (part.done == part.length) {
                current++;
                continue;
            }
            if (Thread.currentThread().isInterrupted()) {
                throw new InterruptedIOException("the thread was interrupted");
            }
            if (corks && !corked && part.done == 0) {
                corkIfMoreFollow();
            }
            long n = part.deliver(sink, pipe);
            part.done += n;
            if (n > 0) {
                attempts.moved();
                if (part.done < part.length && part.isOfferedWhole()) {
                    awaitRoom();
                }
            } else {
                await(part.lacking(), attempts);
            }
        }
    }

    // As in Waiting: a socket that took less than it was offered is full, and says when a good part of it is free. What
    // fills it needs no cork, which would hold back the end of each filling and cost many more wake-ups.
    private void awaitRoom() throws IOException {
        if (sink instanceof Fd fd && fd.kind() == Fd.Kind.SOCKET) {
            uncork();
            FdAccess.get().await(null, sink, Long.MAX_VALUE);
        }
    }

    // What is corked would lie there until the pipe brings more.
    private void await(@Nullable Closeable lacking, Attempts attempts) throws IOException {
        boolean uncorks = corked && lacking != null;
        if (uncorks) {
            uncork();
        }
        attempts.await(lacking, sink);
        if (uncorks) {
            corked = FdAccess.get().cork(sink, true);
        }
    }

    private boolean corkIfMoreFollow() {
        corked = parts.size() - current > 1 && FdAccess.get().cork(sink, true);
        return corked;
    }

    private void uncork() {
        if (corked) {
            FdAccess.get().cork(sink, false);
            corked = false;
        }
    }

    /**
     * Forgets all parts, delivered or not, and closes files that were opened for them.
     *
     * @return this, without parts
     * @throws IOException if a file cannot be closed
     */
    public Gather clear() throws IOException {
        if (!pipe.isEmpty()) {
            pipe.close();
        }
        for (GatherPart part : parts) {
            part.close();
        }
        parts.clear();
        current = 0;
        return this;
    }

    /**
     * How many parts there are.
     *
     * @return the number of parts
     */
    public int parts() {
        return parts.size();
    }

    /**
     * What all parts have together.
     *
     * @return bytes
     */
    public long length() {
        long length = 0;
        for (int i = 0; i < parts.size(); i++) {
            length += parts.get(i).length;
        }
        return length;
    }

    /**
     * What the sink has taken of all parts.
     *
     * @return bytes
     */
    public long delivered() {
        long delivered = 0;
        for (int i = 0; i < parts.size(); i++) {
            delivered += parts.get(i).done;
        }
        return delivered;
    }

    /**
     * What the sink has taken of one part.
     *
     * @param part its index, 0 for the first
     * @return bytes
     * @throws IndexOutOfBoundsException if there is no such part
     */
    public long delivered(int part) {
        return parts.get(part).done;
    }

    /**
     * The loan that became of a part which was {@linkplain #lend lent}.
     *
     * @param part its index, 0 for the first
     * @return the loan, which is the caller's; empty if nothing of the part was lent yet, or it is of another kind
     * @throws IndexOutOfBoundsException if there is no such part
     */
    public Optional<Loan> loan(int part) {
        return parts.get(part).loan();
    }

    /** Forgets the parts and lets go of the sink, which stays open. */
    @Override
    public void close() throws IOException {
        try {
            clear();
        } finally {
            pipe.close();
            if (ownsSink) {
                sink.close();
            }
        }
    }
}
