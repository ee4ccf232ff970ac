/* Sockets of the link emulator: large buffers, many datagrams per system call.
 *
 * Datagrams that arrive back to back come in one buffer (UDP_GRO), and datagrams of equal size that
 * leave together go in one call (UDP_SEGMENT), gathered from where they lie. Where the kernel
 * refuses segmentation, they are sent one by one. ECN bits pass through. */
#ifndef SKUA_TOOLS_LINK_SOCKET_H
#define SKUA_TOOLS_LINK_SOCKET_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Most datagrams in one send: the kernel's limit for UDP_SEGMENT before Linux 6.x raised it. */
#define SKUA_LINK_BATCH 64

/* Most payload in one send: a UDP datagram's limit holds for the whole batch. */
#define SKUA_LINK_BATCH_BYTES 65507

/* An address of either family; `len` bytes of it count. */
struct skua_link_addr {
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    };
    socklen_t len;
};

/* What one receive brought. */
struct skua_link_rx {
    struct skua_link_addr from; /* sender; not set for connected sockets */
    size_t len;                 /* bytes */
    size_t segment;             /* bytes of each datagram but the last */
    uint8_t ecn;                /* ECN bits of all of them */
    uint32_t overflow; /* datagrams that this socket has dropped since it was opened, for want
                          of room (wraps) */
};

/* Datagrams of one size (the last may be shorter) for one receiver. */
struct skua_link_tx {
    struct iovec pieces[SKUA_LINK_BATCH]; /* one per datagram */
    size_t count;                         /* used pieces */
    size_t bytes;                         /* sum of their lengths */
    uint8_t ecn;                          /* ECN bits to set */
    const struct skua_link_addr *to;      /* receiver; NULL for connected sockets */
};

/* Both take "HOST:PORT", "[IPV6]:PORT" or ":PORT" (any address) and return NULL, or what is wrong
 * (static text); the first looks at the form only, the second resolves. `passive`: an address to
 * listen on, port 0 allowed. */
const char *skua_link_check(const char *text, bool passive);
const char *skua_link_resolve(struct skua_link_addr *out, const char *text, bool passive);
/* Text form, "127.0.0.1:7582" or "[::1]:7582". */
void skua_link_addr_text(char *out, size_t size, const struct skua_link_addr *addr);
/* Same family, address and port. */
bool skua_link_addr_equal(const struct skua_link_addr *a, const struct skua_link_addr *b);

/* A non-blocking UDP socket bound to `local` and connected to `peer` (one of them may be NULL); -1
 * and errno where that fails. */
int skua_link_socket_open(const struct skua_link_addr *local, const struct skua_link_addr *peer);

/* Receives once into `room` of SKUA_LINK_RX_ROOM bytes. False where there is nothing to receive
 * now; errors that an ICMP message caused are skipped. */
bool skua_link_socket_receive(int fd, uint8_t *room, struct skua_link_rx *rx);

/* Sends a batch; returns how many of its datagrams the kernel took. */
size_t skua_link_socket_send(int fd, const struct skua_link_tx *tx);

#endif
