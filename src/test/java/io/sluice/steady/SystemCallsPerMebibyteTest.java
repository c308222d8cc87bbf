package io.sluice.steady;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.ChildJvm;
import io.sluice.faults.Strace;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * What a job costs, without a clock: the system calls that it makes for so many bytes, in a JVM of its own, under strace.
 *
 * <p>Each bound is for one turn, and says what the job has to do: take what is there, hand it on, see that there is no more. A call that is
 * not named must not be made at all. One that reads from a socket may find its bytes in two pieces, as the kernel keeps them.
 */
class SystemCallsPerMebibyteTest {
    private static final int TURNS = 8;

    /** What moves bytes, waits, or asks and sets; what an architecture does not have begins with a question mark. */
    private static final String TRACED =
            "splice,tee,vmsplice,sendfile,copy_file_range,read,write,readv,writev,pread64,pwrite64,"
                    + "sendmsg,recvmsg,sendto,recvfrom,io_uring_enter,?poll,ppoll,?epoll_wait,epoll_pwait,epoll_ctl,"
                    + "ioctl,fcntl,pipe2,dup,close,setsockopt,getsockopt,shutdown,statx";

    private static final Set<String> WAITING = Set.of("poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_ctl");
    // Not those on a file of the disk: the JVM may be reading a class that it has not needed before.
    private static final Pattern CALL = Pattern.compile("^(?:\\[pid +\\d+] )?(\\w+)\\((?!\\d+</(?!memfd:|dev/null)).*");

    private static ChildJvm child;

    @BeforeAll
    static void startChild() throws IOException, InterruptedException {
        child = ChildJvm.start(SteadyProgram.class);
        Strace.assumeWorks(child);
    }

    @BeforeEach
    void replaceChildThatIsStuck() throws IOException {
        if (!child.isIdle()) {
            child.close();
            child = ChildJvm.start(SteadyProgram.class);
        }
    }

    @AfterAll
    static void endChild() {
        child.close();
    }

    @Test
    void aFileIsCopiedByOneCallForAllOfIt() throws Exception {
        // Are they the same file, and is the target opened for append?
        takes(Steady.FILE_TO_FILE, Map.of("copy_file_range", 1, "statx", 2, "fcntl", 1));
    }

    @Test
    void aFileIsSentByOneCall() throws Exception {
        takes(Steady.FILE_TO_SOCKET, Map.of("sendfile", 1));
    }

    /**
     * A socket is writable when three quarters of its buffer are free, of which the kernel's own need takes less than a tenth. So each call
     * that follows a wait moves more than two thirds of the buffer, whoever reads and however fast; and for each of them one may be in vain.
     */
    @Test
    void aLongFileIsSentByThreeQuartersOfTheSocketsBuffer() throws Exception {
        int fills = Math.ceilDiv(4 * Turns.MEBIBYTE, Transfers.SEND_BUFFER * 2 / 3);
        Calls calls = callsOf(Steady.LONG_FILE_TO_SOCKET);
        // How often it looks whether there is room depends on how long that takes.
        calls.made.keySet().removeAll(WAITING);
        calls.areAtMost(Map.of("sendfile", 2 * (fills + 1), "statx", 1));
    }

    @Test
    void whatASocketHasIsTakenAndStoredByOneSpliceEach() throws Exception {
        takes(Steady.SOCKET_TO_FILE, Map.of("splice", 2 + 2, "fcntl", 2, "ioctl", 1));
    }

    @Test
    void whatAPipeHasIsSentByOneSplice() throws Exception {
        takes(Steady.PIPE_TO_SOCKET, Map.of("splice", 1));
    }

    @Test
    void aHeaderAFileAndATrailerAreThreeCallsAndTheCork() throws Exception {
        takes(Steady.GATHER, Map.of("write", 2, "sendfile", 1, "setsockopt", 2));
    }

    @Test
    void aRelayMovesAMebibyteInTwoSplicesAndLooksOnceForMore() throws Exception {
        takes(Steady.STEPS_OF_PIPES, Map.of("splice", 3, "ioctl", 1));
    }

    @Test
    void aRelaysStepLooksOnceAtTheWayThatIsIdle() throws Exception {
        takes(Steady.STEPS_ONE_WAY, Map.of("splice", 4 + 2, "ioctl", 1));
    }

    @Test
    void aRelaysStepTakesOnePipeForBothWays() throws Exception {
        takes(Steady.STEPS_BOTH_WAYS, Map.of("splice", 2 * (3 + 2), "ioctl", 1));
    }

    @Test
    void aRelayThatRunsOneWayNeverWaitsForWhatIsThere() throws Exception {
        takes(Steady.RUN_ONE_WAY, Map.of("splice", 3 + 2, "shutdown", 1, "ioctl", 1));
    }

