package io.sluice.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.Strace.Fault;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;

/** A child JVM, the system calls that fail in it, and what must hold whichever does. */
abstract class FaultInjection {
    static final List<String> ERRNOS = List.of("EINTR", "EAGAIN", "ENOSYS", "EPERM", "ENOMEM", "EMFILE");

    /** What says nothing but that a call be made again, where it moves bytes or waits. */
    static final List<String> TRIED_AGAIN = List.of("EINTR", "EAGAIN");

    /** The same, where it does anything else. */
    static final List<String> INTERRUPTED = List.of("EINTR");

    // An architecture has one of each.
    static final String POLL = "?poll,?ppoll";
    static final String EPOLL_WAIT = "?epoll_wait,?epoll_pwait";
    static final String OPEN = "?open,openat";

    private static ChildJvm child;

    /** Which thread makes the calls. */
    enum On {
        PLATFORM("platform", "a platform thread"),
        VIRTUAL("virtual", "a virtual thread"),
        /** One that makes calls on files for a virtual thread. */
        OFFLOAD("virtual", "a thread that works for a virtual one");

        private final String job;
        private final String words;

        On(String job, String words) {
            this.job = job;
            this.words = words;
        }
    }

    /** Which call of which job fails, and how. */
    record Cell(Task task, On on, String call, int nth, String errno, boolean noticed) {
        // What is tried again fails three times in a row.
        private Fault fault() {
            return new Fault(call, errno, nth + ".." + (noticed ? nth : nth + 2));
        }

        @Override
        public String toString() {
            return "%s from %s %d of \"%s\" on %s".formatted(errno, nameOf(call), nth, task, on.words);
        }
    }

    /** How a job went under injection, what became of it afterwards, and the calls that strace saw. */
    record Report(Map<String, String> outcome, Map<String, String> end, List<String> calls) {}

    @BeforeAll
    static void startChild() throws IOException, InterruptedException {
        child = ChildJvm.start();
        Strace.assumeWorks(child);
    }

    @BeforeEach
    void replaceChildThatIsStuck() throws IOException {
        if (!child.isIdle()) {
            child.close();
            child = ChildJvm.start();
        }
    }

    @AfterAll
    static void endChild() {
        child.close();
    }

    static Map<String, String> ask(String command) throws IOException, InterruptedException {
        return child.ask(command);
    }

    /** A cell for each errno; those in {@code unnoticed} must not show. */
    static Stream<Cell> cells(String call, int nth, List<String> unnoticed, On on, Task... tasks) {
        return Arrays.stream(tasks)
                .flatMap(task ->
                        ERRNOS.stream().map(errno -> new Cell(task, on, call, nth, errno, !unnoticed.contains(errno))));
    }

    /** A cell for each errno, all of which are told. */
    static Stream<Cell> cells(String call, int nth, On on, Task task, List<String> errnos) {
        return errnos.stream().map(errno -> new Cell(task, on, call, nth, errno, true));
    }

    @SafeVarargs
    @SuppressWarnings("varargs")
    static Stream<Cell> all(Stream<Cell>... cells) {
        return Arrays.stream(cells).flatMap(some -> some);
    }

    /** Runs the cell, with what must hold in every one. */
    static Report holds(Cell cell) throws Exception {
        return holds(cell, "warm");
    }

    /** As {@link #holds(Cell)}, without the job having been run before. */
    static Report holdsTheFirstTime(Cell cell) throws Exception {
        return holds(cell, "cold");
    }

    private static Report holds(Cell cell, String warmth) throws Exception {
        Report report = inject(cell.task, cell.on, cell.fault(), warmth);
        if (cell.noticed) {
            String call = nameOf(cell.call);
            assertThat(report.outcome)
                    .containsEntry("outcome", "ErrnoException")
                    .containsEntry("call", call)
                    .containsEntry("errno", cell.errno);
            assertThat(report.outcome.get("message")).startsWith(call + "(").contains("): " + cell.errno + " (");
        } else {
            assertThat(report.outcome).containsEntry("outcome", "done");
        }
        isWhole(report.end);
        return report;
    }

    static Report inject(Task task, On on, Fault fault) throws Exception {
        return inject(task, on, fault, "warm");
    }

    private static Report inject(Task task, On on, Fault fault, String warmth) throws Exception {
        Map<String, String> prepared = ask("prepare " + task.name() + " " + on.job + " " + warmth);
        long thread = Long.parseLong(prepared.get("tid"));
        try (Strace strace = on == On.OFFLOAD ? Strace.attachToAll(child.pid(), fault) : Strace.attach(thread, fault)) {
            ask("run");
            strace.awaitInjection();
            ask("feed");
            Map<String, String> outcome = ask("result");
            List<String> calls = strace.detach();
            return new Report(outcome, ask("finish"), calls);
        }
    }

    /** No byte is missing, doubled or changed, and no descriptor is open that was not before. */
    static void isWhole(Map<String, String> end) {
        assertThat(end)
                .containsEntry("accounted", end.get("expected"))
                .containsEntry("delivered", end.get("expected"))
                .containsEntry("differsAt", "-1");
        // Fewer are no leak: the JVM may have had one open for a moment when they were counted before.
        assertThat(Integer.parseInt(end.get("descriptorsAfter")))
                .as("descriptors after %s", end)
                .isLessThanOrEqualTo(Integer.parseInt(end.get("descriptorsBefore")));
    }

    // What the C library calls it.
    private static String nameOf(String systemCall) {
        return switch (systemCall) {
            case POLL -> "poll";
            case OPEN -> "open";
            case "eventfd2" -> "eventfd";
            case "sendto" -> "send";
            default -> systemCall;
        };
    }
}
