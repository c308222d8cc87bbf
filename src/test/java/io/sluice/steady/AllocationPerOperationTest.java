package io.sluice.steady;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.faults.ChildJvm;
import java.io.IOException;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What a job leaves to the garbage collector. That a step of a relay leaves nothing, nor a response of a master pipe, a
 * line of a log or a slot that cannot be had, and how little a Gather does, is said by the tests of those classes.
 *
 * <p>Counted in a JVM without the second compiler, which spares objects as it sees fit: here every object counts that the code makes, the
 * same on every machine. What a JVM with both compilers allocates is less. Such a JVM also makes an object for each call into C whose errno
 * is captured; how large that is, is the JDK's affair, and measured.
 */
class AllocationPerOperationTest {
    private static final int TURNS = 500;

    /** In the first ones, the method handles of the calls are still being made. */
    private static final int MOST_BATCHES = 20;

    private static final int MOST_OF_A_CALL = 64;

    private static ChildJvm child;

    @BeforeAll
    static void startChild() throws IOException {
        child = ChildJvm.start(SteadyProgram.class);
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

    /** A quarter more than what the code makes today, for other JDKs: an object or two more are still seen. */
    @ParameterizedTest(name = "{0}: {1} bytes beside {2} calls")
    @CsvSource({
        // What is made for each run: its ends, its event, its way.
        "FILE_TO_SOCKET, 640, 1",
        "PIPE_TO_SOCKET, 520, 1",
        "SOCKET_TO_FILE, 400, 7",
        "GATHER, 310, 5",
        // Two threads and their queues, for a run of one step.
        "SMALL_FAN_OUT, 3100, 0",
        "STEPS_ONE_WAY, 0, 5",
        "STEPS_BOTH_WAYS, 0, 7",
        "SMALL_RESPONSES, 0, 3",
        "LARGE_RESPONSES, 0, 3",
        // A loan, its entry in the ledger, and the segment that is taken back.
        "RING, 320, 2",
        "LOANS, 340, 2",
        "SENDS_BY_WRITE, 350, 1",
        "SENDS_WITH_NOTIFICATION, 330, 1",
        "SENDS_BY_URING, 330, 1"
    })
    void anOperationAllocatesAtMost(Steady job, long own, int calls) throws Exception {
        // Taking a pipe from the pool and giving it back is one call, and makes nothing else.
        double call = bytesOf(Steady.POOL, 0);
        assertThat(call).as("bytes that a call allocates").isLessThanOrEqualTo(MOST_OF_A_CALL);
        double most = own + calls * call;
        assertThat(bytesOf(job, most))
                .as("bytes that a turn of %s allocates", job)
                .isLessThanOrEqualTo(most);
    }

    /** What a turn allocates, when it allocates no more than it should or has had the time to come to that. */
    private static double bytesOf(Steady job, double most) throws Exception {
        child.ask("prepare " + job);
        double least = Double.MAX_VALUE;
        for (int i = 0; i < MOST_BATCHES && least > most; i++) {
            long allocated = Long.parseLong(child.ask("allocate " + TURNS).get("allocated"));
            least = Math.min(least, (double) allocated / TURNS);
        }
        child.ask("finish");
        return least;
    }
}
