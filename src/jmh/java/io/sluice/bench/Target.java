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

    /**
     * Bytes per operation that JMH may allocate itself: about one for each microsecond that an operation takes, as the bare calls show. The
     * smallest object has sixteen.
     */
    private static final double OF_JMH = 2;

    boolean met(double median) {
        return switch (kind) {
            case AT_MOST -> median <= bound;
            case AT_LEAST -> median >= bound;
            case ITSELF_AT_MOST -> median < bound + OF_JMH;
        };
    }

    @Override
    public String toString() {
        String number =
                bound == Math.rint(bound) && !unit.isEmpty() ? Long.toString((long) bound) : Double.toString(bound);
        return (kind == Kind.AT_LEAST ? "≥ " : "≤ ") + number + (unit.isEmpty() ? "" : " " + unit);
    }
}
