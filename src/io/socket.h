/* One UDP socket, with what is known of its kernel's abilities.
 *
 * Made non-blocking, never fragmenting (DF is set and datagrams may be larger than what the kernel
 * believes of the path: the transport finds the MTU itself, RFC 8899), with large buffers, and told
 * to report ECN bits, local addresses, ICMP errors and drops. Options that a kernel does not know
 * are done without; only socket, bind and getsockname can make opening fail. Where DF cannot be
 * had (`fragments`), batch_send.c keeps datagrams so small that no path fragments them: a probe of
 * the MTU that arrives in fragments would be believed. */
#ifndef SKUA_IO_SOCKET_H
#define SKUA_IO_SOCKET_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>

#include "io/sys.h"

struct skua_socket {
    int fd;                  /* -1 = not open */
    struct skua_addr local;  /* what it is bound to, port included */
    bool wildcard;           /* bound to 0.0.0.0 or ::, so that source addresses must be said */
    bool gso;                /* UDP_SEGMENT works, as far as known */
    bool gro;                /* UDP_GRO is on */
    bool ecn;                /* ECN bits may be said when sending */
    bool fragments;          /* the kernel would not set DF: what leaves may be fragmented */
    bool pktinfo;            /* source addresses may be said when sending */
    bool blocked;            /* the kernel had no room: nothing is sent until it is writable */
    uint8_t gso_strikes;     /* refusals in a row that may have been of the moment */
    uint8_t pktinfo_strikes; /* the same of the source address */
    uint32_t drops;          /* the kernel's count of drops as last told */
    struct skua_addr used; /* of a wildcard one: where datagrams came to, which is where packets to
                              their sender leave from; kept until roam.c has looked whether it is
                              still there; family NONE = not known */
    struct skua_addr seen; /* where the latest came to */
};

struct skua_socket_options {
    uint32_t buffer; /* bytes of SO_RCVBUF and SO_SNDBUF to ask for */
    bool no_offload; /* neither UDP_SEGMENT nor UDP_GRO */
};

/* Opens a socket bound to `local`; port 0 lets the kernel choose. SKUA_EADDR, SKUA_EADDRINUSE,
 * SKUA_EACCES, SKUA_ENOMEM, SKUA_ESYSTEM; errno is the system's then, and nothing is left open. */
enum skua_err skua_socket_open(struct skua_socket *sock, const struct skua_sys *sys,
                               const struct skua_addr *local,
                               const struct skua_socket_options *options);

/* Closes it; a closed one is left alone. */
void skua_socket_close(struct skua_socket *sock, const struct skua_sys *sys);

#endif
