/* The receive buffer: see recv_buf.h. RFC 9000 §2.2. */
#include "stream/recv_buf.h"

#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/list.h"

enum {
    RING_MIN = 8,   /* first ring on the heap */
    RING_KEPT = 32, /* a ring up to this size is kept while the buffer is empty */
    READ_PIECES = 16,
};

/* Pieces of borrowed bytes, in a block of the pool. */
struct skua_loan_page {
    struct skua_loan_page *next; /* NULL = the last */
    uint32_t begin;              /* first piece not yet read */
    uint32_t count;              /* one past the last piece */
    struct skua_vec pieces[];    /* PAGE_PIECES of them */
};

#define PAGE_PIECES ((SKUA_STREAM_BLOCK - sizeof(struct skua_loan_page)) / sizeof(struct skua_vec))

/* --- the ring of blocks --- */

static uint8_t **slot_of(struct skua_recv_buf *buf, uint64_t number)
{
    uint8_t **ring = buf->ring != NULL ? buf->ring : buf->embedded;
    return &ring[number & (buf->cap - 1)];
}

uint8_t *skua_recv_buf_block(const struct skua_recv_buf *buf, uint64_t number)
{
    uint8_t *const *ring = buf->ring != NULL ? buf->ring : buf->embedded;
    return ring[number & (buf->cap - 1)];
}

static void ring_free(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    SKUA_ASSERT(buf->blocks == 0);
    if (buf->ring != NULL) {
        skua_heap_put(mem->heap, buf->ring, buf->cap * sizeof(uint8_t *));
        buf->ring = NULL;
    }
    memset(buf->embedded, 0, sizeof buf->embedded);
    buf->cap = SKUA_RECV_RING_EMBEDDED;
}

void skua_recv_buf_trim(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    if (buf->cap > RING_KEPT) {
        ring_free(buf, mem);
    }
}

/* Makes the ring long enough for blocks `first` to `last`; those held lie among them. */
static enum skua_err ring_reach(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                uint64_t first, uint64_t last)
{
    if (last - first < buf->cap) {
        return SKUA_OK;
    }
    uint32_t cap = buf->cap < RING_MIN ? (uint32_t)RING_MIN : buf->cap;
    while (last - first >= cap) {
        cap *= 2;
    }
    uint8_t **ring = skua_heap_get(mem->heap, cap * sizeof *ring);
    if (ring == NULL) {
        return SKUA_ENOMEM;
    }
    for (uint64_t n = first; n < first + buf->cap; n++) {
        ring[n & (cap - 1)] = skua_recv_buf_block(buf, n);
    }
    if (buf->ring != NULL) {
        skua_heap_put(mem->heap, buf->ring, buf->cap * sizeof(uint8_t *));
    }
    buf->ring = ring;
    buf->cap = cap;
    return SKUA_OK;
}

void skua_recv_buf_blocks_free(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                               uint64_t first, uint64_t last)
{
    for (uint64_t n = first; n < last && buf->blocks != 0; n++) {
        uint8_t **slot = slot_of(buf, n);
        if (*slot != NULL) {
            skua_blocks_put(mem->blocks, *slot);
            *slot = NULL;
            buf->blocks--;
        }
    }
}

enum skua_err skua_recv_buf_store(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                  uint64_t offset, const uint8_t *data, size_t len)
{
    enum skua_err err =
        ring_reach(buf, mem, buf->read / SKUA_STREAM_BLOCK, (offset + len - 1) / SKUA_STREAM_BLOCK);
    if (err != SKUA_OK) {
        return err;
    }
    while (len != 0) {
        uint8_t **slot = slot_of(buf, offset / SKUA_STREAM_BLOCK);
        if (*slot == NULL) {
            *slot = skua_blocks_get(mem->blocks);
            if (*slot == NULL) {
                return SKUA_ENOMEM;
            }
            buf->blocks++;
        }
        size_t skip = (size_t)(offset % SKUA_STREAM_BLOCK);
        size_t n = SKUA_STREAM_BLOCK - skip < len ? SKUA_STREAM_BLOCK - skip : len;
        memcpy(*slot + skip, data, n);
        offset += n;
        data += n;
        len -= n;
    }
    return SKUA_OK;
}

/* --- borrowed pieces --- */

bool skua_recv_buf_loan_add(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                            const uint8_t *data, size_t len)
{
    if (mem->pieces >= SKUA_LIMIT_LOANED_PIECES) {
        return false;
    }
    struct skua_loan_page *page = buf->loans_last;
    if (buf->loans == NULL || page->count == PAGE_PIECES) {
        page = skua_blocks_get(mem->blocks);
        if (page == NULL) {
            return false;
        }
        page->next = NULL;
        page->begin = 0;
        page->count = 0;
        if (buf->loans == NULL) {
            buf->loans = page;
        } else {
            buf->loans_last->next = page;
        }
        buf->loans_last = page;
    }
    page->pieces[page->count++] = (struct skua_vec){.data = data, .len = len};
    mem->pieces++;
    return true;
}

