package io.sluice.flow;

import io.sluice.Fd;
import io.sluice.PipeSink;
import io.sluice.PipeSource;
import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.SelectableChannel;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One stream to several places, read once: the bytes go from the source into a pipe, are duplicated there by reference for each branch, and
 * go on to each sink, without a copy in Java.
 *
 * {@snippet :
 * try (Fanout fanout = Fanout.from(upload).to(file)) {
 *     Branch copy = fanout.add(replica, WhenSlow.dropAfter(Duration.ofSeconds(5)));
 *     long bytes = fanout.run();
 * }
 * }
 *
 * <p>The calls are {@code splice} from the source into one pipe, {@code tee} from there into a pipe per branch, and {@code splice} from each
 * pipe to its sink (splice(2), tee(2)). An end that cannot be spliced, such as a file opened for append, a terminal or a file of /proc, is
 * read or written instead; that is settled before its first byte. Where the process is denied tee, the branches are written.
 *
 * <p>The first sink is the <b>primary</b>. It is delivered to by the thread that {@linkplain #run runs} the fan-out, and no branch can
 * corrupt, reorder or cut what it gets. If the primary fails, the fan-out ends: the branches deliver what they were given, and {@code run}
 * throws; what the primary did not take is the {@linkplain #remainder remainder}.
 *
 * <p>A {@link Branch} is any further sink. Its failure is recorded with it and stops nobody else. What happens when it is slow is said by its
 * {@link WhenSlow policy}. Branches can be added and removed while the fan-out runs, from any thread; one that is added gets the stream from
 * the next step on.
 *
 * <p>Sinks and sources are not closed. Those given as channels of java.nio are used through a duplicate of their descriptor, which is closed
 * when the branch, or the fan-out, has ended.
 *
 * <p>Branches may be added and looked at by any thread; {@link #run} and {@link #close} are for one.
 */
public final class Fanout implements Closeable {
    private final Closeable source;
    private final boolean ownsSource;
    private final PipePool pool;
    private final FanoutEvent event = new FanoutEvent();
    private final Branches branches = new Branches(event);

    private @Nullable Closeable primary;
    private boolean ownsPrimary;

    /** What runs, or ran; null before. */
    private volatile @Nullable Trunk trunk;

    private Fanout(Closeable source, boolean ownsSource, PipePool pool) {
        this.source = source;
        this.ownsSource = ownsSource;
        this.pool = pool;
    }

    /**
     * A fan-out of what can be read from a descriptor, to its end. A file is read from its position.
     *
     * @param source a socket, pipe, file or other descriptor
     * @return a fan-out without sinks
     */
    public static Fanout from(Fd source) {
        return from(source, PipePool.shared());
    }

    /**
     * As {@link #from(Fd)}, with pipes of one's own.
     *
     * @param source a socket, pipe, file or other descriptor
     * @param pool where pipes come from: one for the fan-out and one for each branch, two if it may spill
     * @return a fan-out without sinks
     */
    public static Fanout from(Fd source, PipePool pool) {
        return new Fanout(source, false, pool);
    }

    /**
     * A fan-out of what comes out of a pipe, such as the one a child process writes.
     *
     * @param source the pipe's source
     * @return a fan-out without sinks
     */
    public static Fanout from(PipeSource source) {
        return from(source, PipePool.shared());
    }

    /**
     * As {@link #from(PipeSource)}, with pipes of one's own.
     *
     * @param source the pipe's source
     * @param pool where pipes come from: one for the fan-out and one for each branch, two if it may spill
     * @return a fan-out without sinks
     */
    public static Fanout from(PipeSource source, PipePool pool) {
        return new Fanout(source, false, pool);
    }

    /**
     * A fan-out of what can be read from a channel.
     *
     * @param source a socket channel or the source of a java.nio pipe; see {@link Fd#of(SelectableChannel)} for what may be done with it
     *     meanwhile
     * @return a fan-out without sinks, to be closed
     * @throws IOException if the channel is closed, or no descriptor is left
     */
    public static Fanout from(SelectableChannel source) throws IOException {
        return new Fanout(Fd.of(source), true, PipePool.shared());
    }

    /**
     * The primary sink the first time, afterwards a branch that {@linkplain WhenSlow#waitForIt everybody waits for}.
     *
     * @param sink a descriptor open for writing; a file is written at its position
     * @return this
     * @throws IOException if no pipe can be opened for a branch
     */
    public Fanout to(Fd sink) throws IOException {
        return to(sink, false);
    }

    /**
     * As {@link #to(Fd)}.
     *
     * @param sink a pipe's sink
     * @return this
     * @throws IOException if no pipe can be opened for a branch
     */
    public Fanout to(PipeSink sink) throws IOException {
        return to(sink, false);
    }

    /**
     * As {@link #to(Fd)}.
     *
     * @param sink a socket channel or the sink of a java.nio pipe
     * @return this
     * @throws IOException if the channel is closed, or no descriptor is left
     */
    public Fanout to(SelectableChannel sink) throws IOException {
        return to(Fd.of(sink), true);
    }

    private Fanout to(Closeable sink, boolean owns) throws IOException {
        if (primary == null) {
            primary = sink;
            ownsPrimary = owns;
        } else {
            add(sink, owns, WhenSlow.waitForIt());
        }
        return this;
    }

    /**
     * Adds a branch, before the fan-out runs or meanwhile, from any thread.
     *
     * @param sink a descriptor open for writing
     * @param policy what to do when it is slow
     * @return the branch, which gets what is read from now on
     * @throws IllegalStateException if the stream has ended, or there is no primary yet
     * @throws IOException if no pipe can be opened for it
     */
    public Branch add(Fd sink, WhenSlow policy) throws IOException {
        return add(sink, false, policy);
    }

    /**
     * As {@link #add(Fd, WhenSlow)}.
     *
     * @param sink a pipe's sink
     * @param policy what to do when it is slow
     * @return the branch
     * @throws IllegalStateException if the stream has ended, or there is no primary yet
     * @throws IOException if no pipe can be opened for it
     */
    public Branch add(PipeSink sink, WhenSlow policy) throws IOException {
        return add(sink, false, policy);
    }

    /**
     * As {@link #add(Fd, WhenSlow)}.
     *
     * @param sink a socket channel or the sink of a java.nio pipe; it is not closed
     * @param policy what to do when it is slow
     * @return the branch
     * @throws IllegalStateException if the stream has ended, or there is no primary yet
     * @throws IOException if the channel is closed, or no descriptor is left
     */
    public Branch add(SelectableChannel sink, WhenSlow policy) throws IOException {
        return add(Fd.of(sink), true, policy);
    }

    private Branch add(Closeable sink, boolean owns, WhenSlow policy) throws IOException {
        try {
            if (primary == null) {
                throw new IllegalStateException(
                        "the first sink is the primary: name it with to(sink) before any branch");
            }
            Branch branch = new Branch(sink, owns, policy, pool);
            if (!branches.join(branch)) {
                branch.remove();
                throw new IllegalStateException("the stream has ended");
            }
            return branch;
        } catch (IOException | RuntimeException e) {
            if (owns) {
                sink.close();
            }
            throw e;
        }
    }

    /**
     * Moves the stream to its end, and returns when the primary and every branch have it, or have ended otherwise. On a virtual thread no
     * carrier is held while it waits.
     *
     * @return bytes that the primary took: everything that the source had
     * @throws FanoutException if the source or the primary failed, or the thread was interrupted; its interrupt status is then set, and no
     *     descriptor was closed
     * @throws IllegalStateException if it has no sink, or ran before
     */
    public long run() throws IOException {
        Closeable to = primary;
        if (to == null) {
            throw new IllegalStateException("there is no sink: name one with to(sink)");
        } else if (trunk != null || branches.haveEnded()) {
            throw new IllegalStateException("a fan-out runs once");
        }
        event.begin();
        Trunk running = new Trunk(source, to, pool, branches);
        trunk = running;
        try {
            running.pump();
            branches.finish();
            return running.delivered();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw running.stopped("interrupted", new InterruptedIOException("the thread was interrupted"));
        } finally {
            branches.stop();
            running.release();
            closeOwned();
            if (event.isEnabled()) {
                report();
            }
        }
    }

    private void closeOwned() throws IOException {
        if (ownsSource) {
            source.close();
        }
        if (ownsPrimary && primary != null) {
            primary.close();
        }
    }

    private void report() {
        event.source = source.toString();
        event.delivered = delivered();
        event.undelivered = undelivered();
        branches.account();
        event.commit();
    }

    /**
     * What the primary has taken.
     *
     * @return bytes, at this moment
     */
    public long delivered() {
        Trunk running = trunk;
        return running == null ? 0 : running.delivered();
    }

    /**
     * What was read from the source and the primary has not taken.
     *
     * @return bytes, at this moment; after {@link #run} has thrown, what {@link #remainder} has
     */
    public long undelivered() {
        Trunk running = trunk;
        return running == null ? 0 : running.undelivered();
    }

    /**
     * The branches that take part. One that has ended is forgotten some time later.
     *
     * @return a list of its own, in the order in which they were added
     */
    public List<Branch> branches() {
        return List.of(branches.members());
    }

    /**
     * What was read from the source and not taken by the primary when {@link #run} threw: it is to be delivered before what is still in the
     * source. Every branch that had not ended was given it.
     *
     * @return a channel that never waits, at its end after {@link #undelivered} bytes; closed with this
     */
    public ReadableByteChannel remainder() {
        Trunk running = trunk;
        return running == null ? Remainder.of(null, null, null) : running.remainder();
    }

    /** Gives up the remainder, if there is one, and what belongs to this. Sinks and sources stay open. */
    @Override
    public void close() throws IOException {
        branches.stop();
        Trunk ran = trunk;
        if (ran != null) {
            ran.close();
        }
        closeOwned();
    }
}
