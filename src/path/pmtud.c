/* Path MTU discovery: the search (RFC 8899 §5) and the judgement on black holes (§4.3).
 *
 * Invariant: 1200 <= mtu < ceiling, and mtu <= goal <= max; mtu < suspect < ceiling where there is
 * a suspicion. The search looks between mtu and the smaller of goal and ceiling - 1; it pauses for
 * a suspicion. */
#include "path/pmtud.h"

#include <stddef.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/time.h"

enum {
    BASE = SKUA_LIMIT_UDP_MIN, /* RFC 8899 §5.1.2: BASE_PLPMTU */
    FEW_LOSSES = 4,            /* lost packets that make a suspicion */
    DISMISSALS = 2,            /* suspicions dismissed in vain before one is believed at once */
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
    };
}

/* Tries `size` next; 0 = nothing. */
static void attempt(struct skua_pmtud *pmtud, uint32_t size)
{
    pmtud->size = (uint16_t)size;
    pmtud->losses = 0;
    pmtud->lossy = false;
    pmtud->in_flight = false;
}

/* Begins a search for the largest size up to `goal`. */
static void search(struct skua_pmtud *pmtud, uint32_t goal, uint32_t ceiling)
{
    pmtud->goal = (uint16_t)goal;
    pmtud->ceiling = (uint16_t)ceiling;
    pmtud->goal_losses = 0;
    pmtud->raise_time = SKUA_NEVER;
    attempt(pmtud, 0);
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
    if (pmtud->suspect == 0 && pmtud->raise_time != SKUA_NEVER) {
        if (now < pmtud->raise_time) {
            return 0;
        }
        search(pmtud, pmtud->max, pmtud->max + 1u);
    }
    if (pmtud->size == 0) {
        attempt(pmtud, choose(pmtud));
        if (pmtud->size == 0 && pmtud->mtu < pmtud->max) {
            pmtud->raise_time = skua_time_add(now, SKUA_PMTUD_RAISE_NS);
        }
    }
    return pmtud->size;
}

skua_time skua_pmtud_deadline(const struct skua_pmtud *pmtud)
{
    return pmtud->enabled && pmtud->suspect == 0 ? pmtud->raise_time : SKUA_NEVER;
}

void skua_pmtud_on_probe_sent(struct skua_pmtud *pmtud, uint32_t size)
{
    SKUA_ASSERT(size == pmtud->size && !pmtud->in_flight);
    pmtud->in_flight = true;
}

static void forget_losses(struct skua_pmtud *pmtud)
{
    pmtud->hole_size = 0;
    pmtud->hole_losses = 0;
}

/* `size` works, and is more than the present one. */
static void adopt(struct skua_pmtud *pmtud, uint32_t size)
{
    pmtud->mtu = (uint16_t)size;
    if (pmtud->ceiling <= size) {
        pmtud->ceiling = (uint16_t)(size + 1);
    }
    if (pmtud->suspect != 0 && size >= pmtud->suspect) {
        pmtud->suspect = 0;
        pmtud->dismissed++;
    }
    forget_losses(pmtud);
}

bool skua_pmtud_on_probe_acked(struct skua_pmtud *pmtud, uint32_t size)
{
    if (size >= pmtud->size) {
        attempt(pmtud, 0);
    }
    /* An ACK may be late: its probe counted as lost already. The size works all the same. */
    if (size <= pmtud->mtu || size > pmtud->goal) {
        return false;
    }
    adopt(pmtud, size);
    return true;
}

/* The size that worked does so no more. */
static void believe_black_hole(struct skua_pmtud *pmtud, uint32_t size)
{
    pmtud->suspect = 0;
    pmtud->dismissed = 0;
    forget_losses(pmtud);
    search(pmtud, size, size);
}

static void on_size_failed(struct skua_pmtud *pmtud)
{
    pmtud->ceiling = pmtud->size;
    attempt(pmtud, 0);
}

bool skua_pmtud_on_probe_lost(struct skua_pmtud *pmtud, uint32_t size)
{
    if (!pmtud->in_flight || size != pmtud->size) {
        return false;
    }
    pmtud->in_flight = false;
    bool is_goal = pmtud->suspect == 0 && size == pmtud->goal;
    uint32_t losses = is_goal ? ++pmtud->goal_losses : ++pmtud->losses;
    bool failed = losses >= (pmtud->lossy ? SKUA_PMTUD_MAX_PROBES_LOSSY : SKUA_PMTUD_MAX_PROBES);
    if (failed && pmtud->suspect != 0) {
        believe_black_hole(pmtud, size);
        return true;
    }
    if (failed) {
        on_size_failed(pmtud);
    } else if (is_goal) {
        /* Likely sizes come first; the goal gets its other chances after them. */
        pmtud->size = 0;
    }
    return false;
}

