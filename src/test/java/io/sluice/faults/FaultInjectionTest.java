package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.OFFLOAD;
import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static io.sluice.faults.FaultInjection.On.VIRTUAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.Strace.Fault;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Calls that move bytes and fail: what says no more than "again" is tried again, everything else is told; no byte is lost or doubled, no
 * descriptor stays open, and once the calls work again, so does the pipe.
 */
class FaultInjectionTest extends FaultInjection {
    static Stream<Cell> splice() {
        return all(
                cells("splice", 1, TRIED_AGAIN, PLATFORM, Task.FILE_TO_FILE_TRYING, Task.PIPE_TO_PIPE),
                cells("splice", 3, TRIED_AGAIN, PLATFORM, Task.FILE_TO_FILE, Task.SOCKET_TO_SOCKET),
                cells("splice", 4, TRIED_AGAIN, PLATFORM, Task.FILE_TO_FILE_AT_OFFSETS, Task.PIPE_TO_PIPE_TRYING),
                cells("splice", 3, TRIED_AGAIN, VIRTUAL, Task.PIPE_TO_PIPE),
                cells("splice", 4, TRIED_AGAIN, VIRTUAL, Task.SOCKET_TO_SOCKET),
                cells("splice", 1, TRIED_AGAIN, OFFLOAD, Task.FILE_TO_FILE));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("splice")
    void aSpliceThatFailsLosesNothing(Cell cell) throws Exception {
        holds(cell);
    }

    static Stream<Cell> tee() {
        return all(
                cells("tee", 1, TRIED_AGAIN, PLATFORM, Task.TEE),
                cells("tee", 3, TRIED_AGAIN, PLATFORM, Task.TEE, Task.TEE_TRYING),
                cells("tee", 3, TRIED_AGAIN, VIRTUAL, Task.TEE));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("tee")
    void aTeeThatFailsLosesNothing(Cell cell) throws Exception {
        holds(cell);
    }

    static Stream<Cell> readAndWrite() {
        return Stream.of("read", "write")
                .flatMap(call -> all(
                        cells(call, 3, TRIED_AGAIN, PLATFORM, Task.COPY, Task.COPY_TRYING, Task.COPY_OF_ARRAYS),
                        cells(call, 3, TRIED_AGAIN, VIRTUAL, Task.COPY)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("readAndWrite")
    void aCopyThatFailsLosesNothing(Cell cell) throws Exception {
        holds(cell);
    }

    static Stream<Cell> longWrite() {
        return all(
                cells("write", 2, TRIED_AGAIN, PLATFORM, Task.LONG_WRITE, Task.LONG_WRITE_OF_BUFFER),
                cells("write", 2, TRIED_AGAIN, VIRTUAL, Task.LONG_WRITE));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("longWrite")
    void aWriteThatFailsInTheMiddleSaysHowMuchWasWritten(Cell cell) throws Exception {
        Report report = holds(cell);
        if (cell.noticed()) {
            assertThat(report.outcome()).containsEntry("remarkable", "65536");
        }
        if (cell.noticed() && cell.task() == Task.LONG_WRITE) {
            assertThat(report.outcome()).containsEntry("transferred", "65536");
            assertThat(report.outcome().get("message")).endsWith("; 65536 bytes had been moved before");
        }
    }

    @ParameterizedTest(name = "{0} in \"{1}\"")
    @CsvSource({
        "splice, FILE_TO_FILE_TRYING",
        "splice, PIPE_TO_PIPE_TRYING",
        "tee, TEE_TRYING",
        "read, COPY_TRYING",
        "write, COPY_TRYING"
    })
    void whatWouldBlockIsZeroToAFormThatDoesNotWait(String call, Task task) throws Exception {
        Report report = inject(task, PLATFORM, new Fault(call, "EAGAIN", "2..4"));
        assertThat(report.outcome()).containsEntry("outcome", "done").containsEntry("remarkable", "3");
    }

    @ParameterizedTest(name = "{2} from {1}")
    @CsvSource({
        "FILE_TO_FILE, splice, EPERM, a seccomp profile or sandbox denies splice",
        "FILE_TO_FILE, splice, ENOSYS, this kernel or sandbox has no splice",
        "TEE, tee, EPERM, a seccomp profile or sandbox denies tee",
        "TEE, tee, ENOSYS, this kernel or sandbox has no tee",
    })
    void aCallThatIsAlwaysDeniedIsToldFromADescriptorThatRefuses(Task task, String call, String errno, String cure)
            throws Exception {
        Report always = inject(task, PLATFORM, new Fault(call, errno, "1+"));
        assertThat(always.outcome()).containsEntry("errno", errno);
        assertThat(always.outcome().get("cure")).startsWith(cure);
        isWhole(always.end());

        Report once = inject(task, PLATFORM, new Fault(call, errno, "1"));
        assertThat(once.outcome()).containsEntry("errno", errno);
        assertThat(once.outcome().get("cure")).startsWith("the call itself is allowed here");
        isWhole(once.end());
    }

    static Stream<Cell> storm() {
        return all(
                cells("splice", 2, TRIED_AGAIN, PLATFORM, Task.FILE_TO_FILE_AGAIN_AND_AGAIN),
                cells("splice", 2, TRIED_AGAIN, VIRTUAL, Task.PIPE_TO_PIPE_AGAIN_AND_AGAIN),
                cells("read", 2, TRIED_AGAIN, PLATFORM, Task.COPY_AGAIN_AND_AGAIN),
                cells("write", 2, TRIED_AGAIN, PLATFORM, Task.COPY_AGAIN_AND_AGAIN));
    }

    @ParameterizedTest(name = "{0} and every third after it")
    @MethodSource("storm")
    void whatFailsAgainAndAgainIsWholeInTheEnd(Cell cell) throws Exception {
        Report report = inject(cell.task(), cell.on(), new Fault(cell.call(), cell.errno(), cell.nth() + "+3"));
        long injections = Strace.injections(report.calls());
        assertThat(injections).isGreaterThan(2);
        assertThat(report.outcome())
                .containsEntry("outcome", "done")
                .containsEntry("remarkable", Long.toString(cell.noticed() ? injections : 0));
        isWhole(report.end());
    }
}
