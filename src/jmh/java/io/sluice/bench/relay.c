/*
 * What Sluice's relay does, call for call, in C: connections to it are relayed to a port of this machine, each by a thread of its own that
 * splices both ways and polls. RelayComparison.java compiles and runs it:
 *
 *     relay <port to connect to> <bytes a pipe should hold>
 *
 * It prints the port it listens on.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <netinet/tcp.h>

enum wait { SOURCE, SINK, DONE };

struct lane {
    int from, to, pipe[2];
    ssize_t pending;
    enum wait next;
};

static int upstream;
static int capacity;

static int fail(const char *what) {
    perror(what);
    exit(1);
}

/* The source is read only while the pipe is empty. */
static void step(struct lane *lane) {
    while (lane->next != DONE) {
        while (lane->pending > 0) {
            ssize_t n = splice(lane->pipe[0], NULL, lane->to, NULL, lane->pending, SPLICE_F_NONBLOCK);
            if (n < 0 && errno == EAGAIN) {
                lane->next = SINK;
                return;
            } else if (n < 0) {
                lane->next = DONE;
                return;
            }
            lane->pending -= n;
        }
        ssize_t n = splice(lane->from, NULL, lane->pipe[1], NULL, 1 << 30, SPLICE_F_NONBLOCK);
        if (n < 0 && errno == EAGAIN) {
            lane->next = SOURCE;
            return;
        } else if (n <= 0) {
            shutdown(lane->to, SHUT_WR);
            lane->next = DONE;
        } else {
            lane->pending = n;
        }
    }
}

static void open_lane(struct lane *lane, int from, int to) {
    lane->from = from;
    lane->to = to;
    lane->pending = 0;
    lane->next = SOURCE;
    if (pipe2(lane->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        fail("pipe2");
    }
    fcntl(lane->pipe[1], F_SETPIPE_SZ, capacity);
}

static short interest(const struct lane *out, const struct lane *in) {
    return (out->next == SOURCE ? POLLIN : 0) | (in->next == SINK ? POLLOUT : 0);
}

static void *relay(void *argument) {
    int first = (int) (long) argument;
    struct sockaddr_in address = {AF_INET, htons(upstream), {htonl(INADDR_LOOPBACK)}, {0}};
    int second = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int on = 1;
    if (second < 0 || connect(second, (struct sockaddr *) &address, sizeof address) < 0) {
        fail("connect");
    }
    setsockopt(first, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(second, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(first, F_SETFL, O_NONBLOCK);
    fcntl(second, F_SETFL, O_NONBLOCK);
    struct lane forth, back;
    open_lane(&forth, first, second);
    open_lane(&back, second, first);
    for (;;) {
        step(&forth);
        step(&back);
        if (forth.next == DONE && back.next == DONE) {
            break;
        }
        struct pollfd fds[2] = {{first, interest(&forth, &back), 0}, {second, interest(&back, &forth), 0}};
        for (int i = 0; i < 2; i++) {
            fds[i].fd = fds[i].events ? fds[i].fd : -1;
        }
        poll(fds, 2, -1);
    }
    int all[] = {first, second, forth.pipe[0], forth.pipe[1], back.pipe[0], back.pipe[1]};
    for (int i = 0; i < 6; i++) {
        close(all[i]);
    }
    return NULL;
}

int main(int count, char **arguments) {
    struct sockaddr_in address = {AF_INET, 0, {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t length = sizeof address;
    if (count != 3) {
        return 2;
    }
    upstream = atoi(arguments[1]);
    capacity = atoi(arguments[2]);
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *) &address, length) < 0 || listen(listener, 64) < 0) {
        fail("listen");
    }
    getsockname(listener, (struct sockaddr *) &address, &length);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        pthread_t thread;
        int first = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (first >= 0 && pthread_create(&thread, NULL, relay, (void *) (long) first) == 0) {
            pthread_detach(thread);
        }
    }
}
