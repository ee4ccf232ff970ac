/* An allowance that refills with time: so much per second, and some of it at once.
 *
 * One number: the time until which everything taken so far is paid for. It falls behind the clock
 * while little is taken, by at most the burst, and what it is behind may be taken at once (a token
 * bucket, kept as ATM's generic cell rate algorithm does). No timer, nothing to refill. */
#ifndef SKUA_BASE_RATE_H
#define SKUA_BASE_RATE_H

#include <stdbool.h>

#include "base/time.h"

struct skua_rate {
    skua_time until; /* when what was taken is paid for */
};

/* Whether something may be taken at `now`; up to `burst_ns` of it may have been saved up. */
static inline bool skua_rate_allows(const struct skua_rate *rate, skua_time now)
{
    return rate->until <= now;
}

/* Takes what costs `cost_ns`, allowed or not. The debt is at most a burst, or the cost itself. */
static inline void skua_rate_charge(struct skua_rate *rate, skua_time cost_ns, skua_time burst_ns,
                                    skua_time now)
{
    skua_time earliest = skua_time_sub(now, burst_ns);
    skua_time latest = skua_time_add(now, skua_time_max(burst_ns, cost_ns));
    skua_time until = skua_time_add(skua_time_max(rate->until, earliest), cost_ns);
    rate->until = skua_time_min(until, latest);
}

/* Takes what costs `cost_ns`, if that is allowed. */
static inline bool skua_rate_take(struct skua_rate *rate, skua_time cost_ns, skua_time burst_ns,
                                  skua_time now)
{
    bool allowed = skua_rate_allows(rate, now);
    if (allowed) {
        skua_rate_charge(rate, cost_ns, burst_ns, now);
    }
    return allowed;
}

#endif
