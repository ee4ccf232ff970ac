/* The send buffer: see send_buf.h. RFC 9000 §2.2, §13.3. */
#include "stream/send_buf.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"

enum {
    SEGS_MIN = 8,         /* first ring on the heap */
    LEND_COPIED = 1024,   /* shorter lends are copied: a block is cheaper than a segment each */
    PREFETCH_PACKETS = 6, /* how far ahead to prefetch, in copies of the same size */
    PREFETCH_MAX = 2048,  /* bytes to prefetch at a time; beyond, the hardware keeps up */
    CACHE_LINE = 64,
};

/* Buffers smaller than this are still in the cache from having been written. */
#define PREFETCH_FROM (UINT64_C(512) << 10)

/* The segment of an index counted from the lowest. */
static struct skua_segment *segment_at(struct skua_send_buf *buf, uint32_t index)
{
    struct skua_segment *ring = buf->segs != NULL ? buf->segs : &buf->first;
    return &ring[(buf->head + index) & (buf->cap - 1)];
}

static const struct skua_segment *segment_peek(const struct skua_send_buf *buf, uint32_t index)
{
    const struct skua_segment *ring = buf->segs != NULL ? buf->segs : &buf->first;
    return &ring[(buf->head + index) & (buf->cap - 1)];
}

static void ring_free(struct skua_send_buf *buf, struct skua_stream_mem *mem)
{
    SKUA_ASSERT(buf->count == 0);
    if (buf->segs != NULL) {
        skua_heap_put(mem->heap, buf->segs, buf->cap * sizeof *buf->segs);
        buf->segs = NULL;
    }
    buf->cap = 1;
    buf->head = 0;
    buf->hint = 0;
}

/* Makes room for one more segment. */
static enum skua_err ring_reserve(struct skua_send_buf *buf, struct skua_stream_mem *mem)
{
    if (buf->count < buf->cap) {
        return SKUA_OK;
    }
    uint32_t cap = buf->cap < SEGS_MIN ? (uint32_t)SEGS_MIN : buf->cap * 2;
    struct skua_segment *ring = skua_heap_get_raw(mem->heap, cap * sizeof *ring);
    if (ring == NULL) {
        return SKUA_ENOMEM;
    }
    for (uint32_t i = 0; i < buf->count; i++) {
        ring[i] = *segment_at(buf, i);
    }
    if (buf->segs != NULL) {
        skua_heap_put(mem->heap, buf->segs, buf->cap * sizeof *buf->segs);
    }
    buf->segs = ring;
    buf->cap = cap;
    buf->head = 0;
    return SKUA_OK;
}

static void sets_free(struct skua_send_buf *buf, struct skua_stream_mem *mem)
{
    if (buf->sets != NULL) {
        skua_rangeset_deinit(&buf->sets->acked);
        skua_rangeset_deinit(&buf->sets->lost);
        skua_heap_put(mem->heap, buf->sets, sizeof *buf->sets);
        buf->sets = NULL;
    }
}

static enum skua_err sets_need(struct skua_send_buf *buf, struct skua_stream_mem *mem)
{
    if (buf->sets == NULL) {
        buf->sets = skua_heap_get(mem->heap, sizeof *buf->sets);
        if (buf->sets == NULL) {
            return SKUA_ENOMEM;
        }
        /* One range per packet in flight at most. */
        skua_rangeset_init(&buf->sets->acked, mem->heap, SKUA_LIMIT_SENT_PACKETS_MAX,
                           SKUA_RANGESET_REFUSE);
        skua_rangeset_init(&buf->sets->lost, mem->heap, SKUA_LIMIT_SENT_PACKETS_MAX,
                           SKUA_RANGESET_REFUSE);
    }
    return SKUA_OK;
}

void skua_send_buf_init(struct skua_send_buf *buf)
{
    memset(buf, 0, sizeof *buf);
    buf->cap = 1;
}

