/* The token bucket of pacer.h, in bytes x 10^9 so that no rate loses a fraction.
 *
 * Bounds: rate < 2^34, so a second's credit is below 1.8 x 10^19 and a full bucket, 1 MiB and 1 ms
 * worth, below 2 x 10^16. Elapsed time is only multiplied where the product is below what the
 * bucket still takes. */
#include "cc/pacer.h"

#include "base/assert.h"
#include "base/time.h"

#define UNIT ((int64_t)SKUA_SEC) /* credit of one byte */

static bool is_paced(const struct skua_pacer *pacer)
{
    return pacer->rate < SKUA_PACER_RATE_MAX;
}

/* What the bucket holds at most. */
static int64_t capacity(const struct skua_pacer *pacer)
{
    return (int64_t)pacer->quantum * UNIT + (int64_t)(pacer->rate * SKUA_PACER_LATE_NS);
}

static void accrue(struct skua_pacer *pacer, skua_time now)
{
    if (now <= pacer->last) {
        return; /* once for the packets of a batch */
    }
    skua_time elapsed = now - pacer->last;
    pacer->last = now;
    if (!is_paced(pacer)) {
        return;
    }
    int64_t full = capacity(pacer);
    if (pacer->credit >= full) {
        pacer->credit = full;
        return;
    }
    uint64_t missing = (uint64_t)(full - pacer->credit);
    if (elapsed > missing / pacer->rate) {
        pacer->credit = full;
    } else {
        pacer->credit += (int64_t)(elapsed * pacer->rate);
    }
}

static void set_quantum(struct skua_pacer *pacer)
{
    uint64_t quantum = SKUA_PACER_QUANTUM_MAX;
    if (is_paced(pacer)) {
        uint64_t bytes = pacer->rate / (SKUA_SEC / SKUA_PACER_QUANTUM_NS);
        quantum = bytes < quantum ? bytes : quantum;
    }
    uint64_t two = (uint64_t)pacer->mtu * 2;
    pacer->quantum = (uint32_t)(quantum > two ? quantum : two);
}

void skua_pacer_init(struct skua_pacer *pacer, uint32_t mtu, skua_time now)
{
    *pacer =
        (struct skua_pacer){.rate = UINT64_MAX, .mtu = (uint16_t)mtu, .last = now, .open = true};
    set_quantum(pacer);
    pacer->credit = (int64_t)pacer->quantum * UNIT;
}

void skua_pacer_set_rate(struct skua_pacer *pacer, uint64_t rate, uint32_t mtu, skua_time now)
{
    SKUA_ASSERT(rate != 0);
    accrue(pacer, now);
    pacer->rate = rate;
    pacer->mtu = (uint16_t)mtu;
    set_quantum(pacer);
    if (is_paced(pacer) && pacer->credit > capacity(pacer)) {
        pacer->credit = capacity(pacer);
    }
}

uint64_t skua_pacer_budget(struct skua_pacer *pacer, skua_time now)
{
    accrue(pacer, now);
    if (!is_paced(pacer)) {
        return UINT64_MAX;
    }
    int64_t enough = pacer->open ? (int64_t)pacer->mtu : (int64_t)pacer->quantum;
    pacer->open = pacer->credit >= enough * UNIT;
    return pacer->open ? (uint64_t)(pacer->credit / UNIT) : 0;
}

skua_time skua_pacer_next(struct skua_pacer *pacer, skua_time now)
{
    if (skua_pacer_budget(pacer, now) != 0) {
        return now;
    }
    uint64_t missing = (uint64_t)((int64_t)pacer->quantum * UNIT - pacer->credit);
    return skua_time_add(pacer->last, missing / pacer->rate + (missing % pacer->rate != 0));
}

void skua_pacer_on_sent(struct skua_pacer *pacer, uint64_t bytes, skua_time now)
{
    SKUA_ASSERT(bytes <= UINT32_MAX);
    accrue(pacer, now);
    if (!is_paced(pacer)) {
        return;
    }
    /* Debt is bounded by one bucket, so that probes past the budget cannot silence a connection. */
    int64_t most = -capacity(pacer);
    int64_t left = pacer->credit - (int64_t)bytes * UNIT;
    pacer->credit = left > most ? left : most;
}
