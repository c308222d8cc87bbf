/*
 * How fast a pipe is, rung by rung, in C: a writer thread and a reader thread, each on a processor of its own. Twin.java compiles and runs
 * it:
 *
 *     ladder <write|lend> <read|splice> <small|huge> <block|poll|brief|spin> <bytes> <buffers> <fill|leave> <cpu of writer> <cpu of reader>
 *
 * Prints seconds, and seconds of processor time. The pipe holds as much as a buffer, so when a buffer is in the pipe the one before has
 * left it: that, and nothing else, is what makes it right to use the buffers in turn, and only because the reader here copies or discards.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, BUFFER = 256 << 10, HUGE_PAGE = 2 << 20, BRIEF_ROUNDS = 6, SHORTEST_SPIN = 16 };

static int lends, splices, huge, blocks, spins, brief, fills;
static _Thread_local int round_of_waiting;
static long bytes, buffers;
static int out, in, null_device;
static char *memory, *into;
static pthread_barrier_t start;
static double begun, ended;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static double clock_seconds(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0) {
        fail("sched_setaffinity");
    }
}

static inline void pause_briefly(void) {
#if defined(__x86_64__)
    __asm__ volatile("pause");
#else
    __asm__ volatile("isb");
#endif
}

/* As the library waits: brief spins, then poll. */
static void wait_for(int fd, short events) {
    if (errno != EAGAIN) {
        fail("pipe");
    }
    if (brief && round_of_waiting < BRIEF_ROUNDS) {
        for (int i = 0; i < SHORTEST_SPIN << round_of_waiting; i++) {
            pause_briefly();
        }
        round_of_waiting++;
    } else if (!spins) {
        struct pollfd on = {.fd = fd, .events = events};
        poll(&on, 1, -1);
    }
}

static ssize_t put(char *from, size_t n) {
    if (!lends) {
        return write(in, from, n);
    }
    struct iovec range = {.iov_base = from, .iov_len = n};
    return vmsplice(in, &range, 1, blocks ? 0 : SPLICE_F_NONBLOCK);
}

static ssize_t take(void) {
    return splices ? splice(out, NULL, null_device, NULL, BUFFER, blocks ? 0 : SPLICE_F_NONBLOCK) : read(out, into, BUFFER);
}

static void *writer(void *cpu) {
    pin(*(int *)cpu);
    pthread_barrier_wait(&start);
    begun = clock_seconds(CLOCK_MONOTONIC);
    long next = 0;
    for (long left = bytes; left > 0; left -= BUFFER) {
        char *buffer = memory + next * BUFFER;
        next = next + 1 == buffers ? 0 : next + 1;
        if (fills) {
            for (int i = 0; i < BUFFER; i += PAGE) {
                ((volatile char *)buffer)[i] = (char)left;
            }
        }
        for (long done = 0; done < BUFFER;) {
            ssize_t n = put(buffer + done, BUFFER - done);
            if (n < 0) {
                wait_for(in, POLLOUT);
            } else {
                round_of_waiting = 0;
                done += n;
            }
        }
    }
    close(in);
    return NULL;
}

static void *reader(void *cpu) {
    pin(*(int *)cpu);
    pthread_barrier_wait(&start);
    long done = 0;
    for (;;) {
        ssize_t n = take();
        if (n == 0) {
            break;
        } else if (n < 0) {
            wait_for(out, POLLIN);
        } else {
            round_of_waiting = 0;
            done += n;
        }
    }
    ended = clock_seconds(CLOCK_MONOTONIC);
    if (done != bytes) {
        fprintf(stderr, "not %ld bytes but %ld\n", bytes, done);
        exit(1);
    }
    return NULL;
}

int main(int argc, char **argv) {
    if (argc != 10) {
        fprintf(stderr, "usage: ladder <write|lend> <read|splice> <small|huge> <block|poll|brief|spin> <bytes> <buffers> <fill|leave> "
                        "<cpu of writer> <cpu of reader>\n");
        return 2;
    }
    lends = strcmp(argv[1], "lend") == 0;
    splices = strcmp(argv[2], "splice") == 0;
    huge = strcmp(argv[3], "huge") == 0;
    blocks = strcmp(argv[4], "block") == 0;
    spins = strcmp(argv[4], "spin") == 0;
    brief = strcmp(argv[4], "brief") == 0;
    bytes = atol(argv[5]);
    buffers = atol(argv[6]);
    fills = strcmp(argv[7], "fill") == 0;
    int writer_cpu = atoi(argv[8]), reader_cpu = atoi(argv[9]);

    int ends[2];
    if (pipe2(ends, O_CLOEXEC | (blocks ? 0 : O_NONBLOCK)) < 0) {
        fail("pipe2");
    }
    out = ends[0];
    in = ends[1];
    if (fcntl(in, F_SETPIPE_SZ, BUFFER) != BUFFER) {
        fail("F_SETPIPE_SZ");
    }
    null_device = open("/dev/null", O_WRONLY | O_CLOEXEC);
    size_t size = ((size_t)buffers * BUFFER + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    memory = aligned_alloc(HUGE_PAGE, size);
    into = aligned_alloc(PAGE, BUFFER);
    if (huge && madvise(memory, size, MADV_HUGEPAGE) < 0) {
        fail("madvise");
    }
    memset(memory, 'X', size);
    memset(into, 0, BUFFER);

    pthread_barrier_init(&start, NULL, 3);
    pthread_t writing, reading;
    if (pthread_create(&writing, NULL, writer, &writer_cpu) != 0 || pthread_create(&reading, NULL, reader, &reader_cpu) != 0) {
        fail("pthread_create");
    }
    double cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID);
    pthread_barrier_wait(&start);
    pthread_join(writing, NULL);
    pthread_join(reading, NULL);
    cpu = clock_seconds(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("%.6f\n%.6f\n", ended - begun, cpu);
    return 0;
}
