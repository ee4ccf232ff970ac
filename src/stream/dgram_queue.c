/* The queue of datagrams: see dgram_queue.h.
 *
 * The store is a ring of bytes in which no datagram is cut: where one does not fit before the end
 * it goes to the beginning, and the bytes left out are lost until the oldest has moved past them.
 * It is wrapped where the newest bytes lie below the oldest ones; `to` then stays below the oldest,
 * so that full and empty cannot be confused. */
#include "stream/dgram_queue.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"

enum { RING_MIN = 8, STORE_MIN = 2048 };

static struct skua_dgram *entry(const struct skua_dgram_queue *q, uint32_t index)
{
    return &q->ring[(q->head + index) & (q->cap - 1)];
}

/* Entries whose bytes are in the store: the oldest so many. */
static uint32_t stored(const struct skua_dgram_queue *q)
{
    return q->count - q->borrowed;
}

void skua_dgram_queue_init(struct skua_dgram_queue *q, struct skua_heap *heap)
{
    *q = (struct skua_dgram_queue){.heap = heap};
}

void skua_dgram_queue_clear(struct skua_dgram_queue *q)
{
    skua_heap_put(q->heap, q->ring, q->cap * sizeof *q->ring);
    skua_heap_put(q->heap, q->store, q->size);
    skua_dgram_queue_init(q, q->heap);
}

void skua_dgram_queue_trim(struct skua_dgram_queue *q)
{
    if (q->count == 0) {
        skua_dgram_queue_clear(q);
    }
}

uint64_t skua_dgram_queue_cost(size_t len)
{
    return (uint64_t)len + SKUA_LIMIT_DATAGRAM_COST;
}

static enum skua_err ring_reserve(struct skua_dgram_queue *q)
{
    if (q->count < q->cap) {
        return SKUA_OK;
    }
    uint32_t cap = q->cap == 0 ? (uint32_t)RING_MIN : q->cap * 2;
    struct skua_dgram *ring = skua_heap_get_raw(q->heap, cap * sizeof *ring);
    if (ring == NULL) {
        return SKUA_ENOMEM;
    }
    for (uint32_t i = 0; i < q->count; i++) {
        ring[i] = *entry(q, i);
    }
    skua_heap_put(q->heap, q->ring, q->cap * sizeof *q->ring);
    q->ring = ring;
    q->cap = cap;
    q->head = 0;
    return SKUA_OK;
}

/* A larger store with room for `len` more bytes; what is in it moves to its beginning. */
static enum skua_err store_grow(struct skua_dgram_queue *q, size_t len)
{
    size_t held = 0;
    for (uint32_t i = 0; i < stored(q); i++) {
        held += entry(q, i)->len;
    }
    size_t size = q->size == 0 ? (size_t)STORE_MIN : q->size * 2;
    while (size < held + len) {
        size *= 2;
    }
    uint8_t *store = skua_heap_get_raw(q->heap, size);
    if (store == NULL) {
        return SKUA_ENOMEM;
    }
    size_t to = 0;
    for (uint32_t i = 0; i < stored(q); i++) {
        struct skua_dgram *d = entry(q, i);
        memcpy(store + to, d->data, d->len);
        d->data = store + to;
        to += d->len;
    }
    skua_heap_put(q->heap, q->store, q->size);
    q->store = store;
    q->size = size;
    q->to = to;
    return SKUA_OK;
}

/* Room for `len` bytes in one piece, behind those of the newest stored entry; NULL where there is
 * none. */
static uint8_t *store_find(const struct skua_dgram_queue *q, size_t len)
{
    if (q->store == NULL) {
        return NULL;
    }
    if (stored(q) == 0) {
        return len <= q->size ? q->store : NULL;
    }
    size_t from = (size_t)(entry(q, 0)->data - q->store);
    if (q->to < from) {
        return len < from - q->to ? q->store + q->to : NULL;
    }
    if (len <= q->size - q->to) {
        return q->store + q->to;
    }
    return len < from ? q->store : NULL;
}

