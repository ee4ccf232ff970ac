/* A queue of datagrams: first in, first out, each of its own length.
 *
 * Bytes lie in a store, a ring in which each datagram is in one piece, so that it can be shown in
 * place. What has just arrived may stay where it is, in a receive buffer of the caller
 * (skua_dgram_queue_lend), until skua_dgram_queue_settle copies what is left. Borrowed datagrams
 * are always the newest.
 *
 * Entries and store grow by doubling and stay, so that nothing is allocated per datagram;
 * skua_dgram_queue_trim gives them back. How much may be in a queue is the owner's business: `cost`
 * is what to compare. */
#ifndef SKUA_STREAM_DGRAM_QUEUE_H
#define SKUA_STREAM_DGRAM_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

struct skua_heap;

struct skua_dgram {
    const uint8_t *data; /* in the store, or borrowed */
    size_t len;          /* bytes, may be 0 */
    skua_time expires;   /* not to be sent after; SKUA_NEVER */
};

struct skua_dgram_queue {
    struct skua_heap *heap;
    struct skua_dgram *ring; /* entries, or NULL */
    uint8_t *store;          /* bytes, or NULL */
    size_t size;             /* of the store */
    size_t to;               /* where the next bytes go, if they fit before the end */
    uint64_t cost;           /* bytes of all entries, and SKUA_LIMIT_DATAGRAM_COST for each */
    uint32_t cap;            /* of the ring; a power of two, or 0 */
    uint32_t head;           /* ring index of the oldest */
    uint32_t count;          /* entries */
    uint32_t borrowed;       /* the newest so many are not in the store */
};

void skua_dgram_queue_init(struct skua_dgram_queue *q, struct skua_heap *heap);
/* Gives all memory back; what was in it is gone. The queue can be used on. */
void skua_dgram_queue_clear(struct skua_dgram_queue *q);
/* The same, where nothing is in it. */
void skua_dgram_queue_trim(struct skua_dgram_queue *q);

/* What a datagram of `len` bytes would add to `cost`. */
uint64_t skua_dgram_queue_cost(size_t len);

/* Appends a copy. Nothing may be borrowed. SKUA_ENOMEM. */
enum skua_err skua_dgram_queue_put(struct skua_dgram_queue *q, const uint8_t *data, size_t len,
                                   skua_time expires);
/* Appends a datagram in place: `data` stays valid until settle. SKUA_ENOMEM. */
enum skua_err skua_dgram_queue_lend(struct skua_dgram_queue *q, const uint8_t *data, size_t len);

/* The oldest, or NULL; valid until the next call that is not skua_dgram_queue_first. */
const struct skua_dgram *skua_dgram_queue_first(const struct skua_dgram_queue *q);
/* Takes the oldest off; there must be one. Its bytes stay valid until the next put or settle. */
void skua_dgram_queue_pop(struct skua_dgram_queue *q);

/* Copies what is borrowed. Where there is no memory the rest of it is dropped: how many. */
uint32_t skua_dgram_queue_settle(struct skua_dgram_queue *q);

/* Asserts the invariants; for tests. */
void skua_dgram_queue_check(const struct skua_dgram_queue *q);

#endif
