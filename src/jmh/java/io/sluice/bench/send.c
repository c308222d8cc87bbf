/*
 * The other end of SendBenchmark, and its sends in C:
 *
 *     send sink <address>                                        prints its port, reads every connection to its end and answers with a byte
 *     send write|zerocopy <address> <port> <size> <milliseconds>  prints bytes, seconds until the answer, CPU seconds, share of copies
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER = 256 << 10, IN_FLIGHT = 8 << 20, MOST_SLOTS = 64 };

static void need(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static double now(clockid_t clock) {
    struct timespec t;
    clock_gettime(clock, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sockaddr_in at(const char *address, int port) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    need(inet_pton(AF_INET, address, &in.sin_addr) == 1, "address");
    return in;
}

static int sink(const char *address) {
    static char buffer[BUFFER];
    if (getchar() == EOF) return 0; /* the address is there once a line has come */
    struct sockaddr_in in = at(address, 0);
    socklen_t length = sizeof in;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(listener, (struct sockaddr *)&in, length) == 0 && listen(listener, 8) == 0, "listen");
    need(getsockname(listener, (struct sockaddr *)&in, &length) == 0, "getsockname");
    printf("%d\n", ntohs(in.sin_port));
    fflush(stdout);
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        need(connection >= 0, "accept");
        while (read(connection, buffer, BUFFER) > 0) {
        }
        need(write(connection, "", 1) == 1, "answer");
        close(connection);
    }
}

static uint32_t reported, copies;

static void reap(int fd, int wait) {
    for (;;) {
        char control[128];
        struct msghdr message = {.msg_control = control, .msg_controllen = sizeof control};
        if (recvmsg(fd, &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) {
            need(errno == EAGAIN, "recvmsg");
            if (!wait) return;
            struct pollfd on = {.fd = fd};
            need(poll(&on, 1, -1) == 1, "poll");
            continue;
        }
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        struct sock_extended_err *error = (void *)CMSG_DATA(header);
        uint32_t n = error->ee_data - error->ee_info + 1;
        reported += n;
        copies += error->ee_code & SO_EE_CODE_ZEROCOPY_COPIED ? n : 0;
        wait = 0;
    }
}

static int run(int zerocopy, const char *address, int port, size_t size, double seconds) {
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in to = at(address, port);
    need(connect(fd, (struct sockaddr *)&to, sizeof to) == 0, "connect");
    need(!zerocopy || setsockopt(fd, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one) == 0, "SO_ZEROCOPY");
    size_t slots = IN_FLIGHT / size < 4 ? 4 : IN_FLIGHT / size > MOST_SLOTS ? MOST_SLOTS : IN_FLIGHT / size;
    char *memory = mmap(NULL, slots * size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    memset(memory, 7, slots * size);
    uint32_t last[MOST_SLOTS] = {0}, sends = 0;
    double bytes = 0, start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_THREAD_CPUTIME_ID);
    for (size_t i = 0; now(CLOCK_MONOTONIC) - start < seconds; i = (i + 1) % slots) {
        while (zerocopy && (int32_t)(reported - last[i]) < 0) reap(fd, 1);
        for (size_t done = 0; done < size;) {
            size_t left = size - done > 1 << 20 ? 1 << 20 : size - done;
            ssize_t n = send(fd, memory + i * size + done, left, zerocopy ? MSG_ZEROCOPY : 0);
            if (n < 0 && errno == ENOBUFS) {
                reap(fd, 1);
                continue;
            }
            need(n > 0, "send");
            sends += zerocopy ? 1 : 0;
            done += (size_t)n;
        }
        last[i] = sends;
        bytes += (double)size;
    }
    while (zerocopy && reported != sends) reap(fd, 1);
    cpu = now(CLOCK_THREAD_CPUTIME_ID) - cpu;
    shutdown(fd, SHUT_WR);
    char answer;
    need(read(fd, &answer, 1) == 1, "answer");
    printf("%.0f %.6f %.6f %.3f\n", bytes, now(CLOCK_MONOTONIC) - start, cpu, sends ? (double)copies / sends : 0.0);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "sink") == 0) return sink(arguments[2]);
    if (count != 6) return 2;
    return run(strcmp(arguments[1], "zerocopy") == 0, arguments[2], atoi(arguments[3]), (size_t)atol(arguments[4]),
               atof(arguments[5]) / 1000);
}