/* Copies `len` bytes into the store; NULL: no memory. The entry that points to them is the next of
 * the stored ones. */
static const uint8_t *store_put(struct skua_dgram_queue *q, const uint8_t *data, size_t len)
{
    uint8_t *place = store_find(q, len);
    if (place == NULL) {
        if (store_grow(q, len) != SKUA_OK) {
            return NULL;
        }
        place = q->store + q->to;
    }
    if (len != 0) {
        memcpy(place, data, len);
    }
    q->to = (size_t)(place - q->store) + len;
    return place;
}

static void append(struct skua_dgram_queue *q, const uint8_t *data, size_t len, skua_time expires)
{
    *entry(q, q->count) = (struct skua_dgram){.data = data, .len = len, .expires = expires};
    q->count++;
    q->cost += skua_dgram_queue_cost(len);
}

enum skua_err skua_dgram_queue_put(struct skua_dgram_queue *q, const uint8_t *data, size_t len,
                                   skua_time expires)
{
    SKUA_ASSERT(q->borrowed == 0);
    const uint8_t *place = ring_reserve(q) == SKUA_OK ? store_put(q, data, len) : NULL;
    if (place == NULL) {
        return SKUA_ENOMEM;
    }
    append(q, place, len, expires);
    return SKUA_OK;
}

enum skua_err skua_dgram_queue_lend(struct skua_dgram_queue *q, const uint8_t *data, size_t len)
{
    if (ring_reserve(q) != SKUA_OK) {
        return SKUA_ENOMEM;
    }
    append(q, data, len, SKUA_NEVER);
    q->borrowed++;
    return SKUA_OK;
}

const struct skua_dgram *skua_dgram_queue_first(const struct skua_dgram_queue *q)
{
    return q->count == 0 ? NULL : entry(q, 0);
}

void skua_dgram_queue_pop(struct skua_dgram_queue *q)
{
    SKUA_ASSERT(q->count != 0);
    q->cost -= skua_dgram_queue_cost(entry(q, 0)->len);
    if (q->borrowed == q->count) {
        q->borrowed--;
    }
    q->head = (q->head + 1) & (q->cap - 1);
    q->count--;
}

uint32_t skua_dgram_queue_settle(struct skua_dgram_queue *q)
{
    while (q->borrowed != 0) {
        struct skua_dgram *d = entry(q, stored(q));
        const uint8_t *place = store_put(q, d->data, d->len);
        if (place == NULL) {
            break;
        }
        d->data = place;
        q->borrowed--;
    }
    uint32_t lost = q->borrowed;
    for (; q->borrowed != 0; q->borrowed--) {
        q->count--;
        q->cost -= skua_dgram_queue_cost(entry(q, q->count)->len);
    }
    return lost;
}

void skua_dgram_queue_check(const struct skua_dgram_queue *q)
{
    SKUA_ASSERT((q->cap & (q->cap - 1)) == 0 && q->count <= q->cap && q->borrowed <= q->count);
    SKUA_ASSERT(q->to <= q->size);
    uint64_t cost = 0;
    unsigned turns = 0;
    const uint8_t *end = NULL; /* of the entry before */
    for (uint32_t i = 0; i < q->count; i++) {
        const struct skua_dgram *d = entry(q, i);
        cost += skua_dgram_queue_cost(d->len);
        if (i >= stored(q)) {
            continue;
        }
        SKUA_ASSERT(d->data >= q->store && d->data + d->len <= q->store + q->size);
        turns += end != NULL && d->data < end;
        SKUA_ASSERT(turns == 0 || (turns == 1 && d->data + d->len <= entry(q, 0)->data));
        end = d->data + d->len;
    }
    SKUA_ASSERT(end == NULL || end == q->store + q->to);
    SKUA_ASSERT(cost == q->cost);
}
