/* What a user gets who may lock little memory: prints the errno of a send of more. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SKIPPED = 77, NOBODY = 65534, LIMIT = 4096, SIZE = 256 << 10 };

static void need(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

int main(void) {
    struct rlimit limit = {LIMIT, LIMIT};
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int one = 1;
    if (geteuid() == 0 && (setgroups(0, NULL) != 0 || setresuid(NOBODY, NOBODY, NOBODY) != 0)) {
        puts("needs a user who may change to another");
        return SKIPPED;
    }
    need(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "setrlimit");
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    need(bind(listener, (struct sockaddr *)&address, length) == 0 && listen(listener, 1) == 0, "listen");
    need(getsockname(listener, (struct sockaddr *)&address, &length) == 0, "getsockname");
    int near = socket(AF_INET, SOCK_STREAM, 0);
    need(connect(near, (struct sockaddr *)&address, length) == 0, "connect");
    if (setsockopt(near, SOL_SOCKET, SO_ZEROCOPY, &one, sizeof one) != 0) {
        puts("needs SO_ZEROCOPY");
        return SKIPPED;
    }
    char *memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    need(memory != MAP_FAILED, "mmap");
    memset(memory, 'A', SIZE);
    ssize_t n = send(near, memory, SIZE, MSG_ZEROCOPY | MSG_DONTWAIT);
    puts(n < 0 ? strerrorname_np(errno) : "sent");
    return 0;
}
