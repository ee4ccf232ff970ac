/* Byte cursors: the only way in which this library takes bytes apart or puts them together.
 *
 * A reader or writer is a position and an end. The first operation that would cross the end makes
 * it fail, and failure sticks: later operations do nothing and a reader yields zeros, so that a
 * decoder can read a whole structure and ask once, at the end, whether all of it was there.
 * Integers are big-endian (docs/protocol.md, "Notation"). */
#ifndef SKUA_BASE_CURSOR_H
#define SKUA_BASE_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/endian.h"

struct skua_reader {
    const uint8_t *at;  /* next byte to read */
    const uint8_t *end; /* one past the last byte */
    bool failed;        /* sticky */
};

struct skua_writer {
    uint8_t *at;    /* next byte to write */
    uint8_t *end;   /* one past the last byte of room */
    uint8_t *begin; /* where writing began */
    bool failed;    /* sticky */
};

/* Reads `len` bytes at `data`; they must stay in place while the reader is used. */
static inline struct skua_reader skua_reader_of(const void *data, size_t len)
{
    const uint8_t *at = (const uint8_t *)data;
    return (struct skua_reader){.at = at, .end = at == NULL ? at : at + len, .failed = false};
}

static inline size_t skua_reader_left(const struct skua_reader *r)
{
    return (size_t)(r->end - r->at);
}

static inline void skua_reader_fail(struct skua_reader *r)
{
    r->at = r->end;
    r->failed = true;
}

/* The next `len` bytes in place, or NULL (and failure) where fewer are left. */
static inline const uint8_t *skua_reader_bytes(struct skua_reader *r, size_t len)
{
    if (r->failed || skua_reader_left(r) < len) {
        skua_reader_fail(r);
        return NULL;
    }
    const uint8_t *p = r->at;
    r->at += len;
    return p;
}

/* Copies the next `len` bytes; zeros where fewer are left. */
static inline void skua_reader_copy(struct skua_reader *r, void *out, size_t len)
{
    const uint8_t *p = skua_reader_bytes(r, len);
    if (p == NULL) {
        memset(out, 0, len);
    } else {
        memcpy(out, p, len);
    }
}

static inline uint8_t skua_reader_u8(struct skua_reader *r)
{
    const uint8_t *p = skua_reader_bytes(r, 1);
    return p != NULL ? *p : 0;
}

static inline uint16_t skua_reader_u16(struct skua_reader *r)
{
    const uint8_t *p = skua_reader_bytes(r, 2);
    return p != NULL ? skua_load_be16(p) : 0;
}

static inline uint32_t skua_reader_u32(struct skua_reader *r)
{
    const uint8_t *p = skua_reader_bytes(r, 4);
    return p != NULL ? skua_load_be32(p) : 0;
}

static inline uint64_t skua_reader_u64(struct skua_reader *r)
{
    const uint8_t *p = skua_reader_bytes(r, 8);
    return p != NULL ? skua_load_be64(p) : 0;
}

/* Writes into `cap` bytes at `data`. */
static inline struct skua_writer skua_writer_of(void *data, size_t cap)
{
    uint8_t *at = (uint8_t *)data;
    return (struct skua_writer){
        .at = at, .end = at == NULL ? at : at + cap, .begin = at, .failed = false};
}

static inline size_t skua_writer_left(const struct skua_writer *w)
{
    return (size_t)(w->end - w->at);
}

/* Bytes written so far. */
static inline size_t skua_writer_len(const struct skua_writer *w)
{
    return (size_t)(w->at - w->begin);
}

/* Room for `len` bytes to be filled by the caller, or NULL (and failure). */
static inline uint8_t *skua_writer_bytes(struct skua_writer *w, size_t len)
{
    if (w->failed || skua_writer_left(w) < len) {
        w->end = w->at;
        w->failed = true;
        return NULL;
    }
    uint8_t *p = w->at;
    w->at += len;
    return p;
}

static inline void skua_writer_copy(struct skua_writer *w, const void *data, size_t len)
{
    uint8_t *p = skua_writer_bytes(w, len);
    if (p != NULL && len != 0) {
        memcpy(p, data, len);
    }
}

static inline void skua_writer_zero(struct skua_writer *w, size_t len)
{
    uint8_t *p = skua_writer_bytes(w, len);
    if (p != NULL && len != 0) {
        memset(p, 0, len);
    }
}

static inline void skua_writer_u8(struct skua_writer *w, uint8_t v)
{
    uint8_t *p = skua_writer_bytes(w, 1);
    if (p != NULL) {
        *p = v;
    }
}

static inline void skua_writer_u16(struct skua_writer *w, uint16_t v)
{
    uint8_t *p = skua_writer_bytes(w, 2);
    if (p != NULL) {
        skua_store_be16(p, v);
    }
}

static inline void skua_writer_u32(struct skua_writer *w, uint32_t v)
{
    uint8_t *p = skua_writer_bytes(w, 4);
    if (p != NULL) {
        skua_store_be32(p, v);
    }
}

static inline void skua_writer_u64(struct skua_writer *w, uint64_t v)
{
    uint8_t *p = skua_writer_bytes(w, 8);
    if (p != NULL) {
        skua_store_be64(p, v);
    }
}

#endif
