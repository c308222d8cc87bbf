package io.sluice.bench;

import java.util.List;

/**
 * A promise, and what became of it.
 *
 * @param row what was done
 * @param against who it was compared with
 * @param measured of each round, as the target counts
 * @param format of what was measured
 */
record Verdict(String row, String against, Target target, List<Double> measured, String format) {
    String words() {
        return target.met(Measurements.median(measured)) ? "met" : "**missed**";
    }

    /** Median (least–most). */
    String range() {
        return Measurements.range(measured, format);
    }
}
