package io.sluice.flow;

import java.io.Closeable;
import java.io.IOException;
import java.util.Optional;
import java.util.concurrent.locks.Condition;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * One of the sinks that a {@link Fanout} copies its stream to: how far it is, and how it ended. It has a pipe and a thread of its own, a
 * virtual one unless the sink may wait for a disk; the thread delivers what the sink did not take at once.
 *
 * <p>Safe for use by several threads.
 */
public final class Branch {
    private static final long LEAST_PATIENCE_AT_THE_END_NANOS = 1_000_000_000;

    /** How a branch is, or how it ended. */
    public enum State {
        /** It gets what is read, or will when the fan-out runs. */
        RUNNING,
        /** The stream has ended, or {@link #finish} was called, and everything was delivered. */
        DONE,
        /** It was too slow for its policy. */
        DROPPED,
        /** {@link #remove} was called. */
        REMOVED,
        /** Its sink failed; {@link #failure} says how. */
        FAILED,
        /** The fan-out was interrupted. */
        STOPPED
    }

    private final Closeable sink;
    private final Closeable owned;
    private final WhenSlow policy;
    private final Backlog backlog;
    private final Thread thread;

    private final ReentrantLock lock = new ReentrantLock();
    private final Condition changed = lock.newCondition();

    private volatile State state = State.RUNNING;
    private boolean finishing;
    private boolean ended;
    private boolean started;
    private @Nullable Throwable failure;

    Branch(Closeable sink, boolean owns, WhenSlow policy, PipePool pool) throws IOException {
        this.sink = sink;
        this.owned = owns ? sink : () -> {};
        this.policy = policy;
        this.backlog = new Backlog(sink, policy, pool);
        Thread.Builder builder = Attempts.mayWait(sink) ? Thread.ofPlatform().daemon() : Thread.ofVirtual();
        this.thread = builder.name("sluice-branch").unstarted(this::run);
    }

    /** Bytes that a step may fill the fan-out's own pipe with, for every tee of it to go into this branch's whole. */
    long room() {
        return backlog.room();
    }

