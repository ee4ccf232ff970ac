/* Path MTU discovery: the search (RFC 8899 §5) and the judgement on black holes (§4.3).
 *
 * Invariant: 1200 <= mtu < ceiling, and mtu <= goal <= max. The search looks between mtu and the
 * smaller of goal and ceiling - 1. */
#include "path/pmtud.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/time.h"

enum {
    BASE = SKUA_LIMIT_UDP_MIN, /* RFC 8899 §5.1.2: BASE_PLPMTU */
    FEW_LOSSES = 4,            /* lost packets that make a suspicion */
    EPISODES = 2,              /* suspicions that make a belief */
    STEP_MIN = 8               /* bytes that are not worth another probe */
};

/* Payloads to try: Ethernet with IPv6 and IPv4, jumbo frames with either, then powers of two. */
static const uint16_t ladder[] = {1452, 1472, 8952, 8972, 16384, 32768};

/* Payloads to fall back to, largest first. 1,232 is IPv6's minimum MTU, 1,400 passes most tunnels.
 */
static const uint16_t steps[] = {32768, 8972, 1472, 1452, 1400, 1232, BASE};

void skua_pmtud_init(struct skua_pmtud *pmtud, uint32_t max)
{
    SKUA_ASSERT(max >= BASE && max <= SKUA_LIMIT_UDP_MAX);
    *pmtud = (struct skua_pmtud){
        .mtu = BASE,
        .max = (uint16_t)max,
        .ceiling = (uint16_t)(max + 1),
        .goal = (uint16_t)max,
        .raise_time = SKUA_NEVER,
        .black_hole_time = SKUA_NEVER,
    };
}

/* Begins a search for the largest size up to `goal`. */
static void search(struct skua_pmtud *pmtud, uint32_t goal, uint32_t ceiling)
{
    pmtud->goal = (uint16_t)goal;
    pmtud->ceiling = (uint16_t)ceiling;
    pmtud->goal_losses = 0;
    pmtud->size = 0;
    pmtud->losses = 0;
    pmtud->in_flight = false;
    pmtud->raise_time = SKUA_NEVER;
}

void skua_pmtud_start(struct skua_pmtud *pmtud, uint32_t peer_max)
{
    if (peer_max < pmtud->max) {
        pmtud->max = peer_max > pmtud->mtu ? (uint16_t)peer_max : pmtud->mtu;
    }
    pmtud->enabled = true;
    search(pmtud, pmtud->max, pmtud->max + 1u);
}

/* The next size worth a probe, or 0 where the search is over. */
static uint32_t choose(const struct skua_pmtud *pmtud)
{
    bool goal_open = pmtud->goal < pmtud->ceiling;
    uint32_t limit = goal_open ? pmtud->goal : pmtud->ceiling - 1u;
    if (limit <= pmtud->mtu) {
        return 0;
    }
    if (goal_open && pmtud->goal_losses == 0) {
        return pmtud->goal;
    }
    for (size_t i = 0; i < sizeof ladder / sizeof *ladder; i++) {
        if (ladder[i] > pmtud->mtu && ladder[i] <= limit) {
            return ladder[i];
        }
    }
    if (goal_open) {
        return pmtud->goal;
    }
    uint32_t enough = pmtud->mtu / 64u > STEP_MIN ? pmtud->mtu / 64u : STEP_MIN;
    return limit - pmtud->mtu < enough ? 0 : pmtud->mtu + (limit - pmtud->mtu + 1) / 2;
}

uint32_t skua_pmtud_probe_size(struct skua_pmtud *pmtud, skua_time now)
{
    if (!pmtud->enabled || pmtud->in_flight) {
        return 0;
    }
    if (pmtud->raise_time != SKUA_NEVER) {
        if (now < pmtud->raise_time) {
            return 0;
        }
        search(pmtud, pmtud->max, pmtud->max + 1u);
    }
    if (pmtud->size == 0) {
        pmtud->size = (uint16_t)choose(pmtud);
        pmtud->losses = 0;
        if (pmtud->size == 0 && pmtud->mtu < pmtud->max) {
            pmtud->raise_time = skua_time_add(now, SKUA_PMTUD_RAISE_NS);
        }
    }
    return pmtud->size;
}

skua_time skua_pmtud_deadline(const struct skua_pmtud *pmtud)
{
    return pmtud->enabled ? pmtud->raise_time : SKUA_NEVER;
}

void skua_pmtud_on_probe_sent(struct skua_pmtud *pmtud, uint32_t size)
{
    SKUA_ASSERT(size == pmtud->size && !pmtud->in_flight);
    pmtud->in_flight = true;
}

static void forget_suspicion(struct skua_pmtud *pmtud)
{
    pmtud->hole_size = 0;
    pmtud->hole_losses = 0;
    pmtud->hole_episodes = 0;
}

bool skua_pmtud_on_probe_acked(struct skua_pmtud *pmtud, uint32_t size)
{
    if (size >= pmtud->size) {
        pmtud->in_flight = false;
        pmtud->size = 0;
    }
    /* An ACK may be late: its probe counted as lost already. The size works all the same. */
    if (size <= pmtud->mtu || size > pmtud->goal) {
        return false;
    }
    pmtud->mtu = (uint16_t)size;
    if (pmtud->ceiling <= size) {
        pmtud->ceiling = (uint16_t)(size + 1);
    }
    forget_suspicion(pmtud);
    return true;
}

