/*
 * The peers of the benchmarks on whole jobs, so that their work is not in the processor time of the JVM:
 *
 *     sink discard           reads standard input to its end and throws it away, by splice to the null device where it can
 *     sink send <bytes>      writes so many bytes to standard output
 *     sink listen            prints a port, accepts one connection after another and throws away what comes over it
 *     sink receive [<path>]  the same, over TCP or at the path of a Unix socket; reads what comes, and answers with how much it was
 *
 * A reader that splices takes pages as a proxy would; one that must read copies them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { BLOCK = 256 << 10 };

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void discard(int in) {
    char *block = malloc(BLOCK);
    int null = open("/dev/null", O_WRONLY);
    ssize_t n;
    while ((n = splice(in, NULL, null, NULL, BLOCK, 0)) > 0) {
    }
    /* MSG_TRUNC throws away what a TCP socket holds without copying it. */
    while ((n = recv(in, NULL, 1 << 30, MSG_TRUNC)) > 0) {
    }
    while ((n = read(in, block, BLOCK)) > 0) {
    }
    close(null);
    free(block);
}

static void *serve(void *connection) {
    int fd = (int)(intptr_t)connection;
    discard(fd);
    close(fd);
    return NULL;
}

static void *receive(void *connection) {
    int fd = (int)(intptr_t)connection;
    char *block = malloc(BLOCK);
    uint64_t total = 0;
    for (ssize_t n; (n = read(fd, block, BLOCK)) > 0;) {
        total += n;
    }
    char answer[32];
    int length = snprintf(answer, sizeof answer, "%llu\n", (unsigned long long)total);
    send(fd, answer, length, MSG_NOSIGNAL); /* to who still wants to know */
    free(block);
    close(fd);
    return NULL;
}

static int tcp_server(void) {
    int server = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(server, (struct sockaddr *)&address, length) < 0) {
        fail("bind");
    }
    getsockname(server, (struct sockaddr *)&address, &length);
    printf("%d\n", ntohs(address.sin_port));
    return server;
}

static int unix_server(const char *path) {
    int server = socket(AF_UNIX, SOCK_STREAM, 0);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    if (bind(server, (struct sockaddr *)&address, sizeof address) < 0) {
        fail(path);
    }
    puts(path);
    return server;
}

static void listen_for_ever(int server, void *(*with)(void *)) {
    if (listen(server, 64) < 0) {
        fail("listen");
    }
    fflush(stdout);
    for (int fd; (fd = accept(server, NULL, NULL)) >= 0;) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, with, (void *)(intptr_t)fd) != 0) {
            fail("pthread_create");
        }
        pthread_detach(thread);
    }
}

static void send_bytes(long long left) {
    char *block = malloc(BLOCK);
    memset(block, 'x', BLOCK);
    while (left > 0) {
        ssize_t n = write(1, block, left < BLOCK ? (size_t)left : BLOCK);
        if (n < 0) {
            fail("write");
        }
        left -= n;
    }
}

int main(int argc, char **argv) {
    if (argc == 2 && strcmp(argv[1], "discard") == 0) {
        discard(0);
    } else if (argc == 2 && strcmp(argv[1], "listen") == 0) {
        listen_for_ever(tcp_server(), serve);
    } else if (argc == 2 && strcmp(argv[1], "receive") == 0) {
        listen_for_ever(tcp_server(), receive);
    } else if (argc == 3 && strcmp(argv[1], "receive") == 0) {
        listen_for_ever(unix_server(argv[2]), receive);
    } else if (argc == 3 && strcmp(argv[1], "send") == 0) {
        send_bytes(atoll(argv[2]));
    } else {
        return 2;
    }
    return 0;
}