    void start() {
        lock.lock();
        try {
            if (!started && state == State.RUNNING) {
                started = true;
                thread.start();
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Called by the fan-out's thread: gives the branch one step, waiting for it or not as its policy says. A failure is the branch's own.
     *
     * <p>Invariant: a step goes only into a pipe that is empty and has at least as many slots as the one it comes from. So it goes in whole,
     * however its bytes are spread over slots.
     *
     * @return whether the branch still takes part
     */
    boolean give(Spill.Step step, long n) throws InterruptedException {
        lock.lock();
        try {
            if (isReadyAfterPatience()) {
                if (backlog.give(step, n)) {
                    changed.signalAll();
                }
            } else if (state == State.RUNNING && !finishing) {
                if (backlog.spill(step, n)) {
                    changed.signalAll();
                } else {
                    end(State.DROPPED, null);
                }
            }
        } catch (IOException | RuntimeException e) {
            end(State.FAILED, e);
        } finally {
            lock.unlock();
        }
        return state == State.RUNNING;
    }

    private boolean isReadyAfterPatience() throws InterruptedException {
        long left = policy.patienceNanos();
        while (state == State.RUNNING && !finishing && !backlog.isEmpty()) {
            if (policy.isToWait()) {
                changed.await();
            } else if (left <= 0 || backlog.isSpilling()) {
                return false;
            } else {
                left = changed.awaitNanos(left);
            }
        }
        return state == State.RUNNING && !finishing;
    }

    private void run() {
        try {
            for (long n; (n = nextStep()) > 0; ) {
                backlog.deliver(n);
                lock.lock();
                try {
                    backlog.done();
                    changed.signalAll();
                } finally {
                    lock.unlock();
                }
            }
            end(State.DONE, null);
        } catch (InterruptedException e) {
            end(State.STOPPED, null);
        } catch (IOException | RuntimeException | Error e) {
            end(State.FAILED, e);
        } finally {
            close();
        }
    }

    /** Waits until the pipe holds something, and says how much; 0 when there will be no more. */
    private long nextStep() throws IOException, InterruptedException {
        lock.lock();
        try {
            while (state == State.RUNNING && backlog.isEmpty() && !finishing) {
                changed.await();
            }
            return state == State.RUNNING ? backlog.next() : 0;
        } finally {
            lock.unlock();
        }
    }

    private void end(State how, @Nullable Throwable why) {
        lock.lock();
        try {
            if (state == State.RUNNING) {
                state = how;
                failure = why;
                thread.interrupt();
                if (!started) {
                    close();
                }
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    // Under the lock, so that no step is on its way into a pipe which the pool may already have given to somebody else.
    private void close() {
        lock.lock();
        try {
            if (ended) {
                return;
            }
            backlog.close();
            owned.close();
        } catch (IOException e) {
            failure = failure == null ? e : failure;
        } finally {
            ended = true;
            changed.signalAll();
            lock.unlock();
        }
    }

    /**
     * Ends the branch at once, from any thread. What it was given and has not delivered, {@link #behind}, is not delivered any more. The
     * others go on. Does nothing if it has ended.
     */
    public void remove() {
        end(State.REMOVED, null);
    }

    /** Ends the branch when it has delivered what it was given so far, from any thread. The others go on. */
    public void finish() {
        lock.lock();
        try {
            finishing = true;
            if (!started) {
                end(State.DONE, null);
            }
            changed.signalAll();
        } finally {
            lock.unlock();
        }
    }

    void stop() {
        end(State.STOPPED, null);
    }

    /** Waits for the branch to end after the stream has, or for as long as its policy allows. */
    void awaitEnd() throws InterruptedException {
        lock.lock();
        try {
            boolean drops = !policy.isToWait() && policy.spillFolder() == null;
            long patience = Math.max(policy.patienceNanos(), LEAST_PATIENCE_AT_THE_END_NANOS);
            long before = delivered();
            for (long left = patience; !ended; ) {
                if (!drops) {
                    changed.await();
                } else if (left > 0) {
                    left = changed.awaitNanos(left);
                } else if (delivered() == before) {
                    end(State.DROPPED, null);
                    changed.await();
                } else {
                    before = delivered();
                    left = patience;
                }
            }
        } finally {
            lock.unlock();
        }
    }

    /**
     * Waits until the branch has ended and lets go of its sink, which may then be closed.
     *
     * @return how it ended
     * @throws InterruptedException if the waiting thread is interrupted; the branch goes on
     */
    public State await() throws InterruptedException {
        lock.lock();
        try {
            while (!ended) {
                changed.await();
            }
            return state;
        } finally {
            lock.unlock();
        }
    }

    /**
     * How it is, or how it ended.
     *
     * @return the state at this moment
     */
    public State state() {
        return state;
    }

    /**
     * What its sink, or its spill file, failed with.
     *
     * @return the failure of a branch that {@linkplain State#FAILED failed}
     */
    public Optional<Throwable> failure() {
        lock.lock();
        try {
            return Optional.ofNullable(failure);
        } finally {
            lock.unlock();
        }
    }

    /**
     * What its sink has taken.
     *
     * @return bytes
     */
    public long delivered() {
        return backlog.delivered();
    }

    /**
     * By how much it is behind: what it was given since it joined and has not delivered.
     *
     * @return bytes, at this moment
     */
    public long behind() {
        return backlog.behind();
    }

    /**
     * What went through its spill file.
     *
     * @return bytes, since it joined
     */
    public long spilled() {
        return backlog.spilled();
    }

    /**
     * Its sink and its state.
     *
     * @return such as {@code socket …, RUNNING, 0 bytes behind}
     */
    @Override
    public String toString() {
        return sink + ", " + state() + ", " + behind() + " bytes behind";
    }
}
