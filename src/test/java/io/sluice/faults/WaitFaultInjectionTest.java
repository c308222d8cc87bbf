package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static io.sluice.faults.FaultInjection.On.VIRTUAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.Strace.Fault;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.FieldSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Calls that wait, or that waiting needs, and fail: the thread is told, and what it waited for is there when it comes back. */
class WaitFaultInjectionTest extends FaultInjection {
    static Stream<Cell> poll() {
        return all(
                cells(POLL, 1, TRIED_AGAIN, PLATFORM, Task.READ_OF_EMPTY_PIPE, Task.LONG_WRITE),
                cells(POLL, 1, TRIED_AGAIN, PLATFORM, Task.SPLICE_FROM_EMPTY_PIPE, Task.SPLICE_TO_FULL_PIPE),
                cells(POLL, 2, TRIED_AGAIN, PLATFORM, Task.SPLICE_FROM_EMPTY_PIPE, Task.SPLICE_TO_FULL_PIPE),
                cells(POLL, 2, TRIED_AGAIN, PLATFORM, Task.TEE_FROM_EMPTY_PIPE),
                cells(POLL, 1, TRIED_AGAIN, VIRTUAL, Task.SPLICE_FROM_EMPTY_PIPE, Task.FILE_TO_FILE));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("poll")
    void aPollThatFailsLosesNothing(Cell cell) throws Exception {
        holds(cell);
    }

    static Stream<Cell> epollControl() {
        List<String> errnos = List.of("ENOSYS", "EPERM", "ENOMEM", "ENOSPC");
        return all(
                cells("epoll_ctl", 1, VIRTUAL, Task.READ_OF_EMPTY_PIPE, errnos),
                cells("epoll_ctl", 2, VIRTUAL, Task.READ_OF_EMPTY_PIPE, errnos),
                cells("epoll_ctl", 2, VIRTUAL, Task.LONG_WRITE, errnos),
                cells("epoll_ctl", 1, VIRTUAL, Task.SPLICE_FROM_EMPTY_PIPE, errnos));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("epollControl")
    void aVirtualThreadThatCannotBeRegisteredIsTold(Cell cell) throws Exception {
        Report report = holds(cell);
        if (cell.errno().equals("ENOSPC")) {
            assertThat(report.outcome().get("cure")).contains("/proc/sys/fs/epoll/max_user_watches");
        }
    }

    @ParameterizedTest(name = "{0}")
    @FieldSource("ERRNOS")
    void aFailureOfThePollerIsToldToTheThreadsThatWaitForIt(String errno) throws Exception {
        ask("prepare READ_OF_EMPTY_PIPE virtual warm");
        ask("run");
        ask("parked");
        long poller = Long.parseLong(ask("threads sluice-poll-in").get("tid"));
        // To attach interrupts the call that the poller is in; it makes another, which is the first to be counted.
        try (Strace strace = Strace.attach(poller, new Fault(EPOLL_WAIT, errno, "1"))) {
            strace.awaitInjection();
            ask("feed");
            Map<String, String> outcome = ask("result");
            if (errno.equals("EINTR")) {
                assertThat(outcome).containsEntry("outcome", "done");
            } else {
                assertThat(outcome).containsEntry("call", "epoll_wait").containsEntry("errno", errno);
            }
        }
        isWhole(ask("finish"));
    }
}
