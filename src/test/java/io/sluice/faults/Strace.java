package io.sluice.faults;

import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.testing.Helper;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * strace, attached to one thread of a running process or to all of them, making some of their system calls fail, or only watching.
 *
 * <p>It counts calls for each thread from the moment it attached, which is what makes "the third call" a particular one: the thread makes
 * no others than those of its job.
 */
public final class Strace implements AutoCloseable {
    private static final int PATIENCE_SECONDS = 60;
    private static final String INJECTED = "(INJECTED)";
    private static final String ENDED = "strace has ended";

    private final Process process;
    private final BlockingQueue<String> coming = new LinkedBlockingQueue<>();
    private final List<String> lines = new ArrayList<>();

    private Strace(List<String> command) throws IOException {
        process = new ProcessBuilder(command).start();
        Thread.ofPlatform().daemon().name("strace").start(this::listen);
    }

    /**
     * Which calls fail, and how.
     *
     * @param call its name, or several with commas; one that an architecture does not have begins with a question mark
     * @param errno such as EINTR; or {@code retval=0} for a call that is not made and says so much
     * @param when which of a thread's calls: {@code 3}, {@code 1..3}, {@code 1+}, {@code 2+3}
     */
    record Fault(String call, String errno, String when) {
        String expression() {
            String result = errno.startsWith("retval=") ? errno : "error=" + errno;
            return "inject=" + call + ":" + result + ":when=" + when;
        }
    }

    /** Skips the test where strace is not there, or may not attach to {@code process}. */
    public static void assumeWorks(ChildJvm child) throws IOException, InterruptedException {
        if (!Helper.exists("strace")) {
            abort("needs strace");
        }
        try (Strace strace = new Strace(command(child.pid(), new Fault("getppid", "EINTR", "1")))) {
            if (!strace.isAttached()) {
                abort("needs ptrace: " + String.join("; ", strace.lines));
            }
        }
    }

    /** Attaches to the thread of this number. */
    static Strace attach(long thread, Fault fault) throws IOException, InterruptedException {
        return attached(command(thread, fault));
    }

    /** Attaches to all threads of a process, present and future. */
    static Strace attachToAll(long pid, Fault fault) throws IOException, InterruptedException {
        List<String> command = command(pid, fault);
        command.add("-f");
        return attached(command);
    }

    /**
     * Attaches to threads and lets their calls be. Each descriptor is told with what it is open on, as in {@code 5<pipe:[4711]>}.
     *
     * @param calls which are to be told: names with commas
     * @param threads their numbers
     */
    public static Strace watch(String calls, List<String> threads) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(List.of("strace", "-y", "-e", "trace=" + calls));
        threads.forEach(thread -> command.addAll(List.of("-p", thread)));
        Strace strace = attached(command);
        for (int i = 1; i < threads.size(); i++) {
            strace.requireAttached();
        }
        return strace;
    }

    private static Strace attached(List<String> command) throws IOException, InterruptedException {
        Strace strace = new Strace(command);
        strace.requireAttached();
        return strace;
    }

    private void requireAttached() throws InterruptedException {
        if (!isAttached()) {
            close();
            throw new AssertionError(String.join("\n", lines));
        }
    }

    private static List<String> command(long target, Fault fault) {
        return new ArrayList<>(List.of(
                "strace", "-p", Long.toString(target), "-e", "trace=" + fault.call(), "-e", fault.expression()));
    }

    // The target is stopped by then, or about to be before it returns to its program, so it makes no further call
    // unseen.
    private boolean isAttached() throws InterruptedException {
        return await(" attached");
    }

    /** Waits until a call has failed. */
    void awaitInjection() throws InterruptedException {
        if (!await(INJECTED)) {
            throw new AssertionError("no call was made to fail: " + lines);
        }
    }

    private boolean await(String text) throws InterruptedException {
        String line;
        do {
            line = coming.poll(PATIENCE_SECONDS, TimeUnit.SECONDS);
            if (line == null || line.equals(ENDED)) {
                return false;
            }
            lines.add(line);
        } while (!line.contains(text));
        return true;
    }

    /** Detaches, and returns the calls that were made, in the words of strace. */
    public List<String> detach() throws InterruptedException {
        close();
        while (await("")) {}
        return List.copyOf(lines);
    }

    /** How many of these calls were made to fail. */
    static long injections(List<String> calls) {
        return calls.stream().filter(call -> call.contains(INJECTED)).count();
    }

    private void listen() {
        try (BufferedReader output = process.errorReader(StandardCharsets.UTF_8)) {
            for (String line; (line = output.readLine()) != null; ) {
                coming.add(line);
            }
        } catch (IOException e) {
            coming.add(e.toString());
        } finally {
            coming.add(ENDED);
        }
    }

    @Override
    public void close() {
        // Not Process.destroy, which would also close the pipe that the last lines are still in.
        process.toHandle().destroy();
        // Told to go while it attaches, it has been seen to wait for ever; killed, it lets go of the thread too.
        process.onExit()
                .completeOnTimeout(process, PATIENCE_SECONDS, TimeUnit.SECONDS)
                .join();
        if (process.isAlive()) {
            process.toHandle().destroyForcibly();
            process.onExit().join();
        }
    }
}
