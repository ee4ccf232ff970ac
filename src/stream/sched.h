/* Which stream sends next.
 *
 * Streams with something to send stand in queues, so that filling a packet costs nothing for those
 * that have nothing. Three classes:
 *   control   a control frame of the stream's own: before everything else, whatever its priority
 *   again     lost bytes, or an end to be told: needs no credit
 *   fresh     bytes never sent: needs credit of the connection
 * A stream whose own credit is used up stands in `starved` instead of `fresh`.
 *
 * Priorities (RFC 9218's terms) are strict: the lowest urgency with something to send goes first,
 * and within an urgency `again` before `fresh`. So what is lost keeps its stream's urgency. Within
 * a class and urgency, streams that are not incremental go first, one after the other in the order
 * of their ids; incremental ones then take turns: a stream stays first until it has sent
 * SKUA_SCHED_TURN bytes, then goes to the back. So a packet seldom carries more than one stream,
 * and no incremental stream waits longer than a turn of each other one.
 *
 * Nearly all streams have the default priority, and stand in lists: constant time. The others stand
 * in heaps, ordered by rank, which exist only while there are such streams: looking at the first
 * takes constant time, a stream that comes, goes or ends its turn logarithmic time in their number.
 * A list's node and a heap's place share the same bytes of the stream. */
#ifndef SKUA_STREAM_SCHED_H
#define SKUA_STREAM_SCHED_H

#include <stdbool.h>

#include "base/list.h"
#include "base/timers.h"

struct skua_stream;

enum { SKUA_SCHED_TURN = 16384 }; /* bytes of a turn */

/* Urgencies, from the most urgent one; streams begin with the default, and incremental. */
enum { SKUA_URGENCY_DEFAULT = 3, SKUA_URGENCY_LAST = 7 };

/* Where a stream stands with bytes that were never sent. */
enum skua_sched_class {
    SKUA_SCHED_NOTHING, /* it has none, or may not send them */
    SKUA_SCHED_FRESH,   /* in `fresh` */
    SKUA_SCHED_STARVED  /* in `starved` */
};

/* A stream's place in a queue; zero while it is in none. */
union skua_sched_place {
    struct skua_node node;   /* of the default priority, and in `starved`: in a list */
    struct skua_timer timer; /* else: in a heap, whose "times" are ranks */
};

/* Queues of the streams with another priority than the default. */
struct skua_sched_ranks {
    struct skua_timers again, fresh; /* with room for all members */
    uint32_t members;                /* how many such streams there are */
};

struct skua_sched {
    struct skua_node control;       /* streams with control frames to send */
    struct skua_node again;         /* streams of the default priority with something to repeat */
    struct skua_node fresh;         /* ... with new bytes and credit */
    struct skua_node starved;       /* streams of any priority with new bytes and no credit */
    struct skua_sched_ranks *ranks; /* NULL: all streams have the default priority */
};

void skua_sched_init(struct skua_sched *sched);

/* A new stream's priority. */
void skua_sched_add(struct skua_stream *stream);

/* Puts `stream` into the queues that its state asks for, and takes it out of the others. To be
 * called after every change of what it has to send. */
void skua_sched_update(struct skua_sched *sched, struct skua_stream *stream);

/* Takes `stream` out of all queues, for good. */
void skua_sched_remove(struct skua_sched *sched, struct skua_stream *stream);

/* Changes its priority; memory comes from `heap`. SKUA_ENOMEM: it keeps the one it had. */
enum skua_err skua_sched_set_priority(struct skua_sched *sched, struct skua_heap *heap,
                                      struct skua_stream *stream, unsigned urgency,
                                      bool incremental);

/* Notes that `stream`, at the front of `again` or `fresh`, has sent `bytes`; ends its turn where
 * they are enough. To be followed by skua_sched_update. */
void skua_sched_sent(struct skua_sched *sched, struct skua_stream *stream, size_t bytes);

/* The first stream with a control frame, or NULL. */
struct skua_stream *skua_sched_first_control(const struct skua_sched *sched);

/* Whose bytes go next, or NULL; `*again` says of which class they are. Without `credit` new bytes
 * may not be sent. */
struct skua_stream *skua_sched_first(const struct skua_sched *sched, bool credit, bool *again);

/* Are there new bytes that only the connection's credit can hold back? */
static inline bool skua_sched_has_fresh(const struct skua_sched *sched)
{
    return !skua_list_empty(&sched->fresh) ||
           (sched->ranks != NULL && sched->ranks->fresh.count != 0);
}

/* Is there anything to send, with or without credit of the connection for new bytes? */
static inline bool skua_sched_has_any(const struct skua_sched *sched, bool credit)
{
    return (credit && !skua_list_empty(&sched->fresh)) || !skua_list_empty(&sched->control) ||
           !skua_list_empty(&sched->again) ||
           (sched->ranks != NULL &&
            (sched->ranks->again.count != 0 || (credit && sched->ranks->fresh.count != 0)));
}

/* Asserts that `stream` is in the queues that it says; for tests. */
void skua_sched_check(const struct skua_sched *sched, const struct skua_stream *stream);

#endif
