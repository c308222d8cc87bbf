package io.sluice.loan.torture;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.Kernel;
import io.sluice.Kernel.Outcome;
import io.sluice.loan.torture.Figures.Count;
import io.sluice.testing.ExpectNoLeaks;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Writers reuse memory as fast as the library lets them, readers hold on to what they get, and every byte that comes out is compared.
 *
 * <p>For longer, or with the seed of a failure:
 *
 * <pre>{@literal
 * mvn test -Dtest=TortureTest -Dtest.jvm.args="-Dsluice.torture.bytes=10000000000 -Dsluice.torture.seed=1"
 * }</pre>
 *
 * <p>The seed decides what every thread does next, and not when: a failure may need more than one run to come back.
 */
@ExpectNoLeaks.OfMappings
class TortureTest {
    private static final long BYTES = Long.getLong("sluice.torture.bytes", 1_500_000_000L);
    private static final long SEED = Long.getLong("sluice.torture.seed", new SplittableRandom().nextLong());
    private static final int LANES = 6;

    /** So many that a rule which is wrong is found out long before. */
    private static final long ENOUGH = 20_000_000_000L;

    @Test
    void everyByteThatComesOutIsTheOneThatWentIn() throws Exception {
        long start = System.nanoTime();
        Figures figures = Run.of(
                SEED,
                BYTES,
                LANES,
                (lane, random) -> new Loans(lane.stream(), random, lane.owner().figures(), lane.observer()));
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf(
                "TORTURE seed %d: %.1f s, %.0f MB/s, %s%n",
                SEED, seconds, figures.get(Count.BYTES_COMPARED) / seconds / 1e6, figures);
        assertThat(figures.get(Count.BYTES_COMPARED)).isGreaterThanOrEqualTo(BYTES);
        assertThat(figures.get(Count.LOANS)).isPositive();
        assertThat(figures.get(Count.RELEASED)).isPositive();
        if (Kernel.observed().vmsplice().outcome() == Outcome.REFERENCES) {
            assertThat(figures.get(Count.FORWARDED)).isPositive();
        }
    }

    @ParameterizedTest
    @EnumSource
    void memoryThatIsReusedWithoutProofIsFoundOut(Careless.Rule rule) {
        assumeTrue(
                Kernel.observed().vmsplice().outcome() == Outcome.REFERENCES,
                "vmsplice does not put the caller's pages into the pipe here, so nobody sees them rewritten");
        assertThatThrownBy(() -> Run.of(SEED, ENOUGH, LANES, (lane, random) -> new Careless(rule, random)))
                .isInstanceOf(AssertionError.class)
                .hasMessageStartingWith("seed " + SEED)
                .hasRootCauseInstanceOf(Corruption.class);
    }
}
