package io.sluice.bench;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;
import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.invoke.MethodHandle;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Optional;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** The machine that measures, and its processors. */
final class Machine {
    private static final MethodHandle SCHED_SETAFFINITY = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker()
                            .defaultLookup()
                            .find("sched_setaffinity")
                            .orElseThrow(),
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT, JAVA_LONG, ADDRESS));

    private static final MethodHandle CLOCK_GETTIME = Linker.nativeLinker()
            .downcallHandle(
                    Linker.nativeLinker().defaultLookup().find("clock_gettime").orElseThrow(),
                    FunctionDescriptor.of(JAVA_INT, JAVA_INT, ADDRESS));

    /** In the number of a process's clock: that its processor time is meant, as the scheduler counts it. */
    private static final int CPUCLOCK_SCHED = 2;

    /** Bytes in a {@code cpu_set_t}. */
    private static final int MASK = 128;

    private Machine() {}

    /** In one line, with how busy it is and how TCP paces what it sends, which decides what a send costs. */
    static String describe() throws IOException {
        String model = value(Path.of("/proc/cpuinfo"), "model name").orElse(System.getProperty("os.arch"));
        return String.join(
                ", ",
                "Linux " + System.getProperty("os.version"),
                Runtime.getRuntime().availableProcessors() + " × " + model,
                System.getProperty("java.vm.name") + " " + Runtime.version(),
                "TCP "
                        + Files.readString(Path.of("/proc/sys/net/ipv4/tcp_congestion_control"))
                                .strip(),
                "load " + Files.readString(Path.of("/proc/loadavg")).split(" ")[0]);
    }

    /** The processors that this process may use. */
    static int[] processors() throws IOException {
        return Stream.of(value(Path.of("/proc/self/status"), "Cpus_allowed_list")
                        .orElse("0")
                        .split(","))
                .flatMapToInt(range -> {
                    int[] ends = Arrays.stream(range.split("-"))
                            .mapToInt(Integer::parseInt)
                            .toArray();
                    return IntStream.rangeClosed(ends[0], ends[ends.length - 1]);
                })
                .toArray();
    }

    /** Keeps the current thread, which must be a platform thread, on one processor. */
    static void pin(int processor) {
        pin(0, processor);
    }

    /** Keeps the thread with this number, which may be another process's, on one processor. */
    static void pin(int thread, int processor) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment mask = arena.allocate(MASK, Long.BYTES);
            mask.setAtIndex(JAVA_LONG, processor / Long.SIZE, 1L << processor);
            int result = (int) SCHED_SETAFFINITY.invokeExact(thread, (long) MASK, mask);
            if (result != 0) {
                throw new IllegalStateException("sched_setaffinity(" + processor + ") failed");
            }
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    /** Processor time of this process, to the nanosecond; what the JDK says goes in steps of ten milliseconds. */
    static long cpuNanos() {
        return cpuNanos(0);
    }

    /** Processor time of a process, without its children's: {@code clock_gettime} of what {@code clock_getcpuclockid} gives. */
    static long cpuNanos(long process) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment time = arena.allocate(JAVA_LONG, 2);
            int clock = (int) (~process << 3 | CPUCLOCK_SCHED);
            int result = (int) CLOCK_GETTIME.invokeExact(clock, time);
            if (result != 0) {
                throw new IllegalStateException("clock_gettime failed");
            }
            return time.getAtIndex(JAVA_LONG, 0) * 1_000_000_000 + time.getAtIndex(JAVA_LONG, 1);
        } catch (RuntimeException | Error e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static Optional<String> value(Path file, String name) throws IOException {
        return Files.readAllLines(file).stream()
                .filter(line -> line.startsWith(name))
                .map(line -> line.substring(line.indexOf(':') + 1).strip())
                .findFirst();
    }
}
