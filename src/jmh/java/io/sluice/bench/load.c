// Both ends of a relay in one thread with one epoll instance: opens connections through it, sends requests, takes them at the
// other side, answers each when it is complete, and takes the answers.
//
//   load <port to listen on> <relay's port> <connections> <requests at once>
//
// Prints "ready" when all connections lead to the other side. For each line "<bytes of a request and of an answer> <seconds>" it runs, and
// prints "<requests> <seconds> <own processor seconds>" and then, in a line, "<microseconds>:<requests that took so long>" for each latency
// there was, to some 1 %. At the end of its input it ends the streams.
// The request that follows an answer goes to the connection that has been idle for longest.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum kind { NONE, LISTENER, CONNECTING, CLIENT, SERVER };

struct end {
    enum kind kind;
    size_t in, out; // bytes to be received before this message is complete, and to be sent
    int64_t began;
};

enum { MOST_ENDS = 1 << 16, MOST_IN_FLIGHT = 32, EVENTS = 256, SOURCES = 8, PATIENCE = 60 };
// A latency of 2^n to 2^(n+1) tenths of a microsecond falls into one of FINE buckets.
enum { FINE = 64, MOST_BUCKETS = 40 * FINE };

static struct end ends[MOST_ENDS];
static int *idle; // a ring of the clients without a request
static int idle_first, idle_count, connections;
static int begun, connected, accepted, open_ends;
static size_t size;
static char buffer[1 << 17];
static long latencies[MOST_BUCKETS];
static long requests;
static int epoll, listener, running, ending;

static void fail(const char *what) {
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static double cpu(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_utime.tv_sec + u.ru_stime.tv_sec + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void watch(int fd, enum kind kind) {
    if (fd >= MOST_ENDS) {
        errno = EMFILE;
        fail("descriptor");
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    ends[fd] = (struct end){.kind = kind, .in = size};
    struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    if (kind == LISTENER) {
        e.events = EPOLLIN;
    }
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0) {
        fail("epoll_ctl");
    }
}

static void send_rest(int fd) {
    while (ends[fd].out > 0) {
        ssize_t n = write(fd, buffer, ends[fd].out);
        if (n < 0) {
            if (errno == EAGAIN) {
                return;
            }
            fail("write");
        }
        ends[fd].out -= n;
    }
}

static int bucket(int64_t tenths) {
    int n = 0;
    for (; tenths >= 2 * FINE; tenths >>= 1) {
        n++;
    }
    return n * FINE + tenths;
}

// The middle of what falls into it, in microseconds.
static double middle(int bucket) {
    int n = bucket < FINE ? 0 : bucket / FINE - 1;
    return ((int64_t)(bucket - n * FINE) * 2 + 1) * (double)((int64_t)1 << n) / 20;
}

static void push_idle(int fd) {
    idle[(idle_first + idle_count++) % connections] = fd;
}

static void begin_next(void) {
    int fd = idle[idle_first];
    idle_first = (idle_first + 1) % connections;
    idle_count--;
    ends[fd].began = now();
    ends[fd].out = size;
    send_rest(fd);
}

static void complete(int fd) {
    ends[fd].in = size;
    if (ends[fd].kind == SERVER) {
        ends[fd].out = size;
        send_rest(fd);
        return;
    }
    push_idle(fd);
    if (running) {
        latencies[bucket((now() - ends[fd].began) / 100)]++;
        requests++;
        begin_next();
    }
}

static void receive(int fd) {
    for (;;) {
        size_t asked = ends[fd].in < sizeof buffer ? ends[fd].in : sizeof buffer;
        ssize_t n = read(fd, buffer, asked);
        if (n < 0 && errno == EAGAIN) {
            return;
        } else if (n < 0) {
            fail("read");
        } else if (n == 0) {
            if (!ending) {
                fprintf(stderr, "load: the relay ended a connection that was in use\n");
                exit(1);
            }
            ends[fd].kind = NONE;
            close(fd);
            open_ends--;
            return;
        }
        ends[fd].in -= n;
        if (ends[fd].in == 0) {
            complete(fd);
            return; // nothing more comes before this was answered; the end of the stream is an event of its own
        }
        if ((size_t)n < asked) {
            return;
        }
    }
}

static void start_connections(int port) {
    while (begun < connections && begun - accepted < MOST_IN_FLIGHT) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), one = 1;
        if (fd < 0) {
            fail("socket");
        }
        // From several addresses, because each has some 28,000 ports.
        setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + begun % SOURCES)};
        struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        if (bind(fd, (void *)&from, sizeof from) < 0) {
            fail("bind");
        }
        if (connect(fd, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
            fail("connect");
        }
        watch(fd, CONNECTING);
        begun++;
    }
}

