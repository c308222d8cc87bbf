package io.sluice.faults;

import static org.assertj.core.api.Assertions.assertThat;

import io.sluice.flow.Transfer.Engine;
import io.sluice.internal.ffi.Linux;
import io.sluice.testing.Helper;
import io.sluice.testing.SystemCall;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A JVM under a seccomp profile that refuses what makes this library: it says who refuses, and plain pipes go on working. */
class SeccompTest {
    private static final List<SystemCall> SPLICES = List.of(SystemCall.SPLICE, SystemCall.TEE, SystemCall.VMSPLICE);

    @ParameterizedTest(name = "{0}")
    @CsvSource({
        "EPERM, a seccomp profile or sandbox denies %s to this process",
        "ENOSYS, this kernel or sandbox has no %s",
    })
    void aJvmThatMayNotSpliceSaysSoAndCopies(String errno, String cure) throws Exception {
        Map<String, Map<String, String>> outcomes = refusing(
                errno,
                SPLICES,
                Task.FILE_TO_FILE,
                Task.FILE_TO_FILE_TRYING,
                Task.SOCKET_TO_SOCKET,
                Task.PIPE_TO_PIPE,
                Task.TEE,
                Task.VMSPLICE,
                Task.COPY,
                Task.COPY_OF_ARRAYS,
                Task.COPY_TRYING,
                Task.RELAY,
                Task.READ_OF_EMPTY_PIPE,
                Task.CAPACITY,
                Task.OPEN_PIPES);
        for (Task task : List.of(
                Task.FILE_TO_FILE, Task.FILE_TO_FILE_TRYING, Task.SOCKET_TO_SOCKET, Task.PIPE_TO_PIPE, Task.TEE)) {
            String call = task == Task.TEE ? "tee" : "splice";
            assertThat(outcomes.get(task.name())).containsEntry("call", call).containsEntry("errno", errno);
            assertThat(outcomes.get(task.name()).get("message"))
                    .startsWith(call + "(")
                    .contains("): " + errno + " (")
                    .contains(cure.formatted(call));
        }
        assertThat(outcomes.get(Task.VMSPLICE.name())).containsEntry("remarkable", Integer.toString(-number(errno)));
        for (Task task : List.of(
                Task.COPY,
                Task.COPY_OF_ARRAYS,
                Task.COPY_TRYING,
                Task.RELAY,
                Task.READ_OF_EMPTY_PIPE,
                Task.CAPACITY,
                Task.OPEN_PIPES)) {
            Map<String, String> outcome = outcomes.get(task.name());
            assertThat(outcome).containsEntry("outcome", "done").containsEntry("differsAt", "-1");
        }
    }

    @Test
    void aJvmThatMayNotTeeSplices() throws Exception {
        Map<String, Map<String, String>> outcomes =
                refusing("EPERM", List.of(SystemCall.TEE), Task.TEE, Task.FILE_TO_FILE, Task.PIPE_TO_PIPE);
        assertThat(outcomes.get(Task.TEE.name()).get("cure")).startsWith("a seccomp profile or sandbox denies tee");
        for (Task task : List.of(Task.FILE_TO_FILE, Task.PIPE_TO_PIPE)) {
            assertThat(outcomes.get(task.name()))
                    .containsEntry("outcome", "done")
                    .containsEntry("differsAt", "-1");
        }
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"EPERM", "ENOSYS"})
    @DisplayName("lesson 8: a fan-out and a gathering that may not splice, tee or send files copy")
    void wholeJobsCopyWhereTheyMayNotSplice(String errno) throws Exception {
        List<SystemCall> calls = List.of(SystemCall.SPLICE, SystemCall.TEE, SystemCall.VMSPLICE, SystemCall.SENDFILE);
        Map<String, Map<String, String>> outcomes = refusing(errno, calls, Task.FAN_OUT, Task.GATHER);
        for (Task task : List.of(Task.FAN_OUT, Task.GATHER)) {
            assertThat(outcomes.get(task.name()))
                    .containsEntry("outcome", "done")
                    .containsEntry("remarkable", Integer.toString(Job.LENGTH))
                    .containsEntry("differsAt", "-1");
        }
    }

    @ParameterizedTest(name = "{0}")
    @CsvSource({"EPERM", "ENOSYS"})
    void aJvmThatMayNotOpenPipesSaysSo(String errno) throws Exception {
        Map<String, String> outcome =
                refusing(errno, List.of(SystemCall.PIPE2), Task.PIPE_ALONE).get(Task.PIPE_ALONE.name());
        assertThat(outcome).containsEntry("call", "pipe2").containsEntry("errno", errno);
        assertThat(outcome.get("cure")).contains("seccomp profile or sandbox");
    }

    @ParameterizedTest(name = "{0}")
    @DisplayName("lesson 8: a JVM to which everything but read and write is refused transfers all the same")
    @CsvSource({"EPERM", "ENOSYS"})
    void lesson8RefusedCallsAreReplaced(String errno) throws Exception {
        Task[] transfers = {
            Task.TRANSFER_FILE_TO_FILE,
            Task.TRANSFER_FILE_TO_SOCKET,
            Task.TRANSFER_FILE_TO_PIPE,
            Task.TRANSFER_SOCKET_TO_FILE,
            Task.TRANSFER_SOCKET_TO_SOCKET,
            Task.TRANSFER_PIPE_TO_SOCKET,
            Task.TRANSFER_PIPE_TO_FILE
        };
        List<SystemCall> calls = List.of(SystemCall.SPLICE, SystemCall.SENDFILE, SystemCall.COPY_FILE_RANGE);
        Map<String, Map<String, String>> outcomes = refusing(errno, calls, transfers);
        for (Task task : transfers) {
            assertThat(outcomes.get(task.name()))
                    .containsEntry("outcome", "done")
                    .containsEntry("differsAt", "-1")
                    .containsEntry("remarkable", Integer.toString(Engine.READ_WRITE.ordinal()));
        }
    }

    /** How each task went in a JVM to which these calls are refused. */
    private static Map<String, Map<String, String>> refusing(String errno, List<SystemCall> calls, Task... tasks)
            throws IOException, InterruptedException {
        List<String> arguments = new ArrayList<>(List.of(Integer.toString(number(errno))));
        calls.forEach(call -> arguments.add(Integer.toString(call.number())));
        arguments.add("--");
        List<String> names = List.of(tasks).stream().map(Task::name).toList();
        arguments.addAll(ChildJvm.command(names.toArray(String[]::new)));
        String printed = Helper.compiled(SeccompTest.class, "deny").run(arguments.toArray(String[]::new));
        Map<String, Map<String, String>> outcomes = new HashMap<>();
        printed.lines().filter(line -> line.startsWith(Workload.ANSWER)).forEach(line -> {
            Map<String, String> outcome = ChildJvm.parsed(line);
            ChildJvm.assumeNothingMissing(outcome);
            outcomes.put(outcome.get("task"), outcome);
        });
        assertThat(outcomes).as("%s", printed).hasSize(tasks.length);
        return outcomes;
    }

    private static int number(String errno) {
        return errno.equals("EPERM") ? Linux.EPERM() : Linux.ENOSYS();
    }
}
