package io.sluice.loan;

import io.sluice.testing.Helper;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** A JVM that runs {@link LendingProgram} to its end. */
final class LendingJvm {
    private LendingJvm() {}

    /** What it printed; fails if the program does. */
    static String run(List<String> under, String... arguments) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>(under);
        command.addAll(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xshare:auto",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                "target/classes:target/test-classes",
                LendingProgram.class.getName()));
        command.addAll(List.of(arguments));
        return Helper.output(new ProcessBuilder(command));
    }
}
