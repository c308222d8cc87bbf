package io.sluice.bench;

import java.io.IOException;
import java.nio.file.Path;

/** Who takes bytes out of the pipe, and so what becomes of pages that were lent to it. */
enum Consumer {
    READ("read", "copied", folder -> Drain.read()),
    DISCARD("splice to /dev/null", "discarded", folder -> Drain.discard()),
    FILE("splice to a file", "copied", folder -> Drain.file(folder.resolve("crossover.data"))),
    PIPE("splice to a second pipe, read there", "forwarded", folder -> Drain.pipe()),
    SOCKET("splice to TCP, peer reads", "forwarded", folder -> Drain.socket());

    /** Opens what is at the other side. */
    @FunctionalInterface
    private interface Opening {
        Drain open(Path folder) throws IOException;
    }

    final String words;
    final String fate;
    private final Opening opening;

    Consumer(String words, String fate, Opening opening) {
        this.words = words;
        this.fate = fate;
        this.opening = opening;
    }

    Drain open(Path folder) throws IOException {
        return opening.open(folder);
    }
}
