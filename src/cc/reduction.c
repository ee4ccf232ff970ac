/* Reductions and their undo: see reduction.h. */
#include "cc/reduction.h"

#include "cc/cc.h"

void skua_reduction_begin(struct skua_cc *cc, struct skua_reduction *r, uint64_t window,
                          skua_time now)
{
    uint64_t minimum = skua_cc_minimum_window(cc->mtu);
    *r = (struct skua_reduction){
        .start = now, .cwnd = cc->cwnd, .ssthresh = cc->ssthresh, .any = true, .undoable = true};
    cc->cwnd = window > minimum ? window : minimum;
    cc->ssthresh = cc->cwnd;
    cc->congestion_events++;
}

void skua_reduction_on_loss(struct skua_cc *cc, struct skua_reduction *r,
                            const struct skua_cc_loss *loss)
{
    uint64_t left = UINT32_MAX - r->packets;
    r->packets += (uint32_t)(loss->packets < left ? loss->packets : left);
    if (loss->persistent) {
        /* RFC 9002 §7.6.2 and B.8: any ACK lets the window grow again. Older losses still belong to
         * this reduction, so that ssthresh keeps what was learnt. */
        cc->cwnd = skua_cc_minimum_window(cc->mtu);
        cc->persistent_events++;
        r->collapsed = true;
    }
}

bool skua_reduction_on_spurious(struct skua_cc *cc, struct skua_reduction *r,
                                const struct skua_cc_spurious *spurious)
{
    if (spurious->since < r->start) {
        return false; /* losses of a reduction before this one */
    }
    r->packets -= (uint32_t)(spurious->packets < r->packets ? spurious->packets : r->packets);
    if (!r->undoable || r->packets != 0) {
        return false;
    }
    if (cc->cwnd < r->cwnd) {
        cc->cwnd = r->cwnd;
    }
    cc->ssthresh = r->ssthresh;
    r->any = false;
    r->undoable = false;
    cc->undone_events++;
    return true;
}
