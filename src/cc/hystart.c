/* HyStart++: RFC 9406 §4.2, with rounds told by packet numbers: what was sent in a round belongs to
 * it, and the first of its packets to be acknowledged ends the round before. */
#include "cc/hystart.h"

#include "base/time.h"
#include "cc/cc.h"

void skua_hystart_init(struct skua_hystart *hystart)
{
    *hystart = (struct skua_hystart){.round_min_ns = SKUA_NEVER,
                                     .last_min_ns = SKUA_NEVER,
                                     .baseline_ns = SKUA_NEVER,
                                     .phase = SKUA_HYSTART_SLOW_START};
}

/* RttThresh: an eighth of the last round's RTT, within bounds. */
static skua_time threshold(const struct skua_hystart *h)
{
    skua_time part = h->last_min_ns / SKUA_HYSTART_MIN_RTT_DIVISOR;
    part = skua_time_min(part, SKUA_HYSTART_MAX_RTT_THRESH_NS);
    return skua_time_max(part, SKUA_HYSTART_MIN_RTT_THRESH_NS);
}

static void compare(struct skua_hystart *h)
{
    if (h->samples < SKUA_HYSTART_N_RTT_SAMPLE) {
        return;
    }
    if (h->phase == SKUA_HYSTART_CSS) {
        if (h->round_min_ns < h->baseline_ns) {
            h->baseline_ns = SKUA_NEVER;
            h->phase = SKUA_HYSTART_SLOW_START;
        }
    } else if (h->last_min_ns != SKUA_NEVER &&
               h->round_min_ns >= skua_time_add(h->last_min_ns, threshold(h))) {
        h->baseline_ns = h->round_min_ns;
        h->css_rounds = 0;
        h->phase = SKUA_HYSTART_CSS;
    }
}

static void end_round(struct skua_hystart *h, uint64_t next_pn)
{
    h->round_end = next_pn;
    h->last_min_ns = h->round_min_ns;
    h->round_min_ns = SKUA_NEVER;
    h->samples = 0;
    /* The round in which CSS began counts, however little of it was left. */
    if (h->phase == SKUA_HYSTART_CSS && ++h->css_rounds >= SKUA_HYSTART_CSS_ROUNDS) {
        h->phase = SKUA_HYSTART_OVER;
    }
}

enum skua_hystart_phase skua_hystart_on_ack(struct skua_hystart *hystart,
                                            const struct skua_cc_ack *ack)
{
    if (hystart->round_end == 0) {
        hystart->round_end = ack->next_pn;
    } else if (ack->largest_pn >= hystart->round_end) {
        end_round(hystart, ack->next_pn);
    }
    if (ack->rtt_sampled && hystart->phase != SKUA_HYSTART_OVER) {
        hystart->round_min_ns = skua_time_min(hystart->round_min_ns, ack->rtt.latest_ns);
        hystart->samples++;
        compare(hystart);
    }
    return (enum skua_hystart_phase)hystart->phase;
}
