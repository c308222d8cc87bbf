package io.sluice.testing;

import static org.junit.jupiter.api.Assumptions.abort;

import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.time.Duration;

/** Bytes that threads allocate on the Java heap. The module that measures is not one the library reads: hence the reflection. */
public final class Allocations {
    private static final int BATCH = 5_000;

    /** For the compilers to finish. */
    private static final Duration PATIENCE = Duration.ofSeconds(60);

    private static final MethodHandle OF_THIS_THREAD = find();

    private static final int MOST_OF_A_CALL = 64;

    private Allocations() {}

    /** Repeats the body until so many runs in a row allocate nothing, and fails if that never comes. */
    public static void awaitNone(Runnable body) throws Exception {
        long[] allocated = new long[1];
        if (!Await.within(PATIENCE, () -> (allocated[0] = ofBatch(body)) == 0)) {
            throw new AssertionError(BATCH + " runs allocate " + allocated[0] + " bytes");
        }
    }

    /**
     * As {@link #awaitNone(Runnable)}, but for what the JDK allocates in each call whose errno is captured. The second compiler spares that, if
     * what ran before in this JVM lets it see so far.
     */
    public static void awaitNoneBut(int calls, Runnable body) throws Exception {
        awaitAtMost((long) calls * MOST_OF_A_CALL, body);
    }

    /** Repeats the body until so many runs in a row allocate at most so many bytes each, and fails if that never comes. */
    public static void awaitAtMost(long bytes, Runnable body) throws Exception {
        long[] allocated = new long[1];
        if (!Await.within(PATIENCE, () -> (allocated[0] = ofBatch(body)) <= bytes * BATCH)) {
            throw new AssertionError("a run allocates " + allocated[0] / BATCH + " bytes");
        }
    }

    private static long ofBatch(Runnable body) {
        long before = ofThisThread();
        for (int i = 0; i < BATCH; i++) {
            body.run();
        }
        return ofThisThread() - before;
    }

    /** Bytes that this thread, or the virtual threads that it has carried, has allocated. */
    public static long ofThisThread() {
        try {
            return (long) OF_THIS_THREAD.invokeExact();
        } catch (Throwable t) {
            throw new IllegalStateException(t);
        }
    }

    private static MethodHandle find() {
        try {
            Object threads = Class.forName("java.lang.management.ManagementFactory")
                    .getMethod("getThreadMXBean")
                    .invoke(null);
            Class<?> type = Class.forName("com.sun.management.ThreadMXBean");
            return MethodHandles.publicLookup()
                    .findVirtual(type, "getCurrentThreadAllocatedBytes", MethodType.methodType(long.class))
                    .bindTo(threads);
        } catch (ReflectiveOperationException e) {
            return abort("needs a JVM that counts what a thread allocates: " + e);
        }
    }
}
