package io.sluice.testing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;
import static org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder.request;

import io.sluice.internal.Syscalls;
import io.sluice.internal.WaitCalls;
import io.sluice.internal.ffi.Linux;
import java.io.IOException;
import java.lang.Thread.State;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.core.LauncherConfig;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;

class ExpectNoLeaksTest {
    private static final Duration SHORT = Duration.ofMillis(1);
    private static final List<Integer> LEAKED = new ArrayList<>();

    /** Not run by itself: its name is no test's. */
    @ExtendWith(ExpectNoLeaks.class)
    static class Leaks {
        @Test
        void pipe() {
            leakPipe();
        }

        @TestFactory
        Stream<DynamicTest> pipes() {
            return Stream.of(DynamicTest.dynamicTest("pipe", ExpectNoLeaksTest::leakPipe));
        }
    }

    @ExtendWith(ExpectNoLeaks.class)
    static class LeaksNothing {
        @Test
        void pipe() throws IOException {
            try (Workbench bench = new Workbench()) {
                bench.pipe();
            }
        }
    }

    @Test
    void testThatLeaksAPipeFails() {
        TestExecutionSummary summary = run(Leaks.class);
        LEAKED.forEach(Syscalls::close);
        assertThat(summary.getTestsFailedCount()).isEqualTo(2);
        assertThat(summary.getFailures())
                .allSatisfy(failure -> assertThat(failure.getException())
                        .hasMessageMatching("left open: \\d+ pipe:\\[\\d+], \\d+ pipe:\\[\\d+]"));
    }

    @Test
    void testThatLeaksNothingPasses() {
        TestExecutionSummary summary = run(LeaksNothing.class);
        assertThat(summary.getTestsSucceededCount()).isEqualTo(1);
        assertThat(summary.getTestsFailedCount()).isZero();
    }

    @Test
    void waitsForWhatAnotherThreadIsAboutToClose() throws Exception {
        Inventory before = Inventory.ofDescriptors();
        int fd = Libc.socket(Linux.AF_INET(), Linux.SOCK_STREAM(), 0);
        Thread waiting = Thread.currentThread();
        Thread closing = Thread.ofPlatform().start(() -> {
            while (waiting.getState() != State.TIMED_WAITING) {
                Thread.onSpinWait();
            }
            Syscalls.close(fd);
        });
        before.expectNothingLeft(Duration.ofMinutes(1));
        closing.join();
    }

    @Test
    void numberThatStandsForSomethingElseNowIsALeak() throws Exception {
        try (Workbench bench = new Workbench()) {
            int first = bench.own(Libc.socket(Linux.AF_INET(), Linux.SOCK_STREAM(), 0));
            Inventory before = Inventory.ofDescriptors();
            bench.close(first);
            int second = bench.own(Libc.socket(Linux.AF_INET(), Linux.SOCK_STREAM(), 0));
            assertThat(before.left()).singleElement().asString().startsWith(second + " socket:");
        }
    }

    @Test
    void fewPollersAreTolerated() throws Exception {
        try (Workbench bench = new Workbench()) {
            Inventory before = Inventory.ofDescriptors();
            bench.own(WaitCalls.eventfd());
            bench.own(WaitCalls.epollCreate());
            before.expectNothingLeft(SHORT);
            for (int i = 0; i < Inventory.POLLERS; i++) {
                bench.own(WaitCalls.eventfd());
            }
            assertThatThrownBy(() -> before.expectNothingLeft(SHORT)).hasMessageContaining("anon_inode:[eventfd]");
        }
    }

    @Test
    void mappingIsALeakWhereMappingsAreCounted() throws Exception {
        try (Workbench bench = new Workbench()) {
            int memfd = bench.memfd(Workbench.PAGE);
            Inventory descriptors = Inventory.ofDescriptors();
            Inventory mappings = Inventory.ofDescriptorsAndMappings();
            bench.map(Workbench.PAGE, Linux.MAP_SHARED(), memfd);
            descriptors.expectNothingLeft(SHORT);
            assertThatThrownBy(() -> mappings.expectNothingLeft(SHORT)).hasMessageContaining("/memfd:sluice");
        }
    }

    private static void leakPipe() {
        long ends = Syscalls.pipe2(Linux.O_CLOEXEC());
        LEAKED.add((int) ends);
        LEAKED.add((int) (ends >>> 32));
    }

    private static TestExecutionSummary run(Class<?> tests) {
        LEAKED.clear();
        SummaryGeneratingListener summary = new SummaryGeneratingListener();
        LauncherConfig alone = LauncherConfig.builder()
                .enableTestExecutionListenerAutoRegistration(false)
                .enableLauncherSessionListenerAutoRegistration(false)
                .build();
        LauncherDiscoveryRequest request = request()
                .selectors(selectClass(tests))
                .configurationParameter(ExpectNoLeaks.PATIENCE, "1")
                .build();
        LauncherFactory.create(alone).execute(request, summary);
        return summary.getSummary();
    }
}
