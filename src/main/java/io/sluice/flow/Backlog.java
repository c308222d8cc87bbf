package io.sluice.flow;

import io.sluice.Pipe;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * What a branch was given and has not delivered: at most one step in its pipe and, behind that, what was spilled.
 *
 * <p>To be called under the branch's lock, except {@link #deliver} and the counters.
 */
final class Backlog implements Closeable {
    private final Closeable sink;
    private final WhenSlow policy;
    private final PipePool pool;
    private final Pipe pipe;
    private final @Nullable Pipe spillPipe;
    private final long room;
    private final Outflow outflow;

    /** Bytes of the step that is being delivered from the pipe. Where there is none, the pipe is empty. */
    private long carried;

    private @Nullable Spill spill;
    private final AtomicLong given = new AtomicLong();
    private final AtomicLong delivered = new AtomicLong();
    private final AtomicLong spilled = new AtomicLong();

    Backlog(Closeable sink, WhenSlow policy, PipePool pool) throws IOException {
        this.sink = sink;
        this.policy = policy;
        this.pool = pool;
        this.pipe = pool.take();
        try {
            this.spillPipe = policy.spillFolder() == null ? null : pool.take();
            this.room = spillPipe == null ? pipe.capacity() : Math.min(pipe.capacity(), spillPipe.capacity());
        } catch (IOException e) {
            pipe.close();
            throw e;
        }
        this.outflow = new Outflow(pipe.source(), sink);
    }

    /** Bytes that a step may fill the fan-out's own pipe with, for every tee of it to go into this whole. */
    long room() {
        return room;
    }

    boolean isEmpty() {
        return carried == 0 && !isSpilling();
    }

    boolean isSpilling() {
        Spill file = spill;
        return file != null && !file.isEmpty();
    }

    /**
     * Takes a step while there is none, and delivers what the sink takes of it at once.
     *
     * @return whether some of it is left to {@link #deliver}
     */
    boolean give(Spill.Step step, long n) throws IOException {
        step.into(pipe.sink());
        given.addAndGet(n);
        carried = n - deliverAtOnce(n);
        return carried > 0;
    }

    // Most sinks take a step at once, and then nobody has to be woken for it.
    private long deliverAtOnce(long n) throws IOException {
        long done = 0;
        if (!Attempts.mayWait(sink)) {
            for (long moved; done < n && (moved = outflow.deliver(n - done)) > 0; done += moved) {
                delivered.addAndGet(moved);
            }
        }
        return done;
    }

    /** Takes a step into the file, behind what is there; false if the policy does not allow that. */
    boolean spill(Spill.Step step, long n) throws IOException {
        if (policy.spillFolder() == null || spillPipe == null) {
            return false;
        }
        Spill file = spill;
        if (file == null) {
            spill = file = new Spill(policy.spillFolder(), spillPipe);
        }
        if (n > policy.mostSpilled() - file.length()) {
            return false;
        }
        file.append(step, n);
        given.addAndGet(n);
        spilled.addAndGet(n);
        return true;
    }

    /** Sees to it that the pipe holds what comes next, and says how much that is; 0 if there is nothing. */
    long next() throws IOException {
        Spill file = spill;
        if (carried > 0 || file == null || file.isEmpty()) {
            return carried;
        }
        ByteBuffer bytes = file.read(room);
        // The pipe is empty, and has room for all of it.
        Attempts attempts = new Attempts();
        while (bytes.hasRemaining()) {
            int n = pipe.sink().tryWrite(bytes);
            carried += n;
            file.take(n);
            if (n == 0) {
                attempts.await(null, pipe.sink());
            }
        }
        return carried;
    }

    /** Delivers the {@code n} bytes that come {@link #next}, waiting as necessary. */
    void deliver(long n) throws IOException, InterruptedException {
        Attempts attempts = new Attempts();
        // Invariant: the pipe, and what was read from it to be written, hold the last left bytes of the step.
        for (long left = n; left > 0; ) {
            if (Thread.interrupted()) {
                throw new InterruptedException();
            }
            long moved = outflow.deliver(left);
            if (moved > 0) {
                left -= moved;
                delivered.addAndGet(moved);
                attempts.moved();
            } else {
                outflow.await(attempts);
            }
        }
    }

    /** What came next was delivered, and the pipe is empty. */
    void done() {
        carried = 0;
    }

    long delivered() {
        return delivered.get();
    }

    long behind() {
        long done = delivered.get(); // before given, or a step between the two could make it negative
        return given.get() - done;
    }

    long spilled() {
        return spilled.get();
    }

    /** Gives the pipes back; what they hold is gone. */
    @Override
    public void close() throws IOException {
        pool.giveBack(pipe);
        if (spill != null) {
            spill.close();
        } else if (spillPipe != null) {
            pool.giveBack(spillPipe);
        }
    }
}