static void accept_all(void) {
    for (int fd; (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0;) {
        accepted++;
        open_ends++;
        watch(fd, SERVER);
    }
    if (errno != EAGAIN) {
        fail("accept4");
    }
}

static void handle(struct epoll_event *e) {
    int fd = e->data.fd;
    struct end *end = &ends[fd];
    if (end->kind == LISTENER) {
        accept_all();
        return;
    }
    if (end->kind == CONNECTING) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length);
        if (error) {
            errno = error;
            fail("connect");
        }
        end->kind = CLIENT;
        connected++;
        open_ends++;
        push_idle(fd);
    }
    if (end->kind != NONE && e->events & EPOLLOUT) {
        send_rest(fd);
    }
    if (end->kind != NONE && e->events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) {
        receive(fd);
    }
}

static void turn(void) {
    struct epoll_event events[EVENTS];
    int n = epoll_wait(epoll, events, EVENTS, 10);
    for (int i = 0; i < n; i++) {
        handle(&events[i]);
    }
}

static void resize(size_t bytes) {
    if (bytes == 0 || bytes > sizeof buffer) {
        errno = EINVAL;
        fail("bytes of a request");
    }
    size = bytes;
    for (int fd = 0; fd < MOST_ENDS; fd++) {
        ends[fd].in = size;
    }
}

static void run(int at_once, double seconds) {
    memset(latencies, 0, sizeof latencies);
    requests = 0;
    running = 1;
    double cpu_before = cpu();
    int64_t start = now(), end = start + seconds * 1e9;
    for (int i = 0; i < at_once; i++) {
        begin_next();
    }
    while (now() < end) {
        turn();
    }
    double took = (now() - start) / 1e9, spent = cpu() - cpu_before;
    long counted = requests;
    running = 0;
    for (int64_t patience = now() + PATIENCE * 1000000000LL; idle_count < connections; turn()) {
        if (now() > patience) {
            errno = ETIMEDOUT;
            fail("answers");
        }
    }
    printf("%ld %.6f %.6f\n", counted, took, spent);
    for (int i = 0; i < MOST_BUCKETS; i++) {
        if (latencies[i]) {
            printf("%.2f:%ld ", middle(i), latencies[i]);
        }
    }
    printf("\n");
    fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: see the source\n");
        return 2;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int at_once = atoi(argv[4]), one = 1;
    connections = atoi(argv[3]);
    if (at_once < 1 || at_once > connections) {
        errno = EINVAL;
        fail("arguments");
    }
    idle = calloc(connections, sizeof *idle);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in here = {
        .sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (void *)&here, sizeof here) < 0 || listen(listener, 4096) < 0) {
        fail("listen");
    }
    watch(listener, LISTENER);

    for (int64_t end = now() + PATIENCE * 1000000000LL; connected < connections || accepted < connections; turn()) {
        if (now() > end) {
            fprintf(stderr, "load: %d connected, %d arrived\n", connected, accepted);
            return 1;
        }
        start_connections(atoi(argv[2]));
    }
    puts("ready");
    fflush(stdout);

    size_t bytes;
    double seconds;
    while (scanf("%zu %lf", &bytes, &seconds) == 2) {
        resize(bytes);
        run(at_once, seconds);
    }

    ending = 1;
    while (idle_count-- > 0) {
        shutdown(idle[idle_first], SHUT_WR);
        idle_first = (idle_first + 1) % connections;
    }
    for (int64_t patience = now() + PATIENCE * 1000000000LL; open_ends > 0 && now() < patience;) {
        turn();
    }
    return 0;
}
