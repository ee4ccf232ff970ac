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
    SKUA_MARK_ENDED = 8,    /* the transport is over: connection.h's close state tells how */
    SKUA_MARK_BATCH = 16,   /* a datagram was taken in: skua_connection_batch_end is due */
    SKUA_MARK_TOKEN = 32,   /* the peer's reset token is another one */
    SKUA_MARK_IDS = 64      /* an own id is wanted, or one was retired: path/ids.h */
};

/* Where outboxes put themselves. */
struct skua_outlists {
    struct skua_node dirty;  /* outboxes with marks, by `node` */
    struct skua_node events; /* outboxes that may have an event to poll, by `event_node` */
};

struct skua_outbox {
    struct skua_node node;       /* on `dirty` while `marks` is not 0; else the endpoint's */
    struct skua_node event_node; /* on `events` from SKUA_MARK_EVENT until polled empty */
    unsigned marks;              /* enum skua_mark bits, but for EVENT: its list says it */
};

static inline void skua_outbox_mark(struct skua_outbox *outbox, struct skua_outlists *lists,
                                    unsigned marks)
{
    if ((marks & SKUA_MARK_EVENT) != 0 && !skua_list_is_linked(&outbox->event_node)) {
        skua_list_push_back(&lists->events, &outbox->event_node);
    }
    marks &= ~(unsigned)SKUA_MARK_EVENT;
    if (outbox->marks == 0 && marks != 0) {
        skua_list_remove(&outbox->node);
        skua_list_push_back(&lists->dirty, &outbox->node);
    }
    outbox->marks |= marks;
}

#endif
