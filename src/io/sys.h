/* The system calls of the driver, as a table.
 *
 * Every call that can fail goes through it, so that a test can put another kernel underneath: one
 * that records datagrams and makes each call return each errno it can. Signatures and semantics are
 * those of the manual pages; results are read from errno. */
#ifndef SKUA_IO_SYS_H
#define SKUA_IO_SYS_H

#include <netdb.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>

struct skua_sys {
    int (*socket)(int family, int type, int protocol);
    int (*bind)(int fd, const struct sockaddr *address, socklen_t len);
    int (*connect)(int fd, const struct sockaddr *address, socklen_t len);
    int (*getsockname)(int fd, struct sockaddr *address, socklen_t *len);
    int (*setsockopt)(int fd, int level, int option, const void *value, socklen_t len);
    int (*close)(int fd);
    ssize_t (*recvmsg)(int fd, struct msghdr *message, int flags);
    int (*recvmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags,
                    struct timespec *timeout);
    ssize_t (*sendmsg)(int fd, const struct msghdr *message, int flags);
    int (*sendmmsg)(int fd, struct mmsghdr *messages, unsigned count, int flags);
    int (*clock_gettime)(clockid_t clock, struct timespec *out);
    int (*timerfd_create)(int clock, int flags);
    int (*timerfd_settime)(int fd, int flags, const struct itimerspec *value,
                           struct itimerspec *old);
    ssize_t (*read)(int fd, void *out, size_t len);
    int (*getaddrinfo)(const char *host, const char *service, const struct addrinfo *hints,
                       struct addrinfo **out); /* called in helper threads */
    void (*freeaddrinfo)(struct addrinfo *list);
};

/* The machine's own. */
extern const struct skua_sys skua_sys_linux;

#endif
