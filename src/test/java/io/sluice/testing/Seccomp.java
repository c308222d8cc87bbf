package io.sluice.testing;

import static java.lang.foreign.ValueLayout.JAVA_BYTE;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;
import static java.lang.foreign.ValueLayout.JAVA_SHORT;
import static org.junit.jupiter.api.Assumptions.abort;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;

/** Has the kernel refuse calls to one thread, as a container's seccomp profile refuses them to all. */
public final class Seccomp {
    private static final int PR_SET_SECCOMP = 22;
    private static final int PR_SET_NO_NEW_PRIVS = 38;
    private static final int FILTER = 2;
    private static final short LOAD_WORD = 0x20;
    private static final short JUMP_IF_EQUAL = 0x15;
    private static final short RETURN = 0x06;
    private static final int ERRNO = 0x0005_0000;
    private static final int ALLOW = 0x7fff_0000;
    private static final int INSTRUCTION = 8;

    private Seccomp() {}

    /** Runs the body on a thread to which these calls answer with these errnos. */
    public static <T> T refusing(Map<SystemCall, Integer> calls, Callable<T> body) throws Exception {
        FutureTask<T> task = new FutureTask<>(() -> {
            install(calls);
            return body.call();
        });
        Thread.ofPlatform().daemon().name("refused " + calls.keySet()).start(task);
        try {
            return task.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw (Exception) e.getCause();
        }
    }

    private static void install(Map<SystemCall, Integer> calls) {
        try (Arena arena = Arena.ofConfined()) {
            int length = 2 + 2 * calls.size();
            MemorySegment filter = arena.allocate((long) length * INSTRUCTION, 8);
            int at = instruction(filter, 0, LOAD_WORD, 0, 0);
            for (Map.Entry<SystemCall, Integer> call : calls.entrySet()) {
                at = instruction(filter, at, JUMP_IF_EQUAL, 1, call.getKey().number());
                at = instruction(filter, at, RETURN, 0, ERRNO | call.getValue());
            }
            instruction(filter, at, RETURN, 0, ALLOW);
            MemorySegment program = arena.allocate(16, 8);
            program.set(JAVA_SHORT, 0, (short) length);
            program.set(JAVA_LONG, 8, filter.address());
            if (Libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0) < 0
                    || Libc.prctl(PR_SET_SECCOMP, FILTER, program.address()) < 0) {
                abort("needs a kernel that takes seccomp filters");
            }
        }
    }

    private static int instruction(MemorySegment filter, int at, short code, int otherwise, int operand) {
        filter.set(JAVA_SHORT, at, code);
        filter.set(JAVA_BYTE, at + 3, (byte) otherwise);
        filter.set(JAVA_INT, at + 4, operand);
        return at + INSTRUCTION;
    }
}
