/* Sockets of the link emulator (link_socket.h). */
#include "link_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "link_queue.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

/* Enough for 64 ms at 1 Gbit/s with the kernel's accounting overhead. */
enum { SOCKET_BUFFER = 16 << 20 };

enum { HOST_ROOM = 256 }; /* of a name, with its end */

/* Takes HOST:PORT apart. NULL, or what is wrong with it. */
static const char *split(char host[HOST_ROOM], const char **port, const char *text, bool passive)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon[1] == '\0') {
        return "the port is missing";
    }
    size_t len = (size_t)(colon - text);
    const char *start = text;
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        start++;
        len -= 2;
    } else if (memchr(text, ':', len) != NULL) {
        return "an IPv6 address needs brackets, as in [::1]:7582";
    }
    if (len >= HOST_ROOM) {
        return "the name is too long";
    }
    memcpy(host, start, len);
    host[len] = '\0';
    char *end = NULL;
    const unsigned long number = strtoul(colon + 1, &end, 10);
    if (*end != '\0' || number > 65535 || (number == 0 && !passive) || colon[1] == '-') {
        return "the port is not a number from 1 to 65535";
    }
    *port = colon + 1;
    return NULL;
}

const char *skua_link_check(const char *text, bool passive)
{
    char host[HOST_ROOM];
    const char *port = NULL;
    return split(host, &port, text, passive);
}

const char *skua_link_resolve(struct skua_link_addr *out, const char *text, bool passive)
{
    char host[HOST_ROOM];
    const char *port = NULL;
    const char *wrong = split(host, &port, text, passive);
    if (wrong != NULL) {
        return wrong;
    }
    const struct addrinfo hints = {
        .ai_socktype = SOCK_DGRAM,
        .ai_flags = AI_NUMERICSERV | (passive ? AI_PASSIVE : 0),
    };
    struct addrinfo *found = NULL;
    const int error = getaddrinfo(host[0] != '\0' ? host : NULL, port, &hints, &found);
    if (error != 0) {
        return gai_strerror(error);
    }
    memset(out, 0, sizeof *out);
    if (found->ai_addrlen <= sizeof out->v6) {
        memcpy(&out->v6, found->ai_addr, found->ai_addrlen);
        out->len = found->ai_addrlen;
    }
    freeaddrinfo(found);
    return out->len > 0 ? NULL : "not an IP address";
}

void skua_link_addr_text(char *out, size_t size, const struct skua_link_addr *addr)
{
    char host[64];
    char port[8];
    if (getnameinfo(&addr->any, addr->len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM) != 0) {
        (void)snprintf(out, size, "?");
        return;
    }
    (void)snprintf(out, size, addr->any.sa_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

bool skua_link_addr_equal(const struct skua_link_addr *a, const struct skua_link_addr *b)
{
    if (a->any.sa_family != b->any.sa_family) {
        return false;
    }
    if (a->any.sa_family == AF_INET) {
        return a->v4.sin_port == b->v4.sin_port && a->v4.sin_addr.s_addr == b->v4.sin_addr.s_addr;
    }
    return a->v6.sin6_port == b->v6.sin6_port && a->v6.sin6_scope_id == b->v6.sin6_scope_id &&
           memcmp(&a->v6.sin6_addr, &b->v6.sin6_addr, sizeof a->v6.sin6_addr) == 0;
}

/* What only some kernels or users may set is asked for, not required. */
static void set_options(int fd, int family)
{
    const int on = 1;
    const int size = SOCKET_BUFFER;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0) {
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on);
    (void)setsockopt(fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof on);
    if (family == AF_INET6) {
        const int off = 0;
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof on);
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    }
}

int skua_link_socket_open(const struct skua_link_addr *local, const struct skua_link_addr *peer)
{
    const int family = local != NULL ? local->any.sa_family : peer->any.sa_family;
    const int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    set_options(fd, family);
    if ((local != NULL && bind(fd, &local->any, local->len) != 0) ||
        (peer != NULL && connect(fd, &peer->any, peer->len) != 0)) {
        const int error = errno;
        (void)close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

static void read_control(struct msghdr *message, struct skua_link_rx *rx)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL; c = CMSG_NXTHDR(message, c)) {
        int value = 0;
        const void *data = CMSG_DATA(c);
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            memcpy(&value, data, sizeof value);
            rx->segment = (size_t)value;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            rx->ecn = *(const uint8_t *)data & 3;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            memcpy(&value, data, sizeof value);
            rx->ecn = (uint8_t)(value & 3);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            memcpy(&rx->overflow, data, sizeof rx->overflow);
        }
    }
}

