package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.OFFLOAD;
import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static io.sluice.faults.FaultInjection.On.VIRTUAL;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.Strace.Fault;
import io.sluice.flow.Transfer.Engine;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/**
 * Transfers under which calls fail: before the first byte another way is taken, after it the failure is told; never is a part taken for the
 * whole.
 */
class TransferFaultInjectionTest extends FaultInjection {
    private static final List<String> REFUSALS = List.of("ENOSYS", "EPERM", "EINVAL", "EOPNOTSUPP", "EXDEV");

    /** On several threads the first call of each fails, and so would the one that finds out whether the call is allowed at all. */
    private static final List<String> OF_THE_PAIR = List.of("EINVAL", "EOPNOTSUPP", "EXDEV");

    private static final List<String> FAILURES = List.of("ENOSYS", "EPERM", "EINVAL", "EIO", "ENOMEM");

    /** A call of a transfer, the engine whose first call it is, and the one that takes over. */
    private record Way(Task task, On on, String call, Engine next) {}

    private static final List<Way> WAYS = List.of(
            new Way(Task.TRANSFER_FILE_TO_FILE, PLATFORM, "copy_file_range", Engine.SENDFILE),
            new Way(Task.TRANSFER_FILE_TO_FILE, OFFLOAD, "copy_file_range", Engine.SENDFILE),
            new Way(Task.TRANSFER_FILE_TO_SOCKET, PLATFORM, "sendfile", Engine.SPLICE_THROUGH_PIPE),
            new Way(Task.TRANSFER_FILE_TO_SOCKET, OFFLOAD, "sendfile", Engine.SPLICE_THROUGH_PIPE),
            new Way(Task.TRANSFER_FILE_TO_PIPE, PLATFORM, "splice", Engine.READ_WRITE),
            new Way(Task.TRANSFER_SOCKET_TO_FILE, PLATFORM, "splice", Engine.READ_WRITE),
            new Way(Task.TRANSFER_SOCKET_TO_SOCKET, PLATFORM, "splice", Engine.READ_WRITE),
            new Way(Task.TRANSFER_SOCKET_TO_SOCKET, VIRTUAL, "splice", Engine.READ_WRITE),
            new Way(Task.TRANSFER_PIPE_TO_SOCKET, PLATFORM, "splice", Engine.READ_WRITE),
            new Way(Task.TRANSFER_PIPE_TO_FILE, PLATFORM, "splice", Engine.READ_WRITE));

    static Stream<Arguments> refusals() {
        return WAYS.stream()
                .flatMap(way ->
                        (way.on == OFFLOAD ? OF_THE_PAIR : REFUSALS).stream().map(errno -> Arguments.of(way, errno)));
    }

    @ParameterizedTest(name = "{1} from the first call of {0}")
    @MethodSource("refusals")
    void aCallThatIsRefusedBeforeTheFirstByteIsReplaced(Way way, String errno) throws Exception {
        Report report = inject(way.task, way.on, new Fault(way.call, errno, "1"));
        assertDone(report, way.next);
    }

