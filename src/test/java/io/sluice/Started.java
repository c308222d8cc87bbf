package io.sluice;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Await;
import io.sluice.testing.Libc;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/** A call made on a thread of its own, and what became of it. */
final class Started<T> {
    private static final int PATIENCE_SECONDS = 60;

    /** The two sorts of thread. */
    enum On {
        PLATFORM,
        VIRTUAL;

        <T> Started<T> call(Callable<T> body) {
            return new Started<>(this, body);
        }
    }

    /** A value, or else what was thrown. */
    record Ending<T>(T value, Throwable thrown) {}

    private final On on;
    private final FutureTask<T> task;
    private final Thread thread;
    private volatile int kernelThread;
    private volatile boolean interrupted;

    private Started(On on, Callable<T> body) {
        this.on = on;
        this.task = new FutureTask<>(() -> {
            kernelThread = Libc.gettid();
            try {
                return body.call();
            } finally {
                interrupted = Thread.currentThread().isInterrupted();
            }
        });
        this.thread = on == On.VIRTUAL
                ? Thread.ofVirtual().start(task)
                : Thread.ofPlatform().daemon().start(task);
    }

    /** Returns once the thread waits, for the library or for a channel of java.nio; fails if the call ends instead. */
    Started<T> waiting() throws Exception {
        Await.until(() -> task.isDone() || waits(), "a thread that waits");
        if (task.isDone()) {
            throw new AssertionError("it should have waited, and gave " + task.get());
        }
        return this;
    }

    boolean isDone() {
        return task.isDone();
    }

    void interrupt() {
        thread.interrupt();
    }

    /** How the call ended, be it so or so. */
    Ending<T> ending() throws Exception {
        try {
            return new Ending<>(task.get(PATIENCE_SECONDS, TimeUnit.SECONDS), null);
        } catch (ExecutionException e) {
            return new Ending<>(null, e.getCause());
        }
    }

    /** What the call returned. */
    T result() throws Exception {
        Ending<T> ending = ending();
        if (ending.thrown != null) {
            throw new AssertionError("the call failed", ending.thrown);
        }
        return ending.value;
    }

    /** What the call threw. */
    Throwable failure() throws Exception {
        Ending<T> ending = ending();
        if (ending.thrown == null) {
            throw new AssertionError("it should have failed, and gave " + ending.value);
        }
        return ending.thrown;
    }

    /** Whether the thread's interrupt status was set when the call had ended. */
    boolean endedInterrupted() {
        assertThat(task.isDone()).isTrue();
        return interrupted;
    }

    private boolean waits() throws IOException {
        boolean inWait = Arrays.stream(thread.getStackTrace())
                .anyMatch(frame -> frame.getClassName().equals("io.sluice.internal.Waiter")
                        || frame.getClassName().startsWith("sun.nio.ch."));
        return inWait && (on == On.VIRTUAL ? thread.getState() == Thread.State.WAITING : sleeps());
    }

    private boolean sleeps() throws IOException {
        try {
            String stat = Files.readString(Path.of("/proc/self/task/" + kernelThread + "/stat"));
            return stat.charAt(stat.lastIndexOf(')') + 2) == 'S';
        } catch (NoSuchFileException e) {
            return false;
        }
    }
}
