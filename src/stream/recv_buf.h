/* What has arrived of a stream and was not yet read, addressed by stream offset.
 *
 *   read              loan_end             end             highest
 *    |-- borrowed pieces --|-- in blocks ----|-- blocks, with gaps --|
 *
 * Bytes are kept in blocks of the pool, found through a ring of pointers by offset /
 * SKUA_STREAM_BLOCK: memory follows what has really arrived, and goes as soon as it is read. What
 * arrived beyond a gap is a range set. Bytes in order are not copied where all before them is read
 * or borrowed: a piece points to them where they are (a receive buffer of the caller) until
 * skua_recv_buf_settle copies what is left.
 *
 * A buffer that discards keeps no byte but goes on to note which arrived: FIN_ACK and the end of a
 * stream depend on that, whoever reads.
 *
 * An unordered buffer (skua_recv_buf_set_unordered) hands out what has arrived whatever is missing
 * before it, the lowest first, and each byte once: recv_pieces.c.
 *
 * Memory: the blocks touched by [read, highest), so at most the stream's window and two blocks, 8
 * bytes of ring per block, and 16 bytes per gap; gaps are limited per stream and per connection.
 * (Unordered: pieces that wait behind others that were taken count as gaps as well.)
 * Where two frames carry the same byte, the later copy wins until it is in order (RFC 9000 §2.2:
 * both must be equal). */
#ifndef SKUA_STREAM_RECV_BUF_H
#define SKUA_STREAM_RECV_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/rangeset.h"
#include "stream/mem.h"

struct skua_loan_page;

/* What an unordered buffer knows beside: which of the bytes in blocks have not been taken. */
struct skua_recv_pieces {
    struct skua_rangeset beyond; /* what `beyond` of the buffer points to */
    struct skua_rangeset fresh;  /* in blocks, not yet taken */
    uint64_t bytes;              /* how many these are */
    uint32_t thin;               /* of `fresh`, for skua_recv_ranges_fit */
};

enum { SKUA_RECV_RING_EMBEDDED = 2 }; /* a power of two */

struct skua_recv_buf {
    uint64_t read;                     /* next byte to hand out; unordered: all below are taken */
    uint64_t end;                      /* every byte below has arrived */
    uint64_t arrived;                  /* bytes that arrived, each counted once, gaps or not */
    uint64_t loan_end;                 /* bytes from read to here are borrowed; `read` = none */
    struct skua_loan_page *loans;      /* pages of pieces, in order; NULL = none */
    struct skua_loan_page *loans_last; /* the page to append to */
    struct skua_rangeset *beyond;      /* what arrived above `end`; NULL = nothing. Unordered: part
                                          of a struct skua_recv_pieces */
    uint8_t **ring;                    /* blocks by number modulo `cap`; NULL: `embedded` */
    uint8_t *embedded[SKUA_RECV_RING_EMBEDDED]; /* ring of a small buffer */
    uint32_t cap;                               /* size of the ring, a power of two */
    uint32_t blocks;                            /* blocks held */
    uint32_t thin;                              /* of `beyond`, for skua_recv_ranges_fit */
    bool discarding;                            /* bytes are noted, not kept */
    bool unordered;                             /* recv_pieces.c */
};

void skua_recv_buf_init(struct skua_recv_buf *buf);
/* Gives all memory back. */
void skua_recv_buf_deinit(struct skua_recv_buf *buf, struct skua_stream_mem *mem);

/* Takes in [offset, offset + len), len > 0; parts may be there already. `borrowed`: the bytes stay
 * valid until settle, so they may stay where they are. SKUA_ENOMEM; SKUA_ELIMIT: too many gaps. The
 * buffer is intact after both, but the bytes are not all there. */
enum skua_err skua_recv_buf_put(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                uint64_t offset, const uint8_t *data, size_t len, bool borrowed);

uint64_t skua_recv_pieces_readable(const struct skua_recv_buf *buf);

/* Bytes that can be read now. */
static inline uint64_t skua_recv_buf_readable(const struct skua_recv_buf *buf)
{
    if (buf->unordered) {
        return skua_recv_pieces_readable(buf);
    }
    return buf->discarding ? 0 : buf->end - buf->read;
}

static inline bool skua_recv_buf_has_loans(const struct skua_recv_buf *buf)
{
    return buf->loans != NULL;
}