void skua_pmtud_on_probe_lost(struct skua_pmtud *pmtud, uint32_t size)
{
    if (!pmtud->in_flight || size != pmtud->size) {
        return;
    }
    pmtud->in_flight = false;
    bool is_goal = size == pmtud->goal;
    uint32_t losses = is_goal ? ++pmtud->goal_losses : ++pmtud->losses;
    if (losses >= SKUA_PMTUD_MAX_PROBES) {
        pmtud->ceiling = (uint16_t)size;
        pmtud->size = 0;
        pmtud->losses = 0;
    } else if (is_goal) {
        /* Likely sizes come first; the goal gets its other chances after them. */
        pmtud->size = 0;
    }
}

void skua_pmtud_on_packet_acked(struct skua_pmtud *pmtud, uint32_t size)
{
    if (size == 0) {
        return;
    }
    pmtud->acked_size = (uint16_t)size;
    if (pmtud->hole_size != 0 && size >= pmtud->hole_size) {
        forget_suspicion(pmtud);
    }
}

/* The largest step below `size`. */
static uint16_t step_below(uint32_t size)
{
    size_t i = 0;
    while (steps[i] >= size && steps[i] > BASE) {
        i++;
    }
    return steps[i];
}

static void believe_black_hole(struct skua_pmtud *pmtud, skua_time now)
{
    uint32_t old = pmtud->mtu;
    bool again = pmtud->black_hole_time != SKUA_NEVER &&
                 skua_time_sub(now, pmtud->black_hole_time) < SKUA_PMTUD_RAISE_NS;
    pmtud->mtu = step_below(pmtud->hole_size);
    pmtud->black_hole_time = now;
    pmtud->black_holes++;
    forget_suspicion(pmtud);
    search(pmtud, old, old + 1);
    if (again) {
        pmtud->raise_time = skua_time_add(now, SKUA_PMTUD_RAISE_NS);
    }
}

bool skua_pmtud_on_packet_lost(struct skua_pmtud *pmtud, uint32_t size_min, uint64_t count,
                               skua_time newest_sent, skua_time now)
{
    if (size_min <= BASE) {
        /* Small ones are lost as well: congestion, or chance. */
        forget_suspicion(pmtud);
        return false;
    }
    /* Beyond the present size: sent before it was lowered. */
    bool stale =
        size_min > pmtud->mtu || (pmtud->hole_episodes != 0 && newest_sent <= pmtud->hole_time);
    /* A large one arrived with the ACK that told of the loss: chance. */
    bool small_arrived = pmtud->acked_size != 0 && pmtud->acked_size < size_min;
    if (stale || !small_arrived) {
        return false;
    }
    if (pmtud->hole_size == 0 || size_min < pmtud->hole_size) {
        pmtud->hole_size = (uint16_t)size_min;
    }
    pmtud->hole_losses = (uint8_t)(pmtud->hole_losses + (count < FEW_LOSSES ? count : FEW_LOSSES));
    if (pmtud->hole_losses < FEW_LOSSES) {
        return false;
    }
    pmtud->hole_losses = 0;
    pmtud->hole_time = now;
    pmtud->hole_episodes++;
    if (pmtud->hole_episodes < EPISODES) {
        return false;
    }
    believe_black_hole(pmtud, now);
    return true;
}

bool skua_pmtud_on_too_big(struct skua_pmtud *pmtud, uint32_t size)
{
    if (size <= BASE) {
        return false;
    }
    if (size < pmtud->ceiling) {
        pmtud->ceiling = (uint16_t)size;
    }
    if (pmtud->size >= size) {
        pmtud->in_flight = false;
        pmtud->size = 0;
    }
    if (pmtud->mtu < size) {
        return false;
    }
    pmtud->mtu = step_below(size);
    pmtud->raise_time = SKUA_NEVER;
    forget_suspicion(pmtud);
    return true;
}

void skua_pmtud_on_path(struct skua_pmtud *pmtud)
{
    pmtud->in_flight = false;
    pmtud->acked_size = 0;
    forget_suspicion(pmtud);
}

uint32_t skua_pmtud_pto_size(const struct skua_pmtud *pmtud, uint32_t pto_count)
{
    return pto_count < 2 ? pmtud->mtu : BASE;
}

void skua_pmtud_check(const struct skua_pmtud *pmtud)
{
    SKUA_ASSERT(pmtud->mtu >= BASE && pmtud->mtu <= pmtud->goal);
    SKUA_ASSERT(pmtud->goal <= pmtud->max && pmtud->max <= SKUA_LIMIT_UDP_MAX);
    SKUA_ASSERT(pmtud->mtu < pmtud->ceiling && pmtud->ceiling <= pmtud->max + 1);
    SKUA_ASSERT(pmtud->size == 0 || (pmtud->size > pmtud->mtu && pmtud->size <= pmtud->goal));
    SKUA_ASSERT(!pmtud->in_flight || pmtud->size != 0);
    SKUA_ASSERT(pmtud->losses < SKUA_PMTUD_MAX_PROBES && pmtud->hole_losses < FEW_LOSSES);
    SKUA_ASSERT(pmtud->hole_episodes < EPISODES);
}
