/* Slow start: see slow_start.h. */
#include "cc/slow_start.h"

#include "cc/cc.h"
#include "cc/hystart.h"

uint64_t skua_slow_start(struct skua_cc *cc, struct skua_hystart *hystart,
                         const struct skua_cc_ack *ack, bool grows)
{
    uint64_t bytes = ack->bytes;
    if (cc->ssthresh == SKUA_CC_NO_SSTHRESH) {
        switch (skua_hystart_on_ack(hystart, ack)) {
        case SKUA_HYSTART_SLOW_START:
            break;
        case SKUA_HYSTART_CSS:
            bytes /= SKUA_HYSTART_CSS_GROWTH_DIVISOR;
            break;
        case SKUA_HYSTART_OVER:
            cc->ssthresh = cc->cwnd;
            break;
        }
    }
    if (!grows) {
        return 0;
    }
    if (skua_cc_in_slow_start(cc)) {
        uint64_t left = cc->ssthresh - cc->cwnd;
        uint64_t growth = bytes < left ? bytes : left;
        cc->cwnd += growth;
        bytes -= growth;
    }
    return bytes;
}
