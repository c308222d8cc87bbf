package io.sluice.loan.torture;

/** The last operations of one thread. Written by that thread alone; others read it once something is wrong. */
final class Journal {
    private static final int KEPT = 40;
    private static final long UNDER_WAY = Long.MIN_VALUE;

    private final String whose;
    private final String[] operations = new String[KEPT];
    private final long[] positions = new long[KEPT];
    private final long[] asked = new long[KEPT];
    private final long[] done = new long[KEPT];
    private long count;

    Journal(String whose) {
        this.whose = whose;
    }

    void begin(String operation, long position, long bytes) {
        int i = (int) (count++ % KEPT);
        operations[i] = operation;
        positions[i] = position;
        asked[i] = bytes;
        done[i] = UNDER_WAY;
    }

    /** The result of the operation that began last. */
    long end(long bytes) {
        done[(int) ((count - 1) % KEPT)] = bytes;
        return bytes;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        text.append("  the ")
                .append(whose)
                .append("'s last operations, of ")
                .append(count)
                .append(":\n");
        for (long n = Math.max(0, count - KEPT); n < count; n++) {
            int i = (int) (n % KEPT);
            text.append("    %-24s at %d: %d -> %s%n"
                    .formatted(
                            operations[i],
                            positions[i],
                            asked[i],
                            done[i] == UNDER_WAY ? "under way" : Long.toString(done[i])));
        }
        return text.toString();
    }
}
