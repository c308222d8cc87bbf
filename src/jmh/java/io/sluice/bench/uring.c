/*
 * The loops of UringSendBenchmark, call for call, in C and without a library:
 *
 *     uring <form> <bytes> <samples> <milliseconds per sample>
 *
 *     uring <form> <address> <port> <bytes> <milliseconds>
 *
 * does what send.c does with sendZc or sendZcRegistered, and prints the same: bytes, seconds, CPU seconds, share that was copied.
 *
 * Otherwise one line per sample: nanoseconds and CPU nanoseconds of the sending thread per send, and the share of the sends that the kernel
 * copied after all. The first sample is thrown away. The peer reads on a thread of its own, over loopback.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ENTRIES = 8, COMPLETIONS = 512, DEPTH = 64, BATCH = 8, PEER = 1 << 20 };

static int ring, near, far;
static size_t size;
static char *memory;
static struct io_uring_params params;
static char *queues;
static struct io_uring_sqe *requests;
static unsigned *request_tail, *completion_head, *completion_tail;
static struct io_uring_cqe *completions;
static unsigned prepared, in_flight;
static unsigned long notified, copied;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void open_ring(void) {
    params.flags = IORING_SETUP_CQSIZE | IORING_SETUP_SUBMIT_ALL | IORING_SETUP_COOP_TASKRUN;
    params.cq_entries = COMPLETIONS;
    ring = syscall(SYS_io_uring_setup, ENTRIES, &params);
    if (ring < 0) {
        fail("io_uring_setup");
    }
    size_t a = params.sq_off.array + params.sq_entries * sizeof(unsigned);
    size_t b = params.cq_off.cqes + params.cq_entries * sizeof(struct io_uring_cqe);
    int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
    queues = mmap(NULL, a > b ? a : b, protection, flags, ring, IORING_OFF_SQ_RING);
    requests = mmap(NULL, params.sq_entries * sizeof *requests, protection, flags, ring, IORING_OFF_SQES);
    if (queues == MAP_FAILED || requests == MAP_FAILED) {
        fail("mmap");
    }
    request_tail = (unsigned *)(queues + params.sq_off.tail);
    completion_head = (unsigned *)(queues + params.cq_off.head);
    completion_tail = (unsigned *)(queues + params.cq_off.tail);
    completions = (struct io_uring_cqe *)(queues + params.cq_off.cqes);
    for (unsigned i = 0; i < params.sq_entries; i++) {
        ((unsigned *)(queues + params.sq_off.array))[i] = i;
    }
}

static void *drain(void *unused) {
    char *into = malloc(PEER);
    while (read(far, into, PEER) > 0) {
    }
    return unused;
}

static void connect_pair(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    near = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (void *)&address, length) || listen(listener, 1)
        || getsockname(listener, (void *)&address, &length) || connect(near, (void *)&address, length)) {
        fail("connect");
    }
    far = accept(listener, NULL, NULL);
    pthread_t thread;
    if (far < 0 || pthread_create(&thread, NULL, drain, NULL) != 0) {
        fail("accept");
    }
}

static struct io_uring_sqe *prepare_send(void) {
    struct io_uring_sqe *request = &requests[prepared++ & (params.sq_entries - 1)];
    memset(request, 0, sizeof *request);
    request->opcode = IORING_OP_SEND_ZC;
    request->fd = near;
    request->addr = (unsigned long)memory;
    request->len = size;
    request->msg_flags = MSG_WAITALL | MSG_NOSIGNAL;
    request->ioprio = IORING_SEND_ZC_REPORT_USAGE;
    return request;
}

static void submit(unsigned count, unsigned wait) {
    __atomic_store_n(request_tail, prepared, __ATOMIC_RELEASE);
    if (syscall(SYS_io_uring_enter, ring, count, wait, IORING_ENTER_GETEVENTS, NULL, 0) != (long)count) {
        fail("io_uring_enter");
    }
    in_flight += count;
}

static void take(void) {
    unsigned head = *completion_head;
    while (head != __atomic_load_n(completion_tail, __ATOMIC_ACQUIRE)) {
        struct io_uring_cqe *completion = &completions[head & (params.cq_entries - 1)];
        if (completion->flags & IORING_CQE_F_NOTIF) {
            notified++;
            copied += (completion->res & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
        } else if (completion->res != (int)size) {
            fprintf(stderr, "sent %d of %zu\n", completion->res, size);
            exit(1);
        }
        if (!(completion->flags & IORING_CQE_F_MORE)) {
            in_flight--;
        }
        __atomic_store_n(completion_head, ++head, __ATOMIC_RELEASE);
    }
}

static void until_in_flight(unsigned most) {
    for (take(); in_flight > most; take()) {
        submit(0, 1);
    }
}

static unsigned write_once(void) {
    for (size_t done = 0; done < size;) {
        ssize_t n = write(near, memory + done, size - done);
        if (n < 0) {
            fail("write");
        }
        done += n;
    }
    return 1;
}

static unsigned send_once(void) {
    prepare_send();
    submit(1, 1);
    until_in_flight(DEPTH - 1);
    return 1;
}

static unsigned send_registered(void) {
    struct io_uring_sqe *request = prepare_send();
    request->ioprio |= IORING_RECVSEND_FIXED_BUF;
    submit(1, 1);
    until_in_flight(DEPTH - 1);
    return 1;
}

static unsigned send_and_wait(void) {
    prepare_send();
    submit(1, 2);
    until_in_flight(0);
    return 1;
}

static unsigned send_batch(void) {
    for (int i = 0; i < BATCH; i++) {
        prepare_send()->flags = i < BATCH - 1 ? IOSQE_IO_LINK : 0;
    }
    submit(BATCH, BATCH);
    until_in_flight(DEPTH - BATCH);
    return BATCH;
}

static const struct form {
    const char *name;
    unsigned (*run)(void);
} forms[] = {
    {"write", write_once},          {"sendZc", send_once},     {"sendZcRegistered", send_registered},
    {"sendZcAndWait", send_and_wait}, {"sendZcBatch", send_batch},
};

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

static void sample(const struct form *form, double nanos, int print) {
    unsigned long done = 0;
    notified = copied = 0;
    double start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_THREAD_CPUTIME_ID), elapsed;
    do {
        for (int i = 0; i < 16; i++) {
            done += form->run();
        }
        elapsed = now(CLOCK_MONOTONIC) - start;
    } while (elapsed < nanos);
    cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    if (print) {
        printf("%.1f %.1f %.3f\n", elapsed / done, cpu / done, notified ? (double)copied / notified : 0);
    }
}

enum { IN_FLIGHT = 8 << 20, MOST_SLOTS = 64, LONGEST = 1 << 20 };

static unsigned due[MOST_SLOTS];

static void take_of_slots(void) {
    unsigned head = *completion_head;
    while (head != __atomic_load_n(completion_tail, __ATOMIC_ACQUIRE)) {
        struct io_uring_cqe *completion = &completions[head & (params.cq_entries - 1)];
        if (completion->flags & IORING_CQE_F_NOTIF) {
            notified++;
            copied += (completion->res & IORING_NOTIF_USAGE_ZC_COPIED) != 0;
            due[completion->user_data]--;
        } else if (completion->res <= 0) {
            errno = -completion->res;
            fail("SEND_ZC");
        }
        __atomic_store_n(completion_head, ++head, __ATOMIC_RELEASE);
    }
}

static void await_slot(unsigned slot) {
    for (take_of_slots(); due[slot] > 0; take_of_slots()) {
        submit(0, 1);
    }
}

/* The slots are used in turn, each when all its notifications have come. */
static int send_over(int registered, const char *address, int port, double nanos) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    inet_pton(AF_INET, address, &to.sin_addr);
    near = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(near, (void *)&to, sizeof to)) {
        fail("connect");
    }
    unsigned slots = IN_FLIGHT / size < 4 ? 4 : IN_FLIGHT / size > MOST_SLOTS ? MOST_SLOTS : IN_FLIGHT / size;
    memory = mmap(NULL, slots * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    memset(memory, 7, slots * size);
    open_ring();
    struct iovec ranges[MOST_SLOTS];
    for (unsigned i = 0; i < slots; i++) {
        ranges[i] = (struct iovec){memory + i * size, size};
    }
    if (registered && syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, ranges, slots) < 0) {
        fail("io_uring_register");
    }
    double bytes = 0, start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_THREAD_CPUTIME_ID);
    for (unsigned slot = 0; now(CLOCK_MONOTONIC) - start < nanos; slot = (slot + 1) % slots) {
        await_slot(slot);
        for (size_t done = 0; done < size; done += LONGEST) {
            struct io_uring_sqe *request = prepare_send();
            request->addr = (unsigned long)(memory + slot * size + done);
            request->len = size - done < LONGEST ? size - done : LONGEST;
            request->user_data = slot;
            if (registered) {
                request->ioprio |= IORING_RECVSEND_FIXED_BUF;
                request->buf_index = slot;
            }
            due[slot]++;
            submit(1, 1);
            take_of_slots();
        }
        bytes += size;
    }
    for (unsigned i = 0; i < slots; i++) {
        await_slot(i);
    }
    cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    shutdown(near, SHUT_WR);
    char answer;
    if (read(near, &answer, 1) != 1) {
        fail("answer");
    }
    printf("%.0f %.6f %.6f %.3f\n", bytes, (now(CLOCK_MONOTONIC) - start) / 1e9, cpu / 1e9,
           notified ? (double)copied / notified : 0.0);
    return 0;
}

int main(int argc, char **argv) {
    if (argc == 6) {
        size = strtoul(argv[4], NULL, 10);
        return send_over(strcmp(argv[1], "sendZcRegistered") == 0, argv[2], atoi(argv[3]), atof(argv[5]) * 1e6);
    }
    if (argc != 5) {
        fprintf(stderr, "usage: uring <form> <bytes> <samples> <milliseconds>\n");
        return 2;
    }
    size = strtoul(argv[2], NULL, 10);
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    connect_pair();
    open_ring();
    struct iovec range = {memory, size};
    if (strcmp(argv[1], "sendZcRegistered") == 0
        && syscall(SYS_io_uring_register, ring, IORING_REGISTER_BUFFERS, &range, 1) < 0) {
        fail("io_uring_register");
    }
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strcmp(forms[i].name, argv[1]) == 0) {
            double nanos = atof(argv[4]) * 1e6;
            sample(&forms[i], nanos, 0);
            for (int s = atoi(argv[3]); s > 0; s--) {
                sample(&forms[i], nanos, 1);
            }
            return 0;
        }
    }
    fprintf(stderr, "no form %s\n", argv[1]);
    return 2;
}
