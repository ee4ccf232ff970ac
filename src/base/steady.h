/* A time that never falls back and is never held up for long, made of a clock that may fall back.
 *
 * The core compares times of different calls everywhere: deadlines, allowances, the order of lists
 * by age. Where the caller's clock falls back (the time of day was set; a machine was moved to
 * another host), deadlines that lie in what is now far ahead would hold everything up for as long
 * as the clock fell, and so would a time that waits until the clock has caught up. So from then on
 * the fall is added to what the clock says, until the clock itself is ahead again (it was set
 * right, or another clock was behind): what it says holds from there.
 *
 * A fall of at most SKUA_STEADY_GRAIN is waited for instead. Callers who take their times from two
 * clocks in turn (a coarse one and a fine one, the kernel's time of a packet and their own), or
 * take them and then wait for a lock, fall all the time, and none of that is time that passes.
 *
 * Sums saturate: whoever says SKUA_NEVER has stopped time for good. */
#ifndef SKUA_BASE_STEADY_H
#define SKUA_BASE_STEADY_H

#include "base/time.h"

/* Longer than a program keeps a time before it uses it; and what waits that much longer once in a
 * while takes no harm. */
#define SKUA_STEADY_GRAIN SKUA_SEC

/* All zero at first. */
struct skua_steady {
    skua_time raw;   /* what the caller's clock said last */
    skua_time shift; /* what it has fallen back since it was ahead of `now`; 0 = it is */
    skua_time now;   /* the steady time */
};

/* The caller's clock says `raw`: the steady time. */
static inline skua_time skua_steady_tell(struct skua_steady *steady, skua_time raw)
{
    if (raw >= steady->now) {
        steady->shift = 0;
    }
    skua_time now = skua_time_add(raw, steady->shift);
    if (skua_time_sub(steady->now, now) > SKUA_STEADY_GRAIN) {
        steady->shift = steady->now - raw; /* `raw` is at most `now`, so no more than steady->now */
    }
    steady->raw = raw;
    steady->now = skua_time_max(steady->now, now);
    return steady->now;
}

/* What the caller's clock says at the steady time `at`; 0 (at once) and SKUA_NEVER stay what they
 * are. */
static inline skua_time skua_steady_to_raw(const struct skua_steady *steady, skua_time at)
{
    if (at == 0 || at == SKUA_NEVER) {
        return at;
    }
    return skua_time_max(skua_time_sub(at, steady->shift), 1);
}

#endif
