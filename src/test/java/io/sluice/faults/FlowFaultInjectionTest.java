package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.Strace.Fault;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Fan-outs and gatherings whose calls fail: before the first byte they copy instead, afterwards they say so; what was delivered is right, and
 * what was not is where it is said to be.
 */
class FlowFaultInjectionTest extends FaultInjection {
    private static final String WHOLE = Integer.toString(Job.LENGTH);

    /** What says that a call cannot be used, here or at all. */
    private static final List<String> REFUSED = List.of("ENOSYS", "EPERM", "EINVAL");

    private static final List<String> TOLD = List.of("ENOSYS", "EPERM", "EINVAL", "ENOMEM");

    static Stream<Cell> again() {
        return Stream.of("EINTR", "EAGAIN")
                .flatMap(errno -> Stream.of(
                        new Cell(Task.FAN_OUT, PLATFORM, "splice", 1, errno, false),
                        new Cell(Task.FAN_OUT, PLATFORM, "splice", 2, errno, false),
                        new Cell(Task.FAN_OUT, PLATFORM, "splice", 4, errno, false),
                        new Cell(Task.FAN_OUT, PLATFORM, "tee", 1, errno, false),
                        new Cell(Task.FAN_OUT, PLATFORM, "tee", 2, errno, false),
                        new Cell(Task.GATHER, PLATFORM, "write", 1, errno, false),
                        new Cell(Task.GATHER, PLATFORM, "sendfile", 1, errno, false),
                        new Cell(Task.GATHER, PLATFORM, "sendfile", 2, errno, false)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("again")
    void whatSaysNoMoreThanAgainIsTriedAgain(Cell cell) throws Exception {
        Report report = holds(cell);
        assertThat(report.outcome()).containsEntry("remarkable", WHOLE);
    }

    static Stream<Arguments> refusedBeforeTheFirstByte() {
        return REFUSED.stream()
                .flatMap(errno -> Stream.of(
                        Arguments.of(Task.FAN_OUT, "splice", 1, errno),
                        Arguments.of(Task.FAN_OUT, "splice", 2, errno),
                        Arguments.of(Task.GATHER, "sendfile", 1, errno)));
    }

    @ParameterizedTest(name = "{3} from {1} {2} of {0}")
    @MethodSource("refusedBeforeTheFirstByte")
    @DisplayName("lesson 8: a call that is refused before the first byte is replaced by a copy")
    void aCallThatIsRefusedBeforeTheFirstByteIsReplacedByACopy(Task task, String call, int nth, String errno)
            throws Exception {
        Report report = inject(task, PLATFORM, new Fault(call, errno, Integer.toString(nth)));
        assertThat(report.outcome()).containsEntry("outcome", "done").containsEntry("remarkable", WHOLE);
        isWhole(report.end());
    }

    static Stream<Cell> afterTheFirstByte() {
        return all(
                cells("splice", 3, PLATFORM, Task.FAN_OUT, TOLD),
                cells("splice", 4, PLATFORM, Task.FAN_OUT, TOLD),
                cells("sendfile", 2, PLATFORM, Task.GATHER, TOLD),
                cells("write", 1, PLATFORM, Task.GATHER, List.of("EPERM", "ENOMEM", "ENOSPC")));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("afterTheFirstByte")
    void whateverFailsLaterIsToldAndTheRestIsAccountedFor(Cell cell) throws Exception {
        Report report = holds(cell);
        assertThat(Long.parseLong(report.outcome().get("remarkable"))).isBetween(0L, Job.LENGTH - 1L);
        assertThat(report.end()).containsEntry("remarkable", WHOLE);
    }

    @ParameterizedTest(name = "{0} from tee {1}")
    @CsvSource({"ENOSYS, 1", "EPERM, 1", "EINVAL, 1", "ENOMEM, 1", "ENOSYS, 2", "EPERM, 2", "EINVAL, 2", "ENOMEM, 2"})
    void aTeeThatFailsEndsItsBranchAndNothingElse(String errno, int nth) throws Exception {
        Report report = inject(Task.FAN_OUT, PLATFORM, new Fault("tee", errno, Integer.toString(nth)));
        assertThat(report.outcome()).containsEntry("outcome", "done");
        assertThat(Long.parseLong(report.outcome().get("remarkable"))).isBetween(0L, Job.LENGTH - 1L);
        isWhole(report.end());
    }
}
