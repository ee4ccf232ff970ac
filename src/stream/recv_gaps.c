/* Which bytes of a receive buffer have arrived: in order up to `end`, and a set of ranges beyond a
 * gap (recv_buf.h).
 *
 * What a peer can make of gaps is bounded three ways: their number per stream and per connection,
 * since each takes memory; and per stream the number of those that few bytes began, since one that
 * is put between others moves up to half of them. */
#include "base/assert.h"
#include "base/limits.h"
#include "base/list.h"
#include "stream/recv_buf.h"

enum {
    WORTH = 64,     /* bytes that make a range worth its place */
    THIN_ONE = 4096 /* what one thin range counts in `thin` */
};

bool skua_recv_ranges_fit(uint32_t *thin, uint32_t before, uint32_t after, uint64_t fresh)
{
    if (after < before) {
        /* Which ones are gone is not known: as many of the thin ones as of all. */
        *thin = (uint32_t)((uint64_t)*thin * after / before);
    } else if (after > before && fresh < WORTH) {
        *thin += THIN_ONE;
    }
    bool fit = *thin <= SKUA_LIMIT_RECV_GAPS_THIN * THIN_ONE;
    *thin = fit ? *thin : SKUA_LIMIT_RECV_GAPS_THIN * THIN_ONE;
    return fit;
}

static enum skua_err beyond_need(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    if (buf->beyond == NULL) {
        buf->beyond = skua_heap_get(mem->heap, sizeof *buf->beyond);
        if (buf->beyond == NULL) {
            return SKUA_ENOMEM;
        }
        skua_rangeset_init(buf->beyond, mem->heap, SKUA_LIMIT_RECV_GAPS_STREAM,
                           SKUA_RANGESET_REFUSE);
    }
    return SKUA_OK;
}

void skua_recv_buf_beyond_free(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    if (buf->beyond == NULL) {
        return;
    }
    mem->gaps -= skua_rangeset_count(buf->beyond);
    skua_rangeset_deinit(buf->beyond);
    if (buf->unordered) {
        struct skua_recv_pieces *pieces =
            SKUA_CONTAINER_OF(buf->beyond, struct skua_recv_pieces, beyond);
        mem->gaps -= skua_rangeset_count(&pieces->fresh);
        skua_rangeset_deinit(&pieces->fresh);
        skua_heap_put(mem->heap, pieces, sizeof *pieces);
        buf->unordered = false;
    } else {
        skua_heap_put(mem->heap, buf->beyond, sizeof *buf->beyond);
    }
    buf->beyond = NULL;
}

/* [end, until) is there now: moves `end` over it and over what had come before. */
static void note_in_order(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint64_t until)
{
    uint64_t fresh = until - buf->end;
    uint64_t end = until;
    uint32_t count = buf->beyond != NULL ? skua_rangeset_count(buf->beyond) : 0;
    uint32_t left = count;
    while (skua_recv_buf_has_gap(buf) && skua_rangeset_min(buf->beyond) <= until) {
        struct skua_range range = skua_rangeset_at(buf->beyond, 0);
        uint64_t over = range.last + 1 < until ? range.last + 1 : until;
        fresh -= over - range.first;
        end = range.last + 1 > end ? range.last + 1 : end;
        enum skua_err err = skua_rangeset_remove(buf->beyond, 0, range.last);
        SKUA_ASSERT(err == SKUA_OK);
        left--;
    }
    mem->gaps -= count - left;
    (void)skua_recv_ranges_fit(&buf->thin, count, left, fresh); /* fewer fit */
    buf->arrived += fresh;
    buf->end = end;
}

/* [offset, until) lies beyond a gap. */
static enum skua_err note_beyond(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                 uint64_t offset, uint64_t until)
{
    if (beyond_need(buf, mem) != SKUA_OK) {
        return SKUA_ENOMEM;
    }
    uint64_t fresh = until - offset;
    uint32_t count = skua_rangeset_count(buf->beyond);
    for (uint32_t i = skua_rangeset_find(buf->beyond, offset); i < count; i++) {
        struct skua_range range = skua_rangeset_at(buf->beyond, i);
        if (range.first >= until) {
            break;
        }
        uint64_t from = range.first > offset ? range.first : offset;
        uint64_t to = range.last + 1 < until ? range.last + 1 : until;
        fresh -= to - from;
    }
    if (fresh == 0) {
        return SKUA_OK;
    }
    enum skua_err err = skua_rangeset_add(buf->beyond, offset, until - 1);
    if (err != SKUA_OK) {
        return err;
    }
    buf->arrived += fresh;
    uint32_t ranges = skua_rangeset_count(buf->beyond);
    mem->gaps += ranges - count;
    bool fit = skua_recv_ranges_fit(&buf->thin, count, ranges, fresh);
    return fit && mem->gaps <= SKUA_LIMIT_RECV_GAPS ? SKUA_OK : SKUA_ELIMIT;
}

enum skua_err skua_recv_buf_note(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                 uint64_t offset, uint64_t until)
{
    if (offset != buf->end) {
        return note_beyond(buf, mem, offset, until);
    }
    note_in_order(buf, mem, until);
    return SKUA_OK;
}

uint32_t skua_recv_buf_gaps(const struct skua_recv_buf *buf)
{
    uint32_t gaps = buf->beyond != NULL ? skua_rangeset_count(buf->beyond) : 0;
    if (buf->unordered) {
        const struct skua_recv_pieces *pieces =
            SKUA_CONTAINER_OF(buf->beyond, struct skua_recv_pieces, beyond);
        gaps += skua_rangeset_count(&pieces->fresh);
    }
    return gaps;
}
