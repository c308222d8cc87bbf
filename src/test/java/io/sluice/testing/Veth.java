package io.sluice.testing;

import static org.junit.jupiter.api.Assumptions.abort;

import io.sluice.testing.Workbench.Sockets;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Two network namespaces joined by a veth pair. Each is that of one thread, and gone when that thread has ended. */
public final class Veth implements AutoCloseable {
    private static final int CLONE_NEWNET = 0x4000_0000;
    private static final byte[] FAR = {10, 77, 0, 2};

    private final ExecutorService near = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("near namespace").factory());
    private final ExecutorService far = Executors.newSingleThreadExecutor(
            Thread.ofPlatform().daemon().name("far namespace").factory());

    private Veth() {}

    /** Makes them; aborts the test where this is not allowed. */
    public static Veth open() throws Exception {
        if (!Helper.exists("ip")) {
            abort("needs ip, of iproute2");
        }
        Veth veth = new Veth();
        try {
            veth.inNear(Veth::leaveNamespace);
            String path = veth.inFar(Veth::leaveNamespace);
            veth.inNear(() -> ip("link add near type veth peer name far netns " + path));
            veth.inNear(() -> ip("addr add 10.77.0.1/24 dev near"));
            veth.inNear(() -> ip("link set near up"));
            veth.inFar(() -> ip("addr add 10.77.0.2/24 dev far"));
            veth.inFar(() -> ip("link set far up"));
            return veth;
        } catch (Exception | Error e) {
            veth.close();
            throw e;
        }
    }

    /** A TCP connection from one to the other. */
    public Sockets connect(Workbench bench) throws Exception {
        return connect(new Loopback(bench));
    }

    /** A TCP connection from one to the other, with the buffers of this one. */
    public Sockets connect(Loopback network) throws Exception {
        int listener = inFar(() -> network.listen(FAR));
        Sockets connected = inNear(() -> network.connectTo(listener));
        network.close(listener);
        return connected;
    }

    /** A UDP socket in one that sends to a socket in the other. */
    public Sockets datagrams(Workbench bench) throws Exception {
        Loopback network = new Loopback(bench);
        int far = inFar(() -> network.datagrams(FAR));
        return new Sockets(inNear(() -> network.datagramsTo(far)), far);
    }

    /** Runs the body where sockets belong to the near side. */
    public <T> T inNear(Callable<T> body) throws Exception {
        return get(near.submit(body));
    }

    /** Runs the body where sockets belong to the far side. */
    public <T> T inFar(Callable<T> body) throws Exception {
        return get(far.submit(body));
    }

    private static <T> T get(Future<T> future) throws Exception {
        try {
            return future.get();
        } catch (ExecutionException e) {
            if (e.getCause() instanceof Error error) {
                throw error;
            }
            throw (Exception) e.getCause();
        }
    }

    /** Returns the path under which the thread's new namespace is found. */
    private static String leaveNamespace() {
        int left = Libc.unshare(CLONE_NEWNET);
        if (left < 0) {
            abort("needs the right to make a network namespace: " + Results.shown(left));
        }
        return "/proc/" + ProcessHandle.current().pid() + "/task/" + Libc.gettid() + "/ns/net";
    }

    private static String ip(String arguments) throws IOException, InterruptedException {
        Process process = new ProcessBuilder(("ip " + arguments).split(" "))
                .redirectErrorStream(true)
                .start();
        process.getOutputStream().close();
        try (var output = process.getInputStream()) {
            String printed = new String(output.readAllBytes(), StandardCharsets.UTF_8).strip();
            if (process.waitFor() != 0) {
                abort("needs a veth pair between two network namespaces: ip " + arguments + ": " + printed);
            }
            return printed;
        }
    }

    @Override
    public void close() {
        near.shutdownNow();
        far.shutdownNow();
        near.close();
        far.close();
    }
}
