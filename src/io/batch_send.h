/* Sending in batches: sealed datagrams wait in slots of 64 KiB until the kernel has taken them.
 *
 * A slot holds one struct skua_tx: equal datagrams for one path. Several slots leave in one
 * sendmmsg, each with its own UDP_SEGMENT. A sealed datagram is never dropped silently, never sent
 * twice, and those of one socket leave in order; what an errno means:
 *
 *   EAGAIN                    the socket is full: slots stay until skua_sender_writable
 *   EINTR                     again
 *   ENOSYS                    no sendmmsg here: sendmsg one by one from now on
 *   EINVAL, EIO, EOPNOTSUPP,  the rest of this batch at once again without UDP_SEGMENT, then
 *   ENOPROTOOPT               without ECN, then without source address. What turns out to be
 *                             refused is not tried again on this socket (a source address, which
 *                             may just have left this machine, after 8 times in a row)
 *   EMSGSIZE, ENOBUFS         again without UDP_SEGMENT; the socket gives UDP_SEGMENT up when that
 *                             helped 8 times in a row
 *   whatever ICMP can cause   before all else the error queue is read; if it held something, the
 *                             error may have been another datagram's: again
 *
 * A datagram that is refused in its last form is reported with its errno and left out; the others
 * of its batch go on.
 *
 * On a socket whose datagrams may be fragmented, packets of more than 1,200 bytes are refused here,
 * with EMSGSIZE, as a kernel would that sets DF: so the path MTU stays at what needs no probe. The
 * packets of a handshake, which prove no size to anybody, may be longer. */
#ifndef SKUA_IO_BATCH_SEND_H
#define SKUA_IO_BATCH_SEND_H

#include <stdbool.h>
#include <stdint.h>

#include <skua/skua.h>
#include <skua/skua_ev.h>

#include "io/control.h"
#include "io/error_queue.h"
#include "io/socket.h"

enum {
    SKUA_SEND_SLOTS = 16,
    SKUA_SEND_SLOT = 65507, /* bytes of a slot: the largest payload, and what a GSO send may hold */
    SKUA_SEND_SEGMENTS = 64, /* datagrams in one GSO send (UDP_MAX_SEGMENTS) */
    SKUA_SEND_MESSAGES = 64, /* messages in one sendmmsg */
};

/* How much of a batch's control data is left: each step drops one more thing. */
enum skua_send_form {
    SKUA_FORM_GSO,    /* whole batch in one message */
    SKUA_FORM_PLAIN,  /* one message per datagram */
    SKUA_FORM_NO_ECN, /* and nothing said about ECN */
    SKUA_FORM_BARE,   /* and no source address */
};

struct skua_send_slot {
    struct skua_tx tx;        /* sealed datagrams */
    size_t sent;              /* bytes of them that the kernel has taken or refused for good */
    enum skua_send_form form; /* in which to try next */
    int refusal; /* errno that led to `form`, until something is learnt from it; or 0 */
};

/* Who wants to know what the kernel refused for good: `tx` is one datagram of a batch. */
struct skua_refusal_sink {
    void (*refused)(void *user, const struct skua_tx *tx, int error);
    void *user;
};

struct skua_sender {
    const struct skua_sys *sys;
    struct skua_ev_stats *stats;       /* the driver's */
    struct skua_socket *sockets;       /* by index of path.socket */
    struct skua_icmp_sink icmp;        /* for what the error queue holds */
    struct skua_refusal_sink refusals; /* for skua_endpoint_send_result */
    uint8_t *memory;                   /* of all slots */
    bool single;                       /* the kernel has no sendmmsg */
    struct skua_send_slot slots[SKUA_SEND_SLOTS];
    uint8_t waiting[SKUA_SEND_SLOTS]; /* numbers of sealed slots, oldest first */
    uint8_t free[SKUA_SEND_SLOTS];    /* numbers of free slots, the last used on top */
    size_t waiting_count;
    size_t free_count;
    struct mmsghdr messages[SKUA_SEND_MESSAGES];
    struct iovec vecs[SKUA_SEND_MESSAGES];
    struct sockaddr_storage names[SKUA_SEND_MESSAGES];
    struct skua_control controls[SKUA_SEND_MESSAGES];
    uint8_t owners[SKUA_SEND_MESSAGES]; /* slot of each message */
};

/* SKUA_ENOMEM or SKUA_OK. `sender` starts zeroed but for sys, stats, sockets, icmp and refusals,
 * which the caller has set. */
enum skua_err skua_sender_init(struct skua_sender *sender, const struct skua_alloc *alloc);
void skua_sender_deinit(struct skua_sender *sender, const struct skua_alloc *alloc);

/* A free slot's tx with data, cap and max_segments set, for skua_endpoint_send; NULL where all
 * wait. The same one until it is pushed. */
struct skua_tx *skua_sender_next(struct skua_sender *sender);

/* The tx of skua_sender_next has been filled: it waits now. */
void skua_sender_push(struct skua_sender *sender);

/* Hands what waits to the kernel, as far as it takes it. */
void skua_sender_flush(struct skua_sender *sender);

/* Socket `index` has room again. Follow with skua_sender_flush. */
void skua_sender_writable(struct skua_sender *sender, uint32_t index);

/* Own invariants: each slot is free or waits, once. */
void skua_sender_check(const struct skua_sender *sender);

#endif
