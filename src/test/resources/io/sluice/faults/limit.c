/* limit <bytes> <program> <argument>...
   runs the program as one that may lock so many bytes of memory, as a user without privileges may. */
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#define SKIPPED 77

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "limit <bytes> <program> <argument>...\n");
        return 2;
    }
    struct rlimit limit = {strtoul(argv[1], NULL, 10), strtoul(argv[1], NULL, 10)};
    /* Who has the capability is not limited; a program that is started cannot have what is not in the bounding set. */
    if (geteuid() == 0 && prctl(PR_CAPBSET_READ, CAP_IPC_LOCK) == 1 && prctl(PR_CAPBSET_DROP, CAP_IPC_LOCK) != 0) {
        printf("needs the right to give up CAP_IPC_LOCK\n");
        return SKIPPED;
    }
    if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) {
        printf("needs a limit on locked memory of %s bytes\n", argv[1]);
        return SKIPPED;
    }
    execvp(argv[2], argv + 2);
    perror(argv[2]);
    return 1;
}
