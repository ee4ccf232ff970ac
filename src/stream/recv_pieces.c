/* Unordered receive buffers: bytes are handed out as they arrive, whatever is missing before them,
 * and each once (recv_buf.h).
 *
 *   read            loan_end    end
 *    |-- borrowed ----|-- ... ---|  gap  |-- beyond --|
 *                      fresh: of the bytes in blocks, those not yet taken
 *
 * What arrives in order, with nothing untaken before it but borrowed bytes, is borrowed as in an
 * ordered buffer; all else goes to blocks. The lowest bytes are taken first, so borrowed ones lie
 * below all of `fresh`, and blocks below the first of `fresh` are free: memory holds what is not
 * taken, and 8 bytes of ring for each block from `read` on. A frame that repeats what was taken
 * brings nothing: only bytes that had not arrived are fresh. */
#include "base/assert.h"
#include "base/limits.h"
#include "base/list.h"
#include "stream/recv_buf.h"

static struct skua_recv_pieces *pieces_of(struct skua_recv_buf *buf)
{
    return SKUA_CONTAINER_OF(buf->beyond, struct skua_recv_pieces, beyond);
}

static const struct skua_recv_pieces *pieces_peek(const struct skua_recv_buf *buf)
{
    return SKUA_CONTAINER_OF(buf->beyond, struct skua_recv_pieces, beyond);
}

static uint64_t loaned(const struct skua_recv_buf *buf)
{
    return buf->loans != NULL ? buf->loan_end - buf->read : 0;
}

uint64_t skua_recv_pieces_readable(const struct skua_recv_buf *buf)
{
    return loaned(buf) + pieces_peek(buf)->bytes;
}

uint64_t skua_recv_pieces_taken(const struct skua_recv_buf *buf, uint64_t ahead)
{
    uint64_t taken = buf->arrived - skua_recv_pieces_readable(buf);
    uint64_t beyond = taken - buf->read;
    return buf->read + (beyond < ahead ? beyond : ahead);
}

/* --- in --- */

/* [from, to) is in blocks, and nobody has taken it. */
static enum skua_err add_fresh(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                               uint64_t from, uint64_t to)
{
    struct skua_recv_pieces *pieces = pieces_of(buf);
    uint32_t count = skua_rangeset_count(&pieces->fresh);
    enum skua_err err = skua_rangeset_add(&pieces->fresh, from, to - 1);
    if (err != SKUA_OK) {
        return err;
    }
    pieces->bytes += to - from;
    uint32_t ranges = skua_rangeset_count(&pieces->fresh);
    mem->gaps += ranges - count;
    bool fit = skua_recv_ranges_fit(&pieces->thin, count, ranges, to - from);
    return fit && mem->gaps <= SKUA_LIMIT_RECV_GAPS ? SKUA_OK : SKUA_ELIMIT;
}

/* Keeps what of [offset, offset + len) had not arrived; it does not lie below `end`. */
static enum skua_err keep(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint64_t offset,
                          const uint8_t *data, size_t len)
{
    const struct skua_rangeset *beyond = buf->beyond;
    uint64_t until = offset + len;
    uint64_t at = offset;
    enum skua_err err = SKUA_OK;
    for (uint32_t i = skua_rangeset_find(beyond, offset); at < until && err == SKUA_OK; i++) {
        bool last = i >= skua_rangeset_count(beyond);
        uint64_t stop = last ? until : skua_rangeset_at(beyond, i).first;
        stop = stop < until ? stop : until;
        if (stop > at) {
            err = skua_recv_buf_store(buf, mem, at, data + (at - offset), (size_t)(stop - at));
            err = err == SKUA_OK ? add_fresh(buf, mem, at, stop) : err;
        }
        at = last ? until : skua_rangeset_at(beyond, i).last + 1;
    }
    return err;
}

/* May [end, until) stay where it is? */
static bool may_borrow(const struct skua_recv_buf *buf, uint64_t until)
{
    const struct skua_rangeset *fresh = &pieces_peek(buf)->fresh;
    if (skua_rangeset_count(buf->beyond) != 0 && skua_rangeset_min(buf->beyond) < until) {
        return false; /* not all of it is new */
    }
    if (skua_rangeset_count(fresh) != 0 && skua_rangeset_min(fresh) < buf->end) {
        return false; /* something before it is in blocks */
    }
    return buf->loans == NULL || buf->loan_end == buf->end;
}