    static Stream<Way> fromFiles() {
        return WAYS.stream().filter(way -> way.on == PLATFORM && way.task.name().startsWith("TRANSFER_FILE"));
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("lesson 9: a first result of 0 is not taken for the end, whichever call gave it")
    @MethodSource("fromFiles")
    void lesson9AFirstZeroIsNoEnd(Way way) throws Exception {
        Report report = inject(way.task, way.on, new Fault(way.call, "retval=0", "1"));
        assertDone(report, Engine.READ_WRITE);
    }

    /** Where the pipe has been filled and its target refuses: the bytes in it are written. */
    static Stream<Arguments> refusedTargets() {
        return Stream.of(Task.TRANSFER_SOCKET_TO_FILE, Task.TRANSFER_SOCKET_TO_SOCKET)
                .flatMap(task -> REFUSALS.stream().map(errno -> Arguments.of(task, errno)));
    }

    @ParameterizedTest(name = "{1} from the second splice of {0}")
    @MethodSource("refusedTargets")
    void aTargetThatRefusesTheFirstByteIsWritten(Task task, String errno) throws Exception {
        assertDone(inject(task, PLATFORM, new Fault("splice", errno, "2")), Engine.READ_WRITE);
    }

    @ParameterizedTest(name = "{0}")
    @ValueSource(strings = {"EMFILE", "ENFILE", "EPERM"})
    void withoutAPipeBetweenBytesAreReadAndWritten(String errno) throws Exception {
        assertDone(inject(Task.TRANSFER_SOCKET_TO_SOCKET, PLATFORM, new Fault("pipe2", errno, "1")), Engine.READ_WRITE);
    }

    static Stream<Arguments> again() {
        return WAYS.stream()
                .flatMap(way -> TRIED_AGAIN.stream()
                        .flatMap(errno -> times(way.on).map(when -> Arguments.of(way, errno, when))));
    }

    // Calls are counted for each thread, and those that work for others take turns.
    private static Stream<String> times(On on) {
        return on == OFFLOAD ? Stream.of("1..3") : Stream.of("1..3", "2..4");
    }

    @ParameterizedTest(name = "{1} from calls {2} of {0}")
    @MethodSource("again")
    void whatSaysAgainIsTriedAgain(Way way, String errno, String when) throws Exception {
        Report report = inject(way.task, way.on, new Fault(way.call, errno, when));
        assertThat(report.outcome())
                .containsEntry("outcome", "done")
                .doesNotContainEntry("remarkable", Integer.toString(way.next.ordinal()));
        isWhole(report.end());
    }

    static Stream<Arguments> failures() {
        return Stream.of(
                        Arguments.of(Task.TRANSFER_FILE_TO_FILE, PLATFORM, "copy_file_range", 2),
                        Arguments.of(Task.TRANSFER_FILE_TO_SOCKET, PLATFORM, "sendfile", 2),
                        Arguments.of(Task.TRANSFER_FILE_TO_PIPE, PLATFORM, "splice", 2),
                        Arguments.of(Task.TRANSFER_SOCKET_TO_FILE, PLATFORM, "splice", 3),
                        Arguments.of(Task.TRANSFER_SOCKET_TO_FILE, PLATFORM, "splice", 4),
                        Arguments.of(Task.TRANSFER_SOCKET_TO_SOCKET, PLATFORM, "splice", 3),
                        Arguments.of(Task.TRANSFER_SOCKET_TO_SOCKET, PLATFORM, "splice", 4),
                        Arguments.of(Task.TRANSFER_SOCKET_TO_SOCKET, VIRTUAL, "splice", 4),
                        Arguments.of(Task.TRANSFER_PIPE_TO_SOCKET, PLATFORM, "splice", 2),
                        Arguments.of(Task.TRANSFER_PIPE_TO_FILE, PLATFORM, "splice", 2))
                .flatMap(job -> FAILURES.stream().map(errno -> {
                    Object[] with = Stream.concat(Stream.of(job.get()), Stream.of(errno))
                            .toArray();
                    return Arguments.of(with);
                }));
    }

    @ParameterizedTest(name = "{4} from {2} {3} of {0} on {1}")
    @MethodSource("failures")
    void aCallThatFailsAfterTheFirstByteIsToldAndTheRestIsThere(Task task, On on, String call, int nth, String errno)
            throws Exception {
        Report report = inject(task, on, new Fault(call, errno, Integer.toString(nth)));
        assertThat(report.outcome())
                .containsEntry("outcome", "ErrnoException")
                .containsEntry("call", call)
                .containsEntry("errno", errno);
        isWhole(report.end());
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("lesson 6: the pool's pipe that a failed transfer left bytes in is not used again")
    @MethodSource("refusedTargets")
    void lesson6NothingOfOneTransferIsInTheNext(Task task, String errno) throws Exception {
        // The fourth splice drains what the third has filled; what follows takes another pipe.
        Report report = inject(task, PLATFORM, new Fault("splice", errno, "4"));
        assertThat(report.outcome()).containsEntry("outcome", "ErrnoException");
        isWhole(report.end());
    }

    private static void assertDone(Report report, Engine engine) {
        assertThat(report.outcome())
                .containsEntry("outcome", "done")
                .containsEntry("remarkable", Integer.toString(engine.ordinal()));
        isWhole(report.end());
    }
}
