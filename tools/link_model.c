/* One direction of an emulated link, in virtual time (link_model.h).
 *
 * The queue is not a list: with a fixed rate, first in first out, the time at which the transmitter
 * falls idle says everything. Its backlog is that time's distance from now, in bytes. */
#include "link_model.h"

#include "options.h"

/* One number per kind of decision, so that they are independent of each other. */
enum decision { LOSE = 1, DUPLICATE, CORRUPT, CORRUPT_BIT, REORDER, JITTER };

/* A permutation of 64-bit numbers that spreads every input bit (the finaliser of SplitMix64:
 * Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014). */
static uint64_t spread(uint64_t x)
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static uint64_t draw(const struct skua_link_dir *dir, uint64_t number, enum decision decision)
{
    const uint64_t golden = UINT64_C(0x9e3779b97f4a7c15);
    uint64_t x = spread(dir->seed + golden);
    x = spread(x + golden * (dir->direction + 1));
    x = spread(x + golden * (number + 1));
    return spread(x + golden * (uint64_t)decision);
}

/* The remainder's bias is below 10^-10. */
static bool chance(const struct skua_link_dir *dir, uint64_t number, enum decision decision,
                   uint64_t share)
{
    return share > 0 && draw(dir, number, decision) % SKUA_SHARE_ONE < share;
}

__extension__ typedef unsigned __int128 wide;

/* a * b / c, for results that fit. */
static uint64_t scale(uint64_t a, uint64_t b, uint64_t c)
{
    return (uint64_t)((wide)a * b / c);
}

uint64_t skua_link_default_queue(uint64_t rate_bps, uint64_t round_trip_ns)
{
    const uint64_t least = UINT64_C(64) * 1500;
    const uint64_t bdp = scale(rate_bps / 8, round_trip_ns, SKUA_SEC);
    return bdp > least ? bdp : least;
}

uint64_t skua_link_backlog(const struct skua_link_dir *dir, skua_time now)
{
    if (dir->params.rate_bps == 0 || dir->busy_until <= now) {
        return 0;
    }
    return scale(dir->busy_until - now, dir->params.rate_bps, 8 * SKUA_SEC);
}

/* Puts `len` bytes into the queue; false where they do not fit. A packet always fits into an empty
 * queue, so that a link with a short queue still passes large packets. */
static bool enqueue(struct skua_link_dir *dir, uint64_t len, skua_time now)
{
    if (dir->params.rate_bps == 0) {
        dir->busy_until = now;
        return true;
    }
    const uint64_t backlog = skua_link_backlog(dir, now);
    if (backlog > 0 && backlog + len > dir->params.queue_bytes) {
        return false;
    }
    if (dir->busy_until <= now) {
        dir->busy_until = now;
        dir->carry = 0;
    }
    /* The remainder is carried over: over any number of packets the rate is exact. */
    const uint64_t work = len * 8 * SKUA_SEC + dir->carry;
    dir->busy_until += work / dir->params.rate_bps;
    dir->carry = work % dir->params.rate_bps;
    if (backlog + len > dir->counts.queue_max) {
        dir->counts.queue_max = backlog + len;
    }
    return true;
}

/* When the packet arrives that leaves the transmitter at busy_until. */
static void set_arrival(struct skua_link_dir *dir, struct skua_link_fate *fate)
{
    const struct skua_link_params *params = &dir->params;
    skua_time due = dir->busy_until + params->delay_ns;
    if (params->jitter_ns > 0) {
        due += draw(dir, fate->number, JITTER) % (params->jitter_ns + 1);
    }
    if (due < dir->last_due) {
        due = dir->last_due;
    }
    dir->last_due = due;
    fate->held = chance(dir, fate->number, REORDER, params->reorder);
    fate->due = fate->held ? due + params->reorder_by_ns : due;
}

void skua_link_offer(struct skua_link_dir *dir, size_t len, struct skua_link_fate *fate,
                     skua_time now)
{
    const struct skua_link_params *params = &dir->params;
    *fate = (struct skua_link_fate){.number = dir->next_number++};
    dir->counts.packets_in++;
    dir->counts.bytes_in += len;
    if (params->mtu > 0 && len > params->mtu) {
        fate->verdict = SKUA_LINK_TOO_LARGE;
        dir->counts.dropped_mtu++;
        return;
    }
    if (!enqueue(dir, len + SKUA_LINK_HEADERS, now)) {
        fate->verdict = SKUA_LINK_QUEUE_FULL;
        dir->counts.dropped_queue++;
        return;
    }
    if (chance(dir, fate->number, LOSE, params->loss)) {
        fate->verdict = SKUA_LINK_LOST;
        dir->counts.lost++;
        return;
    }
    fate->verdict = SKUA_LINK_DELIVER;
    set_arrival(dir, fate);
    fate->copies = 1;
    if (chance(dir, fate->number, DUPLICATE, params->duplicate)) {
        fate->copies = 2;
        dir->counts.duplicated++;
    }
    if (len > 0 && chance(dir, fate->number, CORRUPT, params->corrupt)) {
        fate->corrupt = true;
        fate->corrupt_bit = draw(dir, fate->number, CORRUPT_BIT) % (8 * (uint64_t)len);
        dir->counts.corrupted++;
    }
}
