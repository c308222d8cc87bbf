package io.sluice.loan;

import static io.sluice.loan.Scene.PAGE;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.sluice.internal.Hold;
import io.sluice.internal.Ledger;
import io.sluice.internal.Lending;
import io.sluice.internal.PipeAccess;
import io.sluice.testing.ExpectNoLeaks;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.channels.Channel;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** An error between the system call and the closing of the scope: what may be in the pipe is closed to Java all the same. */
@ExpectNoLeaks.OfMappings
class LendingErrorTest {
    private Scene scene;
    private PipeAccess real;

    @BeforeEach
    void open() throws IOException {
        Scene.assumePagesAreReferenced();
        scene = new Scene();
        real = PipeAccess.get();
    }

    @AfterEach
    void close() throws IOException {
        PipeAccess.grant(real);
        scene.close();
    }

    @Test
    void whatWasLentIsClosed() throws IOException {
        for (Throwable thrown : new Throwable[] {new StackOverflowError(), new IllegalCallerException()}) {
            MemorySegment page = scene.filled(PAGE);
            ByteBuffer view = page.asByteBuffer();
            PipeAccess.grant(new Failing(thrown));
            assertThatThrownBy(() -> scene.lend(page)).isSameAs(thrown);
            assertThatThrownBy(() -> scene.arena.tryLend(scene.filled(PAGE), scene.pipe.sink()))
                    .isSameAs(thrown);
            PipeAccess.grant(real);
            Scene.closed(() -> page.fill((byte) 1));
            Scene.closed(() -> view.put(0, (byte) 1));
            assertThatIllegalStateException().isThrownBy(() -> scene.lend(page));
            scene.holds(0, PAGE);
            scene.holds(0, PAGE);
        }
    }

    @Test
    void andSoIsAllThatWasToBeLentTogether() throws IOException {
        List<MemorySegment> pages = List.of(scene.filled(PAGE), scene.filled(PAGE), scene.filled(PAGE));
        Throwable thrown = new OutOfMemoryError();
        PipeAccess.grant(new Failing(thrown));
        assertThatThrownBy(() -> scene.arena.lend(pages, scene.pipe.sink())).isSameAs(thrown);
        PipeAccess.grant(real);
        pages.forEach(page -> Scene.closed(() -> page.fill((byte) 1)));
        for (int i = 0; i < 3; i++) {
            scene.holds(0, PAGE);
        }
    }

    @Test
    void aRingGivesNoSlotThatMayBeLent() throws Exception {
        Throwable thrown = new StackOverflowError();
        PipeAccess.grant(new Failing(thrown));
        try (PageRing ring = PageRing.over(scene.pipe.sink(), 4 * PAGE, 2)) {
            MemorySegment slot = ring.acquire();
            assertThatThrownBy(() -> ring.publish(4 * PAGE)).isSameAs(thrown);
            PipeAccess.grant(real);
            Scene.closed(() -> slot.fill((byte) 1));
            Scene.closed(() -> ring.acquire().fill((byte) 1));
            assertThatIllegalStateException().isThrownBy(() -> ring.publish(4 * PAGE));
            assertThatIllegalStateException().isThrownBy(() -> ring.publish(1));
        }
    }

    /** Lends, and then fails where nothing was told of it. */
    private final class Failing extends PipeAccess {
        private final Throwable thrown;

        Failing(Throwable thrown) {
            this.thrown = thrown;
        }

        @Override
        public Ledger ledger(Channel sink) {
            return real.ledger(sink);
        }

        @Override
        public Lending lending(Channel sink) {
            Lending to = real.lending(sink);
            return new Lending() {
                @Override
                public long lend(long address, long length, boolean wait, Consumer<Hold> lent) throws IOException {
                    to.lend(address, length, wait, untold -> {});
                    throw thrown();
                }

                @Override
                public long lend(long[] addresses, long[] lengths, @Nullable Hold[] lent) throws IOException {
                    to.lend(addresses, lengths, new Hold[lengths.length]);
                    throw thrown();
                }

                @Override
                public long write(long address, long length, boolean wait) throws IOException {
                    return to.write(address, length, wait);
                }

                @Override
                public long copyUpTo() {
                    return to.copyUpTo();
                }
            };
        }

        private RuntimeException thrown() {
            if (thrown instanceof Error e) {
                throw e;
            }
            return (RuntimeException) thrown;
        }
    }
}
