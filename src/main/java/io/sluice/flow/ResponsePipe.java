package io.sluice.flow;

import io.sluice.ErrnoException;
import io.sluice.Fd;
import io.sluice.Pipe;
import io.sluice.PipeSource;
import io.sluice.internal.FdAccess;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** The pipe in which a response is duplicated from the master, and from which it goes to the socket; where that fails, it is given up. */
final class ResponsePipe {
    private final MasterPipe master;
    private final Response response;
    private final Fd socket;
    private final FdAccess access = FdAccess.get();

    /** This socket does not take what is spliced. */
    private boolean refused;

    /** What is left of this response comes from memory. */
    private boolean givenUp;

    private @Nullable Pipe pipe;

    /** Bytes in the pipe: those that follow the ones sent. */
    private long inPipe;

    private long spliced;

    ResponsePipe(MasterPipe master, Response response, Fd socket) {
        this.master = master;
        this.response = response;
        this.socket = socket;
    }

    void begin() {
        spliced = 0;
        givenUp = refused;
    }

    /** Whether so many bytes of the pattern, from a place where it begins, would be spliced. */
    boolean isFor(long bytes) {
        return !givenUp && bytes >= PatternSender.LEAST_SPLICED && master.isOfUse();
    }

    /** Whether the pipe now holds what comes next; if not, that is to be written. */
    boolean holdsNext() throws IOException {
        return inPipe > 0 || fill();
    }

    private boolean fill() throws IOException {
        if (response.headLeft() > 0 || !isFor(response.patternLeft())) {
            return false;
        }
        try {
            fill(response.phase(), response.patternLeft());
        } catch (ErrnoException e) {
            Call.consider(e);
            giveUp();
        } catch (ClosedChannelException e) {
            giveUp(); // the master was closed; the socket has no part in this
        }
        return inPipe > 0;
    }

    private void fill(long phase, long left) throws IOException {
        long most = master.most(master.pool.capacity(), phase + left);
        // Where the next beginning is near, writing up to it is cheaper.
        boolean isNear = phase > 0 && master.pattern.untilBeginning(phase) < PatternSender.LEAST_SPLICED;
        if (most - phase < PatternSender.LEAST_SPLICED || isNear || (phase > 0 && master.nullDevice() == null)) {
            return;
        }
        Pipe into = ownPipe();
        long teed = master.tee(into.sink(), most);
        if (phase == 0) {
            inPipe = teed;
        } else if (teed > phase && dropped(into, phase)) {
            inPipe = teed - phase;
        } else {
            giveUp();
        }
        // A pipe that small is not worth filling again.
        givenUp |= teed - phase < PatternSender.LEAST_SPLICED;
    }

    private Pipe ownPipe() throws IOException {
        Pipe own = pipe == null ? master.takePipe() : pipe;
        pipe = own;
        return own;
    }

    private boolean dropped(Pipe from, long n) throws IOException {
        Fd to = Objects.requireNonNull(master.nullDevice());
        for (long left = n; left > 0; ) {
            long some = from.source().trySpliceTo(to, left);
            if (some <= 0) {
                return false;
            }
            left -= some;
        }
        return true;
    }

    /**
     * Sends what the socket takes of what the pipe holds.
     *
     * @throws ErrnoException after which what is left comes from memory
     */
    long splice() throws IOException {
        PipeSource from = Objects.requireNonNull(pipe).source();
        boolean moreIsCertain = response.left() > inPipe;
        long n;
        try {
            n = moreIsCertain ? access.trySpliceMore(from, socket, inPipe) : from.trySpliceTo(socket, inPipe);
        } catch (ErrnoException e) {
            Call.consider(e);
            refused |= e.errno() == Linux.EINVAL();
            giveUp();
            throw e;
        }
        if (n < 0) {
            throw new IllegalStateException("somebody else took what was in " + pipe);
        }
        inPipe -= n;
        spliced += n;
        master.spliced.add(n);
        return n;
    }

    /** What was sent of this response in this way. */
    long spliced() {
        return spliced;
    }

    private void giveUp() throws IOException {
        givenUp = true;
        master.fallbacks.increment();
        giveBack();
    }

    /** Gives the pipe back, empty as far as is known here. */
    void giveBack() throws IOException {
        Pipe used = pipe;
        boolean isEmpty = inPipe == 0 && !givenUp;
        pipe = null;
        inPipe = 0;
        if (used != null) {
            master.giveBackPipe(used, isEmpty);
        }
    }
}
