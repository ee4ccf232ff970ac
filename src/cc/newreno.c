/* NewReno: RFC 9002 §7.3 and appendix B.
 *
 * Slow start until the first loss or until the RTT grows (RFC 9406), then one datagram per window
 * acknowledged. A loss of a packet sent after the last reduction halves the window, once per round
 * trip. The window does not grow while the application leaves it unused. */
#include "cc/newreno.h"

#include "cc/cc.h"

static void start(struct skua_cc *cc, skua_time now)
{
    (void)now;
    skua_hystart_init(&cc->state.newreno.hystart);
}

static void on_sent(struct skua_cc *cc, const struct skua_cc_sent *sent, skua_time now)
{
    (void)cc;
    (void)sent;
    (void)now;
}

/* RFC 9002 §7.3.2: a packet sent before the reduction neither grows nor reduces the window again.
 */
static bool is_in_recovery(const struct skua_newreno *reno, skua_time sent)
{
    return reno->reduced && sent <= reno->recovery_start;
}

static void on_ack(struct skua_cc *cc, const struct skua_cc_ack *ack, skua_time now)
{
    (void)now;
    struct skua_newreno *reno = &cc->state.newreno;
    enum skua_hystart_phase phase = SKUA_HYSTART_SLOW_START;
    if (cc->ssthresh == SKUA_CC_NO_SSTHRESH) {
        phase = skua_hystart_on_ack(&reno->hystart, ack);
        cc->ssthresh = phase == SKUA_HYSTART_OVER ? cc->cwnd : cc->ssthresh;
    }
    /* RFC 9002 §7.8: no growth where the window was not used. */
    if (!ack->cwnd_limited || (is_in_recovery(reno, ack->largest_sent) && !reno->collapsed)) {
        return;
    }
    uint64_t bytes = ack->bytes;
    if (phase == SKUA_HYSTART_CSS) {
        bytes /= SKUA_HYSTART_CSS_GROWTH_DIVISOR;
    }
    if (skua_cc_in_slow_start(cc)) {
        uint64_t left = cc->ssthresh - cc->cwnd;
        uint64_t growth = bytes < left ? bytes : left;
        cc->cwnd += growth;
        bytes -= growth;
    }
    reno->credit += bytes;
    while (reno->credit >= cc->cwnd) {
        reno->credit -= cc->cwnd;
        cc->cwnd += cc->mtu;
    }
}

static void reduce(struct skua_cc *cc, struct skua_newreno *reno, skua_time now)
{
    reno->undo_cwnd = cc->cwnd;
    reno->undo_ssthresh = cc->ssthresh;
    reno->undo_packets = 0;
    reno->recovery_start = now;
    reno->reduced = true;
    reno->collapsed = false;
    reno->credit = 0;
    uint64_t half = cc->cwnd / 2;
    uint64_t minimum = skua_cc_minimum_window(cc->mtu);
    cc->cwnd = half > minimum ? half : minimum;
    cc->ssthresh = cc->cwnd;
    cc->congestion_events++;
}

/* RFC 9002 §7.1: as a loss, but that it cannot turn out to be none. */
static void on_ce(struct skua_cc *cc, const struct skua_cc_ce *ce, skua_time now)
{
    struct skua_newreno *reno = &cc->state.newreno;
    if (!is_in_recovery(reno, ce->largest_sent)) {
        reduce(cc, reno, now);
    }
    reno->undo_cwnd = 0;
}

static void on_loss(struct skua_cc *cc, const struct skua_cc_loss *loss, skua_time now)
{
    struct skua_newreno *reno = &cc->state.newreno;
    if (!is_in_recovery(reno, loss->largest_sent)) {
        reduce(cc, reno, now);
    }
    reno->undo_packets += loss->packets;
    if (loss->persistent) {
        /* RFC 9002 §7.6.2 and B.8: any ACK lets the window grow again. Older losses still belong to
         * this reduction, so that ssthresh keeps what was learnt. */
        cc->cwnd = skua_cc_minimum_window(cc->mtu);
        cc->persistent_events++;
        reno->collapsed = true;
        reno->credit = 0;
    }
}

/* Where every loss of the last reduction was none, it is taken back (RFC 4015 in spirit). */
static void on_spurious(struct skua_cc *cc, const struct skua_cc_spurious *spurious, skua_time now)
{
    (void)now;
    struct skua_newreno *reno = &cc->state.newreno;
    if (reno->undo_cwnd == 0) {
        return;
    }
    reno->undo_packets -=
        spurious->packets < reno->undo_packets ? spurious->packets : reno->undo_packets;
    if (reno->undo_packets != 0) {
        return;
    }
    if (cc->cwnd < reno->undo_cwnd) {
        cc->cwnd = reno->undo_cwnd;
    }
    cc->ssthresh = reno->undo_ssthresh;
    reno->undo_cwnd = 0;
    reno->reduced = false;
    cc->undone_events++;
}

static void on_mtu(struct skua_cc *cc, uint32_t old_mtu)
{
    uint64_t floor = skua_cc_minimum_window(cc->mtu);
    /* RFC 9002 §7.2: the initial window follows the datagram size while it is the initial one. */
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

const struct skua_cc_ops skua_cc_newreno = {
    .name = "newreno",
    .init = start,
    .on_sent = on_sent,
    .on_ack = on_ack,
    .on_ce = on_ce,
    .on_loss = on_loss,
    .on_spurious = on_spurious,
    .on_mtu = on_mtu,
    .pacing_rate = skua_cc_window_rate,
};
