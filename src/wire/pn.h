/* Packet numbers: 62 bits inside, the low 32 of them on the wire (docs/protocol.md, "Packet
 * numbers"). Expansion follows RFC 9000 §A.3 with a window of 2^32. */
#ifndef SKUA_WIRE_PN_H
#define SKUA_WIRE_PN_H

#include <stdint.h>

#include "base/assert.h"

enum { SKUA_PN_LEN = 4 };

/* The largest packet number; a connection ends long before. */
#define SKUA_PN_MAX ((UINT64_C(1) << 62) - 1)

/* The low 32 bits that travel. */
static inline uint32_t skua_pn_truncate(uint64_t pn)
{
    return (uint32_t)pn;
}

/* The packet number nearest to `expected`, which is one more than the largest received so far (0
 * before the first), whose low 32 bits are `truncated`. */
static inline uint64_t skua_pn_expand(uint32_t truncated, uint64_t expected)
{
    const uint64_t window = UINT64_C(1) << 32;
    const uint64_t half = window / 2;
    SKUA_ASSERT(expected <= SKUA_PN_MAX + 1);
    uint64_t candidate = (expected & ~(window - 1)) | truncated;
    if (candidate + half <= expected && candidate + window <= SKUA_PN_MAX) {
        return candidate + window;
    }
    if (candidate > expected + half && candidate >= window) {
        return candidate - window;
    }
    return candidate > SKUA_PN_MAX ? candidate - window : candidate;
}

#endif
