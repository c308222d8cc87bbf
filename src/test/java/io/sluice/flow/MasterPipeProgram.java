package io.sluice.flow;

import static io.sluice.flow.Wire.pattern;
import static io.sluice.flow.Wire.repeated;
import static io.sluice.flow.Wire.segment;

import io.sluice.ErrnoException;
import io.sluice.Kernel;
import io.sluice.Pipe;
import io.sluice.testing.Seccomp;
import io.sluice.testing.SystemCall;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.FutureTask;

/**
 * A program that sends responses and compares what arrives, run in a JVM of its own where vmsplice copies, calls are refused, or the user's
 * pipes are small.
 */
final class MasterPipeProgram {
    /** What it ends with where there is nothing to be seen; its output says why. */
    static final int SKIPPED = 77;

    private static final int LARGE = 1 << 20;
    private static final int ENOUGH = 300;

    private MasterPipeProgram() {}

    /**
     * @param arguments nothing; or {@code load} and a C library; or {@code refuse}, a system call and the number of an errno; or {@code small}
     */
    public static void main(String[] arguments) throws Exception {
        switch (arguments.length == 0 ? "" : arguments[0]) {
            case "load" -> {
                System.load(arguments[1]);
                serve();
            }
            case "refuse" ->
                Seccomp.refusing(Map.of(SystemCall.valueOf(arguments[1]), Integer.valueOf(arguments[2])), () -> {
                    serve();
                    return null;
                });
            case "small" -> withSmallPipes();
            default -> serve();
        }
    }

    private static void withSmallPipes() throws Exception {
        try (MasterPipe asksForMore = MasterPipe.of(segment(pattern(64)), 64L << 20, PipePool.shared())) {
            System.out.println("asked for 64 MiB: " + asksForMore.shortfall().orElse("granted"));
        }
        List<Pipe> pipes = new ArrayList<>();
        try {
            while (pipes.size() < ENOUGH) {
                pipes.add(Pipe.open());
                pipes.getLast().capacity(LARGE);
            }
            System.out.println("there is no soft limit, or it is too far away");
            System.exit(SKIPPED);
        } catch (ErrnoException e) {
            serve();
        }
        for (Pipe pipe : pipes) {
            pipe.close();
        }
    }

    private static void serve() throws Exception {
        byte[] pattern = pattern(1000);
        byte[] head = pattern(80);
        try (MasterPipe master = MasterPipe.of(segment(pattern));
                Wire wire = Wire.narrow();
                PatternSender sender = master.to(wire.near())) {
            for (int length : new int[] {0, 1, 40_000, 300_000, 700_003}) {
                for (int offset : new int[] {0, 999}) {
                    FutureTask<byte[]> reader = new FutureTask<>(() -> wire.receive(head.length + length, 10_007));
                    Thread.ofPlatform().daemon().start(reader);
                    sender.begin(segment(head), offset, length);
                    sender.finish();
                    expect(reader.get(), head, repeated(pattern, offset, length));
                }
            }
            if (wire.surplus() > 0) {
                throw new AssertionError("more arrived than was sent");
            }
            System.out.println(Kernel.observed().vmsplice().outcome() + ": all arrived; "
                    + (master.bytesSpliced() > 40_000 ? "spliced; " : "written; ")
                    + master.fallbacks() + " fallbacks; " + master.shortfall().orElse("no shortfall"));
        }
    }

    private static void expect(byte[] got, byte[] head, byte[] body) throws IOException {
        if (!Arrays.equals(Arrays.copyOf(got, head.length), head)
                || !Arrays.equals(Arrays.copyOfRange(got, head.length, got.length), body)) {
            throw new AssertionError("a response of " + body.length + " bytes is not what was asked for");
        }
    }
}
