package io.sluice;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * A process that has run to its end.
 *
 * @param status its exit status
 * @param said what it wrote to standard output and standard error
 */
record Child(int status, String said) {
    static final String CLASSES = Path.of("target", "classes").toString();
    static final String TEST_CLASSES = Path.of("target", "test-classes").toString();

    /** A command after another that is to run it, such as {@code setpriv}. */
    static List<String> command(String[] prefix, String... command) {
        List<String> whole = new ArrayList<>(Arrays.asList(prefix));
        whole.addAll(Arrays.asList(command));
        return whole;
    }

    /** A JVM with native access, the library and the tests on its class path. */
    static Child java(String[] prefix, List<String> options, String main) throws IOException, InterruptedException {
        List<String> command = javaCommand(options, main);
        command.addAll(0, Arrays.asList(prefix));
        return run(command);
    }

    static List<String> javaCommand(List<String> options, String... mainAndArguments) {
        List<String> command = brisk();
        command.addAll(List.of("--enable-native-access=ALL-UNNAMED", "-Dstdout.encoding=UTF-8"));
        command.addAll(List.of("-cp", CLASSES + ":" + TEST_CLASSES));
        command.addAll(options);
        command.addAll(Arrays.asList(mainAndArguments));
        return command;
    }

    /** The JDK these tests run on, told to start fast. */
    static List<String> brisk() {
        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        return new ArrayList<>(List.of(java, "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"));
    }

    static Child run(List<String> command) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        return new Child(process.waitFor(), said);
    }
}
