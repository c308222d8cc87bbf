package io.sluice.loan.torture;

import io.sluice.Kernel;
import java.util.ArrayList;
import java.util.List;

/** A program whose virtual threads all want to know the kernel before anybody knows it. */
final class FirstUse {
    private static final int THREADS = 16;

    private FirstUse() {}

    public static void main(String[] args) throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < THREADS; i++) {
            threads.add(Thread.ofVirtual().start(Kernel::observed));
        }
        for (Thread thread : threads) {
            thread.join();
        }
    }
}
