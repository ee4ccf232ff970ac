/* Connection ids by value: 8 to 16 bytes, chosen by whoever receives packets under them. Bytes
 * beyond `len` are zero, so that equality is one comparison of the whole. */
#ifndef SKUA_WIRE_ID_H
#define SKUA_WIRE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"

/* Length of the ids that an endpoint chooses: its short headers do not tell it. */
enum { SKUA_OWN_ID_LEN = 8 };

struct skua_id {
    uint8_t len;                      /* bytes in use; 0 = no id */
    uint8_t bytes[SKUA_LIMIT_ID_MAX]; /* the id, then zeros */
};
SKUA_STATIC_ASSERT(sizeof(struct skua_id) == 1 + SKUA_LIMIT_ID_MAX, "ids have no padding");

/* An id of `len` (at most SKUA_LIMIT_ID_MAX) bytes at `data`. */
static inline struct skua_id skua_id_of(const uint8_t *data, size_t len)
{
    SKUA_ASSERT(len <= SKUA_LIMIT_ID_MAX);
    struct skua_id id = {.len = (uint8_t)len, .bytes = {0}};
    if (len != 0) {
        memcpy(id.bytes, data, len);
    }
    return id;
}

static inline bool skua_id_equal(const struct skua_id *a, const struct skua_id *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Whether `id` is the `len` bytes at `data`. */
static inline bool skua_id_matches(const struct skua_id *id, const uint8_t *data, size_t len)
{
    return id->len == len && (len == 0 || memcmp(id->bytes, data, len) == 0);
}

/* Whether a length is one that this version uses. */
static inline bool skua_id_len_ok(size_t len)
{
    return len >= SKUA_LIMIT_ID_MIN && len <= SKUA_LIMIT_ID_MAX;
}

#endif
