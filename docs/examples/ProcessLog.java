import io.sluice.Fd;
import io.sluice.Pipe; // and not that of java.nio.channels
import io.sluice.PipeSink;
import io.sluice.flow.Transfer;
import io.sluice.flow.TransferException;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.locks.ReentrantLock;

/**
 * Runs programs and keeps what they print: each in files of its own, which are rotated by size, and all of it on standard output too.
 *
 * <p>A child writes straight into a pipe. What arrives in it is duplicated into a second pipe by tee, for standard output, and then spliced to
 * the file. No byte of it is ever in the memory of this program.
 */
public final class ProcessLog {
    private static final String USAGE = """
        usage: java --enable-native-access=ALL-UNNAMED -cp <sluice> ProcessLog.java DIRECTORY SIZE NAME COMMAND... [-- NAME COMMAND...]...
        Runs the commands at the same time. What COMMAND prints, errors included, goes to DIRECTORY/NAME.log and to standard output.
        When the file has SIZE bytes it becomes NAME.log.1, and that one NAME.log.2, up to NAME.log.%d.\
        """;
    private static final int KEPT = 5;
    private static final PrintStream ERR = new PrintStream(new FileOutputStream(FileDescriptor.err), true);

    private final Path directory;
    private final long size;
    private final Fd out;
    private final ReentrantLock turn = new ReentrantLock();

    private ProcessLog(Path directory, long size, Fd out) {
        this.directory = directory;
        this.size = size;
        this.out = out;
    }

    public static void main(String[] arguments) throws InterruptedException {
        List<List<String>> programs = new ArrayList<>(List.of(new ArrayList<>()));
        for (String word : Arrays.stream(arguments).skip(2).toList()) {
            if (word.equals("--")) {
                programs.add(new ArrayList<>());
            } else {
                programs.getLast().add(word);
            }
        }
        if (arguments.length < 4
                || !arguments[1].matches("[1-9][0-9]{0,17}")
                || programs.stream().anyMatch(p -> p.size() < 2)) {
            ERR.printf(USAGE + "%n", KEPT);
            System.exit(2);
        }
        try (Fd out = Fd.borrow(1)) {
            ProcessLog log = new ProcessLog(Path.of(arguments[0]), Long.parseLong(arguments[1]), out);
            System.exit(log.run(programs));
        } catch (IOException e) {
            ERR.println("ProcessLog: " + e.getMessage());
            System.exit(1);
        }
    }

    /** Runs all of them to their end; the worst exit status. */
    private int run(List<List<String>> programs) throws InterruptedException {
        int worst = 0;
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Integer>> running = new ArrayList<>();
            for (List<String> program : programs) {
                running.add(
                        threads.submit(() -> new Child(program.getFirst()).run(program.subList(1, program.size()))));
            }
            for (Future<Integer> child : running) {
                try {
                    worst = Math.max(worst, child.get());
                } catch (ExecutionException e) {
                    ERR.println("ProcessLog: " + e.getCause().getMessage());
                    worst = Math.max(worst, 1);
                }
            }
        }
        return worst;
    }

    /** One program, its pipe, and the file that what it prints goes to. */
    private final class Child {
        private final String name;
        private final Path file;
        private Fd log;
        private long written;
        private boolean copying = true;

        Child(String name) {
            this.name = name;
            this.file = directory.resolve(name + ".log");
        }

        int run(List<String> command) throws Exception {
            try (Pipe pipe = Pipe.open();
                    Pipe copy = Pipe.open()) {
                copy.capacity(pipe.capacity());
                open();
                Process process;
                try (PipeSink sink = pipe.sink()) {
                    process = new ProcessBuilder(command)
                            .redirectInput(Path.of("/dev/null").toFile())
                            .redirectOutput(sink.redirect())
                            .redirectError(sink.redirect())
                            .start();
                } // or the end would not come when the child ends
                keep(pipe, copy);
                return process.waitFor();
            } finally {
                if (log != null) {
                    log.close();
                }
            }
        }

        private void keep(Pipe pipe, Pipe copy) throws IOException {
            // Invariant: what has left the first pipe is in the file and on standard output; the second pipe is empty.
            for (long n; (n = next(pipe, copy)) >= 0; ) {
                Transfer.from(pipe.source()).to(log).exactly(n).run();
                written += n;
                if (copying) {
                    print(copy, n);
                }
                if (written >= size) {
                    rotate();
                }
            }
        }

        /** Waits for the next bytes, and duplicates them; leaves them where they are. */
        private long next(Pipe pipe, Pipe copy) throws IOException {
            long room = size - written;
            if (copying) {
                return pipe.source().teeTo(copy.sink(), room);
            }
            // Without a copy there is nothing to be duplicated, and a transfer waits by itself.
            long n = Transfer.from(pipe.source()).to(log).limit(room).run().bytes();
            written += n;
            return n < room ? -1 : 0;
        }

        private void print(Pipe copy, long n) throws IOException {
            turn.lock(); // one child's piece at a time, so that lines of several are cut as seldom as may be
            try {
                Transfer.from(copy.source()).to(out).exactly(n).run();
            } catch (TransferException e) {
                copying = false; // the files matter more
                e.undelivered().close();
                ERR.println("ProcessLog: " + name + " is no longer copied to standard output: " + e.getMessage());
            } finally {
                turn.unlock();
            }
        }

        private void open() throws IOException {
            log = Fd.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE);
            written = Files.size(file);
            if (written > 0) {
                rotate(); // that of an earlier run
            }
        }

        private void rotate() throws IOException {
            log.close();
            for (int i = KEPT - 1; i > 0; i--) {
                if (Files.exists(numbered(i))) {
                    Files.move(numbered(i), numbered(i + 1), StandardCopyOption.REPLACE_EXISTING);
                }
            }
            Files.move(file, numbered(1), StandardCopyOption.REPLACE_EXISTING);
            log = Fd.open(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW);
            written = 0;
        }

        private Path numbered(int i) {
            return directory.resolve(name + ".log." + i);
        }
    }
}
