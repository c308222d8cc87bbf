package io.sluice.faults;

import io.sluice.ErrnoException;
import io.sluice.faults.Job.SmallPipesException;
import io.sluice.testing.Libc;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * The program under which system calls fail: takes commands from standard input, one on a line, and answers each with a line of keys and
 * values. A job runs on a thread of its own, which makes no other system calls than the job's; commands are read on another.
 *
 * <p>Given tasks as arguments, it runs each of them once instead, and prints how it went.
 */
final class Workload {
    /** What an answer begins with. */
    static final String ANSWER = "@";

    /** The key of an answer that says why a job cannot be done here. */
    static final String MISSING = "missing";

    /** So long that only a job that hangs runs into it; shorter than the patience of whoever asks. */
    private static final int PATIENCE_SECONDS = 45;

    private static final int LOOKS = 1000;

    private static final int PR_SET_PTRACER = 0x5961_6d61;
    private static final int ANY = -1;

    private final ExecutorService platform = Executors.newSingleThreadExecutor();
    private final ExecutorService virtual = Executors.newVirtualThreadPerTaskExecutor();
    private final Set<Task> warmOnPlatform = EnumSet.noneOf(Task.class);
    private final Set<Task> warmOnVirtual = EnumSet.noneOf(Task.class);

    private boolean hasWaited;
    private ExecutorService threads = platform;
    private @Nullable Job job;
    private @Nullable Future<Map<String, Object>> running;
    private volatile @Nullable Thread runner;
    private long descriptorsBefore;

    private Workload() {}

    public static void main(String[] arguments) throws Exception {
        // Where a process may trace its descendants only, strace is none of this one's ancestors.
        Libc.prctl(PR_SET_PTRACER, ANY, 0);
        Workload workload = new Workload();
        try {
            if (arguments.length == 0) {
                workload.obey();
            }
            for (String task : arguments) {
                answer(orWhatIsMissing(() -> workload.once(Task.valueOf(task))));
            }
            System.exit(0);
        } catch (Throwable t) {
            t.printStackTrace();
            System.exit(1);
        }
    }

