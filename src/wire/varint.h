/* Variable-length integers, RFC 9000 §16: the two high bits of the first byte say whether 1, 2, 4
 * or 8 bytes carry the value.
 *
 * A longer form than needed is accepted (RFC 9000 §16), except in frame types, where only the
 * shortest is (§12.4): skua_reader_varint_minimal. Writers use the shortest, except for fields that
 * are filled in later. */
#ifndef SKUA_WIRE_VARINT_H
#define SKUA_WIRE_VARINT_H

#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/cursor.h"

/* The largest value that a varint can carry. */
#define SKUA_VARINT_MAX ((UINT64_C(1) << 62) - 1)

/* Bytes of the shortest form of `v`, which is at most SKUA_VARINT_MAX. */
static inline size_t skua_varint_len(uint64_t v)
{
    return v < 64 ? 1u : v < 16384 ? 2u : v < (UINT64_C(1) << 30) ? 4u : 8u;
}

/* The next varint; 0 and failure where it is cut off. */
static inline uint64_t skua_reader_varint(struct skua_reader *r)
{
    if (skua_reader_left(r) == 0) {
        skua_reader_fail(r);
        return 0;
    }
    uint8_t first = *r->at;
    if (first < 0x40) {
        r->at++;
        return first;
    }
    switch (first >> 6) {
    case 1:
        return skua_reader_u16(r) & 0x3fffu;
    case 2:
        return skua_reader_u32(r) & UINT32_C(0x3fffffff);
    default:
        return skua_reader_u64(r) & SKUA_VARINT_MAX;
    }
}

/* As skua_reader_varint; a form longer than needed fails. */
static inline uint64_t skua_reader_varint_minimal(struct skua_reader *r)
{
    const uint8_t *from = r->at;
    uint64_t v = skua_reader_varint(r);
    if (!r->failed && (size_t)(r->at - from) != skua_varint_len(v)) {
        skua_reader_fail(r);
        return 0;
    }
    return v;
}

/* Writes `v` in `bytes` (1, 2, 4 or 8) bytes, which must be able to hold it: for lengths that are
 * known only after what they count has been written. */
static inline void skua_writer_varint_fixed(struct skua_writer *w, uint64_t v, size_t bytes)
{
    SKUA_ASSERT(v <= SKUA_VARINT_MAX && skua_varint_len(v) <= bytes);
    switch (bytes) {
    case 1:
        skua_writer_u8(w, (uint8_t)v);
        break;
    case 2:
        skua_writer_u16(w, (uint16_t)(v | 0x4000u));
        break;
    case 4:
        skua_writer_u32(w, (uint32_t)(v | UINT32_C(0x80000000)));
        break;
    default:
        SKUA_ASSERT(bytes == 8);
        skua_writer_u64(w, v | UINT64_C(0xc000000000000000));
        break;
    }
}

/* Writes `v`, at most SKUA_VARINT_MAX, in its shortest form. */
static inline void skua_writer_varint(struct skua_writer *w, uint64_t v)
{
    if (v < 64 && w->at != w->end) {
        *w->at++ = (uint8_t)v;
        return;
    }
    skua_writer_varint_fixed(w, v, skua_varint_len(v));
}

#endif
