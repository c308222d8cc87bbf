package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static io.sluice.faults.FaultInjection.On.VIRTUAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.Strace.Fault;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Calls of a relay that fail. Its first splice takes from the source, its second delivers, and so on by turns: a refusal is answered by
 * copying if nothing has been taken, or delivered, before; everything else is told, what was held is handed back, and another relay goes on.
 */
class RelayFaultInjectionTest extends FaultInjection {
    private static final List<String> REFUSED = List.of("ENOSYS", "EPERM", "EINVAL");
    private static final List<String> TOLD = List.of("ENOMEM", "EIO");

    @ParameterizedTest(name = "{0} from splice {1} on {2}")
    @CsvSource({
        "ENOSYS, 1, PLATFORM",
        "EPERM, 1, PLATFORM",
        "EINVAL, 1, PLATFORM",
        "ENOSYS, 2, PLATFORM",
        "EPERM, 2, PLATFORM",
        "EINVAL, 2, PLATFORM",
        "EINVAL, 1, VIRTUAL",
        "EPERM, 2, VIRTUAL"
    })
    @DisplayName(
            "lesson 8: a refusal before the first byte is answered by copying, and one pair's is not the process's")
    void lesson8ARefusalBeforeTheFirstByteIsAnsweredByCopying(String errno, String nth, On on) throws Exception {
        Report report = inject(Task.RELAY, on, new Fault("splice", errno, nth));
        assertThat(report.outcome()).containsEntry("outcome", "done").containsEntry("remarkable", "1");
        isWhole(report.end());
        assertThat(inject(Task.RELAY, on, new Fault("splice", "EINTR", "1")).outcome())
                .as("the next relay splices")
                .containsEntry("remarkable", "0");
    }

    static Stream<Cell> later() {
        return all(
                cells("splice", 3, PLATFORM, Task.RELAY, REFUSED),
                cells("splice", 4, PLATFORM, Task.RELAY, REFUSED),
                cells("splice", 1, PLATFORM, Task.RELAY, TOLD),
                cells("splice", 2, PLATFORM, Task.RELAY, TOLD),
                cells("splice", 4, VIRTUAL, Task.RELAY, REFUSED));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("later")
    void whatElseFailsIsToldAndNothingIsLost(Cell cell) throws Exception {
        Report report = holds(cell);
        assertThat(report.outcome()).containsEntry("remarkable", "0");
    }

    static Stream<Cell> again() {
        return Stream.of(1, 2, 3, 4)
                .flatMap(nth -> Stream.of(PLATFORM, VIRTUAL)
                        .flatMap(on -> Stream.of("EINTR", "EAGAIN")
                                .map(errno -> new Cell(Task.RELAY, on, "splice", nth, errno, false))));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("again")
    void whatSaysAgainIsTriedAgain(Cell cell) throws Exception {
        assertThat(holds(cell).outcome()).containsEntry("remarkable", "0");
    }

    @ParameterizedTest
    @CsvSource({"EMFILE", "ENFILE"})
    void aPipeThatCannotBeOpenedIsTold(String errno) throws Exception {
        holds(new Cell(Task.RELAY, PLATFORM, "pipe2", 1, errno, true));
    }

    @ParameterizedTest
    @CsvSource({"ENOMEM", "ENOTCONN"})
    void anEndThatCannotBePassedOnIsTold(String errno) throws Exception {
        Report report = inject(Task.RELAY, PLATFORM, new Fault("shutdown", errno, "1"));
        assertThat(report.outcome()).containsEntry("call", "shutdown").containsEntry("errno", errno);
        isWhole(report.end());
    }

    @Test
    @DisplayName("lesson 6: a pipe that cannot be proven empty is closed and not pooled")
    void lesson6APipeThatCannotBeAskedIsClosed() throws Exception {
        Report report = inject(Task.RELAY, PLATFORM, new Fault("ioctl", "EPERM", "1+"));
        assertThat(report.outcome()).containsEntry("outcome", "done");
        isWhole(report.end());
    }

    @Test
    @DisplayName("lesson 11: SPLICE_F_MORE is never set")
    void lesson11NoSpliceSaysThatMoreIsComing() throws Exception {
        Report report = inject(Task.RELAY, PLATFORM, new Fault("splice", "EAGAIN", "1"));
        assertThat(report.calls())
                .filteredOn(call -> call.contains("splice("))
                .hasSizeGreaterThan(4)
                .noneMatch(call -> call.contains("SPLICE_F_MORE"));
    }
}