    private void obey() throws Exception {
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = commands.readLine()) != null; ) {
            String[] words = line.split(" ");
            answer(
                    switch (words[0]) {
                        case "prepare" ->
                            orWhatIsMissing(() -> prepare(
                                    Task.valueOf(words[1]), words[2].equals("virtual"), words[3].equals("warm")));
                        case "threads" -> threadsNamed(words[1]);
                        case "run" -> start();
                        case "parked" -> parked();
                        case "feed" -> feed();
                        case "result" -> outcome();
                        case "finish" -> finish();
                        default -> throw new IllegalArgumentException(line);
                    });
        }
    }

    private static void answer(Map<String, ?> values) {
        System.out.println(values.entrySet().stream()
                .map(entry ->
                        entry.getKey() + "=" + String.valueOf(entry.getValue()).replaceAll("[\t\n]", " "))
                .collect(Collectors.joining("\t", ANSWER, "")));
    }

    private static Map<String, Object> orWhatIsMissing(Callable<Map<String, Object>> action) throws Exception {
        try {
            return action.call();
        } catch (SmallPipesException e) {
            return Map.of(MISSING, e.getMessage());
        }
    }

    private Map<String, Object> prepare(Task task, boolean onVirtual, boolean warm) throws Exception {
        if (warm) {
            warmUp();
        }
        threads = onVirtual ? virtual : platform;
        // The first time loads classes, with calls of this thread, and opens what the library then keeps: neither is
        // the job's.
        Set<Task> done = onVirtual ? warmOnVirtual : warmOnPlatform;
        if (warm && !done.contains(task)) {
            isDone(once(task));
            done.add(task);
        }
        descriptorsBefore = descriptors();
        job = task.make();
        return Map.of("tid", threads.submit(Libc::gettid).get());
    }

    // Some jobs wait only under faults; what waiting opens and keeps has to be there by then.
    private void warmUp() throws Exception {
        if (!hasWaited) {
            threads = platform;
            isDone(waited(Task.READ_OF_EMPTY_PIPE));
            threads = virtual;
            isDone(waited(Task.READ_OF_EMPTY_PIPE));
            isDone(waited(Task.LONG_WRITE));
            hasWaited = true;
        }
    }

    private Map<String, Object> waited(Task task) throws Exception {
        job = task.make();
        descriptorsBefore = descriptors();
        start();
        if (threads == virtual) {
            parked();
        } else {
            // Whoever waits first opens it, and nobody else has one.
            while (descriptorsNamed("anon_inode:[eventfd]") == 0 && !running.isDone()) {
                Thread.onSpinWait();
            }
        }
        feed();
        Map<String, Object> outcome = outcome();
        finish();
        return outcome;
    }

    private static void isDone(Map<String, Object> outcome) {
        if (!outcome.get("outcome").equals("done")) {
            throw new IllegalStateException("without faults: " + outcome);
        }
    }

    private Map<String, Object> once(Task task) throws Exception {
        descriptorsBefore = descriptors();
        job = task.make();
        start();
        feed();
        Map<String, Object> outcome = new LinkedHashMap<>(outcome());
        if (outcome.get("outcome").equals("done")) {
            outcome.putAll(finish());
        } else {
            job.close();
        }
        outcome.put("task", task.name());
        return outcome;
    }

    private static Map<String, Object> threadsNamed(String name) throws IOException {
        try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
            for (Path task : tasks.toList()) {
                if (Files.readString(task.resolve("comm")).strip().equals(name)) {
                    return Map.of("tid", task.getFileName());
                }
            }
        }
        throw new IOException("no thread is called " + name);
    }

    private Map<String, Object> outcome() throws Exception {
        return running.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
    }

    private Map<String, Object> start() {
        runner = null;
        running = threads.submit(() -> {
            runner = Thread.currentThread();
            return outcomeOf(job);
        });
        return Map.of();
    }

    private static Map<String, Object> outcomeOf(Job job) {
        try {
            job.run();
            return Map.of("outcome", "done", "remarkable", job.remarkable());
        } catch (ErrnoException e) {
            return Map.of(
                    "outcome", "ErrnoException",
                    "call", e.call(),
                    "errno", e.name(),
                    "transferred", e.transferred(),
                    "message", e.getMessage(),
                    "cure", e.cure().orElse(""),
                    "remarkable", job.remarkable());
        } catch (IOException | RuntimeException | Error e) {
            e.printStackTrace();
            return Map.of("outcome", e.toString());
        }
    }

    /** Answers once the thread that runs the job has parked, which only a virtual one that waits does. */
    private Map<String, Object> parked() {
        for (Thread thread = runner; thread == null || thread.getState() != Thread.State.WAITING; thread = runner) {
            if (running.isDone()) {
                throw new IllegalStateException("the job ended instead of waiting");
            }
            Thread.onSpinWait();
        }
        return Map.of();
    }

    private Map<String, Object> feed() throws IOException {
        job.feed();
        return Map.of();
    }

    /** Does what the faults have left to do, on a thread that never waits, and says what became of bytes and descriptors. */
    private Map<String, Object> finish() throws Exception {
        Map<String, Object> end = new LinkedHashMap<>();
        byte[] expected = job.expected();
        end.put("expected", expected.length);
        end.put("accounted", job.accounted());
        job.run();
        byte[] delivered = job.delivered();
        end.put("delivered", delivered.length);
        end.put("differsAt", Arrays.mismatch(expected, delivered));
        end.put("remarkable", job.remarkable());
        job.close();
        end.put("descriptorsBefore", descriptorsBefore);
        end.put("descriptorsAfter", descriptorsThatStay());
        return end;
    }

    // The JVM opens files of its own for a moment, to load a class; what leaked stays.
    private long descriptorsThatStay() throws IOException, InterruptedException {
        long now = descriptors();
        for (int i = 0; i < LOOKS && now > descriptorsBefore; i++) {
            Thread.sleep(1);
            now = descriptors();
        }
        return now;
    }

    private static long descriptorsNamed(String name) throws IOException {
        try (Stream<Path> entries = Files.list(Path.of("/proc/self/fd"))) {
            return entries.filter(entry -> {
                        try {
                            return Files.readSymbolicLink(entry).toString().equals(name);
                        } catch (IOException e) {
                            return false; // closed meanwhile
                        }
                    })
                    .count();
        }
    }

    /** Open descriptors, and one for the directory that they are counted in. */
    private static long descriptors() throws IOException {
        try (Stream<Path> entries = Files.list(Path.of("/proc/self/fd"))) {
            return entries.count();
        }
    }
}
