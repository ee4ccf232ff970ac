/* Opening a UDP socket with all its options: see socket.h. */
#include "io/socket.h"

#include <errno.h>
#include <linux/udp.h>
#include <netinet/in.h>
#include <string.h>

#include "io/address.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif

static enum skua_err error_of(int error)
{
    switch (error) {
    case EADDRINUSE:
        return SKUA_EADDRINUSE;
    case EACCES:
    case EPERM:
        return SKUA_EACCES;
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
    case EPROTONOSUPPORT:
    case EINVAL:
    case ENODEV:
        return SKUA_EADDR;
    case ENOMEM:
    case ENOBUFS:
        return SKUA_ENOMEM;
    default:
        return SKUA_ESYSTEM;
    }
}

static bool set(const struct skua_socket *sock, const struct skua_sys *sys, int level, int option,
                int value)
{
    return sys->setsockopt(sock->fd, level, option, &value, sizeof value) == 0;
}

static void set_buffers(const struct skua_socket *sock, const struct skua_sys *sys, uint32_t bytes)
{
    int value = bytes > INT32_MAX / 2 ? INT32_MAX / 2 : (int)bytes;
    /* The forced variants go beyond net.core.rmem_max and wmem_max and need CAP_NET_ADMIN. */
    if (!set(sock, sys, SOL_SOCKET, SO_RCVBUFFORCE, value)) {
        (void)set(sock, sys, SOL_SOCKET, SO_RCVBUF, value);
    }
    if (!set(sock, sys, SOL_SOCKET, SO_SNDBUFFORCE, value)) {
        (void)set(sock, sys, SOL_SOCKET, SO_SNDBUF, value);
    }
}

/* Before bind, so that no datagram arrives without its control data. What fails here is done
 * without: the abilities say what is left. */
static void set_options(struct skua_socket *sock, const struct skua_sys *sys,
                        const struct skua_socket_options *options)
{
    set_buffers(sock, sys, options->buffer);
    (void)set(sock, sys, SOL_SOCKET, SO_RXQ_OVFL, 1);
    if (sock->local.family == SKUA_FAMILY_IPV4) {
        sock->fragments = !set(sock, sys, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
        (void)set(sock, sys, IPPROTO_IP, IP_RECVERR, 1);
        (void)set(sock, sys, IPPROTO_IP, IP_RECVTOS, 1);
        sock->pktinfo = sock->wildcard && set(sock, sys, IPPROTO_IP, IP_PKTINFO, 1);
    } else {
        sock->fragments = !set(sock, sys, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_PROBE);
        (void)set(sock, sys, IPPROTO_IPV6, IPV6_RECVERR, 1);
        (void)set(sock, sys, IPPROTO_IPV6, IPV6_RECVTCLASS, 1);
        sock->pktinfo = sock->wildcard && set(sock, sys, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
    }
    sock->ecn = true;
    if (!options->no_offload) {
        /* Size 0 changes nothing: it only asks whether the kernel knows the option. */
        sock->gso = set(sock, sys, SOL_UDP, UDP_SEGMENT, 0);
        sock->gro = set(sock, sys, SOL_UDP, UDP_GRO, 1);
    }
}

static bool bind_to(struct skua_socket *sock, const struct skua_sys *sys)
{
    struct sockaddr_storage address;
    /* A dual-stack socket would show IPv4 peers as mapped addresses and mix the options of both
     * families; two sockets are simpler. */
    if (sock->local.family == SKUA_FAMILY_IPV6 && !set(sock, sys, IPPROTO_IPV6, IPV6_V6ONLY, 1)) {
        return false;
    }
    socklen_t len = skua_address_to_kernel(&address, &sock->local);
    if (sys->bind(sock->fd, (const struct sockaddr *)&address, len) != 0) {
        return false;
    }
    len = sizeof address;
    memset(&address, 0, sizeof address);
    if (sys->getsockname(sock->fd, (struct sockaddr *)&address, &len) != 0) {
        return false;
    }
    skua_address_from_kernel(&sock->local, &address);
    return true;
}

enum skua_err skua_socket_open(struct skua_socket *sock, const struct skua_sys *sys,
                               const struct skua_addr *local,
                               const struct skua_socket_options *options)
{
    *sock = (struct skua_socket){
        .fd = -1, .local = *local, .wildcard = skua_address_is_wildcard(local)};
    sock->fd = sys->socket(skua_address_kernel_family(local),
                           SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_UDP);
    if (sock->fd < 0) {
        sock->fd = -1;
        return error_of(errno);
    }
    set_options(sock, sys, options);
    if (!bind_to(sock, sys)) {
        int error = errno;
        skua_socket_close(sock, sys);
        errno = error;
        return error_of(error);
    }
    return SKUA_OK;
}

void skua_socket_close(struct skua_socket *sock, const struct skua_sys *sys)
{
    if (sock->fd >= 0) {
        (void)sys->close(sock->fd);
        sock->fd = -1;
    }
}
