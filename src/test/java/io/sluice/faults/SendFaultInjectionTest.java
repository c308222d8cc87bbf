package io.sluice.faults;

import static io.sluice.faults.FaultInjection.On.PLATFORM;
import static io.sluice.faults.FaultInjection.On.VIRTUAL;

import io.sluice.testing.Rings;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Sends that fail, and notifications that cannot be read: what a copy can replace is copied, memory is not used again before its notification
 * was read, and no byte is lost, doubled or rewritten.
 */
class SendFaultInjectionTest extends FaultInjection {
    /** For want of memory, or of the right, the bytes are copied in another call. */
    private static final List<String> REPLACED = List.of("EINTR", "EAGAIN", "ENOSYS", "EPERM", "ENOMEM");

    static Stream<Cell> sends() {
        return all(
                cells("sendto", 1, REPLACED, PLATFORM, Task.SEND),
                cells("sendto", 3, REPLACED, PLATFORM, Task.SEND),
                cells("sendto", 3, REPLACED, VIRTUAL, Task.SEND));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("sends")
    void aSendThatFailsLosesNothing(Cell cell) throws Exception {
        holds(cell);
    }

    /** Several pieces are copied by the same call, so that one for which there is no memory three times in a row is told. */
    static Stream<Cell> sendsOfSeveral() {
        return all(
                        cells("sendmsg", 1, REPLACED, PLATFORM, Task.SEND_TWO_AT_ONCE),
                        cells("sendmsg", 3, REPLACED, PLATFORM, Task.SEND_TWO_AT_ONCE),
                        cells("sendmsg", 3, REPLACED, VIRTUAL, Task.SEND_TWO_AT_ONCE))
                .filter(cell -> !cell.errno().equals("ENOMEM"));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("sendsOfSeveral")
    void aSendOfSeveralPiecesThatFailsLosesNothing(Cell cell) throws Exception {
        holds(cell);
    }

    static Stream<Cell> recvmsg() {
        return all(
                cells("recvmsg", 1, ERRNOS, PLATFORM, Task.SEND),
                cells("recvmsg", 2, ERRNOS, PLATFORM, Task.SEND),
                cells("recvmsg", 1, ERRNOS, VIRTUAL, Task.SEND));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("recvmsg")
    void aNotificationThatCannotBeReadIsReadLater(Cell cell) throws Exception {
        holds(cell);
    }

    static Stream<Cell> ioUringEnter() {
        return all(
                cells("io_uring_enter", 1, REPLACED, PLATFORM, Task.SEND_BY_RING),
                cells("io_uring_enter", 3, REPLACED, PLATFORM, Task.SEND_BY_RING),
                cells("io_uring_enter", 3, REPLACED, VIRTUAL, Task.SEND_BY_RING));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("ioUringEnter")
    void aRequestThatIsNotTakenLosesNothing(Cell cell) throws Exception {
        Rings.assumeAllowed();
        holds(cell);
    }
}
