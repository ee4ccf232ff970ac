/* How a connection speaks upwards without knowing who listens.
 *
 * A connection never calls the endpoint. It leaves a mark in its outbox, and the outbox puts itself
 * on the list that its environment names. The endpoint drains that list (in its send, poll_event
 * and next_timeout verbs) and asks the connection what the mark is about. Marks are bits: they
 * coalesce, so a peer cannot make anything grow with them. */
#ifndef SKUA_CONN_OUTBOX_H
#define SKUA_CONN_OUTBOX_H

#include "base/list.h"

enum skua_mark {
    SKUA_MARK_SEND = 1,     /* there may be something to send */
    SKUA_MARK_DEADLINE = 2, /* the deadline may have changed */
    SKUA_MARK_EVENT = 4,    /* there is an event to poll */
    SKUA_MARK_ENDED = 8,    /* the transport is over: skua_connection_ending tells how */
    SKUA_MARK_BATCH = 16    /* a datagram was taken in: skua_connection_batch_end is due */
};

struct skua_outbox {
    struct skua_node node; /* on the environment's `dirty` list while `marks` is not 0 */
    unsigned marks;        /* enum skua_mark bits */
};

static inline void skua_outbox_mark(struct skua_outbox *outbox, struct skua_node *dirty,
                                    unsigned marks)
{
    if (outbox->marks == 0) {
        skua_list_push_back(dirty, &outbox->node);
    }
    outbox->marks |= marks;
}

#endif