void skua_send_buf_clear(struct skua_send_buf *buf, struct skua_stream_mem *mem)
{
    for (uint32_t i = 0; i < buf->count; i++) {
        skua_blocks_put(mem->blocks, segment_at(buf, i)->block);
    }
    buf->count = 0;
    ring_free(buf, mem);
    sets_free(buf, mem);
}

/* A block at the end to write to, with room in it. */
static struct skua_segment *tail_block(struct skua_send_buf *buf, struct skua_stream_mem *mem)
{
    if (buf->count != 0) {
        struct skua_segment *last = segment_at(buf, buf->count - 1);
        if (last->block != NULL && last->len < SKUA_STREAM_BLOCK) {
            return last;
        }
    }
    if (ring_reserve(buf, mem) != SKUA_OK) {
        return NULL;
    }
    uint8_t *block = skua_blocks_get(mem->blocks);
    if (block == NULL) {
        return NULL;
    }
    struct skua_segment *seg = segment_at(buf, buf->count);
    *seg = (struct skua_segment){.offset = buf->end, .data = block, .len = 0, .block = block};
    buf->count++;
    return seg;
}

enum skua_err skua_send_buf_write(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                  const uint8_t *data, size_t len, size_t *taken)
{
    size_t done = 0;
    while (done < len) {
        struct skua_segment *seg = tail_block(buf, mem);
        if (seg == NULL) {
            break;
        }
        size_t room = SKUA_STREAM_BLOCK - (size_t)seg->len;
        size_t n = len - done < room ? len - done : room;
        memcpy(seg->block + seg->len, data + done, n);
        seg->len += n;
        buf->end += n;
        done += n;
    }
    *taken = done;
    return done == len ? SKUA_OK : SKUA_ENOMEM;
}

void skua_send_buf_cut(struct skua_send_buf *buf, struct skua_stream_mem *mem, uint64_t end)
{
    SKUA_ASSERT(end >= buf->next && end <= buf->end);
    buf->end = end;
    while (buf->count != 0) {
        struct skua_segment *last = segment_at(buf, buf->count - 1);
        if (last->offset < end) {
            last->len = end - last->offset;
            return;
        }
        skua_blocks_put(mem->blocks, last->block);
        buf->count--;
    }
    buf->hint = 0;
}

/* A short lend, copied: all or nothing. */
static enum skua_err lend_copied(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                 const uint8_t *data, size_t len)
{
    size_t taken = 0;
    enum skua_err err = skua_send_buf_write(buf, mem, data, len, &taken);
    if (err != SKUA_OK) {
        skua_send_buf_cut(buf, mem, buf->end - taken);
    }
    return err;
}

enum skua_err skua_send_buf_lend(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                 const uint8_t *data, size_t len)
{
    if (len < LEND_COPIED) {
        return lend_copied(buf, mem, data, len);
    }
    if (buf->count != 0) {
        struct skua_segment *last = segment_at(buf, buf->count - 1);
        if (last->block == NULL && last->data + last->len == data) {
            last->len += len;
            buf->end += len;
            return SKUA_OK;
        }
    }
    if (ring_reserve(buf, mem) != SKUA_OK) {
        return SKUA_ENOMEM;
    }
    *segment_at(buf, buf->count) =
        (struct skua_segment){.offset = buf->end, .data = data, .len = len, .block = NULL};
    buf->count++;
    buf->end += len;
    return SKUA_OK;
}

static bool segment_holds(const struct skua_segment *seg, uint64_t offset)
{
    return offset >= seg->offset && offset - seg->offset < seg->len;
}

