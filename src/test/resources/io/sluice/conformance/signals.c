/* Rows that need a signal, a child, or a limit set for a whole process. The first argument is the row. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t signals;
static char page[4096];

static void count(int signal) { signals++; }

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static const char *name(void) { return strerrorname_np(errno); }

static void open_pipe(int ends[2], size_t content) {
    check(pipe(ends) == 0, "pipe");
    check(write(ends[1], page, content) == (ssize_t) content, "write");
}

static int available(int fd) {
    int n = -1;
    ioctl(fd, FIONREAD, &n);
    return n;
}

static void connect_tcp(int sockets[2]) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    check(bind(listener, (struct sockaddr *) &address, length) == 0, "bind");
    check(listen(listener, 1) == 0, "listen");
    check(getsockname(listener, (struct sockaddr *) &address, &length) == 0, "getsockname");
    sockets[0] = socket(AF_INET, SOCK_STREAM, 0);
    check(connect(sockets[0], (struct sockaddr *) &address, length) == 0, "connect");
    sockets[1] = accept(listener, NULL, NULL);
    check(sockets[1] >= 0, "accept");
}

static void await(int fd, short events) {
    struct pollfd waiting = {.fd = fd, .events = events};
    check(poll(&waiting, 1, 60000) == 1, "poll");
}

static void closed_tcp(void) {
    int tcp[2], ends[2];
    connect_tcp(tcp);
    open_pipe(ends, 4096);
    close(tcp[1]);
    ssize_t first = splice(ends[0], NULL, tcp[0], NULL, 4096, 0);
    await(tcp[0], 0);
    check(write(ends[1], page, 4096) == 4096, "write");
    check(splice(ends[0], NULL, tcp[0], NULL, 4096, 0) == -1, "second splice");
    printf("%zd %s sig=%d left=%d\n", first, name(), signals, available(ends[0]));
}

static void reset_tcp(void) {
    int tcp[2], ends[2];
    connect_tcp(tcp);
    open_pipe(ends, 4096);
    check(write(tcp[0], page, 10) == 10, "write");
    await(tcp[1], POLLIN);
    close(tcp[1]);
    await(tcp[0], 0);
    check(splice(ends[0], NULL, tcp[0], NULL, 4096, 0) == -1, "first splice");
    printf("%s sig=%d ", name(), signals);
    check(splice(ends[0], NULL, tcp[0], NULL, 4096, 0) == -1, "second splice");
    printf("%s sig=%d left=%d\n", name(), signals, available(ends[0]));
}

static void tee_without_reader(void) {
    int from[2], to[2];
    open_pipe(from, 10);
    open_pipe(to, 0);
    close(to[0]);
    check(tee(from[0], to[1], 10, 0) == -1, "tee");
    printf("%s sig=%d\n", name(), signals);
}

static void write_without_reader(void) {
    int ends[2];
    open_pipe(ends, 0);
    close(ends[0]);
    check(write(ends[1], page, 26) == -1, "write");
    printf("%s sig=%d\n", name(), signals);
}

static void killed_by_write(void) {
    int ends[2], status;
    open_pipe(ends, 0);
    close(ends[0]);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGPIPE, SIG_DFL);
        _exit(write(ends[1], page, 5) == 5);
    }
    check(waitpid(child, &status, 0) == child, "waitpid");
    printf(WIFSIGNALED(status) && WTERMSIG(status) == SIGPIPE ? "killed by SIGPIPE\n" : "lived\n");
}

static void limited_file(void) {
    struct rlimit limit = {4096, RLIM_INFINITY};
    int ends[2];
    FILE *file = tmpfile();
    check(file != NULL, "tmpfile");
    signal(SIGXFSZ, SIG_IGN);
    check(write(fileno(file), page, 4096) == 4096, "write");
    check(setrlimit(RLIMIT_FSIZE, &limit) == 0, "setrlimit");
    open_pipe(ends, 4096);
    check(splice(ends[0], NULL, fileno(file), NULL, 4096, 0) == -1, "splice");
    printf("%s left=%d\n", name(), available(ends[0]));
}

static void shared_by(int readers) {
    size_t share = PIPE_BUF / readers;
    int ends[2], status, good = 1;
    open_pipe(ends, 0);
    for (int i = 0; i < readers; i++) {
        if (fork() == 0) {
            _exit(read(ends[0], page, share) != (ssize_t) share);
        }
    }
    check(write(ends[1], page, share * readers) == (ssize_t) (share * readers), "write");
    for (int i = 0; i < readers; i++) {
        check(wait(&status) > 0, "wait");
        good &= status == 0;
    }
    printf(good ? "%d readers, each its share\n" : "%d readers, not each its share\n", readers);
}

int main(int count_of, char **arguments) {
    const char *row = arguments[1];
    struct sigaction action = {.sa_handler = count};
    sigaction(SIGPIPE, &action, NULL);
    if (strcmp(row, "sp_tcp_epipe") == 0) closed_tcp();
    else if (strcmp(row, "sp_tcp_rst") == 0) reset_tcp();
    else if (strcmp(row, "tee_epipe") == 0) tee_without_reader();
    else if (strcmp(row, "pi_ltp08") == 0) write_without_reader();
    else if (strcmp(row, "pi_ltp02") == 0) killed_by_write();
    else if (strcmp(row, "sp_gv_fbig") == 0) limited_file();
    else if (strcmp(row, "pi_ltp11") == 0) shared_by(atoi(arguments[2]));
    else return 2;
    return 0;
}
