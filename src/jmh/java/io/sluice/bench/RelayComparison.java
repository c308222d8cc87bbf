package io.sluice.bench;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketException;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;

/**
 * TCP relays side by side, each a process of its own between the same sender and receiver: processor time of that process per GiB, and
 * speed. Rounds alternate; the table has medians and the ratio of Sluice's processor time to everybody's.
 *
 * <p>Arguments after {@code --relay}, or after {@code --capacities} to compare pipes of several sizes, and ways of waiting, instead: {@code
 * --rounds <n>}, {@code --mib <n>} sent in each, and {@code --only <part>} to compare only those whose names have that part with Sluice.
 */
final class RelayComparison {
    private static final int BUFFER = 256 << 10;
    private static final int USUAL = 1 << 20;
    private static final long PATIENCE_SECONDS = 20;

    /** Warm-up, after which the compilers have done most of what they will. */
    private static final int WARM_UPS = 4;

    /**
     * What is sent each time, and how often. Who shares a processor with whom is settled anew for each transfer and weighs more than what is
     * compared, so there are many.
     */
    private static final int MIB = 4 << 10;

    private static final int ROUNDS = 15;
    private static final double GIB = 1 << 30;

    /** A relay that runs. */
    private record Contestant(String name, double target, RelayProcess process) {}

    private record Sample(double cpu, double speed) {}

    private final Comparison comparison;
    private final String only;
    private final ServerSocketChannel server;
    private final List<Contestant> contestants = new ArrayList<>();
    private final Map<Contestant, List<Sample>> samples = new LinkedHashMap<>();

    private RelayComparison(Comparison comparison, String only) throws IOException {
        this.comparison = comparison;
        this.only = only;
        server = ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        server.socket().setSoTimeout((int) TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
    }

    static void run(String[] args) throws Exception {
        boolean capacities = args[0].equals("--capacities");
        Options options = Options.of(args, "--rounds", "--mib", "--only");
        Comparison comparison = Comparison.of(
                options.named(args[0].substring(2), "--only"),
                capacities
                        ? "What does a TCP relay cost with pipes of several sizes, and ways of waiting?"
                        : "What does a TCP relay cost?",
                args,
                "CPU s/GiB",
                "GiB/s");
        RelayComparison relays = new RelayComparison(comparison, options.text("--only", ""));
        try {
            if (capacities) {
                relays.enterCapacities();
            } else {
                relays.enterAll();
            }
            relays.measure(options.number("--rounds", ROUNDS), (long) options.number("--mib", MIB) << 20);
        } finally {
            relays.contestants.forEach(contestant -> contestant.process.close());
        }
    }

    private void enterAll() throws Exception {
        enterJava("Sluice", Double.NaN, "sluice", USUAL);
        enterJava("Sluice, virtual thread", Double.NaN, "sluice-virtual", USUAL);
        enter("C, splice", 1.05, () -> RelayProcess.twin(port(), USUAL));
        enterJava("java.nio, 64 KiB direct", 0.7, "nio", 64 << 10);
        enterJava("java.nio, 256 KiB direct", 0.7, "nio", 256 << 10);
        enterJava("InputStream.transferTo", 0.5, "stream", 0);
        enterJava("Netty epoll, copy", 1, "netty-copy", 0);
        enterJava("Netty epoll, spliceTo", 1, "netty-splice", 0);
        enter("HAProxy, tcp, splice", 1, () -> RelayProcess.splicingHaproxy(port()));
        enter("socat", 1, () -> RelayProcess.socat(port(), BUFFER));
    }

    private void enterCapacities() throws Exception {
        enterJava("Sluice, 1024 KiB", Double.NaN, "sluice", USUAL);
        for (int kib : new int[] {16, 64, 128, 256, 512}) {
            enterJava("Sluice, " + kib + " KiB", Double.NaN, "sluice", kib << 10);
        }
        for (int kib : new int[] {256, 1024}) {
            enter("C, " + kib + " KiB", Double.NaN, () -> RelayProcess.twin(port(), kib << 10));
        }
        enterJava("Sluice, virtual thread", Double.NaN, "sluice-virtual", USUAL);
        enterJava("Sluice, two virtual threads", Double.NaN, "sluice-two-threads", USUAL);
    }

    private interface Starter {
        RelayProcess start() throws Exception;
    }

    /** Of this program, which relays connect to. */
    private int port() {
        return server.socket().getLocalPort();
    }

    private void enter(String name, double target, Starter starter) {
        if (!contestants.isEmpty() && !name.contains(only)) {
            return;
        }
        try {
            Contestant contestant = new Contestant(name, target, starter.start());
            contestants.add(contestant);
            transfer(contestant, 1 << 20);
        } catch (Exception e) {
            contestants.removeIf(contestant -> contestant.name.equals(name));
            if (contestants.isEmpty()) {
                throw new IllegalStateException(name + ", with which all others are compared, does not work", e);
            }
            comparison.skip(name, e.getMessage());
        }
    }

    private void enterJava(String name, double target, String way, int size) {
        enter(name, target, () -> RelayProcess.java(List.of(), RelayContestant.class, way, size, port()));
    }

    /** Sends through a relay and receives behind it; returns seconds. */
    private double transfer(Contestant contestant, long bytes) throws Exception {
        long start = System.nanoTime();
        // A relay that hangs is ended, and its connections with it.
        Thread watchdog = Thread.ofVirtual().start(() -> endAfterPatience(contestant));
        // The end of the stream follows when all has arrived: not every relay here hands on both at once.
        CountDownLatch arrived = new CountDownLatch(1);
        FutureTask<Long> sending = new FutureTask<>(() -> {
            try (SocketChannel sender = SocketChannel.open(
                    new InetSocketAddress(InetAddress.getLoopbackAddress(), contestant.process.port))) {
                ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
                for (long left = bytes; left > 0; ) {
                    buffer.clear().limit((int) Math.min(BUFFER, left));
                    left -= sender.write(buffer);
                }
                arrived.await();
                sender.shutdownOutput();
                return awaitEnd(sender, buffer);
            }
        });
        Thread.ofPlatform().daemon().start(sending);
        long received = 0;
        try (SocketChannel receiver = server.socket().accept().getChannel()) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(BUFFER);
            for (int n; (n = receiver.read(buffer.clear())) >= 0; ) {
                received += n;
                if (received == bytes) {
                    arrived.countDown();
                }
            }
        } finally {
            arrived.countDown();
        }
        sending.get(PATIENCE_SECONDS, TimeUnit.SECONDS);
        watchdog.interrupt();
        if (received != bytes) {
            throw new IOException(contestant.name + " delivered " + received + " bytes of " + bytes);
        }
        return (System.nanoTime() - start) / 1e9;
    }

