/* Rows about lent pages that need a fork, an allocator of their own, or a process that ends. The first argument is the row. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };

static int ends[2];
static char seen[PAGE];

static void check(int good, const char *what) {
    if (!good) {
        perror(what);
        exit(1);
    }
}

static void lend(void *from, size_t length, unsigned flags) {
    struct iovec range = {from, length};
    check(vmsplice(ends[1], &range, 1, flags) == (ssize_t) length, "vmsplice");
}

static const char *what_is_seen(size_t length) {
    check(read(ends[0], seen, length) == (ssize_t) length, "read");
    for (size_t i = 1; i < length; i++) {
        if (seen[i] != seen[0]) return "mixed";
    }
    return seen[0] == 'A' ? "original" : "mutated";
}

static void *map_page(int flags, int fd) {
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, flags, fd, 0);
    check(page != MAP_FAILED, "mmap");
    return memset(page, 'A', PAGE);
}

/* Forks a child that acts and then lives until it is told to end. */
static void with_child(void (*act)(void *), void *on, const char *what) {
    int acted[2], end[2];
    char byte = 0;
    check(pipe(acted) == 0 && pipe(end) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        act(on);
        check(write(acted[1], &byte, 1) == 1, "write");
        _exit(read(end[0], &byte, 1) != 1);
    }
    check(read(acted[0], &byte, 1) == 1, "read");
    if (what != NULL) {
        printf("%s%s\n", what, what_is_seen(PAGE));
    } else {
        memset(on, 'B', PAGE);
        printf("parent writes: %s\n", what_is_seen(PAGE));
    }
    check(write(end[1], &byte, 1) == 1, "write");
    check(waitpid(child, NULL, 0) == child, "waitpid");
}

static void overwrite(void *page) { memset(page, 'B', PAGE); }

static void do_nothing(void *page) {}

static void stack_pages(void) {
    char memory[3 * PAGE];
    char *page = (char *) (((unsigned long) memory + PAGE - 1) & -PAGE);
    for (unsigned gift = 0; gift <= 1; gift++) {
        memset(page, 'A', PAGE);
        lend(page, PAGE, gift ? SPLICE_F_GIFT : 0);
        memset(page, 'B', PAGE);
        printf("%s\n", what_is_seen(PAGE));
    }
}

static void private_page_and_fork(void) {
    void *page = map_page(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    lend(page, PAGE, 0);
    with_child(do_nothing, page, NULL);
    memset(page, 'A', PAGE);
    lend(page, PAGE, 0);
    with_child(overwrite, page, "child writes: ");
}

static void shared_page_and_fork(void) {
    int memfd = memfd_create("sluice", 0);
    check(memfd >= 0 && ftruncate(memfd, PAGE) == 0, "memfd");
    void *page = map_page(MAP_SHARED, memfd);
    lend(page, PAGE, 0);
    with_child(overwrite, page, "");
}

/* What CVE-2020-29374 was: a child that gave its mapping up, but not its reference, saw what the parent wrote. */
static void child_lends(void) {
    void *page = map_page(MAP_PRIVATE | MAP_ANONYMOUS, -1);
    int unmapped[2], written[2];
    char byte = 0;
    check(pipe(unmapped) == 0 && pipe(written) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        lend(page, PAGE, 0);
        munmap(page, PAGE);
        check(write(unmapped[1], &byte, 1) == 1 && read(written[0], &byte, 1) == 1, "child");
        printf("%s\n", what_is_seen(PAGE));
        fflush(stdout);
        _exit(0);
    }
    check(read(unmapped[0], &byte, 1) == 1, "read");
    memset(page, 'B', PAGE);
    check(write(written[1], &byte, 1) == 1, "write");
    check(waitpid(child, NULL, 0) == child, "waitpid");
}

static void allocated_again(size_t size, size_t looked_at) {
    char *chunk = malloc(size);
    memset(chunk, 'A', size);
    lend(chunk, looked_at, 0);
    free(chunk);
    char *again = malloc(size);
    memset(again, 'B', size);
    printf("%s address, %s\n", again == chunk ? "same" : "other", what_is_seen(looked_at));
    free(again);
}

static void freed(size_t size) {
    int changed = 0;
    char *chunk = malloc(size);
    void *neighbour = malloc(size);
    memset(chunk, 'A', size);
    lend(chunk, 64, 0);
    free(chunk);
    check(read(ends[0], seen, 64) == 64, "read");
    for (int word = 0; word < 64; word += 8) {
        changed += memcmp(seen + word, "AAAAAAAA", 8) != 0;
    }
    printf("%d bytes changed\n", 8 * changed);
    free(neighbour);
}

static void lend_and_exit(void) {
    ends[1] = STDOUT_FILENO;
    lend(map_page(MAP_PRIVATE | MAP_ANONYMOUS, -1), PAGE, 0);
}

/* Reads pages of which the n-th consists of bytes of value n, and counts those that do not. */
static void count_corrupted(void) {
    long corrupted = 0;
    for (long n = 0;; n++) {
        size_t length = 0;
        ssize_t got;
        while (length < PAGE && (got = read(STDIN_FILENO, seen + length, PAGE - length)) > 0) length += got;
        if (length < PAGE) break;
        int good = 1;
        for (int i = 0; i < PAGE; i++) good &= seen[i] == (char) n;
        corrupted += !good;
    }
    printf("%ld corrupted\n", corrupted);
}

int main(int count, char **arguments) {
    const char *row = arguments[1];
    check(pipe(ends) == 0, "pipe");
    if (strcmp(row, "lf_gift") == 0) stack_pages();
    else if (strcmp(row, "lf_fork") == 0) private_page_and_fork();
    else if (strcmp(row, "lf_shfork") == 0) shared_page_and_fork();
    else if (strcmp(row, "lf_cve29374") == 0) child_lends();
    else if (strcmp(row, "lf_malloc") == 0) allocated_again(12288, PAGE);
    else if (strcmp(row, "lf_mmapthr") == 0) allocated_again(1 << 20, PAGE), allocated_again(1 << 20, PAGE);
    else if (strcmp(row, "lf_freemeta") == 0) freed(1000), freed(8192);
    else if (strcmp(row, "lf_unmap") == 0) lend_and_exit();
    else if (strcmp(row, "lf_rounds") == 0) count_corrupted();
    else return 2;
    return 0;
}
