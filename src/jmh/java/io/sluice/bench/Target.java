package io.sluice.bench;

/**
 * What was promised.
 *
 * @param kind of what
 * @param bound the most of it, or the least
 * @param unit of the bound
 */
record Target(Kind kind, double bound, String unit) {
    /** What is held against the bound. */
    enum Kind {
        /** The row's first contestant compared with another, as the comparison compares. */
        AT_MOST,
        AT_LEAST,
        /** A contestant's own figure. */
        ITSELF_AT_MOST
    }

    boolean met(double median) {
        return switch (kind) {
            case AT_MOST -> median <= bound;
            case AT_LEAST -> median >= bound;
            // What is smaller than half of a unit is none: JMH itself allocates a fraction of a byte per operation.
            case ITSELF_AT_MOST -> Math.round(median) <= bound;
        };
    }

    @Override
    public String toString() {
        String number =
                bound == Math.rint(bound) && !unit.isEmpty() ? Long.toString((long) bound) : Double.toString(bound);
        return (kind == Kind.AT_LEAST ? "≥ " : "≤ ") + number + (unit.isEmpty() ? "" : " " + unit);
    }
}
