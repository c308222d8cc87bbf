package io.sluice.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.Kernel;
import io.sluice.testing.Helper;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** A JVM that may lock little memory, so that the kernel refuses to send from more: what is over the limit is copied, and nothing fails. */
class LockedMemoryTest {
    private static final int ONE_PAGE = 4096;
    private static final int MUCH = 4 << 20;

    /** More than a ring is made of. */
    private static final int MOST_PAGES = 64;

    @Test
    void whatIsOverTheLimitIsCopied() throws Exception {
        assertThat(sending(Task.SEND, ONE_PAGE)).containsEntry("remarkable", Integer.toString(Job.LENGTH));
    }

    /** Where a ring's own memory counts, the least with which there can be one leaves none to send from. */
    @Test
    void whatIsOverTheLimitIsCopiedByARingToo() throws Exception {
        for (int pages = 1; pages < MOST_PAGES; pages++) {
            try {
                assertThat(sending(Task.SEND_BY_RING, pages * ONE_PAGE))
                        .containsEntry("remarkable", Integer.toString(Job.LENGTH));
                return;
            } catch (AssertionError e) {
                assertThat(e).hasMessageContaining("SEND_ZC does not work here");
            }
        }
        Assumptions.abort("needs a ring of less than " + MOST_PAGES + " pages");
    }

    @ParameterizedTest(name = "{0}")
    @EnumSource(names = {"SEND", "SEND_BY_RING"})
    void whatIsWithinTheLimitIsLent(Task task) throws Exception {
        assertThat(sending(task, MUCH)).containsEntry("remarkable", "0");
    }

    private static Map<String, String> sending(Task task, int bytes) throws Exception {
        Kernel kernel = Kernel.observed();
        Assumptions.assumeTrue(
                (task == Task.SEND ? kernel.messageZerocopy() : kernel.ioUring()).isUsable(),
                "needs MSG_ZEROCOPY, and io_uring");
        List<String> arguments = new ArrayList<>(List.of(Integer.toString(bytes)));
        arguments.addAll(ChildJvm.command(task.name()));
        String printed = Helper.compiled(LockedMemoryTest.class, "limit").run(arguments.toArray(String[]::new));
        String answer = printed.lines()
                .filter(line -> line.startsWith(Workload.ANSWER))
                .findFirst()
                .orElseThrow(() -> new AssertionError(printed));
        Map<String, String> outcome = ChildJvm.parsed(answer);
        ChildJvm.assumeNothingMissing(outcome);
        assertThat(outcome).containsEntry("outcome", "done").containsEntry("differsAt", "-1");
        return outcome;
    }
}
