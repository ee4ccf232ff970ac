/* Time: one unsigned 64-bit count of nanoseconds of the caller's monotonic clock.
 *
 * The core never reads a clock; every entry point is handed `now`. Sums saturate at SKUA_NEVER and
 * differences at 0, so that no deadline can wrap around into the past. */
#ifndef SKUA_BASE_TIME_H
#define SKUA_BASE_TIME_H

#include <stdint.h>

#include <skua/skua.h>

/* `a + b`, at most SKUA_NEVER. */
static inline skua_time skua_time_add(skua_time a, skua_time b)
{
    return b > SKUA_NEVER - a ? SKUA_NEVER : a + b;
}

/* `a - b`, at least 0. */
static inline skua_time skua_time_sub(skua_time a, skua_time b)
{
    return a > b ? a - b : 0;
}

/* `a * factor`, at most SKUA_NEVER. */
static inline skua_time skua_time_mul(skua_time a, uint64_t factor)
{
    return factor != 0 && a > SKUA_NEVER / factor ? SKUA_NEVER : a * factor;
}

/* What `repeats` take that follow 1 s, 2 s, 4 s, ... after the one before, and the wait after the
 * last. */
static inline skua_time skua_time_backoff(uint32_t repeats)
{
    return skua_time_mul(SKUA_SEC, (UINT64_C(2) << repeats) - 1);
}

static inline skua_time skua_time_min(skua_time a, skua_time b)
{
    return a < b ? a : b;
}

static inline skua_time skua_time_max(skua_time a, skua_time b)
{
    return a > b ? a : b;
}

#endif