/* Index of the segment that holds `offset`, which lies in the buffer. */
static uint32_t locate(const struct skua_send_buf *buf, uint64_t offset)
{
    for (uint32_t i = buf->hint; i < buf->count && i < buf->hint + 2; i++) {
        if (segment_holds(segment_peek(buf, i), offset)) {
            return i;
        }
    }
    uint32_t low = 0;
    uint32_t high = buf->count - 1;
    while (low < high) {
        uint32_t middle = low + (high - low + 1) / 2;
        if (segment_peek(buf, middle)->offset <= offset) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low;
}

/* The source of a copy some packets from now, if it is likely to be cold. Segment `from` holds
 * `offset`, and the one looked for is not far behind it. */
static void prefetch(const struct skua_send_buf *buf, uint32_t from, uint64_t offset, size_t len)
{
    uint64_t at = offset + (uint64_t)len * PREFETCH_PACKETS;
    if (buf->end - buf->una < PREFETCH_FROM || at >= buf->end) {
        return;
    }
    const struct skua_segment *seg = segment_peek(buf, from);
    while (!segment_holds(seg, at)) {
        seg = segment_peek(buf, ++from);
    }
    uint64_t skip = at - seg->offset;
    uint64_t room = seg->len - skip;
    size_t ahead = len < PREFETCH_MAX ? len : (size_t)PREFETCH_MAX;
    ahead = room < ahead ? (size_t)room : ahead;
    for (size_t i = 0; i < ahead; i += CACHE_LINE) {
        __builtin_prefetch(seg->data + skip + i, 0, 3);
    }
}

void skua_send_buf_copy(struct skua_send_buf *buf, uint64_t offset, uint8_t *out, size_t len)
{
    SKUA_ASSERT(offset >= buf->una && offset <= buf->end && len <= buf->end - offset);
    if (len == 0) {
        return;
    }
    uint32_t i = locate(buf, offset);
    prefetch(buf, i, offset, len);
    for (;;) {
        const struct skua_segment *seg = segment_peek(buf, i);
        uint64_t skip = offset - seg->offset;
        uint64_t room = seg->len - skip;
        size_t n = room < len ? (size_t)room : len;
        memcpy(out, seg->data + skip, n);
        len -= n;
        if (len == 0) {
            break;
        }
        out += n;
        offset += n;
        i++;
    }
    buf->hint = i;
}

bool skua_send_buf_next_lost(const struct skua_send_buf *buf, uint64_t *offset, uint64_t *len)
{
    if (!skua_send_buf_has_lost(buf)) {
        return false;
    }
    struct skua_range range = skua_rangeset_at(&buf->sets->lost, 0);
    *offset = range.first;
    *len = range.last - range.first + 1;
    return true;
}

void skua_send_buf_resent(struct skua_send_buf *buf, uint64_t offset, uint64_t len)
{
    SKUA_ASSERT(skua_send_buf_has_lost(buf) && len != 0 &&
                offset == skua_rangeset_min(&buf->sets->lost));
    enum skua_err err = skua_rangeset_remove(&buf->sets->lost, 0, offset + len - 1);
    SKUA_ASSERT(err == SKUA_OK);
}

void skua_send_buf_sent(struct skua_send_buf *buf, uint64_t len)
{
    SKUA_ASSERT(len <= buf->end - buf->next);
    buf->next += len;
}

/* Lets go of segments that lie below una. */
static void release(struct skua_send_buf *buf, struct skua_stream_mem *mem)
{
    uint32_t gone = 0;
    while (gone < buf->count) {
        struct skua_segment *seg = segment_at(buf, gone);
        if (seg->offset + seg->len > buf->una) {
            break;
        }
        skua_blocks_put(mem->blocks, seg->block);
        gone++;
    }
    buf->head = (buf->head + gone) & (buf->cap - 1);
    buf->count -= gone;
    buf->hint = buf->hint > gone ? buf->hint - gone : 0;
    if (buf->una == buf->end) {
        sets_free(buf, mem);
        if (buf->cap > SEGS_MIN) {
            ring_free(buf, mem);
        }
    }
}

/* Moves una to `to`, and on over what was acknowledged before. */
static void advance(struct skua_send_buf *buf, struct skua_stream_mem *mem, uint64_t to)
{
    buf->una = to;
    if (buf->sets != NULL) {
        struct skua_rangeset *acked = &buf->sets->acked;
        while (skua_rangeset_count(acked) != 0 && skua_rangeset_min(acked) <= buf->una) {
            uint64_t last = skua_rangeset_at(acked, 0).last;
            buf->una = last + 1 > buf->una ? last + 1 : buf->una;
            enum skua_err err = skua_rangeset_remove(acked, 0, last);
            SKUA_ASSERT(err == SKUA_OK);
        }
    }
    release(buf, mem);
}

enum skua_err skua_send_buf_acked(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                  uint64_t offset, uint64_t len)
{
    uint64_t end = offset + len;
    SKUA_ASSERT(end <= buf->next);
    if (end <= buf->una || len == 0) {
        return SKUA_OK;
    }
    offset = offset > buf->una ? offset : buf->una;
    if (skua_send_buf_has_lost(buf)) {
        enum skua_err err = skua_rangeset_remove(&buf->sets->lost, offset, end - 1);
        if (err != SKUA_OK) {
            return SKUA_ENOMEM;
        }
    }
    if (offset == buf->una) {
        advance(buf, mem, end);
        return SKUA_OK;
    }
    if (sets_need(buf, mem) != SKUA_OK ||
        skua_rangeset_add(&buf->sets->acked, offset, end - 1) != SKUA_OK) {
        return SKUA_ENOMEM;
    }
    return SKUA_OK;
}

enum skua_err skua_send_buf_lost(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                 uint64_t offset, uint64_t len)
{
    uint64_t end = offset + len;
    SKUA_ASSERT(end <= buf->next);
    if (end <= buf->una || len == 0) {
        return SKUA_OK;
    }
    offset = offset > buf->una ? offset : buf->una;
    if (sets_need(buf, mem) != SKUA_OK) {
        return SKUA_ENOMEM;
    }
    const struct skua_rangeset *acked = &buf->sets->acked;
    uint32_t i = skua_rangeset_find(acked, offset);
    while (offset < end) {
        uint64_t until = end;
        uint64_t after = end;
        if (i < skua_rangeset_count(acked) && skua_rangeset_at(acked, i).first < end) {
            until = skua_rangeset_at(acked, i).first;
            after = skua_rangeset_at(acked, i).last + 1;
            i++;
        }
        if (until > offset && skua_rangeset_add(&buf->sets->lost, offset, until - 1) != SKUA_OK) {
            return SKUA_ENOMEM;
        }
        offset = after;
    }
    return SKUA_OK;
}

void skua_send_buf_check(const struct skua_send_buf *buf)
{
    SKUA_ASSERT(buf->una <= buf->next && buf->next <= buf->end);
    SKUA_ASSERT(buf->count <= buf->cap && (buf->cap & (buf->cap - 1)) == 0);
    SKUA_ASSERT((buf->segs == NULL) == (buf->cap == 1));
    for (uint32_t i = 0; i < buf->count; i++) {
        const struct skua_segment *seg = segment_peek(buf, i);
        uint64_t end = seg->offset + seg->len;
        SKUA_ASSERT(end > buf->una);
        SKUA_ASSERT(i != 0 || seg->offset <= buf->una);
        SKUA_ASSERT(end == (i + 1 < buf->count ? segment_peek(buf, i + 1)->offset : buf->end));
        SKUA_ASSERT(seg->block == NULL ||
                    (seg->block == seg->data && seg->len <= SKUA_STREAM_BLOCK));
    }
    if (buf->sets == NULL) {
        return;
    }
    const struct skua_rangeset *acked = &buf->sets->acked;
    const struct skua_rangeset *lost = &buf->sets->lost;
    skua_rangeset_check(acked);
    skua_rangeset_check(lost);
    SKUA_ASSERT(skua_rangeset_count(acked) == 0 ||
                (skua_rangeset_min(acked) > buf->una && skua_rangeset_max(acked) < buf->next));
    SKUA_ASSERT(skua_rangeset_count(lost) == 0 ||
                (skua_rangeset_min(lost) >= buf->una && skua_rangeset_max(lost) < buf->next));
    for (uint32_t i = 0; i < skua_rangeset_count(lost); i++) {
        struct skua_range range = skua_rangeset_at(lost, i);
        uint32_t j = skua_rangeset_find(acked, range.first);
        SKUA_ASSERT(j == skua_rangeset_count(acked) ||
                    skua_rangeset_at(acked, j).first > range.last);
    }
}
