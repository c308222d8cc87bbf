package io.sluice.bench;

import java.util.EnumSet;
import java.util.Set;

/** One row of the comparison: two benchmarks, through the API and through system calls alone, and their twin in C. */
enum Operation {
    SPLICE_BLOCKED("splice, empty pipe", 1, WouldBlockBenchmark.class, "splice"),
    TEE_BLOCKED("tee, empty pipe", 1, WouldBlockBenchmark.class, "tee"),
    READ_BLOCKED("read, empty pipe", 1, WouldBlockBenchmark.class, "read"),
    WRITE_BLOCKED("write, full pipe", 1, WouldBlockBenchmark.class, "write"),
    WRITE_READ("4 KiB: write, read", 2, MoveBenchmark.class, "writeRead"),
    SPLICE_THERE_AND_BACK("4 KiB: splice there and back", 2, MoveBenchmark.class, "spliceThereAndBack"),
    WRITE_SPLICE_READ("4 KiB: write, splice, read", 3, MoveBenchmark.class, "writeSpliceRead"),
    TEE_DRAIN("4 KiB: tee, splice to /dev/null", 2, MoveBenchmark.class, "teeDrain"),
    POOL("pool: take, FIONREAD, give back", 1, PipePoolBenchmark.class, "pool"),
    OPEN_CLOSE("pipe: open, close", 3, PipePoolBenchmark.class, "openClose"),
    OPEN_CLOSE_SINGLE("pipe, one descriptor: open, close", 5, PipePoolBenchmark.class, "openCloseSingle"),
    LEND_PAGE_EXACT("4 KiB: lend, splice 4 KiB of it", 2, LendingBenchmark.class, "pageExact"),
    LEND_SEVERAL_EXACT("4 KiB: lend 16 times, splice each", 2, LendingBenchmark.class, "severalExact"),
    LEND_PAGE_SPLICE("4 KiB: lend, splice to /dev/null", 2, LendingBenchmark.class, "pageSplice"),
    LEND_PAGE_READ("4 KiB: lend, read", 2, LendingBenchmark.class, "pageRead"),
    LEND_PAGES_SPLICE("64 KiB: lend, splice to /dev/null", 2, LendingBenchmark.class, "pagesSplice"),
    LEND_PAGES_READ("64 KiB: lend, read", 2, LendingBenchmark.class, "pagesRead");

    /** What a call costs. */
    static final Set<Operation> CALLS = EnumSet.range(SPLICE_BLOCKED, OPEN_CLOSE_SINGLE);

    /** Those that were promised to cost little more than in C, and to allocate nothing. */
    static final Set<Operation> PROMISED = EnumSet.range(SPLICE_BLOCKED, TEE_DRAIN);

    /** What lending costs on top of its calls. */
    static final Set<Operation> LENDING = EnumSet.range(LEND_PAGE_EXACT, LEND_PAGES_READ);

    /** For people. */
    final String words;

    /** System calls that it makes. */
    final int calls;

    /** The class, and what its two methods' names begin with: also the name in {@code twin.c}. */
    final String name;

    Operation(String words, int calls, Class<?> benchmarks, String stem) {
        this.words = words;
        this.calls = calls;
        this.name = benchmarks.getSimpleName() + "." + stem;
    }

    /** What JMH selects its benchmark by. */
    String pattern(String variant) {
        return "\\Q" + getClass().getPackageName() + "." + name + variant + "\\E$";
    }
}
