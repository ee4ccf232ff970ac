/* NewReno: RFC 9002 §7.3 and appendix B.
 *
 * Slow start until the first loss or until the RTT grows (RFC 9406), then one datagram per window
 * acknowledged. A loss, or a CE mark, of a packet sent after the last reduction halves the window,
 * once per round trip. The window does not grow while the application leaves it unused. */
#include "cc/newreno.h"

#include "cc/cc.h"
#include "cc/slow_start.h"

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

static void on_ack(struct skua_cc *cc, const struct skua_cc_ack *ack, skua_time now)
{
    (void)now;
    struct skua_newreno *reno = &cc->state.newreno;
    /* RFC 9002 §7.8: no growth where the window was not used. */
    bool grows = ack->cwnd_limited && !skua_reduction_holds(&reno->reduction, ack->largest_sent);
    reno->credit += skua_slow_start(cc, &reno->hystart, ack, grows);
    while (reno->credit >= cc->cwnd) {
        reno->credit -= cc->cwnd;
        cc->cwnd += cc->mtu;
    }
}

static void reduce(struct skua_cc *cc, skua_time now)
{
    struct skua_newreno *reno = &cc->state.newreno;
    skua_reduction_begin(cc, &reno->reduction, cc->cwnd / 2, now);
    reno->credit = 0;
}

/* RFC 9002 §7.1: as a loss, but that it cannot turn out to be none. */
static void on_ce(struct skua_cc *cc, const struct skua_cc_ce *ce, skua_time now)
{
    struct skua_newreno *reno = &cc->state.newreno;
    if (!skua_reduction_covers(&reno->reduction, ce->largest_sent)) {
        reduce(cc, now);
    }
    skua_reduction_on_ce(&reno->reduction);
}

static void on_loss(struct skua_cc *cc, const struct skua_cc_loss *loss, skua_time now)
{
    struct skua_newreno *reno = &cc->state.newreno;
    if (!skua_reduction_covers(&reno->reduction, loss->largest_sent)) {
        reduce(cc, now);
    }
    skua_reduction_on_loss(cc, &reno->reduction, loss);
    if (loss->persistent) {
        reno->credit = 0;
    }
}

static void on_spurious(struct skua_cc *cc, const struct skua_cc_spurious *spurious, skua_time now)
{
    (void)now;
    (void)skua_reduction_on_spurious(cc, &cc->state.newreno.reduction, spurious);
}

const struct skua_cc_ops skua_cc_newreno = {
    .controller = SKUA_CONTROLLER_NEWRENO,
    .init = start,
    .on_sent = on_sent,
    .on_ack = on_ack,
    .on_ce = on_ce,
    .on_loss = on_loss,
    .on_spurious = on_spurious,
    .on_mtu = skua_cc_window_on_mtu,
    .pacing_rate = skua_cc_window_rate,
};
