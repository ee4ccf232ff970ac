/* Round-trip time: RFC 9002 §5.3, with integer divisions as RFC 6298 has them. */
#include "recovery/rtt.h"

#include "base/time.h"

void skua_rtt_init(struct skua_rtt *rtt)
{
    *rtt = (struct skua_rtt){
        .smoothed = SKUA_RTT_INITIAL_NS, .var = SKUA_RTT_INITIAL_NS / 2, .min = SKUA_NEVER};
}

void skua_rtt_update(struct skua_rtt *rtt, skua_time sample, skua_time ack_delay,
                     skua_time max_ack_delay)
{
    rtt->latest = skua_time_max(sample, 1);
    if (!skua_rtt_is_known(rtt)) {
        rtt->min = rtt->latest;
        rtt->smoothed = rtt->latest;
        rtt->var = rtt->latest / 2;
        return;
    }
    rtt->min = skua_time_min(rtt->min, rtt->latest);
    /* RFC 9002 §5.3: the delay is taken off only where the result stays plausible. */
    skua_time delay = skua_time_min(ack_delay, max_ack_delay);
    skua_time adjusted = rtt->latest;
    if (adjusted >= skua_time_add(rtt->min, delay)) {
        adjusted -= delay;
    }
    skua_time deviation =
        rtt->smoothed > adjusted ? rtt->smoothed - adjusted : adjusted - rtt->smoothed;
    rtt->var = rtt->var - rtt->var / 4 + deviation / 4;
    rtt->smoothed = rtt->smoothed - rtt->smoothed / 8 + adjusted / 8;
}

void skua_rtt_restart_min(struct skua_rtt *rtt)
{
    if (skua_rtt_is_known(rtt)) {
        rtt->min = rtt->latest;
    }
}

skua_time skua_rtt_pto(const struct skua_rtt *rtt, skua_time max_ack_delay)
{
    skua_time margin = skua_time_max(skua_time_mul(rtt->var, 4), SKUA_RTT_GRANULARITY_NS);
    return skua_time_add(skua_time_add(rtt->smoothed, margin), max_ack_delay);
}
