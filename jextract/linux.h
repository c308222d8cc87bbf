/* What Sluice asks of Linux. Parsed by jextract only; nothing is compiled from it. */
#define _GNU_SOURCE
#include <features.h>

/* With __USE_GNU, glibc declares socket addresses as a transparent union, which jextract would pass by value. */
#undef __USE_GNU
#include <sys/socket.h>
#define __USE_GNU 1

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/errqueue.h>
#include <linux/io_uring.h>
#include <linux/magic.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

/* Headers before Linux 6.2 know io_uring, but not all of its zero-copy sends. */
#ifndef IORING_SEND_ZC_REPORT_USAGE
#define IORING_OP_SEND_ZC 47
#define IORING_OP_SENDMSG_ZC 48
#define IORING_RECVSEND_FIXED_BUF (1U << 2)
#define IORING_SEND_ZC_REPORT_USAGE (1U << 3)
#define IORING_NOTIF_USAGE_ZC_COPIED (1U << 31)
#define IORING_CQE_F_NOTIF (1U << 3)
#endif
