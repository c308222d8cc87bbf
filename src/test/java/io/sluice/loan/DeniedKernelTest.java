package io.sluice.loan;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Helper;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Where vmsplice is denied, lending writes: every loan is released at once, and nothing else changes. */
class DeniedKernelTest {
    private static final String ALL_WELL = "DENIED: all arrived as it was lent";

    @ParameterizedTest
    @ValueSource(strings = {"EPERM", "ENOSYS", "EOPNOTSUPP"})
    void toOneThreadByAFilter(String errno) throws IOException, InterruptedException {
        int number = switch (errno) {
            case "EPERM" -> Linux.EPERM();
            case "ENOSYS" -> Linux.ENOSYS();
            default -> Linux.EOPNOTSUPP();
        };
        assertThat(LendingJvm.run(List.of(), "refuse", String.valueOf(number))).isEqualTo(ALL_WELL);
    }

    @Test
    void toTheWholeProcessByATracer() throws IOException, InterruptedException {
        assumeTrue(Helper.exists("strace"), "needs strace");
        List<String> tracer = List.of("strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=vmsplice");
        assumeTrue(mayTrace(tracer), "needs leave to trace");
        assertThat(LendingJvm.run(
                        List.of("strace", "-f", "-qq", "-o", "/dev/null", "-e", "inject=vmsplice:error=EPERM")))
                .isEqualTo(ALL_WELL);
    }

    private static boolean mayTrace(List<String> tracer) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(tracer);
        command.add("true");
        return new ProcessBuilder(command).redirectErrorStream(true).start().waitFor() == 0;
    }
}
