package io.sluice.bench;

import io.sluice.bench.Crew.Effort;
import java.io.IOException;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/**
 * How fast a pipe is, rung by rung, in C and through the API, in turn: a writer and a reader on a processor each, buffers of 256 KiB and a
 * pipe that holds one of them.
 *
 * <p>Arguments: {@code --gib <n>} that a fast rung moves, the first rung a tenth of it, 100 unless given; {@code --rounds <n>}, 5; {@code
 * --buffers <n>}, 8; {@code --rung <name>}, all; {@code --fill} to have the writer touch every page before it sends it; {@code
 * --wait <poll|block>} to have C wait in poll at once or within its calls, instead of as Java does, in poll after a few microseconds.
 */
final class Ladder {
    private static final double ENOUGH = 0.95;
    private static final double GIB = 1 << 30;
    private static final int ROUNDS = 5;
    private static final int SLICES = 10;
    private static final String BRIEFLY = "brief";

    private final Comparison comparison;
    private final Set<Rung> rungs;
    private final long gib;
    private final int rounds;
    private final int buffers;
    private final boolean fills;
    private final String wait;

    private Ladder(String[] args, Options options) throws IOException {
        comparison = Comparison.of(
                // Slices are samples too, so that their number does not say how many runs there were.
                options.number("--rounds", ROUNDS) < ROUNDS
                        ? "ladder-part"
                        : options.named("ladder", "--gib", "--rung", "--buffers", "--fill", "--wait"),
                "How fast is a pipe, in Java and in C?",
                args,
                "GiB/s",
                "CPU s/GiB");
        rungs = options.has("--rung")
                ? EnumSet.of(Rung.valueOf(options.text("--rung", "")))
                : EnumSet.allOf(Rung.class);
        gib = options.number("--gib", 100);
        rounds = options.number("--rounds", ROUNDS);
        buffers = options.number("--buffers", 8);
        fills = options.has("--fill");
        wait = options.text("--wait", BRIEFLY);
    }

    static void run(String[] args) throws IOException, InterruptedException {
        new Ladder(args, Options.of(args, "--rounds", "--gib", "--buffers", "--rung", "--fill", "--wait")).climb();
    }

    private void climb() throws IOException, InterruptedException {
        int[] processors = Machine.processors();
        int writer = processors[0];
        int reader = processors[1 % processors.length];
        Optional<Twin> twin = Twin.compile("ladder", Json.FOLDER);
        for (Rung rung : rungs) {
            System.out.print(rung.words + " ");
            // A whole run: both processors are taken, and the compiler has to find time beside them.
            for (int i = 0; i < SLICES; i++) {
                inJava(rung, writer, reader);
            }
            for (int round = 0; round < rounds; round++) {
                System.out.print('.');
                System.out.flush();
                // A machine that others share is slower for seconds at a time, and where memory lies matters: a run
                // takes turns within it.
                for (int slice = 0; slice < SLICES; slice++) {
                    add(rung, "Java", inJava(rung, writer, reader));
                    if (twin.isPresent()) {
                        add(rung, "C", inC(twin.get(), rung, writer, reader));
                    }
                }
            }
            comparison.atLeast(rung.words, "C", ENOUGH);
            System.out.println();
        }
        comparison.note("""
                %d alternating runs of %d GiB (the first rung: %.1f), each in %d slices that take turns with the other side's; every slice is a \
                sample. %d buffers of 256 KiB, %s; C waits as "%s"; writer on processor %d, reader on %d.""".formatted(
                        rounds,
                        gib,
                        bytes(Rung.WRITE_READ) / GIB,
                        SLICES,
                        buffers,
                        fills ? "every page touched before it is sent" : "filled once",
                        wait,
                        writer,
                        reader));
        comparison.finish();
    }

    private void add(Rung rung, String contestant, Effort effort) {
        double moved = bytes(rung) / SLICES / GIB;
        comparison.add(rung.words, contestant, moved / effort.seconds(), effort.cpu() / moved);
    }

    private long bytes(Rung rung) {
        return whole((rung == Rung.WRITE_READ ? (gib << 30) / 10 : gib << 30) / SLICES) * SLICES;
    }

    private static long whole(long bytes) {
        return Math.max(1, bytes / Climb.BUFFER) * Climb.BUFFER;
    }

    private Effort inJava(Rung rung, int writer, int reader) throws IOException, InterruptedException {
        return new Climb(rung, bytes(rung) / SLICES, buffers, fills).run(writer, reader);
    }

    private Effort inC(Twin twin, Rung rung, int writer, int reader) throws IOException, InterruptedException {
        List<Object> arguments = new ArrayList<>(rung.arguments(wait));
        arguments.addAll(List.of(bytes(rung) / SLICES, buffers, fills ? "fill" : "leave", writer, reader));
        List<Double> printed = twin.run(arguments.toArray());
        return new Effort(printed.get(0), printed.get(1));
    }
}
