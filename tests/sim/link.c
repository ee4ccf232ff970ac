/* See link.h. Order of the faults: what the sender's interface refuses (size), what the queue
 * drops, what the way loses, and what is left arrives late, twice or damaged. */
#include "link.h"

#include "base/time.h"
#include "counts.h"

static bool is_lost(struct sim_link *link, skua_time now, uint64_t *counts)
{
    const struct sim_link_config *c = &link->config;
    if (now >= c->dark_from && now < c->dark_to) {
        counts[SIM_COUNT_BLACK_OUT]++;
        return true;
    }
    if (sim_rng_chance(&link->rng, link->bad ? c->burst_leave : c->burst_enter)) {
        link->bad = !link->bad;
    }
    if (link->bad && sim_rng_chance(&link->rng, c->burst_loss)) {
        counts[SIM_COUNT_BURST]++;
        return true;
    }
    if (sim_rng_chance(&link->rng, c->loss)) {
        counts[SIM_COUNT_LOSS]++;
        return true;
    }
    return false;
}

/* Bytes in the queue. */
static uint64_t waiting(const struct sim_link *link, skua_time now)
{
    /* Waiting time times rate: at most seconds times 2^34, so no overflow. */
    return skua_time_sub(link->free_at, now) / 1000 * (link->config.rate / 1000) / 8000;
}

/* The mark with which it arrives; SIM_ECN_SWALLOWS never gets here with one. */
static uint8_t remark(struct sim_link *link, uint8_t ecn, skua_time now, uint64_t *counts)
{
    enum { ECT1 = 1, ECT0 = 2, CE = 3 };
    const struct sim_link_config *c = &link->config;
    if (ecn == 0) {
        return 0;
    }
    bool full = c->mark_above != 0 && waiting(link, now) >= c->mark_above;
    if (ecn != CE && (full || sim_rng_chance(&link->rng, c->ce))) {
        counts[SIM_COUNT_CE]++;
        ecn = CE;
    }
    if (c->ecn == SIM_ECN_BLEACHES) {
        counts[SIM_COUNT_BLEACHED]++;
        return 0;
    }
    if (c->ecn == SIM_ECN_REMARKS && ecn == ECT0) {
        counts[SIM_COUNT_REMARKED]++;
        return ECT1;
    }
    return ecn;
}

/* Through the queue: when the last bit has left; SKUA_NEVER where it finds no room. */
static skua_time serialise(struct sim_link *link, size_t len, skua_time now)
{
    const struct sim_link_config *c = &link->config;
    if (c->rate == 0) {
        return now;
    }
    skua_time start = skua_time_max(now, link->free_at);
    if (c->queue != 0 && waiting(link, now) + len > c->queue) {
        return SKUA_NEVER;
    }
    uint64_t bits = (len + SIM_IP_OVERHEAD) * UINT64_C(8);
    link->free_at = start + bits * SKUA_SEC / c->rate;
    return link->free_at;
}

static void decide(struct sim_link *link, const struct sim_datagram *d, skua_time now,
                   struct sim_fate *fate, uint64_t *counts)
{
    const struct sim_link_config *c = &link->config;
    *fate = (struct sim_fate){.copies = 0};
    uint64_t index = link->offered++;
    link->bytes += d->len;
    if ((c->mtu != 0 && d->len > c->mtu) || (d->len >= c->hole_from && d->len < c->hole_to)) {
        counts[SIM_COUNT_TOO_LARGE]++;
        return;
    }
    if (c->ecn == SIM_ECN_SWALLOWS && d->ecn != 0) {
        counts[SIM_COUNT_ECT_SWALLOWED]++;
        return;
    }
    if (link->drop != NULL && link->drop(link->drop_arg, d, index, now)) {
        return;
    }
    fate->ecn = remark(link, d->ecn, now, counts);
    skua_time at = serialise(link, d->len, now);
    if (at == SKUA_NEVER) {
        counts[SIM_COUNT_QUEUE_DROP]++;
        return;
    }
    if (is_lost(link, now, counts)) {
        return;
    }
    at += c->delay + (c->jitter != 0 ? sim_rng_below(&link->rng, c->jitter) : 0);
    if (sim_rng_chance(&link->rng, c->reorder) && c->reorder_time != 0) {
        at += sim_rng_below(&link->rng, c->reorder_time);
        counts[SIM_COUNT_REORDERED]++;
    } else {
        at = skua_time_max(at, link->last_at);
        link->last_at = at;
    }
    fate->at[fate->copies++] = at;
    if (sim_rng_chance(&link->rng, c->duplicate)) {
        fate->at[fate->copies++] = at + sim_rng_below(&link->rng, c->delay + SKUA_MSEC);
        counts[SIM_COUNT_DUPLICATED]++;
    }
    if (sim_rng_chance(&link->rng, c->corrupt)) {
        fate->flips = (unsigned)sim_rng_between(&link->rng, 1, 3);
        counts[SIM_COUNT_CORRUPTED]++;
    }
}

void sim_link_offer(struct sim_link *link, const struct sim_datagram *d, skua_time now,
                    struct sim_fate *fate, uint64_t *counts)
{
    decide(link, d, now, fate, counts);
    if (fate->copies == 0 || fate->flips > 0) {
        link->spoilt_at = now;
    }
}

void sim_link_heal(struct sim_link *link)
{
    struct sim_link_config *c = &link->config;
    c->loss = c->burst_enter = c->burst_loss = c->reorder = c->duplicate = c->corrupt = 0;
    c->ce = 0;
    c->dark_from = c->dark_to = 0;
    c->jitter = 0;
    link->bad = false;
}
