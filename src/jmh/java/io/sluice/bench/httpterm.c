/*
 * The server of docs/examples/HttpTerm.java in C: one thread, one epoll instance, a master pipe filled once, then for each request a
 * header, tee into the connection's own pipe and splice to the socket. HttpTermBenchmark.java compiles and runs it:
 *
 *     httpterm <port> tee|copy [bytes in a pipe]
 *
 * It answers GET /?s=<size>[kmg] with keep-alive and understands no more than the benchmark asks. The way "copy" sends from memory.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BLOCK = 64 << 10, EVENTS = 64, REQUEST = 4096, LEAST_SPLICED = 4096 };

struct connection {
    int fd;
    int out, in;       /* its own pipe */
    size_t in_pipe;    /* bytes duplicated and not yet sent */
    long long left;    /* bytes of the body not yet sent */
    int head_left;
    int head_length;
    int waits_for_room;
    int length;        /* of what was read of the next request */
    char head[128];
    char request[REQUEST];
};

static char *block;
static int master_out, master_in;
static size_t master_length;
static int epoll;
static int copies;
static size_t capacity = 1 << 20;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void open_pipe(int *out, int *in) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0) {
        fail("pipe2");
    }
    fcntl(ends[1], F_SETPIPE_SZ, (int)capacity);
    *out = ends[0];
    *in = ends[1];
}

static void fill_master(void) {
    block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (block == MAP_FAILED) {
        fail("mmap");
    }
    for (int i = 0; i < BLOCK; i++) {
        block[i] = "0123456789abcdef"[i % 16];
    }
    open_pipe(&master_out, &master_in);
    struct iovec range = {block, BLOCK};
    for (ssize_t n; (n = vmsplice(master_in, &range, 1, SPLICE_F_NONBLOCK)) > 0;) {
        master_length += n;
    }
}

static long long size_asked(const char *request) {
    const char *s = strstr(request, "?s=");
    if (!s) {
        return 0;
    }
    char *end;
    long long n = strtoll(s + 3, &end, 10);
    return *end == 'k' ? n << 10 : *end == 'm' ? n << 20 : *end == 'g' ? n << 30 : n;
}

/* 1 if all is sent, 0 if the socket is full, -1 if the connection is gone. */
static int send_body(struct connection *c) {
    while (c->head_left > 0) {
        const char *from = c->head + c->head_length - c->head_left;
        ssize_t n;
        if (copies || c->left < LEAST_SPLICED) {
            size_t most = c->left < BLOCK ? c->left : BLOCK;
            struct iovec both[2] = {{(char *)from, c->head_left}, {block, most}};
            struct msghdr message = {.msg_iov = both, .msg_iovlen = 2};
            n = sendmsg(c->fd, &message, MSG_NOSIGNAL);
        } else {
            n = send(c->fd, from, c->head_left, MSG_NOSIGNAL | MSG_MORE);
        }
        if (n < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        if (n > c->head_left) {
            c->left -= n - c->head_left;
            n = c->head_left;
        }
        c->head_left -= n;
    }
    while (c->left > 0) {
        ssize_t n;
        if (copies || (c->in_pipe == 0 && c->left < LEAST_SPLICED)) {
            n = send(c->fd, block, c->left < BLOCK ? c->left : BLOCK, MSG_NOSIGNAL);
        } else {
            if (c->in_pipe == 0) {
                size_t most = c->left < (long long)master_length ? c->left : (long long)master_length;
                ssize_t teed = tee(master_out, c->in, most, SPLICE_F_NONBLOCK);
                if (teed <= 0) {
                    fail("tee");
                }
                c->in_pipe = teed;
            }
            int more = c->left > (long long)c->in_pipe ? SPLICE_F_MORE : 0;
            n = splice(c->out, NULL, c->fd, NULL, c->in_pipe, SPLICE_F_NONBLOCK | more);
            if (n > 0) {
                c->in_pipe -= n;
            }
        }
        if (n < 0) {
            return errno == EAGAIN ? 0 : -1;
        }
        c->left -= n;
    }
    return 1;
}

static void drop(struct connection *c) {
    close(c->fd);
    close(c->out);
    close(c->in);
    free(c);
}

static void watch(struct connection *c, int room) {
    if (c->waits_for_room != room) {
        struct epoll_event event = {.events = room ? EPOLLOUT : EPOLLIN, .data.ptr = c};
        epoll_ctl(epoll, EPOLL_CTL_MOD, c->fd, &event);
        c->waits_for_room = room;
    }
}

static void serve(struct connection *c) {
    if (c->left == 0 && c->head_left == 0) {
        ssize_t n = recv(c->fd, c->request + c->length, REQUEST - 1 - c->length, 0);
        if (n <= 0) {
            if (n == 0 || errno != EAGAIN) {
                drop(c);
            }
            return;
        }
        c->length += n;
        c->request[c->length] = 0;
        if (!strstr(c->request, "\r\n\r\n")) {
            return;
        }
        c->left = size_asked(c->request);
        c->head_length = snprintf(c->head, sizeof c->head,
            "HTTP/1.1 200\r\nContent-Length: %lld\r\nCache-Control: no-cache\r\n\r\n", c->left);
        c->head_left = c->head_length;
        c->length = 0;
    }
    int sent = send_body(c);
    if (sent < 0) {
        drop(c);
    } else {
        watch(c, !sent);
    }
}

static void take_connection(int listener) {
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return;
    }
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct connection *c = calloc(1, sizeof *c);
    c->fd = fd;
    open_pipe(&c->out, &c->in);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: httpterm <port> tee|copy [bytes in a pipe]\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    copies = strcmp(argv[2], "copy") == 0;
    if (argc > 3) {
        capacity = atol(argv[3]);
    }
    fill_master();
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 128) < 0) {
        fail("listen");
    }
    socklen_t size = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    struct epoll_event events[EVENTS];
    for (;;) {
        int n = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < n; i++) {
            if (events[i].data.ptr) {
                serve(events[i].data.ptr);
            } else {
                take_connection(listener);
            }
        }
    }
}