/* Copies and takes up to `len` bytes; returns how many. */
size_t skua_recv_buf_read(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint8_t *out,
                          size_t len);
/* The next bytes in place, in up to `max` pieces; returns how many. */
size_t skua_recv_buf_peek(const struct skua_recv_buf *buf, struct skua_vec *vec, size_t max);
/* Takes `len` bytes, at most what is readable; of an unordered buffer as skua_recv_pieces_peek
 * shows them. */
void skua_recv_buf_consume(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint64_t len);

/* Copies what is still borrowed. SKUA_ENOMEM: the borrowed rest is lost, and with it the stream. */
enum skua_err skua_recv_buf_settle(struct skua_recv_buf *buf, struct skua_stream_mem *mem);

/* Throws the content away and keeps nothing from now on. */
void skua_recv_buf_discard(struct skua_recv_buf *buf, struct skua_stream_mem *mem);

/* --- recv_pieces.c: unordered buffers --- */

/* From now on bytes are handed out as they have arrived: by skua_recv_pieces_peek and consume, no
 * more by read and peek. SKUA_ENOMEM: nothing changed. */
enum skua_err skua_recv_buf_set_unordered(struct skua_recv_buf *buf, struct skua_stream_mem *mem);
/* The lowest bytes that are not taken, in up to `max` pieces; returns how many. */
size_t skua_recv_pieces_peek(const struct skua_recv_buf *buf, struct skua_piece *pieces,
                             size_t max);
/* Up to what offset bytes are taken, if those taken beyond what is missing are moved together, but
 * no more than `ahead` of them. */
uint64_t skua_recv_pieces_taken(const struct skua_recv_buf *buf, uint64_t ahead);

/* For recv_buf.c: its verbs, where the buffer is unordered and does not discard. */
enum skua_err skua_recv_pieces_put(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                   uint64_t offset, const uint8_t *data, size_t len, bool borrowed);
void skua_recv_pieces_consume(struct skua_recv_buf *buf, struct skua_stream_mem *mem, uint64_t len);
enum skua_err skua_recv_pieces_settled(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                       uint64_t from, uint64_t to);
void skua_recv_pieces_check(const struct skua_recv_buf *buf);

/* For recv_pieces.c: copies bytes to their place in blocks; gives blocks `first` to `last` - 1
 * back; appends a borrowed piece (false: it cannot be); takes bytes off the borrowed ones (how
 * many); finds a block; the borrowed pieces; a ring that is too large for no blocks goes. */
enum skua_err skua_recv_buf_store(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                  uint64_t offset, const uint8_t *data, size_t len);
void skua_recv_buf_blocks_free(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                               uint64_t first, uint64_t last);
bool skua_recv_buf_loan_add(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                            const uint8_t *data, size_t len);
uint64_t skua_recv_buf_loan_take(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                 uint64_t len);
uint8_t *skua_recv_buf_block(const struct skua_recv_buf *buf, uint64_t number);
size_t skua_recv_buf_loans(const struct skua_recv_buf *buf, struct skua_piece *out, size_t max);
void skua_recv_buf_trim(struct skua_recv_buf *buf, struct skua_stream_mem *mem);

/* --- recv_gaps.c: which bytes have arrived; for the other two --- */

/* [offset, until), which is not all below `end`, has arrived. SKUA_ENOMEM; SKUA_ELIMIT: noted, but
 * there are too many ranges now. */
enum skua_err skua_recv_buf_note(struct skua_recv_buf *buf, struct skua_stream_mem *mem,
                                 uint64_t offset, uint64_t until);
/* All that `beyond` points to goes. */
void skua_recv_buf_beyond_free(struct skua_recv_buf *buf, struct skua_stream_mem *mem);
/* A frame that brought `fresh` new bytes, or a reader, has changed the number of ranges of a set;
 * `thin` estimates those that few bytes began. False where they are too many. */
bool skua_recv_ranges_fit(uint32_t *thin, uint32_t before, uint32_t after, uint64_t fresh);

static inline bool skua_recv_buf_has_gap(const struct skua_recv_buf *buf)
{
    return buf->beyond != NULL && skua_rangeset_count(buf->beyond) != 0;
}

/* Ranges counted in skua_stream_mem.gaps; for tests. */
uint32_t skua_recv_buf_gaps(const struct skua_recv_buf *buf);
/* Asserts the invariants; for tests. */
void skua_recv_buf_check(const struct skua_recv_buf *buf);

#endif
