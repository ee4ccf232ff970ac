/* The datagrams of a connection (RFC 9221): messages that are sent once, arrive whole or not at
 * all, in any order, and never twice (a packet is opened once).
 *
 * One object on the heap, made with the first datagram either way: a connection without datagrams
 * holds a pointer. Two queues:
 *   unsent   taken from the application, not yet in a packet. Each may have a lifetime; when that
 * is over, or the path's packets have become too small for it, it is dropped and counted. unread
 * arrived, not yet read. Where one more would exceed what the application allows, the oldest are
 * dropped and counted: the newest says the most. In a packet datagrams are noted by one record,
 * which counts them: their fate is counted, and nothing is sent again.
 *
 * As the streams this floor knows no packets and no clocks. */
#ifndef SKUA_STREAM_DATAGRAMS_H
#define SKUA_STREAM_DATAGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/cursor.h"
#include "base/record.h"
#include "stream/dgram_queue.h"

struct skua_datagrams {
    struct skua_heap *heap;
    struct skua_dgram_queue unsent;
    struct skua_dgram_queue unread;
    uint64_t unread_max; /* most that `unread` may cost */
    bool refused;        /* SKUA_EAGAIN was said: room is to be reported */
    bool yields;         /* the last packet was theirs first: the next is the streams' */
    /* counters, of datagrams */
    uint64_t sent;       /* in a packet */
    uint64_t acked;      /* ... which was acknowledged */
    uint64_t lost;       /* ... which was declared lost */
    uint64_t unsendable; /* dropped: lifetime over, or too large for the path */
    uint64_t received;   /* arrived */
    uint64_t unfit;      /* ... dropped: unread for too long, or no memory */
};

/* `unread_max`: see the struct. NULL: no memory. */
struct skua_datagrams *skua_datagrams_new(struct skua_heap *heap, uint64_t unread_max);
/* NULL is allowed. */
void skua_datagrams_free(struct skua_datagrams *d);

/* --- out */

/* Takes a datagram to be sent not after `expires` (SKUA_NEVER: any time); what has expired before
 * `now` makes room. SKUA_EAGAIN: the queue is full (skua_datagrams_has_room follows), SKUA_ENOMEM.
 */
enum skua_err skua_datagrams_send(struct skua_datagrams *d, const uint8_t *data, size_t len,
                                  skua_time expires, skua_time now);
/* Might skua_datagrams_write put something into an empty packet? */
static inline bool skua_datagrams_wants_send(const struct skua_datagrams *d)
{
    return d->unsent.count != 0;
}
/* Least room of a packet that takes the next datagram; 0 where there is none. */
size_t skua_datagrams_least_room(const struct skua_datagrams *d);
/* Puts as many datagrams as fit behind what `w` holds; `w->end` must be the end of the packet's
 * payload. One longer than `most` fits no packet: it is dropped. Returns how many were put; then
 * `*record` says so. */
size_t skua_datagrams_write(struct skua_datagrams *d, struct skua_writer *w, size_t most,
                            skua_time now, struct skua_record *record);
/* Once: there is room again after SKUA_EAGAIN. */
bool skua_datagrams_has_room(struct skua_datagrams *d);
/* Fate of a record of skua_datagrams_write. */
void skua_datagrams_on_acked(struct skua_datagrams *d, const struct skua_record *record);
void skua_datagrams_on_lost(struct skua_datagrams *d, const struct skua_record *record);

/* --- in */

/* A datagram arrived. `borrowed`: `data` stays valid until settle. */
void skua_datagrams_on_frame(struct skua_datagrams *d, const uint8_t *data, size_t len,
                             bool borrowed);
/* The oldest unread one, or NULL; take it with skua_datagrams_take. */
const struct skua_dgram *skua_datagrams_peek(const struct skua_datagrams *d);
void skua_datagrams_take(struct skua_datagrams *d);
/* Is anything borrowed? */
static inline bool skua_datagrams_has_loans(const struct skua_datagrams *d)
{
    return d->unread.borrowed != 0;
}
/* Ends the loan of receive buffers. */
void skua_datagrams_settle(struct skua_datagrams *d);
/* Throws away what is unread: nobody will read. */
void skua_datagrams_discard(struct skua_datagrams *d);

/* Gives back the memory of queues that are empty. */
void skua_datagrams_trim(struct skua_datagrams *d);

/* Bytes from the allocator. */
uint64_t skua_datagrams_memory(const struct skua_datagrams *d);

/* Asserts the invariants; for tests. */
void skua_datagrams_check(const struct skua_datagrams *d);

#endif
