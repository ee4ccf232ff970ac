/* Randomness through the caller's vtable (struct skua_rng).
 *
 * Nothing else in the core is random, so one seed replays a whole run. Numbers are put together
 * from bytes in a fixed order: the same generator gives the same run on every machine. */
#ifndef SKUA_BASE_RNG_H
#define SKUA_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

#include <skua/skua.h>

#include "base/assert.h"

/* `len` random bytes. */
static inline void skua_rng_fill(const struct skua_rng *rng, void *out, size_t len)
{
    rng->fill(rng->user, out, len);
}

static inline uint64_t skua_rng_u64(const struct skua_rng *rng)
{
    uint8_t bytes[8];
    skua_rng_fill(rng, bytes, sizeof bytes);
    uint64_t v = 0;
    for (size_t i = 0; i < sizeof bytes; i++) {
        v = v << 8 | bytes[i];
    }
    return v;
}

/* Each of 0 to `n` - 1 with the same probability; `n` is not 0. Draws again (less than once in two
 * tries) for a number from the last, incomplete block of `n`. */
static inline uint64_t skua_rng_below(const struct skua_rng *rng, uint64_t n)
{
    SKUA_ASSERT(n != 0);
    uint64_t rest = (UINT64_MAX - n + 1) % n; /* 2^64 modulo n */
    uint64_t v;
    do {
        v = skua_rng_u64(rng);
    } while (v > UINT64_MAX - rest);
    return v % n;
}

#endif