enum skua_err skua_recv_pieces_put(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                   uint64_t offset, const uint8_t *data, size_t len, bool borrowed)
{
    uint64_t until = offset + len;
    if (borrowed && offset == buf->end && may_borrow(buf, until) &&
        skua_recv_buf_loan_add(buf, mem, data, len)) {
        buf->loan_end = until;
    } else {
        enum skua_err err = keep(buf, mem, offset, data, len);
        if (err != SKUA_OK) {
            return err;
        }
    }
    return skua_recv_buf_note(buf, mem, offset, until);
}

enum skua_err skua_recv_pieces_settled(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                       uint64_t from, uint64_t to)
{
    return add_fresh(buf, mem, from, to);
}

enum skua_err skua_recv_buf_set_unordered(struct skua_recv_buf *buf, struct skua_stream_mem *mem)
{
    if (buf->unordered) {
        return SKUA_OK;
    }
    struct skua_recv_pieces *pieces = skua_heap_get(mem->heap, sizeof *pieces);
    if (pieces == NULL) {
        return SKUA_ENOMEM;
    }
    skua_rangeset_init(&pieces->beyond, mem->heap, SKUA_LIMIT_RECV_GAPS_STREAM,
                       SKUA_RANGESET_REFUSE);
    skua_rangeset_init(&pieces->fresh, mem->heap, SKUA_LIMIT_RECV_GAPS_STREAM,
                       SKUA_RANGESET_REFUSE);
    uint64_t from = buf->loans != NULL ? buf->loan_end : buf->read;
    enum skua_err err = SKUA_OK;
    if (from != buf->end) {
        err = skua_rangeset_add(&pieces->fresh, from, buf->end - 1);
        pieces->bytes = buf->end - from;
    }
    uint32_t count = buf->beyond != NULL ? skua_rangeset_count(buf->beyond) : 0;
    for (uint32_t i = 0; i < count && err == SKUA_OK; i++) {
        struct skua_range range = skua_rangeset_at(buf->beyond, i);
        pieces->bytes += range.last - range.first + 1;
        err = skua_rangeset_add(&pieces->beyond, range.first, range.last);
        err = err == SKUA_OK ? skua_rangeset_add(&pieces->fresh, range.first, range.last) : err;
    }
    if (err != SKUA_OK) {
        skua_rangeset_deinit(&pieces->beyond);
        skua_rangeset_deinit(&pieces->fresh);
        skua_heap_put(mem->heap, pieces, sizeof *pieces);
        return SKUA_ENOMEM;
    }
    skua_recv_buf_beyond_free(buf, mem);
    mem->gaps += count + skua_rangeset_count(&pieces->fresh);
    buf->beyond = &pieces->beyond;
    buf->unordered = true;
    /* A block whose bytes are all read may have waited for others behind a gap. */
    uint64_t first = buf->read / SKUA_STREAM_BLOCK;
    uint64_t last = skua_rangeset_count(&pieces->fresh) != 0
                        ? skua_rangeset_min(&pieces->fresh) / SKUA_STREAM_BLOCK
                        : first + buf->cap;
    skua_recv_buf_blocks_free(buf, mem, first, last);
    return SKUA_OK;
}

/* --- out --- */

size_t skua_recv_pieces_peek(const struct skua_recv_buf *buf, struct skua_piece *out, size_t max)
{
    const struct skua_rangeset *fresh = &pieces_peek(buf)->fresh;
    size_t n = skua_recv_buf_loans(buf, out, max);
    for (uint32_t i = 0; i < skua_rangeset_count(fresh); i++) {
        struct skua_range range = skua_rangeset_at(fresh, i);
        for (uint64_t at = range.first; at <= range.last && n < max;) {
            size_t skip = (size_t)(at % SKUA_STREAM_BLOCK);
            uint64_t left = range.last - at + 1;
            size_t len = left < SKUA_STREAM_BLOCK - skip ? (size_t)left : SKUA_STREAM_BLOCK - skip;
            out[n++] =
                (struct skua_piece){.offset = at,
                                    .data = skua_recv_buf_block(buf, at / SKUA_STREAM_BLOCK) + skip,
                                    .len = len};
            at += len;
        }
        if (n == max) {
            break;
        }
    }
    return n;
}

