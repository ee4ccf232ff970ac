/* Which stream sends next.
 *
 * Streams with something to send stand in lists, so that filling a packet costs nothing for those
 * that have nothing. Three classes, in this order:
 *   control   a control frame of the stream's own
 *   again     lost bytes, or an end to be told: needs no credit
 *   fresh     bytes never sent: needs credit of the connection
 * A stream whose own credit is used up stands in `starved` instead of `fresh`.
 *
 * Within `again` and `fresh` streams take turns: a stream stays first until it has sent
 * SKUA_SCHED_TURN bytes, then goes to the back. So a packet seldom carries more than one stream,
 * and no stream waits longer than a turn of each other one. */
#ifndef SKUA_STREAM_SCHED_H
#define SKUA_STREAM_SCHED_H

#include <stdbool.h>

#include "base/list.h"

struct skua_stream;

enum { SKUA_SCHED_TURN = 16384 }; /* bytes of a turn */

/* Where a stream stands with bytes that were never sent. */
enum skua_sched_class {
    SKUA_SCHED_NOTHING, /* it has none, or may not send them */
    SKUA_SCHED_FRESH,   /* in `fresh` */
    SKUA_SCHED_STARVED  /* in `starved` */
};

struct skua_sched {
    struct skua_node control; /* streams with control frames to send */
    struct skua_node again;   /* streams with something to repeat */
    struct skua_node fresh;   /* streams with new bytes and credit */
    struct skua_node starved; /* streams with new bytes and no credit */
};

void skua_sched_init(struct skua_sched *sched);

/* Puts `stream` on the lists that its state asks for, and takes it off the others. To be called
 * after every change of what it has to send; constant time. */
void skua_sched_update(struct skua_sched *sched, struct skua_stream *stream);

/* Takes `stream` off all lists. */
void skua_sched_remove(struct skua_stream *stream);

/* Notes that `stream`, at the front of `again` or `fresh`, has sent `bytes`; ends its turn where
 * they are enough. To be followed by skua_sched_update. */
void skua_sched_sent(struct skua_sched *sched, struct skua_stream *stream, size_t bytes);

/* First of a class, or NULL. */
struct skua_stream *skua_sched_first_control(const struct skua_sched *sched);
struct skua_stream *skua_sched_first_again(const struct skua_sched *sched);
struct skua_stream *skua_sched_first_fresh(const struct skua_sched *sched);

#endif
