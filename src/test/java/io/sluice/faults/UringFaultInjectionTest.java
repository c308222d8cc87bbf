package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static io.sluice.faults.FaultInjection.On.VIRTUAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.Strace.Fault;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Rings;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The calls of io_uring, and their failures: what a signal interrupted is made again, what is refused leaves nothing half done. */
class UringFaultInjectionTest extends FaultInjection {
    @BeforeEach
    void assumeAllowed() {
        Rings.assumeAllowed();
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"io_uring_setup", "io_uring_enter"})
    void aSignalIsNotNoticed(String call) throws Exception {
        for (On on : new On[] {PLATFORM, VIRTUAL}) {
            Report report = inject(Task.RING_SENDS, on, new Fault(call, "EINTR", "1..3"));
            assertThat(Strace.injections(report.calls())).isEqualTo(3);
            assertThat(report.outcome()).containsEntry("outcome", "done").containsEntry("remarkable", "0");
            isWhole(report.end());
        }
    }

    @ParameterizedTest(name = "{0} from {1}")
    @CsvSource({
        "EPERM, io_uring_setup",
        "ENOSYS, io_uring_setup",
        "ENOMEM, io_uring_setup",
        "EMFILE, io_uring_setup",
        "EPERM, io_uring_enter",
        "ENOSYS, io_uring_enter",
        "ENOMEM, io_uring_enter",
        "EAGAIN, io_uring_enter",
        "EBUSY, io_uring_enter"
    })
    void aRefusalIsToldAndNothingIsSentTwice(String errno, String call) throws Exception {
        Report report = inject(Task.RING_SENDS, PLATFORM, new Fault(call, errno, "1"));
        int number = (int) Linux.class.getMethod(errno).invoke(null);
        assertThat(report.outcome())
                .containsEntry("outcome", "done")
                .containsEntry("remarkable", Integer.toString(number));
        isWhole(report.end());
    }
}