/* Takes `len` bytes off the lowest of `fresh`, and gives the blocks back that hold no more of them.
 */
static void take_fresh(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint64_t len)
{
    struct skua_recv_pieces *pieces = pieces_of(buf);
    struct skua_rangeset *fresh = &pieces->fresh;
    uint64_t first = skua_rangeset_min(fresh) / SKUA_STREAM_BLOCK;
    uint32_t count = skua_rangeset_count(fresh);
    uint64_t end = 0; /* behind the last byte taken */
    pieces->bytes -= len;
    while (len != 0) {
        struct skua_range range = skua_rangeset_at(fresh, 0);
        uint64_t size = range.last - range.first + 1;
        uint64_t n = size < len ? size : len;
        end = range.first + n;
        enum skua_err err = skua_rangeset_remove(fresh, 0, end - 1);
        SKUA_ASSERT(err == SKUA_OK);
        len -= n;
    }
    uint32_t left = skua_rangeset_count(fresh);
    mem->gaps -= count - left;
    (void)skua_recv_ranges_fit(&pieces->thin, count, left, 0); /* no more than before */
    uint64_t last = skua_rangeset_count(fresh) != 0
                        ? skua_rangeset_min(fresh) / SKUA_STREAM_BLOCK
                        : (end + SKUA_STREAM_BLOCK - 1) / SKUA_STREAM_BLOCK;
    skua_recv_buf_blocks_free(buf, mem, first, last);
}

void skua_recv_pieces_consume(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint64_t len)
{
    SKUA_ASSERT(len <= skua_recv_pieces_readable(buf));
    uint64_t lent = skua_recv_buf_loan_take(buf, mem, len);
    buf->read += lent;
    if (len != lent) {
        take_fresh(buf, mem, len - lent);
    }
    if (buf->loans == NULL) {
        const struct skua_rangeset *fresh = &pieces_peek(buf)->fresh;
        bool waits = skua_rangeset_count(fresh) != 0 && skua_rangeset_min(fresh) < buf->end;
        buf->read = waits ? skua_rangeset_min(fresh) : buf->end;
    }
    if (buf->blocks == 0) {
        skua_recv_buf_trim(buf, mem);
    }
}

void skua_recv_pieces_check(const struct skua_recv_buf *buf)
{
    const struct skua_recv_pieces *pieces = pieces_peek(buf);
    skua_rangeset_check(&pieces->fresh);
    uint64_t bytes = 0;
    uint32_t blocks = 0;
    uint64_t next = 0; /* lowest block not yet counted */
    for (uint32_t i = 0; i < skua_rangeset_count(&pieces->fresh); i++) {
        struct skua_range range = skua_rangeset_at(&pieces->fresh, i);
        bytes += range.last - range.first + 1;
        SKUA_ASSERT(range.first >= (buf->loans != NULL ? buf->loan_end : buf->read));
        SKUA_ASSERT(range.last < buf->end || skua_rangeset_contains(buf->beyond, range.last));
        SKUA_ASSERT(range.first < buf->end || skua_rangeset_contains(buf->beyond, range.first));
        uint64_t n = range.first / SKUA_STREAM_BLOCK;
        for (n = n > next ? n : next; n <= range.last / SKUA_STREAM_BLOCK; n++) {
            SKUA_ASSERT(skua_recv_buf_block(buf, n) != NULL);
            blocks++;
        }
        next = n > next ? n : next;
    }
    SKUA_ASSERT(bytes == pieces->bytes && blocks == buf->blocks);
    bool waits = bytes != 0 && skua_rangeset_min(&pieces->fresh) < buf->end;
    SKUA_ASSERT(buf->loans != NULL ||
                buf->read == (waits ? skua_rangeset_min(&pieces->fresh) : buf->end));
}
