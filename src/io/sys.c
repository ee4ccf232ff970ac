/* The table of real system calls: see sys.h. bind, connect and getsockname need wrappers, since
 * the C library declares their address argument as a union of pointer types. */
#include "io/sys.h"

#include <sys/timerfd.h>
#include <unistd.h>

static int call_bind(int fd, const struct sockaddr *address, socklen_t len)
{
    return bind(fd, address, len);
}

static int call_connect(int fd, const struct sockaddr *address, socklen_t len)
{
    return connect(fd, address, len);
}

static int call_getsockname(int fd, struct sockaddr *address, socklen_t *len)
{
    return getsockname(fd, address, len);
}

static int call_timerfd_create(int clock, int flags)
{
    return timerfd_create(clock, flags);
}

const struct skua_sys skua_sys_linux = {
    .socket = socket,
    .bind = call_bind,
    .connect = call_connect,
    .getsockname = call_getsockname,
    .setsockopt = setsockopt,
    .close = close,
    .recvmsg = recvmsg,
    .recvmmsg = recvmmsg,
    .sendmsg = sendmsg,
    .sendmmsg = sendmmsg,
    .clock_gettime = clock_gettime,
    .timerfd_create = call_timerfd_create,
    .timerfd_settime = timerfd_settime,
    .read = read,
    .getaddrinfo = getaddrinfo,
    .freeaddrinfo = freeaddrinfo,
};
