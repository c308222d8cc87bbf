package io.sluice.bench;

/** How a row's contestants are compared with its first one: by the first unit, sample by sample. */
enum Relation {
    /** The first one's figure divided by the other's. */
    RATIO("%s / %s", "Ratios are by %s, each of two neighbours in time. "),

    /** The first one's figure less the other's. */
    DIFFERENCE("%s − %s", "Differences are in %s, each of two neighbours in time. "),

    /** They did different work. */
    NONE("", "");

    /** Of the column, for both names. */
    final String title;

    /** Says what the column holds, for the unit. */
    final String words;

    Relation(String title, String words) {
        this.title = title;
        this.words = words;
    }

    double of(double own, double other) {
        return switch (this) {
            case RATIO -> own / other;
            case DIFFERENCE -> own - other;
            case NONE -> Double.NaN;
        };
    }

    String format() {
        return this == DIFFERENCE ? "%+.0f" : "%.2f";
    }
}
