/*
 * The loops of the benchmarks beside this file, call for call, in C. Twin.java compiles and runs it:
 *
 *     twin <operation> <idle threads> <samples> <milliseconds per sample>
 *
 * An operation is named as the benchmark is. One line per sample: nanoseconds per operation. The first sample is thrown away.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 4096, BLOCKS = 64 << 10, SLOTS = BLOCKS / BLOCK, MORE = 2 * BLOCKS, BATCH = 256 };

struct duct {
    int out; /* the read end */
    int in;  /* the write end */
};

static struct duct a, b;
static int null_device;
static _Alignas(BLOCK) char memory[MORE];
static _Alignas(BLOCK) char lent[BLOCKS];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static struct duct open_duct(void) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        fail("pipe2");
    }
    return (struct duct){ends[0], ends[1]};
}

static void blocked(ssize_t n, const char *what) {
    if (n != -1 || errno != EAGAIN) {
        fail(what);
    }
}

static void moved(ssize_t n, const char *what) {
    if (n != BLOCK) {
        fail(what);
    }
}

static void all(ssize_t n, size_t length, const char *what) {
    if (n != (ssize_t)length) {
        fail(what);
    }
}

static void fill(int fd) {
    while (write(fd, memory, BLOCK) > 0) {
    }
}

static void fill_a(void) {
    fill(a.in);
}

static void one_block_in_a(void) {
    moved(write(a.in, memory, BLOCK), "write");
}

static void touch(void) {
    memset(lent, 1, sizeof lent);
    memset(memory, 1, sizeof memory);
}

static void nothing(void) {}

static void splice_would_block(void) {
    blocked(splice(a.out, NULL, b.in, NULL, BLOCK, SPLICE_F_NONBLOCK), "splice");
}

static void tee_would_block(void) {
    blocked(tee(a.out, b.in, BLOCK, SPLICE_F_NONBLOCK), "tee");
}

static void read_would_block(void) {
    blocked(read(a.out, memory, BLOCK), "read");
}

static void write_would_block(void) {
    blocked(write(a.in, memory, BLOCK), "write");
}

static void write_read(void) {
    moved(write(a.in, memory, BLOCK), "write");
    moved(read(a.out, memory, BLOCK), "read");
}

static void splice_there_and_back(void) {
    moved(splice(a.out, NULL, b.in, NULL, BLOCK, SPLICE_F_NONBLOCK), "splice");
    moved(splice(b.out, NULL, a.in, NULL, BLOCK, SPLICE_F_NONBLOCK), "splice");
}

static void write_splice_read(void) {
    moved(write(a.in, memory, BLOCK), "write");
    moved(splice(a.out, NULL, b.in, NULL, BLOCK, SPLICE_F_NONBLOCK), "splice");
    moved(read(b.out, memory, BLOCK), "read");
}

static void tee_drain(void) {
    moved(tee(a.out, b.in, BLOCK, SPLICE_F_NONBLOCK), "tee");
    moved(splice(b.out, NULL, null_device, NULL, BLOCK, SPLICE_F_NONBLOCK), "splice");
}

static void prove_empty(void) {
    int held;
    if (ioctl(a.out, FIONREAD, &held) < 0 || held != 0) {
        fail("FIONREAD");
    }
}

static void open_close(void) {
    struct duct fresh = open_duct();
    close(fresh.in);
    close(fresh.out);
}

static void open_close_single(void) {
    struct duct fresh = open_duct();
    char path[32];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fresh.out);
    int both = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (both < 0) {
        fail("open");
    }
    close(fresh.out);
    close(fresh.in);
    close(both);
}

static void lend(size_t offset, size_t length) {
    struct iovec range = {.iov_base = lent + offset, .iov_len = length};
    all(vmsplice(a.in, &range, 1, SPLICE_F_NONBLOCK), length, "vmsplice");
}

static void lend_splice(size_t length, size_t asked) {
    lend(0, length);
    all(splice(a.out, NULL, null_device, NULL, asked, SPLICE_F_NONBLOCK), length, "splice");
}

static void lend_read(size_t length) {
    lend(0, length);
    all(read(a.out, memory, MORE), length, "read");
}

static void lend_page_exact(void) {
    lend_splice(BLOCK, BLOCK);
}

/* As many as a pipe holds, one after the other, before the first is taken out. */
static void lend_pages_exact(void) {
    for (int i = 0; i < SLOTS; i++) {
        lend(i * BLOCK, BLOCK);
    }
    for (int i = 0; i < SLOTS; i++) {
        all(splice(a.out, NULL, null_device, NULL, BLOCK, SPLICE_F_NONBLOCK), BLOCK, "splice");
    }
}

static void lend_page_splice(void) {
    lend_splice(BLOCK, MORE);
}

static void lend_page_read(void) {
    lend_read(BLOCK);
}

static void lend_pages_splice(void) {
    lend_splice(BLOCKS, MORE);
}

static void lend_pages_read(void) {
    lend_read(BLOCKS);
}

static const struct operation {
    const char *name;
    void (*prepare)(void);
    void (*run)(void);
    int more_per_run; /* how many of the operation a run makes besides the first */
} operations[] = {
    {"WouldBlockBenchmark.splice", nothing, splice_would_block},
    {"WouldBlockBenchmark.tee", nothing, tee_would_block},
    {"WouldBlockBenchmark.read", nothing, read_would_block},
    {"WouldBlockBenchmark.write", fill_a, write_would_block},
    {"MoveBenchmark.writeRead", nothing, write_read},
    {"MoveBenchmark.spliceThereAndBack", one_block_in_a, splice_there_and_back},
    {"MoveBenchmark.writeSpliceRead", nothing, write_splice_read},
    {"MoveBenchmark.teeDrain", one_block_in_a, tee_drain},
    {"PipePoolBenchmark.pool", nothing, prove_empty},
    {"PipePoolBenchmark.openClose", nothing, open_close},
    {"PipePoolBenchmark.openCloseSingle", nothing, open_close_single},
    {"LendingBenchmark.pageExact", touch, lend_page_exact},
    {"LendingBenchmark.severalExact", touch, lend_pages_exact, SLOTS - 1},
    {"LendingBenchmark.pageSplice", touch, lend_page_splice},
    {"LendingBenchmark.pageRead", touch, lend_page_read},
    {"LendingBenchmark.pagesSplice", touch, lend_pages_splice},
    {"LendingBenchmark.pagesRead", touch, lend_pages_read},
};

static void *idle(void *unused) {
    for (;;) {
        pause();
    }
    return unused;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static double sample(const struct operation *operation, double nanos) {
    long done = 0;
    double start = now();
    double elapsed;
    do {
        for (int i = 0; i < BATCH; i++) {
            operation->run();
        }
        done += BATCH;
        elapsed = now() - start;
    } while (elapsed < nanos);
    return elapsed / done / (1 + operation->more_per_run);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: twin <operation> <idle threads> <samples> <milliseconds>\n");
        return 2;
    }
    a = open_duct();
    b = open_duct();
    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (int i = atoi(argv[2]); i > 0; i--) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, idle, NULL) != 0) {
            fail("pthread_create");
        }
    }
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++) {
        if (strcmp(operations[i].name, argv[1]) == 0) {
            double nanos = atof(argv[4]) * 1e6;
            operations[i].prepare();
            sample(&operations[i], nanos);
            for (int s = atoi(argv[3]); s > 0; s--) {
                printf("%.2f\n", sample(&operations[i], nanos));
            }
            return 0;
        }
    }
    fprintf(stderr, "no operation %s\n", argv[1]);
    return 2;
}