    @Test
    void aRelayThatRunsBothWaysNeverWaitsForWhatIsThere() throws Exception {
        takes(Steady.RUN_BOTH_WAYS, Map.of("splice", 2 * (3 + 2), "shutdown", 2, "ioctl", 1));
    }

    /** In, out, and a look for more for each message; a look at both ways before the first, and at the end of each. */
    @Test
    void aRelayThatIsWokenLooksOnlyAtTheWayItIsWokenFor() throws Exception {
        int messages = Relays.Woken.MESSAGES;
        Calls calls = callsOf(Steady.RUN_WOKEN);
        calls.made.keySet().removeAll(WAITING);
        calls.areAtMost(Map.of("splice", 3 * messages + 2 + 2, "ioctl", messages + 3, "shutdown", 2));
    }

    @Test
    void aFanOutTakesOneSpliceInATeeForEachBranchAndOneSpliceOutForEachSink() throws Exception {
        // By pipefuls of a mebibyte; one splice finds the end, and three pipes are measured and given back.
        takes(Steady.FAN_OUT, Map.of("splice", 16 * (1 + 3) + 1, "tee", 16 * 2, "fcntl", 3, "ioctl", 3));
    }

    @Test
    void aResponseIsOneSendOneTeeAndOneSplice() throws Exception {
        takes(Steady.SMALL_RESPONSES, Map.of("sendto", 1, "tee", 1, "splice", 1));
    }

    @ParameterizedTest
    @EnumSource(names = {"LARGE_RESPONSES", "RESPONSES_IN_PARTS"})
    void aResponseOfAMebibyteIsSentSoTooWithTwoMoreSplicesForEachTimeTheSocketIsFull(Steady job) throws Exception {
        Calls calls = callsOf(job);
        int full = calls.moves - TURNS;
        calls.made.computeIfPresent("splice", (name, n) -> n - 2 * full);
        calls.areAtMost(Map.of("sendto", 1, "tee", 1, "splice", 1));
    }

    @Test
    void aSlotOfARingIsOneVmsplice() throws Exception {
        takes(Steady.RING, Map.of("vmsplice", 1, "ioctl", 1));
    }

    @Test
    void lendingIsOneVmspliceAndTakingBackOneQuestion() throws Exception {
        takes(Steady.LOANS, Map.of("vmsplice", 1, "ioctl", 1));
    }

    @Test
    void aSendThroughTheRingIsOneCall() throws Exception {
        takes(Steady.SENDS_BY_URING, Map.of("io_uring_enter", 1));
    }

    @Test
    void aSendWithNotificationIsOneCall() throws Exception {
        takes(Steady.SENDS_WITH_NOTIFICATION, Map.of("sendto", 1));
    }

    @Test
    void aSendThatCopiesIsOneCall() throws Exception {
        takes(Steady.SENDS_BY_WRITE, Map.of("write", 1));
    }

    @Test
    void aPipeIsTakenWithoutACallAndGivenBackWithOneQuestion() throws Exception {
        takes(Steady.POOL, Map.of("ioctl", 1));
    }

    private static void takes(Steady job, Map<String, Integer> most) throws Exception {
        callsOf(job).areAtMost(most);
    }

    private static Calls callsOf(Steady job) throws Exception {
        Map<String, String> prepared = child.ask("prepare " + job.name());
        try (Strace strace =
                Strace.watch(TRACED, List.of(prepared.get("threads").split(",")))) {
            int moves = Integer.parseInt(child.ask("turns " + TURNS).get("moves"));
            Map<String, Integer> made = new TreeMap<>();
            for (String line : strace.detach()) {
                Matcher call = CALL.matcher(line);
                if (call.matches()) {
                    made.merge(call.group(1), 1, Integer::sum);
                }
            }
            child.ask("finish");
            return new Calls(job, Long.parseLong(prepared.get("bytes")), moves, made);
        }
    }

    /** How often each call was made in all turns together. */
    private record Calls(Steady job, long bytes, int moves, Map<String, Integer> made) {
        void areAtMost(Map<String, Integer> most) {
            Set<String> tooOften = new TreeSet<>();
            made.forEach((call, times) -> {
                if (times > TURNS * most.getOrDefault(call, 0)) {
                    tooOften.add(call);
                }
            });
            assertThat(tooOften)
                    .as(
                            "calls of %s in %d turns: %s, in each of which at most: %s; per MiB: %s",
                            job, TURNS, made, most, perMebibyte())
                    .isEmpty();
            assertThat(made.keySet()).as("what was seen of %s", job).containsAnyElementsOf(most.keySet());
        }

        private String perMebibyte() {
            StringBuilder all = new StringBuilder();
            made.forEach((call, times) -> all.append(String.format(
                    Locale.ROOT, "%s %.2f ", call, (double) times * Turns.MEBIBYTE / (TURNS * (double) bytes))));
            return all.toString();
        }
    }
}
