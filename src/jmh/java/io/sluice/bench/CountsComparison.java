package io.sluice.bench;

import io.sluice.bench.RelayFleet.Starter;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * What the kernel was seen to do for a mebibyte, by tracepoints, and where its time goes, by samples of the processor's clock: {@code --counts
 * [--rounds <n>] [--only <part of a row>]}. Needs {@code perf}, and may use it.
 */
final class CountsComparison {
    private static final String SLUICE = "Sluice";
    private static final String JDK = "JDK";
    private static final String PREFIX = "syscalls:sys_exit_";

    /** By which pages change hands without being copied by the call. */
    private static final List<String> BY_REFERENCE = List.of("splice", "tee", "vmsplice", "sendfile64");

    private static final List<String> BY_COPY =
            List.of("read", "write", "readv", "writev", "recvfrom", "sendto", "pread64", "pwrite64");
    private static final List<String> WAITING =
            List.of("poll", "ppoll", "epoll_wait", "epoll_pwait", "epoll_ctl", "futex");
    private static final String WAKING = "sched:sched_waking";
    private static final int FREQUENCY = 5000;

    private static final double MIB = 1 << 20;
    private static final double PAGE = 4096;

    private static final Pattern COPYING =
            Pattern.compile("_?copy_.*|rep_movs.*|.*memcpy.*|.*copy_(to|from)_iter.*|skb_copy_.*|simple_copy.*");
    private static final Pattern REFERENCES = Pattern.compile(
            ".*(splice|pipe_buf|pipe_to|_pipe|tee|folio|get_page|put_page|free_page|unref_page|filemap|iov_iter_get).*");
    private static final Pattern SWITCHING = Pattern.compile(
            ".*(wake|ttwu|schedule|task_switch|enqueue|dequeue|select_task|pick_next|poll|futex|spin_unlock_irq|idle).*");

    private final Comparison comparison;
    private final int rounds;
    private final String only;

    private CountsComparison(Comparison comparison, int rounds, String only) {
        this.comparison = comparison;
        this.rounds = rounds;
        this.only = only;
    }

    static void run(String[] args) throws Exception {
        Options options = Options.of(args, "--rounds", "--only");
        try {
            Perf.require();
        } catch (IOException e) {
            System.out.println("SKIPPED counts: perf cannot be used here (Debian: apt install linux-perf; "
                    + "/proc/sys/kernel/perf_event_paranoid): " + e.getMessage());
            return;
        }
        Comparison comparison = Comparison.of(
                options.named("counts", "--only"),
                "What does the kernel do for a mebibyte?",
                args,
                Relation.NONE,
                "system calls per MiB",
                "pages referenced per MiB",
                "bytes copied per byte",
                "wake-ups per MiB",
                "% copying",
                "% references",
                "% waking and waiting");
        new CountsComparison(comparison, options.number("--rounds", 5), options.text("--only", "")).count();
        comparison.note(
                "Of the thread that does the job, or of all threads of the relay. Pages: what splice, tee and sendfile said that they moved,"
                        + " in pages of 4 KiB, each counted as often as it changes hands. Bytes copied: what read, write and their kind said that they"
                        + " moved, for each byte that arrives. The last three are parts of %d samples a second of those threads' processor time, by the"
                                .formatted(FREQUENCY)
                        + " kernel's function that was found running; the rest is the network's, the entry into the kernel and Java.");
        comparison.finish();
    }

    private void count() throws Exception {
        for (int kib : new int[] {1, 1024}) {
            both("pipe → pipe", kib << 10, "pipe → pipe, pieces of " + Comparison.size(kib << 10));
        }
        for (int kib : new int[] {1, 1024}) {
            both("file → socket", kib << 10, "file → socket, pieces of " + Comparison.size(kib << 10));
        }
        for (int kib : new int[] {4, 64, 1024}) {
            job("socket → pipe → socket", kib << 10, "socket → socket, pipe of " + Comparison.size(kib << 10), SLUICE);
        }
        for (int branches : new int[] {2, 8}) {
            both("branches", branches, "pipe → pipe and " + branches + " more");
        }
        if (Twin.compile("load", Json.FOLDER).isPresent()) {
            for (int connections : new int[] {1, 100, 1000}) {
                relay(connections, SLUICE, (u, n) -> RelayProcess.java(ConnectionsContestant.class, "sluice-loop", u));
                relay(
                        connections,
                        JDK,
                        (u, n) -> RelayProcess.java(ConnectionsContestant.class, "nio-virtual", u, 64 << 10));
            }
        }
    }

