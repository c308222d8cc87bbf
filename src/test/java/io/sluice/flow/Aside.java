package io.sluice.flow;

import io.sluice.testing.Await;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/** Something that a thread of its own does. */
final class Aside<T> {
    private static final int PATIENCE_SECONDS = 60;

    /** The two sorts of thread. */
    enum On {
        PLATFORM,
        VIRTUAL;

        <T> Aside<T> start(Callable<T> body) {
            return new Aside<>(this, body);
        }
    }

    /** Something that returns nothing. */
    interface Action {
        void run() throws Exception;
    }

    private final FutureTask<T> task;
    private final Thread thread;
    private volatile boolean interrupted;

    private Aside(On on, Callable<T> body) {
        task = new FutureTask<>(() -> {
            try {
                return body.call();
            } finally {
                interrupted = Thread.currentThread().isInterrupted();
            }
        });
        thread = on == On.VIRTUAL
                ? Thread.ofVirtual().start(task)
                : Thread.ofPlatform().daemon().start(task);
    }

    /** Starts an action on a virtual thread. */
    static Aside<Void> of(Action action) {
        return On.VIRTUAL.start(() -> {
            action.run();
            return null;
        });
    }

    /** Returns once the thread is waiting for descriptors. */
    Aside<T> waiting() throws Exception {
        Await.until(
                () -> task.isDone()
                        || Arrays.stream(thread.getStackTrace())
                                .anyMatch(frame -> frame.getClassName().equals("io.sluice.internal.Waiter")),
                "a thread that waits");
        if (task.isDone()) {
            throw new AssertionError("it should have waited, and gave " + task.get());
        }
        return this;
    }

    /** Whether the thread waits for something at this moment. */
    boolean waits() {
        Thread.State state = thread.getState();
        return state == Thread.State.WAITING || state == Thread.State.TIMED_WAITING;
    }

    void interrupt() {
        thread.interrupt();
    }

    boolean isDone() {
        return task.isDone();
    }

    boolean endedInterrupted() {
        return interrupted;
    }

    T result() throws Exception {
        return task.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    /** What it ended with, which must be the failure of a relay. */
    RelayException failure() throws Exception {
        try {
            throw new AssertionError("it should have failed, and gave " + result());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof RelayException failure) {
                return failure;
            }
            throw e;
        }
    }
}
