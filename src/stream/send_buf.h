/* What a stream has written and the peer has not yet acknowledged, addressed by stream offset.
 *
 *   una            next              end
 *    |-- sent, partly acked --|-- not yet sent --|
 *
 * The bytes are segments in ascending order without gaps: blocks of the pool into which writes were
 * copied, or memory of the caller that was lent. Any byte from `una` on can be read again, so a
 * retransmission copies from where the first transmission did.
 *
 * Two range sets, allocated only when acknowledgements come out of order or something is lost, say
 * which bytes above `una` are acknowledged and which are to be sent again. They never intersect,
 * and both lie in [una, next).
 *
 * RFC 9000 §2.2, §3.1, §13.3. */
#ifndef SKUA_STREAM_SEND_BUF_H
#define SKUA_STREAM_SEND_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/rangeset.h"
#include "stream/mem.h"

/* A run of bytes at one place. */
struct skua_segment {
    uint64_t offset;     /* stream offset of its first byte */
    const uint8_t *data; /* its first byte */
    uint64_t len;        /* bytes */
    uint8_t *block;      /* the pool's block that holds them; NULL = lent */
};

/* What is not plain progress; exists only while there is some. */
struct skua_send_sets {
    struct skua_rangeset acked; /* acknowledged bytes above una */
    struct skua_rangeset lost;  /* bytes to be sent again */
};

struct skua_send_buf {
    uint64_t una;                /* every byte below is acknowledged, and released */
    uint64_t next;               /* every byte below was sent at least once */
    uint64_t end;                /* every byte below was written */
    struct skua_segment *segs;   /* ring on the heap; NULL: `first` is the ring */
    struct skua_segment first;   /* ring of one */
    uint32_t head;               /* ring index of the lowest segment */
    uint32_t count;              /* segments */
    uint32_t cap;                /* size of the ring, a power of two */
    uint32_t hint;               /* segment, counted from the lowest, where the last copy ended */
    struct skua_send_sets *sets; /* NULL: both sets are empty */
};

void skua_send_buf_init(struct skua_send_buf *buf);
/* Gives all memory back and forgets the bytes; offsets stay. */
void skua_send_buf_clear(struct skua_send_buf *buf, struct skua_stream_mem *mem);

/* Copies `len` bytes to the end. `*taken` says how many found memory: fewer than `len` only with
 * SKUA_ENOMEM. */
enum skua_err skua_send_buf_write(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                  const uint8_t *data, size_t len, size_t *taken);
/* Appends `len` bytes of the caller's, in place. SKUA_ENOMEM: nothing happened. */
enum skua_err skua_send_buf_lend(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                 const uint8_t *data, size_t len);

/* Takes back what was written beyond `end`, none of which was sent. */
void skua_send_buf_cut(struct skua_send_buf *buf, struct skua_stream_mem *mem, uint64_t end);

/* Copies `len` bytes from `offset` on, which lie in [una, end), to `out`, and asks the cache for
 * what will be wanted a few packets later. */
void skua_send_buf_copy(struct skua_send_buf *buf, uint64_t offset, uint8_t *out, size_t len);

/* The lowest run of bytes to be sent again; false where there is none. */
bool skua_send_buf_next_lost(const struct skua_send_buf *buf, uint64_t *offset, uint64_t *len);
/* The lowest `len` bytes of that run are on their way. */
void skua_send_buf_resent(struct skua_send_buf *buf, uint64_t offset, uint64_t len);
/* `len` bytes from `next` on were sent for the first time. */
void skua_send_buf_sent(struct skua_send_buf *buf, uint64_t len);

/* The peer has [offset, offset + len), which were sent. SKUA_ENOMEM: not noted. */
enum skua_err skua_send_buf_acked(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                  uint64_t offset, uint64_t len);
/* A packet with [offset, offset + len) was lost: what is not acknowledged of it is to be sent
 * again. SKUA_ENOMEM: not noted. */
enum skua_err skua_send_buf_lost(struct skua_send_buf *buf, struct skua_stream_mem *mem,
                                 uint64_t offset, uint64_t len);

/* Written, not yet acknowledged in order. */
static inline uint64_t skua_send_buf_buffered(const struct skua_send_buf *buf)
{
    return buf->end - buf->una;
}

/* Is anything to be sent again? */
static inline bool skua_send_buf_has_lost(const struct skua_send_buf *buf)
{
    return buf->sets != NULL && skua_rangeset_count(&buf->sets->lost) != 0;
}

/* Asserts the invariants; for tests. */
void skua_send_buf_check(const struct skua_send_buf *buf);

#endif