    private void both(String job, int number, String row) throws Exception {
        job(job, number, row, SLUICE);
        job(job, number, row, JDK);
    }

    private void job(String job, int number, String row, String whose) throws Exception {
        if (!row.contains(only)) {
            return;
        }
        System.out.println(row + ", " + whose);
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        CountedJob.class.getName(),
                        job,
                        Integer.toString(number),
                        whose)
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start();
        try (BufferedReader said = process.inputReader();
                Writer word = process.outputWriter()) {
            Perf perf = Perf.ofThread(said.readLine());
            for (int round = 0; round < rounds; round++) {
                tell(word, said, "open");
                List<String> events = perf.events(watched(), () -> tell(word, said, "run"));
                word.append("close\n").flush();
                add(row, whose, events, CountedJob.BYTES, shares(perf, word, said, round));
            }
        } catch (IOException e) {
            comparison.skip(row + ", " + whose, e.getMessage());
        } finally {
            process.destroyForcibly().onExit().join();
        }
    }

    private static double[] shares(Perf perf, Writer word, BufferedReader said, int round) throws Exception {
        tell(word, said, "open");
        double[] shares = shares(perf, () -> tell(word, said, "run"));
        word.append("close\n").flush();
        return shares;
    }

    private static String tell(Writer word, BufferedReader said, String what) throws IOException {
        word.append(what + "\n").flush();
        String answer = said.readLine();
        if (answer == null) {
            throw new IOException("the job ended");
        }
        return answer;
    }

    private void relay(int connections, String whose, Starter starter) throws Exception {
        int bytes = 64 << 10;
        String row = "relay, %,d connections of 64 KiB".formatted(connections);
        if (!row.contains(only)) {
            return;
        }
        System.out.println(row + ", " + whose);
        try (RelayFleet fleet = new RelayFleet(starter, 1, connections)) {
            fleet.connect(connections, connections, bytes);
            fleet.run(bytes, 1); // for the compilers
            Perf perf = Perf.ofProcesses(fleet.pids());
            for (int round = 0; round < rounds; round++) {
                double[] moved = {0};
                List<String> events = perf.events(
                        watched(),
                        () -> moved[0] = 2.0 * bytes * fleet.run(bytes, 0.3).requests());
                add(row, whose, events, moved[0], shares(perf, () -> fleet.run(bytes, 0.3)));
            }
        } catch (IOException e) {
            comparison.skip(row + ", " + whose, e.getMessage());
        }
    }

    private static List<String> watched() {
        return Stream.concat(
                        Stream.of(BY_REFERENCE, BY_COPY, WAITING)
                                .flatMap(List::stream)
                                .map(name -> PREFIX + name),
                        Stream.of(WAKING))
                .toList();
    }

    private void add(String row, String whose, List<String> events, double bytes, double... shares) {
        long calls = 0;
        long wakeUps = 0;
        double referenced = 0;
        double copied = 0;
        for (String event : events) {
            if (event.startsWith(WAKING)) {
                wakeUps++;
                continue;
            }
            int colon = event.indexOf(": ");
            if (!event.startsWith(PREFIX) || colon < 0) {
                continue;
            }
            calls++;
            String name = event.substring(PREFIX.length(), colon);
            String returned = event.substring(colon + 2).strip().replaceFirst("^0x", "");
            long moved = Math.max(0, Long.parseUnsignedLong(returned, 16));
            if (BY_REFERENCE.contains(name)) {
                referenced += moved;
            } else if (BY_COPY.contains(name)) {
                copied += moved;
            }
        }
        double mib = bytes / MIB;
        comparison.add(
                row,
                whose,
                calls / mib,
                referenced / PAGE / mib,
                copied / bytes,
                wakeUps / mib,
                shares[0],
                shares[1],
                shares[2]);
    }

    /** Of samples, in percent: copying, references to pages, waking and waiting. */
    private static double[] shares(Perf perf, Callable<?> meanwhile) throws Exception {
        List<String> functions = perf.functions(FREQUENCY, meanwhile);
        double[] counts = new double[3];
        for (String function : functions) {
            if (COPYING.matcher(function).matches()) {
                counts[0]++;
            } else if (REFERENCES.matcher(function).matches()) {
                counts[1]++;
            } else if (SWITCHING.matcher(function).matches()) {
                counts[2]++;
            }
        }
        for (int i = 0; i < counts.length; i++) {
            counts[i] = 100 * counts[i] / functions.size();
        }
        return counts;
    }
}