bool skua_link_socket_receive(int fd, uint8_t *room, struct skua_link_rx *rx)
{
    union {
        char bytes[256];
        struct cmsghdr align;
    } control;
    *rx = (struct skua_link_rx){0};
    struct iovec piece = {.iov_base = room, .iov_len = SKUA_LINK_RX_ROOM};
    ssize_t got = -1;
    struct msghdr message;
    /* An error that a past ICMP message left behind is reported once, then the next one counts. */
    for (int tries = 0; got < 0 && tries < 8; tries++) {
        message = (struct msghdr){
            .msg_name = &rx->from.v6,
            .msg_namelen = sizeof rx->from.v6,
            .msg_iov = &piece,
            .msg_iovlen = 1,
            .msg_control = control.bytes,
            .msg_controllen = sizeof control.bytes,
        };
        got = recvmsg(fd, &message, 0);
        if (got < 0 && errno == EAGAIN) {
            return false;
        }
    }
    if (got < 0) {
        return false;
    }
    rx->from.len = message.msg_namelen;
    rx->len = (size_t)got;
    read_control(&message, rx);
    if (rx->segment == 0 || rx->segment > rx->len) {
        rx->segment = rx->len;
    }
    return true;
}

/* Appends one control message with `len` bytes of `data`. */
static void add_control(struct msghdr *message, int level, int type, const void *data, size_t len)
{
    struct cmsghdr *c =
        (struct cmsghdr *)(void *)((char *)message->msg_control + message->msg_controllen);
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), data, len);
    message->msg_controllen += CMSG_SPACE(len);
}

static bool send_pieces(int fd, const struct skua_link_tx *tx, size_t first, size_t count)
{
    union {
        char bytes[128];
        struct cmsghdr align;
    } control;
    memset(&control, 0, sizeof control);
    struct iovec *pieces = (struct iovec *)(uintptr_t)&tx->pieces[first]; /* not written to */
    struct msghdr message = {
        .msg_iov = pieces,
        .msg_iovlen = count,
        .msg_control = control.bytes,
    };
    struct sockaddr_in6 to;
    if (tx->to != NULL) {
        to = tx->to->v6;
        message.msg_name = &to;
        message.msg_namelen = tx->to->len;
    }
    if (count > 1) {
        const uint16_t segment = (uint16_t)pieces[0].iov_len;
        add_control(&message, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
    }
    if (tx->ecn != 0) {
        const int ecn = tx->ecn;
        /* Each family ignores the other's; IPv4 over an IPv6 socket wants its own. */
        add_control(&message, IPPROTO_IPV6, IPV6_TCLASS, &ecn, sizeof ecn);
        add_control(&message, IPPROTO_IP, IP_TOS, &ecn, sizeof ecn);
    }
    if (message.msg_controllen == 0) {
        message.msg_control = NULL;
    }
    /* The first error may be one that an earlier ICMP message left on a connected socket. */
    for (int tries = 0; tries < 2; tries++) {
        if (sendmsg(fd, &message, MSG_NOSIGNAL) >= 0) {
            return true;
        }
        if (errno != ECONNREFUSED && errno != EHOSTUNREACH && errno != EINTR) {
            break;
        }
    }
    return false;
}

size_t skua_link_socket_send(int fd, const struct skua_link_tx *tx)
{
    if (send_pieces(fd, tx, 0, tx->count)) {
        return tx->count;
    }
    if (tx->count == 1 || errno == EAGAIN || errno == ENOBUFS) {
        return 0;
    }
    size_t sent = 0;
    for (size_t i = 0; i < tx->count; i++) {
        sent += send_pieces(fd, tx, i, 1) ? 1 : 0;
    }
    return sent;
}
