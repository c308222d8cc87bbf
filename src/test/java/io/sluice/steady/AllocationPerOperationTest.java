package io.sluice.steady;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.Pipe;
import io.sluice.flow.PipePool;
import io.sluice.steady.Turns.MissingException;
import io.sluice.testing.Allocations;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * What a job leaves to the garbage collector. That a step of a relay leaves nothing, nor a response of a master pipe, a
 * line of a log or a slot that cannot be had, and how little a Gather does, is said by the tests of those classes.
 */
class AllocationPerOperationTest {
    private static final int BATCH = 2000;

    /** Of one job, at the same time. */
    private static final int MOST_PIPES = 3;

    /** For the compilers to finish: a number of batches and not a time, in which this process may stand still. */
    private static final int MOST_BATCHES = 200;

    // What the pool of all keeps stays open when the first job is over.
    @BeforeAll
    static void openPipesOfTheSharedPool() throws IOException {
        List<Pipe> pipes = new ArrayList<>();
        for (int i = 0; i < MOST_PIPES; i++) {
            pipes.add(PipePool.shared().take());
        }
        for (Pipe pipe : pipes) {
            PipePool.shared().giveBack(pipe);
        }
    }

    // A quarter more than was left of each when the second compiler had seen it, for other compilers: an object more
    // with room for a
    // few fields is still seen. It may take many batches until that compiler comes.
    @ParameterizedTest(name = "{0}: {1} bytes")
    @CsvSource({
        "POOL, 0",
        // What is made for each run: its ends, its event, its way.
        "FILE_TO_SOCKET, 320",
        "PIPE_TO_SOCKET, 448",
        "SOCKET_TO_FILE, 480",
        // Two threads and their queues, for a run of one step.
        "SMALL_FAN_OUT, 2304",
        // A loan, its entry in the ledger, and the segment that is taken back.
        "RING, 320",
        "LOANS, 352",
        "SENDS_BY_WRITE, 272",
        "SENDS_WITH_NOTIFICATION, 304",
        "SENDS_BY_URING, 304"
    })
    void anOperationAllocatesAtMost(Steady name, long bytes) throws Exception {
        try (Turns job = name.make()) {
            long allocated = ofMoves(job);
            for (int i = 1; i < MOST_BATCHES && allocated > bytes * BATCH; i++) {
                allocated = ofMoves(job);
            }
            assertThat((double) allocated / BATCH)
                    .as("bytes that an operation allocates")
                    .isLessThanOrEqualTo(bytes);
        } catch (MissingException | UnsupportedOperationException e) {
            abort(e.getMessage());
        }
    }

    private static long ofMoves(Turns job) throws Exception {
        long allocated = 0;
        for (int i = 0; i < BATCH; i++) {
            job.feed();
            boolean done;
            do {
                long before = Allocations.ofThisThread();
                done = job.move();
                allocated += Allocations.ofThisThread() - before;
                job.taken();
            } while (!done);
        }
        return allocated;
    }
}
