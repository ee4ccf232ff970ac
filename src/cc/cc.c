/* The part of congestion control that all controllers share: windows of RFC 9002 §7.2, the rate of
 * §7.7, and passing events on. */
#include "cc/cc.h"

#include <string.h>

#include "base/assert.h"

enum { INITIAL_DATAGRAMS = 10, INITIAL_BYTES = 14720, MINIMUM_DATAGRAMS = 2 };

uint64_t skua_cc_minimum_window(uint32_t mtu)
{
    return (uint64_t)mtu * MINIMUM_DATAGRAMS;
}

uint64_t skua_cc_initial_window(uint32_t mtu)
{
    uint64_t few = skua_cc_minimum_window(mtu);
    uint64_t bound = few > INITIAL_BYTES ? few : INITIAL_BYTES;
    uint64_t many = (uint64_t)mtu * INITIAL_DATAGRAMS;
    return many < bound ? many : bound;
}

void skua_cc_window_on_mtu(struct skua_cc *cc, uint32_t old_mtu)
{
    uint64_t floor = skua_cc_minimum_window(cc->mtu);
    if (cc->ssthresh == SKUA_CC_NO_SSTHRESH && cc->cwnd == skua_cc_initial_window(old_mtu)) {
        floor = skua_cc_initial_window(cc->mtu);
    }
    if (cc->cwnd < floor) {
        cc->cwnd = floor;
    }
    if (cc->ssthresh < skua_cc_minimum_window(cc->mtu)) {
        cc->ssthresh = skua_cc_minimum_window(cc->mtu);
    }
}

uint64_t skua_cc_window_rate(const struct skua_cc *cc)
{
    if (cc->smoothed_ns == 0) {
        return SKUA_CC_UNPACED;
    }
    uint64_t window = skua_cc_in_slow_start(cc) ? cc->cwnd * 2 : cc->cwnd + cc->cwnd / 4;
    if (window > SKUA_CC_UNPACED / SKUA_SEC) {
        return SKUA_CC_UNPACED;
    }
    uint64_t rate = window * SKUA_SEC / cc->smoothed_ns;
    return rate != 0 ? rate : 1;
}

const struct skua_cc_ops *skua_cc_find(enum skua_controller controller)
{
    switch (controller) {
    case SKUA_CONTROLLER_DEFAULT:
        return NULL;
    case SKUA_CONTROLLER_NEWRENO:
        return &skua_cc_newreno;
    case SKUA_CONTROLLER_CUBIC:
        return &skua_cc_cubic;
    }
    return NULL;
}

static void refresh(struct skua_cc *cc)
{
    SKUA_ASSERT(cc->cwnd >= skua_cc_minimum_window(cc->mtu));
    cc->pacing_rate = cc->ops->pacing_rate(cc);
}

void skua_cc_init(struct skua_cc *cc, const struct skua_cc_ops *ops, uint32_t mtu, skua_time now)
{
    memset(cc, 0, sizeof *cc);
    cc->ops = ops;
    cc->mtu = (uint16_t)mtu;
    cc->cwnd = skua_cc_initial_window(mtu);
    cc->ssthresh = SKUA_CC_NO_SSTHRESH;
    ops->init(cc, now);
    refresh(cc);
}

void skua_cc_on_rtt(struct skua_cc *cc, const struct skua_cc_rtt *rtt)
{
    cc->smoothed_ns = rtt->smoothed_ns;
    refresh(cc);
}

void skua_cc_on_sent(struct skua_cc *cc, const struct skua_cc_sent *sent, skua_time now)
{
    cc->ops->on_sent(cc, sent, now);
}

void skua_cc_on_ack(struct skua_cc *cc, const struct skua_cc_ack *ack, skua_time now)
{
    cc->smoothed_ns = ack->rtt.smoothed_ns;
    cc->ops->on_ack(cc, ack, now);
    refresh(cc);
}

void skua_cc_on_ce(struct skua_cc *cc, const struct skua_cc_ce *ce, skua_time now)
{
    cc->ops->on_ce(cc, ce, now);
    refresh(cc);
}

void skua_cc_on_loss(struct skua_cc *cc, const struct skua_cc_loss *loss, skua_time now)
{
    cc->ops->on_loss(cc, loss, now);
    refresh(cc);
}

void skua_cc_on_spurious(struct skua_cc *cc, const struct skua_cc_spurious *spurious, skua_time now)
{
    cc->ops->on_spurious(cc, spurious, now);
    refresh(cc);
}

void skua_cc_on_mtu(struct skua_cc *cc, uint32_t mtu)
{
    uint32_t old_mtu = cc->mtu;
    cc->mtu = (uint16_t)mtu;
    cc->ops->on_mtu(cc, old_mtu);
    refresh(cc);
}
