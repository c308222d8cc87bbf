package io.sluice.conformance;

import static io.sluice.testing.Results.gives;
import static io.sluice.testing.Workbench.PAGE;
import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.testing.Helper;
import io.sluice.testing.Workbench;
import io.sluice.testing.Workbench.Ends;
import java.lang.foreign.MemorySegment;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/** Lent pages of processes that fork, that give memory back to an allocator, or that read each other's pages. */
final class ProcessLifetimeConformance extends Family {
    private static final int ROUNDS = 20_000;
    private static final int SLOTS = 16;

    @Row("lf_fork")
    void storesAfterForkAreNotSeen(Workbench bench) throws Exception {
        assertThat(run("lf_fork")).containsExactly("parent writes: original", "child writes: original");
    }

    @Row("lf_cve29374")
    void childThatLentDoesNotSeeTheParentsStores(Workbench bench) throws Exception {
        assertThat(run("lf_cve29374")).containsExactly("original");
    }

    @Row("lf_shfork")
    void childsStoresToSharedMemoryAreSeen(Workbench bench) throws Exception {
        assertThat(run("lf_shfork")).containsExactly("mutated");
    }

    @Row("lf_malloc")
    void nextOwnerOfAllocatedMemoryIsSeen(Workbench bench) throws Exception {
        assertThat(run("lf_malloc")).containsExactly("same address, mutated");
    }

    @Row("lf_freemeta")
    void allocatorIsSeenInFreedMemory(Workbench bench) throws Exception {
        assertThat(run("lf_freemeta")).containsExactly("16 bytes changed", "32 bytes changed");
    }

    @Row("lf_mmapthr")
    void largeAllocationsAreUnmappedOnlyAtFirst(Workbench bench) throws Exception {
        assertThat(run("lf_mmapthr")).containsExactly("other address, original", "same address, mutated");
    }

    @Row("lf_rounds")
    void rewritingIsSafeOnlyOnceThePipeIsEmpty(Workbench bench) throws Exception {
        assumePagesAreReferenced();
        MemorySegment page = bench.map(PAGE);
        Helper reader = Helper.compiled(Row.class, "lifetime");

        Ends read = bench.pipe();
        FutureTask<String> reading = concurrently(() -> reader.runReading(read.source(), "lf_rounds"));
        for (int round = 0; round < ROUNDS; round++) {
            gives(PAGE, vmsplice(read.sink(), page.fill((byte) round), NONE));
            while (bench.available(read.sink()) != 0) {
                Thread.yield();
            }
        }
        bench.close(read.sink());
        assertThat(reading.get(60, TimeUnit.SECONDS)).isEqualTo("0 corrupted");

        Ends unread = bench.pipe();
        for (int round = 0; round < SLOTS; round++) {
            gives(PAGE, vmsplice(unread.sink(), page.fill((byte) round), NONE));
        }
        page.fill((byte) SLOTS);
        bench.close(unread.sink());
        assertThat(reader.runReading(unread.source(), "lf_rounds")).isEqualTo(SLOTS + " corrupted");
    }

    private static Stream<String> run(String row) throws Exception {
        assumePagesAreReferenced();
        return Helper.compiled(Row.class, "lifetime").run(row).lines();
    }
}
