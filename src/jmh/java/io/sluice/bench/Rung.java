package io.sluice.bench;

import java.util.List;

/** A way to pass bytes through a pipe; each is faster than the one before. */
enum Rung {
    WRITE_READ("write → read", false, false, false, false),
    LEND_READ("vmsplice → read", true, false, false, false),
    LEND_SPLICE("vmsplice → splice to /dev/null", true, true, false, false),
    LEND_SPLICE_HUGE("the same, huge pages", true, true, true, false),
    LEND_SPLICE_HUGE_SPIN("the same, busy loop", true, true, true, true);

    final String words;
    final boolean lends;
    final boolean splices;
    final boolean huge;
    final boolean spins;

    Rung(String words, boolean lends, boolean splices, boolean huge, boolean spins) {
        this.words = words;
        this.lends = lends;
        this.splices = splices;
        this.huge = huge;
        this.spins = spins;
    }

    /** As {@code ladder.c} is told. */
    List<String> arguments(String wait) {
        return List.of(
                lends ? "lend" : "write", splices ? "splice" : "read", huge ? "huge" : "small", spins ? "spin" : wait);
    }
}
