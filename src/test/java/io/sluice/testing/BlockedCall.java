package io.sluice.testing;

import static org.junit.jupiter.api.Assumptions.abort;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** A call made on a thread of its own, which the kernel was seen to put to sleep. */
public final class BlockedCall<T> {
    private static final int PATIENCE_SECONDS = 60;

    private final SystemCall call;
    private final FutureTask<T> task;
    private volatile int thread;

    private BlockedCall(SystemCall call, Callable<T> body) {
        this.call = call;
        this.task = new FutureTask<>(() -> {
            thread = Libc.gettid();
            return body.call();
        });
    }

    /** Starts the body and returns once its thread sleeps in the call; fails if the body ends instead. */
    public static <T> BlockedCall<T> in(SystemCall call, Callable<T> body) throws Exception {
        BlockedCall<T> blocked = new BlockedCall<>(call, body);
        Thread.ofPlatform().daemon().name("blocked in " + call).start(blocked.task);
        Await.until(() -> blocked.task.isDone() || blocked.sleeps(), "a thread sleeping in " + call);
        if (blocked.task.isDone()) {
            throw new AssertionError(call + " should have blocked, and gave " + blocked.task.get());
        }
        return blocked;
    }

    /** Whether its thread sleeps in the call at this moment. */
    public boolean sleeps() throws IOException {
        try {
            return isIn(call, thread);
        } catch (NoSuchFileException e) {
            return task.isDone() ? false : abort("this kernel does not show which call a thread sleeps in");
        }
    }

    /** Whether a thread of this process sleeps in the call at this moment; no thread has the number 0. */
    public static boolean isIn(SystemCall call, int thread) throws IOException {
        return thread != 0 && status(thread, "syscall").startsWith(call.number() + " ");
    }

    /** Whether nothing, not even a signal that kills, could wake it: state D. */
    public boolean isUninterruptible() throws IOException {
        String stat = status(thread, "stat");
        return stat.charAt(stat.lastIndexOf(')') + 2) == 'D';
    }

    public boolean isDone() {
        return task.isDone();
    }

    /** What the call returned, once something has let it go on. */
    public T result() throws InterruptedException, ExecutionException, TimeoutException {
        return task.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private static String status(int thread, String file) throws IOException {
        return Files.readString(Path.of("/proc/self/task/" + thread + "/" + file));
    }
}