    // One that splices its last byte and then finds the stream at its end may close the connection hard.
    private static long awaitEnd(SocketChannel sender, ByteBuffer buffer) throws IOException {
        try {
            return sender.read(buffer.clear());
        } catch (SocketException reset) {
            return -1;
        }
    }

    private static void endAfterPatience(Contestant contestant) {
        try {
            Thread.sleep(TimeUnit.SECONDS.toMillis(PATIENCE_SECONDS));
            contestant.process.close();
        } catch (InterruptedException e) {
            // The transfer is over.
        }
    }

    private void measure(int rounds, long bytes) throws Exception {
        for (int round = -WARM_UPS; round < rounds; round++) {
            System.out.print(round < 0 ? "warm-up " : "round " + (round + 1) + " of " + rounds + " ");
            // There and back, so that nobody always comes after the same.
            for (Contestant contestant : List.copyOf(round % 2 == 0 ? contestants : contestants.reversed())) {
                double before = contestant.process.cpuSeconds();
                double seconds;
                try {
                    seconds = transfer(contestant, bytes);
                } catch (IOException e) {
                    if (contestant == contestants.getFirst()) {
                        throw e;
                    }
                    contestants.remove(contestant);
                    comparison.skip(contestant.name + ", which stalls", e.getMessage());
                    continue;
                }
                // A child that has just ended counts once it was waited for.
                Thread.sleep(50);
                double cpu = contestant.process.cpuSeconds() - before;
                if (round >= 0) {
                    samples.computeIfAbsent(contestant, c -> new ArrayList<>())
                            .add(new Sample(cpu * GIB / bytes, bytes / GIB / seconds));
                }
                System.out.print('.');
                System.out.flush();
            }
            System.out.println();
        }
        String row = (bytes >> 20) + " MiB";
        for (Contestant contestant : contestants) {
            samples.get(contestant).forEach(sample -> comparison.add(row, contestant.name, sample.cpu, sample.speed));
            if (contestant.target > 0) {
                comparison.atMost(row, contestant.name, contestant.target);
            }
        }
        comparison.finish();
    }
}
