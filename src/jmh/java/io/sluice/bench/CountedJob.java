package io.sluice.bench;

import io.sluice.Pipe;
import io.sluice.flow.Fanout;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;

/**
 * A program whose main thread does a job whenever it is told, so that another can watch that thread alone. It prints the thread's number;
 * for {@code open} it opens both ends, for {@code run} it moves all bytes, and answers each with a line.
 */
final class CountedJob {
    /** What a run moves. */
    static final long BYTES = 64 << 20;

    private static final int BLOCK = 64 << 10;
    private static final int PIPE = 1 << 20;
    private static final int WARM_UPS = 5;

    private interface Opened extends AutoCloseable {
        void run() throws Exception;

        @Override
        void close() throws IOException;
    }

    private final String job;
    private final int number;
    private final boolean sluice;

    private CountedJob(String job, int number, boolean sluice) {
        this.job = job;
        this.number = number;
        this.sluice = sluice;
    }

    /** Arguments: the job, its number, and whose way. */
    public static void main(String[] args) throws Exception {
        CountedJob counted = new CountedJob(args[0], Integer.parseInt(args[1]), args[2].equals("Sluice"));
        for (int i = 0; i < WARM_UPS; i++) {
            try (Opened opened = counted.open()) {
                opened.run();
            }
        }
        System.out.println(Files.readSymbolicLink(Path.of("/proc/thread-self")).getFileName());
        BufferedReader words = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.US_ASCII));
        while (words.readLine() != null) {
            try (Opened opened = counted.open()) {
                System.out.println("opened");
                words.readLine();
                opened.run();
                System.out.println("done");
                words.readLine();
            }
        }
    }

    private Opened open() throws Exception {
        return switch (job) {
            case "pipe → pipe" -> pieces(sluice ? ScalingJob.sluicePipes(BYTES) : ScalingJob.nioPipes(BYTES));
            case "file → socket" -> fileToSocket();
            case "socket → pipe → socket" -> {
                ScalingRelay relay = ScalingRelay.sockets(number, BYTES);
                yield opened(() -> relay.run(BYTES), relay::close);
            }
            case "branches" -> sluice ? fanout() : writes();
            default -> throw new IllegalArgumentException(job);
        };
    }

    private interface Action {
        void run() throws Exception;
    }

    private interface Closing {
        void close() throws IOException;
    }

    private static Opened opened(Action action, Closing closing) {
        return new Opened() {
            @Override
            public void run() throws Exception {
                action.run();
            }

            @Override
            public void close() throws IOException {
                closing.close();
            }
        };
    }

    private Opened pieces(ScalingJob transfer) {
        return opened(
                () -> {
                    for (long moved = 0; moved < BYTES; moved += number) {
                        transfer.move(number);
                    }
                },
                transfer::close);
    }

    private Opened fileToSocket() throws IOException {
        Path file = Json.FOLDER.resolve("counted.bin");
        try (FileChannel channel =
                FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE)) {
            channel.write(ByteBuffer.allocate(1), number - 1L); // without blocks: no disk takes part
        }
        if (sluice) {
            return pieces(ScalingJob.sluiceFile(file, BYTES));
        }
        FileChannel channel = FileChannel.open(file);
        ScalingJob transfer = ScalingJob.nioFile(channel, BYTES);
        return opened(pieces(transfer)::run, () -> {
            transfer.close();
            channel.close();
        });
    }

    private Opened fanout() throws IOException {
        Ends ends = new Ends();
        Pipe source = ends.endingPipe(PIPE, BYTES);
        Fanout fanout =
                Fanout.from(source.source()).to(ends.drainedPipe(PIPE, BYTES).sink());
        for (int i = 0; i < number; i++) {
            fanout.to(ends.drainedPipe(PIPE, BYTES).sink());
        }
        return opened(fanout::run, () -> {
            fanout.close();
            ends.close();
        });
    }

    private Opened writes() throws IOException {
        Ends ends = new Ends();
        Pipe source = ends.fedPipe(PIPE, BYTES);
        List<Pipe> targets = new ArrayList<>();
        for (int i = 0; i <= number; i++) {
            targets.add(ends.drainedPipe(PIPE, BYTES));
        }
        ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
        return opened(
                () -> {
                    for (long left = BYTES; left > 0; ) {
                        left -= source.source().read(buffer.clear());
                        buffer.flip();
                        for (Pipe target : targets) {
                            ByteBuffer view = buffer.duplicate();
                            while (view.hasRemaining()) {
                                target.sink().write(view);
                            }
                        }
                    }
                },
                ends::close);
    }
}
