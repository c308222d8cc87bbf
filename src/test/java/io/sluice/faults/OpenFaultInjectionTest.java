package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static io.sluice.faults.FaultInjection.On.VIRTUAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.Strace.Fault;
import java.util.List;
import java.util.regex.MatchResult;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Calls that open, ask, set and close, and fail: nothing half made is handed out, and nothing stays open. */
class OpenFaultInjectionTest extends FaultInjection {
    static Stream<Cell> pipe2() {
        return cells("pipe2", 3, INTERRUPTED, PLATFORM, Task.OPEN_PIPES, Task.OPEN_PIPES_OF_ONE_DESCRIPTOR);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("pipe2")
    void aPipeThatCannotBeOpenedLeavesTheOthersOpen(Cell cell) throws Exception {
        Report report = holds(cell);
        if (cell.noticed()) {
            assertThat(report.outcome()).containsEntry("remarkable", "2");
            switch (cell.errno()) {
                case "EPERM", "ENOSYS" ->
                    assertThat(report.outcome().get("cure")).contains("seccomp");
                case "EMFILE" -> assertThat(report.outcome().get("cure")).contains("(ulimit -n)");
                default -> assertThat(report.outcome()).containsEntry("cure", "");
            }
        }
    }

    static Stream<Cell> fcntl() {
        return all(
                cells("fcntl", 1, INTERRUPTED, PLATFORM, Task.CAPACITY, Task.BORROW_SOCKET, Task.DESCRIPTOR_OF_CHANNEL),
                cells("fcntl", 2, INTERRUPTED, PLATFORM, Task.CAPACITY, Task.BORROW_SOCKET, Task.DESCRIPTOR_OF_CHANNEL),
                cells("fcntl", 3, INTERRUPTED, PLATFORM, Task.CAPACITY),
                cells("fcntl", 2, INTERRUPTED, VIRTUAL, Task.CAPACITY),
                cells("fcntl", 2, INTERRUPTED, PLATFORM, Task.OPEN_PIPES_OF_ONE_DESCRIPTOR));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("fcntl")
    void whatCannotBeSetUpIsNotHandedOut(Cell cell) throws Exception {
        Report report = holds(cell);
        if (cell.task() == Task.BORROW_SOCKET) {
            assertThat(report.outcome()).containsEntry("remarkable", cell.noticed() ? "0" : "1");
        }
    }

    @Test
    void aCapacityThatCannotBeAskedForEitherIsLeftOutOfTheMessage() throws Exception {
        Report once = inject(Task.CAPACITY, PLATFORM, new Fault("fcntl", "ENOSYS", "2"));
        assertThat(once.outcome().get("message")).startsWith("fcntl(F_SETPIPE_SZ, 131072 bytes, now 65536): ENOSYS");

        Report twice = inject(Task.CAPACITY, PLATFORM, new Fault("fcntl", "ENOSYS", "2..3"));
        assertThat(twice.outcome().get("message")).startsWith("fcntl(F_SETPIPE_SZ, 131072 bytes): ENOSYS");
    }

    static Stream<Cell> queriesAndOpens() {
        return all(
                cells("ioctl", 1, INTERRUPTED, PLATFORM, Task.AVAILABLE),
                cells("ioctl", 1, INTERRUPTED, VIRTUAL, Task.AVAILABLE),
                cells("statx", 1, INTERRUPTED, PLATFORM, Task.OPEN_FILE, Task.BORROW_SOCKET, Task.DESCRIPTOR_OF_CHANNEL)
                        // The C library itself does without statx where the kernel has none.
                        .filter(cell -> !cell.errno().equals("ENOSYS")),
                cells(OPEN, 1, INTERRUPTED, PLATFORM, Task.OPEN_FILE, Task.OPEN_PIPE_AGAIN),
                cells(OPEN, 2, INTERRUPTED, PLATFORM, Task.OPEN_PIPES_OF_ONE_DESCRIPTOR));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("queriesAndOpens")
    void aQueryOrAnOpenThatFailsSaysSo(Cell cell) throws Exception {
        holds(cell);
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"EINTR", "EIO"})
    void aCloseIsMadeOnceWhateverItSays(String errno) throws Exception {
        Report report = inject(Task.CLOSE, PLATFORM, new Fault("close", errno, "1+"));
        assertThat(report.outcome()).containsEntry("outcome", "done");
        List<String> closed = report.calls().stream()
                .flatMap(
                        call -> Pattern.compile("close\\(\\d+\\)").matcher(call).results())
                .map(MatchResult::group)
                .toList();
        assertThat(closed).hasSize(2).doesNotHaveDuplicates();
        // The kernel was never asked, so both are open: the job closes them itself.
        assertThat(report.end()).containsEntry("remarkable", "2");
        isWhole(report.end());
    }
}
