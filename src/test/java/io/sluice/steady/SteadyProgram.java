package io.sluice.steady;

import io.sluice.faults.ChildJvm;
import io.sluice.steady.Turns.MissingException;
import io.sluice.testing.Allocations;
import io.sluice.testing.Libc;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/**
 * The program whose system calls and allocations are counted: takes commands from standard input, one on a line, and answers each with a line. A job moves
 * bytes on a thread of its own, which does nothing else; this one feeds it.
 */
final class SteadyProgram {
    /** After which classes are loaded, and what is opened once is open. */
    private static final int WARM = 4;

    private static final int PR_SET_PTRACER = 0x5961_6d61;
    private static final int ANY = -1;

    private SteadyProgram() {}

    public static void main(String[] arguments) throws Exception {
        // Where a process may trace its descendants only, strace is none of this one's ancestors.
        Libc.prctl(PR_SET_PTRACER, ANY, 0);
        try {
            obey();
            System.exit(0);
        } catch (Throwable t) {
            t.printStackTrace();
            System.exit(1);
        }
    }

    private static void obey() throws Exception {
        ExecutorService mover = Executors.newSingleThreadExecutor();
        int thread = mover.submit(Libc::gettid).get();
        Turns job = null;
        BufferedReader commands = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        for (String line; (line = commands.readLine()) != null; ) {
            String[] words = line.split(" ");
            switch (words[0]) {
                case "prepare" -> {
                    try {
                        job = mover.submit(() -> Steady.valueOf(words[1]).make())
                                .get();
                        turn(mover, job, WARM);
                        answer("threads=" + thread + carriers() + "\tbytes=" + job.bytes());
                    } catch (ExecutionException | MissingException e) {
                        answer(ChildJvm.MISSING + "=" + missing(e));
                    }
                }
                case "turns" -> answer("moves=" + turn(mover, job, Integer.parseInt(words[1])));
                case "allocate" -> answer("allocated=" + allocated(mover, job, Integer.parseInt(words[1])));
                case "finish" -> {
                    close(mover, job);
                    answer("done=true");
                }
                default -> throw new IllegalArgumentException(line);
            }
        }
    }

    private static void answer(String values) {
        System.out.println(ChildJvm.ANSWER + values);
    }

    private static String missing(Exception e) throws Exception {
        Throwable reason = e instanceof ExecutionException ? e.getCause() : e;
        if (reason instanceof MissingException || reason instanceof UnsupportedOperationException) {
            return String.valueOf(reason.getMessage()).replaceAll("[\t\n=]", " ");
        }
        throw e;
    }

    /** The threads on which virtual ones run, each after a comma. */
    private static String carriers() throws IOException {
        StringBuilder numbers = new StringBuilder();
        try (DirectoryStream<Path> threads = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
            for (Path thread : threads) {
                try {
                    if (Files.readString(thread.resolve("comm")).startsWith("ForkJoinPool-1-")) {
                        numbers.append(',').append(thread.getFileName());
                    }
                } catch (NoSuchFileException e) {
                    continue; // it has ended
                }
            }
        }
        return numbers.toString();
    }

    private static void close(ExecutorService mover, Turns job) throws Exception {
        mover.submit(() -> {
                    job.close();
                    return null;
                })
                .get();
    }

    /** Returns how many bytes the moves allocated in the thread that made them. */
    private static long allocated(ExecutorService mover, Turns job, int turns) throws Exception {
        long[] allocated = new long[1];
        turn(mover, job, turns, () -> {
            long before = Allocations.ofThisThread();
            boolean done = job.move();
            allocated[0] += Allocations.ofThisThread() - before;
            return done;
        });
        return allocated[0];
    }

    private static int turn(ExecutorService mover, Turns job, int turns) throws Exception {
        return turn(mover, job, turns, job::move);
    }

    /** Returns how many moves there were, of which every turn has one at least. */
    private static int turn(ExecutorService mover, Turns job, int turns, Callable<Boolean> move) throws Exception {
        int moves = 0;
        long taken = 0;
        for (int i = 0; i < turns; i++) {
            job.feed();
            boolean done;
            do {
                done = mover.submit(move).get();
                moves++;
                taken += job.taken();
            } while (!done);
        }
        if (taken != turns * job.bytes()) {
            throw new IOException(turns + " turns of " + job.bytes() + " bytes moved " + taken);
        }
        return moves;
    }
}
