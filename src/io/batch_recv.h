/* Receiving in batches: recvmmsg into buffers of 64 KiB, each of which UDP_GRO may have filled with
 * many datagrams of one sender.
 *
 * One call is made per readiness; the loop comes back while there is more. It asks for 16 buffers,
 * which with GRO is as much as the cache holds; where buffers come back nearly empty (no GRO, or
 * many peers) it asks for 64. The buffers belong to the receiver and are valid until the next call:
 * that is the loan of skua_endpoint_recv. Only what the kernel writes to takes memory. */
#ifndef SKUA_IO_BATCH_RECV_H
#define SKUA_IO_BATCH_RECV_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>
#include <skua/skua_ev.h>

#include "io/control.h"
#include "io/socket.h"

enum {
    SKUA_RECV_FEW = 16,         /* buffers per call when they come back full */
    SKUA_RECV_MANY = 64,        /* and when they come back nearly empty */
    SKUA_RECV_BUFFER = 1 << 16, /* bytes of a buffer: no UDP payload is longer */
};

struct skua_receiver {
    const struct skua_sys *sys;
    struct skua_ev_stats *stats; /* the driver's */
    uint8_t *memory;             /* the buffers */
    unsigned ask;                /* buffers to ask for next time */
    bool single;                 /* the kernel has no recvmmsg */
    struct mmsghdr messages[SKUA_RECV_MANY];
    struct iovec vecs[SKUA_RECV_MANY];
    struct sockaddr_storage names[SKUA_RECV_MANY];
    struct skua_control controls[SKUA_RECV_MANY];
    struct skua_rx rx[SKUA_RECV_MANY]; /* what the last call received */
};

/* What a call came to. */
enum skua_recv_result {
    SKUA_RECV_SOME,  /* *count buffers in `rx`; may be 0 where all were thrown away */
    SKUA_RECV_EMPTY, /* nothing there */
    SKUA_RECV_ERROR, /* a pending error was returned: read the error queue, then try again */
};

/* SKUA_ENOMEM or SKUA_OK. The buffers come from `alloc`. */
enum skua_err skua_receiver_init(struct skua_receiver *receiver, const struct skua_sys *sys,
                                 struct skua_ev_stats *stats, const struct skua_alloc *alloc);
void skua_receiver_deinit(struct skua_receiver *receiver, const struct skua_alloc *alloc);

/* Receives from `sock`, which is number `index`, what one call gives. */
enum skua_recv_result skua_receiver_read(struct skua_receiver *receiver, struct skua_socket *sock,
                                         uint32_t index, size_t *count);

#endif
