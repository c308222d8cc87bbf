/* Rows about what an unprivileged user may have. The first argument is the row. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SKIPPED = 77, PIPE_PAGES = 16, NOBODY = 65534, UNUSED_UIDS = 1000000000 };

static void skip_unless(int good, const char *why) {
    if (!good) {
        puts(why);
        exit(SKIPPED);
    }
}

static long number_in(const char *path) {
    long value = -1;
    FILE *file = fopen(path, "r");
    skip_unless(file != NULL && fscanf(file, "%ld", &value) == 1, path);
    fclose(file);
    return value;
}

static const char *shown(int result) {
    static char number[16];
    snprintf(number, sizeof number, "%d", result);
    return result == -1 ? strerrorname_np(errno) : number;
}

/* A user of its own where there are enough of them: what other processes hold counts against a shared one. */
static void become_another_user(void) {
    uid_t own = UNUSED_UIDS + getpid();
    skip_unless(geteuid() == 0 && setgroups(0, NULL) == 0, "needs a user who may change to another");
    if (setresuid(own, own, own) != 0) {
        skip_unless(setresuid(NOBODY, NOBODY, NOBODY) == 0, "needs a user who may change to another");
    }
}

static void open_pipe(int ends[2]) {
    if (pipe2(ends, O_NONBLOCK) != 0) {
        perror("pipe2");
        exit(1);
    }
}

/* Opens pipes up to the soft limit; returns the capacity of the last. */
static int reach_soft_limit(void) {
    long pages = number_in("/proc/sys/fs/pipe-user-pages-soft");
    struct rlimit files;
    int ends[2] = {-1, -1};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    skip_unless(pages >= PIPE_PAGES, "needs a soft limit on the pages of a user's pipes");
    skip_unless(files.rlim_max > 2 * (pages / PIPE_PAGES) + 16, "needs more descriptors");
    for (long i = 0; i < pages / PIPE_PAGES; i++) {
        open_pipe(ends);
    }
    return fcntl(ends[0], F_GETPIPE_SZ);
}

static void beyond_soft_limit(void) {
    int ends[2];
    int last = reach_soft_limit();
    open_pipe(ends);
    printf("%d then %d", last, fcntl(ends[0], F_GETPIPE_SZ));
    printf(", grow %s\n", shown(fcntl(ends[0], F_SETPIPE_SZ, 65536)));
}

static void shrink(void) {
    int ends[2];
    reach_soft_limit();
    open_pipe(ends);
    puts(shown(fcntl(ends[0], F_SETPIPE_SZ, 4096)));
}

static void write_after_reading_all_but_one(void) {
    static char content[1 << 20];
    int ends[2];
    reach_soft_limit();
    open_pipe(ends);
    int capacity = fcntl(ends[0], F_GETPIPE_SZ);
    if (write(ends[1], content, capacity) != capacity || read(ends[0], content, capacity - 1) != capacity - 1) {
        puts("did not take its capacity");
    } else {
        puts(write(ends[1], content, 1) == 1 ? "did not block" : "would have blocked");
    }
}

static void grow_beyond_maximum(void) {
    int ends[2];
    open_pipe(ends);
    puts(shown(fcntl(ends[0], F_SETPIPE_SZ, (int) number_in("/proc/sys/fs/pipe-max-size") + 1)));
}

int main(int count, char **arguments) {
    const char *row = arguments[1];
    if (geteuid() == 0 || strcmp(row, "fc_ltp37c") != 0) become_another_user();
    if (strcmp(row, "fc_soft") == 0) beyond_soft_limit();
    else if (strcmp(row, "fc_shrinkun") == 0) shrink();
    else if (strcmp(row, "pi_ltp15") == 0) write_after_reading_all_but_one();
    else if (strcmp(row, "fc_ltp37c") == 0) grow_beyond_maximum();
    else return 2;
    return 0;
}
