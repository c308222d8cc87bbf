// A byte through a pipe to a thread that answers through another, and poll and read for the answer:
//
//   pingpong <trips> <microseconds until the answer>
//
// Prints, in microseconds: the median, the 99th and the 99.9th percentile of the time from the answer's write to the return of the read,
// the median of the trip without the pause, and the waiting thread's processor time for one. The other thread does not sleep between a
// byte and its answer; without a pause it never sleeps.

#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int there[2], back[2], trips;
static int64_t pause_nanos;
static volatile int64_t answered_at;

static int64_t now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void one(ssize_t n) {
    if (n != 1) {
        perror("pingpong");
        exit(1);
    }
}

static void await(int fd, int timeout) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (poll(&p, 1, timeout) <= 0) {
    }
}

static void *answer(void *unused) {
    char byte;
    for (int i = 0; i < trips; i++) {
        await(there[0], pause_nanos ? -1 : 0);
        one(read(there[0], &byte, 1));
        for (int64_t end = now(CLOCK_MONOTONIC) + pause_nanos; pause_nanos && now(CLOCK_MONOTONIC) < end;) {
        }
        answered_at = now(CLOCK_MONOTONIC);
        one(write(back[1], &byte, 1));
    }
    return unused;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void print(const int64_t *sorted, double part) {
    printf("%.3f\n", sorted[(int)(trips * part)] / 1e3);
}

int main(int argc, char **argv) {
    if (argc != 3 || (trips = atoi(argv[1])) < 1 || pipe(there) < 0 || pipe(back) < 0) {
        return 2;
    }
    pause_nanos = atoll(argv[2]) * 1000;
    int64_t *waking = malloc(trips * sizeof *waking), *trip = malloc(trips * sizeof *trip);
    pthread_t thread;
    pthread_create(&thread, NULL, answer, NULL);
    int64_t cpu = now(CLOCK_THREAD_CPUTIME_ID);
    char byte = 0;
    for (int i = 0; i < trips; i++) {
        int64_t start = now(CLOCK_MONOTONIC);
        one(write(there[1], &byte, 1));
        await(back[0], -1);
        one(read(back[0], &byte, 1));
        int64_t end = now(CLOCK_MONOTONIC);
        waking[i] = end - answered_at;
        trip[i] = end - start - pause_nanos;
    }
    cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    pthread_join(thread, NULL);
    qsort(waking, trips, sizeof *waking, compare);
    qsort(trip, trips, sizeof *trip, compare);
    print(waking, 0.5);
    print(waking, 0.99);
    print(waking, 0.999);
    print(trip, 0.5);
    printf("%.3f\n", cpu / 1e3 / trips);
    return 0;
}