bool skua_pmtud_on_packet_acked(struct skua_pmtud *pmtud, uint32_t size)
{
    if (size <= BASE) {
        return false;
    }
    if (size >= pmtud->mtu) {
        pmtud->dismissed = 0;
    }
    if (pmtud->hole_size != 0 && size >= pmtud->hole_size) {
        forget_losses(pmtud);
    }
    if (pmtud->suspect == 0 || size < pmtud->suspect) {
        return false;
    }
    /* It was only late. */
    attempt(pmtud, 0);
    adopt(pmtud, pmtud->suspect);
    return true;
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

/* Data take the smallest size, whatever comes out. */
static void suspect(struct skua_pmtud *pmtud, skua_time now)
{
    uint16_t size = pmtud->mtu;
    pmtud->mtu = BASE;
    forget_losses(pmtud);
    if (pmtud->dismissed >= DISMISSALS) {
        believe_black_hole(pmtud, size);
        pmtud->raise_time = skua_time_add(now, SKUA_PMTUD_RAISE_NS);
    } else {
        pmtud->suspect = size;
        attempt(pmtud, size);
    }
}

bool skua_pmtud_on_packet_lost(struct skua_pmtud *pmtud, const struct skua_pmtud_loss *loss,
                               skua_time now)
{
    /* The large ones that are lost while there is a suspicion left before it. */
    pmtud->lossy = pmtud->lossy || (pmtud->suspect != 0 ? loss->small : loss->packets) > 0;
    if (loss->large == 0 || loss->large_min > pmtud->mtu) {
        return false;
    }
    if (pmtud->hole_size == 0 || loss->large_min < pmtud->hole_size) {
        pmtud->hole_size = (uint16_t)loss->large_min;
    }
    uint64_t losses = pmtud->hole_losses + loss->large;
    pmtud->hole_losses = (uint8_t)(losses < FEW_LOSSES ? losses : FEW_LOSSES);
    if (pmtud->hole_losses < FEW_LOSSES) {
        return false;
    }
    suspect(pmtud, now);
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
        attempt(pmtud, 0);
    }
    if (pmtud->suspect >= size) {
        believe_black_hole(pmtud, pmtud->suspect);
        pmtud->ceiling = (uint16_t)size;
    }
    if (pmtud->mtu < size) {
        return false;
    }
    pmtud->mtu = step_below(size);
    pmtud->raise_time = SKUA_NEVER;
    forget_losses(pmtud);
    return true;
}

void skua_pmtud_on_path(struct skua_pmtud *pmtud)
{
    pmtud->in_flight = false;
    forget_losses(pmtud);
}

uint32_t skua_pmtud_pto_size(const struct skua_pmtud *pmtud, uint32_t pto_count, uint32_t left)
{
    return pto_count == 0 || (pto_count == 1 && left > 0) ? pmtud->mtu : BASE;
}

void skua_pmtud_check(const struct skua_pmtud *pmtud)
{
    SKUA_ASSERT(pmtud->mtu >= BASE && pmtud->mtu <= pmtud->goal);
    SKUA_ASSERT(pmtud->goal <= pmtud->max && pmtud->max <= SKUA_LIMIT_UDP_MAX);
    SKUA_ASSERT(pmtud->mtu < pmtud->ceiling && pmtud->ceiling <= pmtud->max + 1);
    SKUA_ASSERT(pmtud->size == 0 || (pmtud->size > pmtud->mtu && pmtud->size <= pmtud->goal));
    SKUA_ASSERT(!pmtud->in_flight || pmtud->size != 0);
    SKUA_ASSERT(pmtud->losses < SKUA_PMTUD_MAX_PROBES_LOSSY && pmtud->hole_losses < FEW_LOSSES);
    SKUA_ASSERT(pmtud->suspect == 0 ||
                (pmtud->mtu < pmtud->suspect && pmtud->suspect < pmtud->ceiling &&
                 pmtud->size == pmtud->suspect));
}
