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
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * A response of a master pipe while calls fail: it goes on from memory, or it says how much was sent and can be stepped on; it is never short
 * or wrong and said to be done.
 */
class MasterPipeFaultInjectionTest extends FaultInjection {
    /** The pattern is as long, and the master holds it once. */
    private static final String FIRST_SPLICE = Integer.toString(Job.LENGTH);

    static Stream<Cell> beforeTheFirstByte() {
        return all(
                cells("tee", 1, ERRNOS, PLATFORM, Task.MASTER_PIPE),
                cells("splice", 1, ERRNOS, PLATFORM, Task.MASTER_PIPE),
                cells("splice", 1, ERRNOS, VIRTUAL, Task.MASTER_PIPE),
                cells("vmsplice", 1, ERRNOS, PLATFORM, Task.MASTER_PIPE_TO_FILL),
                cells("fcntl", 1, ERRNOS, PLATFORM, Task.MASTER_PIPE_TO_FILL),
                cells("pipe2", 1, ERRNOS, PLATFORM, Task.MASTER_PIPE_TO_FILL));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("beforeTheFirstByte")
    void whatFailsBeforeTheFirstByteGoesFromMemory(Cell cell) throws Exception {
        Report report = holds(cell);
        boolean again = cell.errno().equals("EINTR")
                || (cell.errno().equals("EAGAIN") && cell.call().equals("splice"));
        if (cell.task() == Task.MASTER_PIPE) {
            assertThat(report.outcome().get("remarkable").equals("0")).isNotEqualTo(again);
        }
    }

    static Stream<Cell> afterTheFirstByte() {
        return all(
                cells("tee", 2, ERRNOS, PLATFORM, Task.MASTER_PIPE),
                cells("splice", 2, TRIED_AGAIN, PLATFORM, Task.MASTER_PIPE),
                cells("splice", 2, TRIED_AGAIN, VIRTUAL, Task.MASTER_PIPE),
                cells("write", 2, TRIED_AGAIN, PLATFORM, Task.MASTER_PIPE_THAT_WRITES));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("afterTheFirstByte")
    void whatFailsAfterwardsIsToldAndCanBeSteppedOn(Cell cell) throws Exception {
        Report report = holds(cell);
        if (cell.noticed() && cell.call().equals("splice")) {
            assertThat(report.outcome()).containsEntry("remarkable", FIRST_SPLICE);
            assertThat(report.end()).containsEntry("remarkable", FIRST_SPLICE);
        }
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"tee", "splice"})
    @DisplayName("lesson 8: ENOSYS and EPERM end a call for the process if it is always denied, and otherwise not")
    void lesson8ADenialIsToldFromADescriptorThatRefuses(String call) throws Exception {
        for (String errno : List.of("ENOSYS", "EPERM")) {
            Report always = inject(Task.MASTER_PIPE, PLATFORM, new Fault(call, errno, "1+"));
            assertThat(always.outcome()).containsEntry("outcome", "done").containsEntry("remarkable", "0");
            assertThat(always.calls().stream()
                            .filter(line -> line.startsWith(call + "(") && !line.startsWith(call + "(-1")))
                    .as("tried on real descriptors")
                    .hasSize(1);
            isWhole(always.end());
            Report once = inject(Task.MASTER_PIPE, PLATFORM, new Fault(call, errno, "1"));
            assertThat(once.outcome()).containsEntry("outcome", "done").containsEntry("remarkable", "0");
            assertThat(once.calls()).anyMatch(line -> line.startsWith(call + "(-1") && line.contains("EBADF"));
            isWhole(once.end());
        }
    }

    @Test
    @DisplayName("lesson 11: SPLICE_F_MORE is set where more is certain, and never on the last bytes")
    void lesson11MoreIsSaidOnlyWhereMoreIsCertain() throws Exception {
        // A call that fails with EINTR is made again and changes nothing; strace shows the flags of all.
        Report report = inject(Task.MASTER_PIPE, PLATFORM, new Fault("splice", "EINTR", "1"));
        List<String> splices = report.calls().stream()
                .filter(line -> line.startsWith("splice(") && !line.contains("INJECTED"))
                .toList();
        assertThat(report.outcome()).containsEntry("outcome", "done");
        assertThat(splices).hasSizeGreaterThan(1);
        assertThat(splices.getLast()).doesNotContain("SPLICE_F_MORE");
        assertThat(splices.subList(0, splices.size() - 1)).allMatch(line -> line.contains("SPLICE_F_MORE"));
        isWhole(report.end());
    }
}
