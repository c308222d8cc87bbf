package io.sluice.faults;

import io.sluice.Pipe;
import java.io.Closeable;
import java.io.IOException;
import java.lang.reflect.Method;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Random;

/**
 * Something the library is asked to do while system calls fail under it.
 *
 * <p>{@link #run} goes on where it stopped: after an exception it is called again, and what it had moved before then counts. A job of
 * another kind than moving bytes has a pipe with bytes in it all the same, to show that the pipe is as it was.
 */
abstract class Job implements Closeable {
    /** Fits into a pipe and into a socket's buffer. */
    static final int LENGTH = 40_000;

    /** What a new pipe holds. */
    static final int CAPACITY = 64 << 10;

    private static final long SEED = 20_260_725;

    private final Deque<Closeable> opened = new ArrayDeque<>();

    /** This user has so many pipes that new ones are small. */
    static final class SmallPipesException extends IOException {
        private static final long serialVersionUID = 1L;

        SmallPipesException() {
            super("needs pipes of 64 KiB, and those of this user are past /proc/sys/fs/pipe-user-pages-soft");
        }
    }

    // One process runs many jobs here, and what one found denied because of its faults would hold for all that follow.
    Job() {
        try {
            Class<?> call = Class.forName("io.sluice.flow.Call");
            Method isDenied = call.getDeclaredMethod("isDenied");
            Method ask = call.getDeclaredMethod("ask");
            isDenied.setAccessible(true);
            ask.setAccessible(true);
            for (Object each : call.getEnumConstants()) {
                if ((boolean) isDenied.invoke(each)) {
                    ask.invoke(each);
                }
            }
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    static byte[] content() {
        byte[] content = new byte[LENGTH];
        new Random(SEED).nextBytes(content);
        return content;
    }

    /** Closed with the job, the last opened first. */
    final <T extends Closeable> T own(T resource) {
        opened.push(resource);
        return resource;
    }

    /** A new pipe, with the room that jobs count on. */
    final Pipe pipe() throws IOException {
        Pipe pipe = own(Pipe.open());
        if (pipe.capacity() < CAPACITY) {
            close();
            throw new SmallPipesException();
        }
        return pipe;
    }

    /** Moves everything that is left to move. */
    abstract void run() throws IOException;

    /** Called on another thread: does what {@link #run} may be waiting for. */
    void feed() throws IOException {}

    /** What must be there in the end. */
    byte[] expected() {
        return content();
    }

    /** How many bytes of {@link #expected} are anywhere: not yet taken from the source, in a pipe, or delivered. */
    abstract long accounted() throws IOException;

    /** What has arrived, taken out of the pipe where it was left there. */
    abstract byte[] delivered() throws IOException;

    /** A number that only this kind of job knows. */
    long remarkable() {
        return 0;
    }

    @Override
    public void close() throws IOException {
        while (!opened.isEmpty()) {
            opened.pop().close();
        }
    }
}