uint64_t skua_recv_buf_loan_take(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                 uint64_t len)
{
    uint64_t left = len;
    while (buf->loans != NULL && left != 0) {
        struct skua_loan_page *page = buf->loans;
        struct skua_vec *piece = &page->pieces[page->begin];
        if (piece->len > left) {
            piece->data += left;
            piece->len -= (size_t)left;
            left = 0;
            break;
        }
        left -= piece->len;
        mem->pieces--;
        page->begin++;
        if (page->begin == page->count) {
            buf->loans = page->next;
            skua_blocks_put(mem->blocks, page);
        }
    }
    return len - left;
}

static void loan_drop(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    (void)skua_recv_buf_loan_take(buf, mem, UINT64_MAX);
    buf->loans_last = NULL;
}

/* Where the bytes in blocks begin. */
static uint64_t blocks_from(const struct skua_recv_buf *buf)
{
    return buf->loans != NULL ? buf->loan_end : buf->read;
}

/* --- the buffer --- */

void skua_recv_buf_init(struct skua_recv_buf *buf)
{
    memset(buf, 0, sizeof *buf);
    buf->cap = SKUA_RECV_RING_EMBEDDED;
}

static void drop_bytes(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    loan_drop(buf, mem);
    uint64_t first = buf->read / SKUA_STREAM_BLOCK;
    skua_recv_buf_blocks_free(buf, mem, first, first + buf->cap);
    ring_free(buf, mem);
}

void skua_recv_buf_deinit(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    drop_bytes(buf, mem);
    skua_recv_buf_beyond_free(buf, mem);
}

void skua_recv_buf_discard(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    drop_bytes(buf, mem);
    if (buf->unordered) {
        struct skua_recv_pieces *pieces =
            SKUA_CONTAINER_OF(buf->beyond, struct skua_recv_pieces, beyond);
        mem->gaps -= skua_rangeset_count(&pieces->fresh);
        skua_rangeset_clear(&pieces->fresh);
        pieces->bytes = 0;
    }
    buf->discarding = true;
}

enum skua_err skua_recv_buf_put(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                uint64_t offset, const uint8_t *data, size_t len, bool borrowed)
{
    uint64_t until = offset + len;
    if (until <= buf->end) {
        return SKUA_OK;
    }
    if (offset < buf->end) {
        data += buf->end - offset;
        len -= (size_t)(buf->end - offset);
        offset = buf->end;
    }
    if (buf->unordered && !buf->discarding) {
        return skua_recv_pieces_put(buf, mem, offset, data, len, borrowed);
    }
    if (!buf->discarding) {
        bool in_order = offset == buf->end && blocks_from(buf) == buf->end;
        if (borrowed && in_order && skua_recv_buf_loan_add(buf, mem, data, len)) {
            buf->loan_end = until;
        } else {
            enum skua_err err = skua_recv_buf_store(buf, mem, offset, data, len);
            if (err != SKUA_OK) {
                return err;
            }
        }
    }
    enum skua_err err = skua_recv_buf_note(buf, mem, offset, until);
    if (err == SKUA_OK && buf->discarding && !skua_recv_buf_has_gap(buf)) {
        skua_recv_buf_beyond_free(buf, mem);
    }
    return err;
}

size_t skua_recv_buf_loans(const struct skua_recv_buf *buf, struct skua_piece *out, size_t max)
{
    size_t n = 0;
    uint64_t at = buf->read;
    for (const struct skua_loan_page *page = buf->loans; page != NULL; page = page->next) {
        for (uint32_t i = page->begin; i < page->count && n < max; i++) {
            const struct skua_vec *piece = &page->pieces[i];
            out[n++] = (struct skua_piece){.offset = at, .data = piece->data, .len = piece->len};
            at += piece->len;
        }
    }
    return n;
}

size_t skua_recv_buf_peek(const struct skua_recv_buf *buf, struct skua_vec *vec, size_t max)
{
    size_t n = 0;
    if (buf->discarding) {
        return 0;
    }
    for (const struct skua_loan_page *page = buf->loans; page != NULL; page = page->next) {
        for (uint32_t i = page->begin; i < page->count && n < max; i++) {
            vec[n++] = page->pieces[i];
        }
    }
    for (uint64_t at = blocks_from(buf); at < buf->end && n < max;) {
        size_t skip = (size_t)(at % SKUA_STREAM_BLOCK);
        uint64_t room = buf->end - at;
        size_t len = room < SKUA_STREAM_BLOCK - skip ? (size_t)room : SKUA_STREAM_BLOCK - skip;
        vec[n++] = (struct skua_vec){
            .data = skua_recv_buf_block(buf, at / SKUA_STREAM_BLOCK) + skip, .len = len};
        at += len;
    }
    return n;
}

