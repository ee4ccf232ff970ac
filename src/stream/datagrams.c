/* Datagrams: see datagrams.h. RFC 9221 §5. */
#include "stream/datagrams.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/limits.h"
#include "wire/frame.h"

/* Most datagrams in a packet: a peer takes SKUA_LIMIT_FRAMES_PER_PACKET frames of all kinds. */
enum { PER_PACKET = 256 };

SKUA_STATIC_ASSERT(PER_PACKET <= SKUA_LIMIT_FRAMES_PER_PACKET / 2, "leaves room for other frames");

struct skua_datagrams *skua_datagrams_new(struct skua_heap *heap, uint64_t unread_max)
{
    struct skua_datagrams *d = skua_heap_get(heap, sizeof *d);
    if (d != NULL) {
        d->heap = heap;
        d->unread_max = unread_max;
        skua_dgram_queue_init(&d->unsent, heap);
        skua_dgram_queue_init(&d->unread, heap);
    }
    return d;
}

void skua_datagrams_free(struct skua_datagrams *d)
{
    if (d != NULL) {
        skua_dgram_queue_clear(&d->unsent);
        skua_dgram_queue_clear(&d->unread);
        skua_heap_put(d->heap, d, sizeof *d);
    }
}

/* --- out */

/* Drops what stands first and can no longer be sent. */
static void drop_stale(struct skua_datagrams *d, size_t most, skua_time now)
{
    const struct skua_dgram *next;
    while ((next = skua_dgram_queue_first(&d->unsent)) != NULL &&
           (next->expires < now || next->len > most)) {
        skua_dgram_queue_pop(&d->unsent);
        d->unsendable++;
    }
}

enum skua_err skua_datagrams_send(struct skua_datagrams *d, const uint8_t *data, size_t len,
                                  skua_time expires, skua_time now)
{
    drop_stale(d, SIZE_MAX, now);
    if (d->unsent.cost + skua_dgram_queue_cost(len) > SKUA_LIMIT_DATAGRAMS_UNSENT) {
        d->refused = true;
        return SKUA_EAGAIN;
    }
    return skua_dgram_queue_put(&d->unsent, data, len, expires);
}

size_t skua_datagrams_least_room(const struct skua_datagrams *d)
{
    const struct skua_dgram *next = skua_dgram_queue_first(&d->unsent);
    return next != NULL ? 1 + next->len : 0;
}

/* Puts one frame; false where it does not fit. Without a length only where there is no room for
 * one: then it must end with the packet, and padding stands before it. */
static bool put_frame(struct skua_writer *w, const struct skua_dgram *dgram)
{
    struct skua_frame frame = {.type = SKUA_FRAME_DATAGRAM};
    frame.datagram.data = dgram->data;
    frame.datagram.len = dgram->len;
    size_t left = skua_writer_left(w);
    if (left < skua_frame_len(&frame)) {
        frame.datagram.last = true;
        if (left < skua_frame_len(&frame)) {
            return false;
        }
        skua_writer_zero(w, left - skua_frame_len(&frame));
    }
    skua_frame_write(w, &frame);
    return true;
}

size_t skua_datagrams_write(struct skua_datagrams *d, struct skua_writer *w, size_t most,
                            skua_time now, struct skua_record *record)
{
    uint32_t count = 0;
    for (; count < PER_PACKET; count++) {
        drop_stale(d, most, now);
        const struct skua_dgram *next = skua_dgram_queue_first(&d->unsent);
        if (next == NULL || !put_frame(w, next)) {
            break;
        }
        skua_dgram_queue_pop(&d->unsent);
    }
    if (count != 0) {
        d->sent += count;
        *record = (struct skua_record){.type = SKUA_FRAME_DATAGRAM, .len = count};
    }
    return count;
}

bool skua_datagrams_has_room(struct skua_datagrams *d)
{
    bool has = d->refused && d->unsent.cost <= SKUA_LIMIT_DATAGRAMS_UNSENT / 2;
    d->refused = d->refused && !has;
    return has;
}

void skua_datagrams_on_acked(struct skua_datagrams *d, const struct skua_record *record)
{
    d->acked += record->len;
}

void skua_datagrams_on_lost(struct skua_datagrams *d, const struct skua_record *record)
{
    d->lost += record->len;
}

/* --- in */

void skua_datagrams_on_frame(struct skua_datagrams *d, const uint8_t *data, size_t len,
                             bool borrowed)
{
    uint64_t cost = skua_dgram_queue_cost(len);
    d->received++;
    while (d->unread.count != 0 && d->unread.cost + cost > d->unread_max) {
        skua_dgram_queue_pop(&d->unread);
        d->unfit++;
    }
    enum skua_err err = SKUA_ELIMIT;
    if (cost <= d->unread_max && borrowed) {
        err = skua_dgram_queue_lend(&d->unread, data, len);
    } else if (cost <= d->unread_max) {
        skua_datagrams_settle(d);
        err = skua_dgram_queue_put(&d->unread, data, len, SKUA_NEVER);
    }
    d->unfit += err != SKUA_OK;
}

const struct skua_dgram *skua_datagrams_peek(const struct skua_datagrams *d)
{
    return skua_dgram_queue_first(&d->unread);
}

void skua_datagrams_take(struct skua_datagrams *d)
{
    skua_dgram_queue_pop(&d->unread);
}

void skua_datagrams_settle(struct skua_datagrams *d)
{
    d->unfit += skua_dgram_queue_settle(&d->unread);
}

void skua_datagrams_discard(struct skua_datagrams *d)
{
    skua_dgram_queue_clear(&d->unread);
}

/* --- both */

void skua_datagrams_trim(struct skua_datagrams *d)
{
    skua_dgram_queue_trim(&d->unsent);
    skua_dgram_queue_trim(&d->unread);
}

uint64_t skua_datagrams_memory(const struct skua_datagrams *d)
{
    uint64_t entries = (uint64_t)d->unsent.cap + d->unread.cap;
    return sizeof *d + entries * sizeof(struct skua_dgram) + d->unsent.size + d->unread.size;
}

void skua_datagrams_check(const struct skua_datagrams *d)
{
    skua_dgram_queue_check(&d->unsent);
    skua_dgram_queue_check(&d->unread);
    SKUA_ASSERT(d->unsent.cost <= SKUA_LIMIT_DATAGRAMS_UNSENT && d->unsent.borrowed == 0);
    SKUA_ASSERT(d->unread.cost <= d->unread_max);
    SKUA_ASSERT(d->acked <= d->sent && d->unfit <= d->received);
}
