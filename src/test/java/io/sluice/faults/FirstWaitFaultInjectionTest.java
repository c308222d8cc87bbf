package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static io.sluice.faults.FaultInjection.On.VIRTUAL;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Order;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** What a process needs when it waits for the first time, and does not get: the next wait asks for it again. */
@TestMethodOrder(MethodOrderer.OrderAnnotation.class)
class FirstWaitFaultInjectionTest extends FaultInjection {
    static Stream<Cell> firstWait() {
        List<String> errnos = List.of("ENOSYS", "EPERM", "ENOMEM", "EMFILE");
        return all(
                cells("eventfd2", 1, PLATFORM, Task.READ_OF_EMPTY_PIPE, errnos),
                cells("epoll_create1", 1, VIRTUAL, Task.READ_OF_EMPTY_PIPE, errnos),
                cells("epoll_create1", 1, VIRTUAL, Task.LONG_WRITE, errnos));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("firstWait")
    @Order(1)
    void aFirstWaitThatFailsLeavesNothingOpen(Cell cell) throws Exception {
        Report report = holdsTheFirstTime(cell);
        if (cell.errno().equals("EMFILE")) {
            assertThat(report.outcome().get("cure")).contains("(ulimit -n)");
        }
    }

    @Test
    @Order(2)
    void theWaitsAfterItSucceed() throws Exception {
        // What is done warm has seen both kinds of thread wait.
        ask("prepare AVAILABLE platform warm");
        isWhole(ask("finish"));
    }
}