void skua_recv_buf_consume(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint64_t len)
{
    SKUA_ASSERT(len <= skua_recv_buf_readable(buf));
    if (buf->unordered) {
        skua_recv_pieces_consume(buf, mem, len);
        return;
    }
    (void)skua_recv_buf_loan_take(buf, mem, len);
    uint64_t first = buf->read / SKUA_STREAM_BLOCK;
    buf->read += len;
    skua_recv_buf_blocks_free(buf, mem, first, buf->read / SKUA_STREAM_BLOCK);
    if (buf->read != buf->end || skua_recv_buf_has_gap(buf)) {
        return;
    }
    /* Nothing left: no buffers. */
    first = buf->read / SKUA_STREAM_BLOCK;
    skua_recv_buf_blocks_free(buf, mem, first, first + buf->cap);
    skua_recv_buf_beyond_free(buf, mem);
    skua_recv_buf_trim(buf, mem);
}

size_t skua_recv_buf_read(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint8_t *out,
                          size_t len)
{
    size_t done = 0;
    while (done < len) {
        struct skua_vec vec[READ_PIECES];
        size_t count = skua_recv_buf_peek(buf, vec, READ_PIECES);
        if (count == 0) {
            break;
        }
        size_t before = done;
        for (size_t i = 0; i < count && done < len; i++) {
            size_t n = vec[i].len < len - done ? vec[i].len : len - done;
            memcpy(out + done, vec[i].data, n);
            done += n;
        }
        skua_recv_buf_consume(buf, mem, done - before);
    }
    return done;
}

enum skua_err skua_recv_buf_settle(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    enum skua_err err = SKUA_OK;
    uint64_t at = buf->read;
    for (const struct skua_loan_page *page = buf->loans; page != NULL; page = page->next) {
        for (uint32_t i = page->begin; i < page->count && err == SKUA_OK; i++) {
            err = skua_recv_buf_store(buf, mem, at, page->pieces[i].data, page->pieces[i].len);
            at += page->pieces[i].len;
        }
    }
    bool any = buf->loans != NULL;
    loan_drop(buf, mem);
    if (any && buf->unordered && err == SKUA_OK) {
        err = skua_recv_pieces_settled(buf, mem, buf->read, buf->loan_end);
    }
    return err;
}

void skua_recv_buf_check(const struct skua_recv_buf *buf)
{
    SKUA_ASSERT(buf->read <= buf->end);
    SKUA_ASSERT((buf->cap & (buf->cap - 1)) == 0 && buf->blocks <= buf->cap);
    uint64_t arrived = buf->end;
    if (buf->beyond != NULL) {
        skua_rangeset_check(buf->beyond);
        for (uint32_t i = 0; i < skua_rangeset_count(buf->beyond); i++) {
            struct skua_range range = skua_rangeset_at(buf->beyond, i);
            SKUA_ASSERT(range.first > buf->end);
            arrived += range.last - range.first + 1;
        }
    }
    SKUA_ASSERT(arrived == buf->arrived);
    uint64_t at = buf->read;
    for (const struct skua_loan_page *page = buf->loans; page != NULL; page = page->next) {
        SKUA_ASSERT(page->begin < page->count && (page->next != NULL || page == buf->loans_last));
        for (uint32_t i = page->begin; i < page->count; i++) {
            at += page->pieces[i].len;
        }
    }
    SKUA_ASSERT(buf->loans == NULL || at == buf->loan_end);
    SKUA_ASSERT(buf->loans == NULL || buf->loan_end <= buf->end);
    if (buf->discarding) {
        SKUA_ASSERT(buf->blocks == 0 && buf->loans == NULL);
        return;
    }
    if (buf->unordered) {
        skua_recv_pieces_check(buf);
        return;
    }
    for (; at < buf->end; at += SKUA_STREAM_BLOCK - at % SKUA_STREAM_BLOCK) {
        SKUA_ASSERT(skua_recv_buf_block(buf, at / SKUA_STREAM_BLOCK) != NULL);
    }
    uint32_t blocks = 0;
    uint64_t first = buf->read / SKUA_STREAM_BLOCK;
    for (uint64_t n = first; n < first + buf->cap; n++) {
        blocks += skua_recv_buf_block(buf, n) != NULL;
    }
    SKUA_ASSERT(blocks == buf->blocks);
    SKUA_ASSERT(buf->read != buf->end || skua_recv_buf_has_gap(buf) || buf->blocks == 0);
}
