/* CUBIC: RFC 9438 §4. The names of its variables are the RFC's.
 *
 * An epoch begins with the first growth of congestion avoidance, and anew when the application has
 * left the window unused or a reduction was undone: W_max stays, and K follows from the window,
 * also beyond W_max, where it is negative. As a cubic through W_max with the present window at t =
 * 0 is the one that was left, just at its place, that is what "t without the pause" (§5.8) and
 * "restore K and t" (§4.9) ask for, and needs no memory of either.
 *
 * Bounds: windows are below 2^35 (2^18 packets of 2^16 bytes, and 1.5 times that), times of the
 * cubic function are clamped to 2^21 ms, so its cube fits. */
#include "cc/cubic.h"

#include "base/time.h"
#include "cc/cc.h"
#include "cc/slow_start.h"

/* §4.6: beta_cubic = 7/10. §4.3: alpha_cubic = 3 (1 - beta) / (1 + beta) = 9/17. */
enum { BETA = 7, BETA_OF = 10, ALPHA = 9, ALPHA_OF = 17 };
/* §4.7: fast convergence remembers (1 + beta) / 2 = 17/20 of the window. */
enum { CONVERGED = 17, CONVERGED_OF = 20 };
/* §4.2: the target is at most 1.5 windows. */
enum { TARGET_MOST = 3, TARGET_MOST_OF = 2 };
/* §5.1: C = 0.4 datagrams per s^3, or one datagram per so many ms^3. */
#define MS3_PER_DATAGRAM UINT64_C(2500000000)
#define MS_MAX           (INT64_C(1) << 21)

static void start(struct skua_cc *cc, skua_time now)
{
    (void)now;
    skua_hystart_init(&cc->state.cubic.u.hystart);
}

/* §5.8: where nothing was under way, the last ACK may have found the window in use all the same.
 * The time since then does not count. */
static void on_sent(struct skua_cc *cc, const struct skua_cc_sent *sent, skua_time now)
{
    (void)now;
    if (sent->bytes_in_flight == 0 && cc->ssthresh != SKUA_CC_NO_SSTHRESH) {
        cc->state.cubic.u.epoch.running = false;
    }
}

/* The nearest whole number to the cube root. */
static int32_t cube_root(uint64_t x)
{
    uint64_t root = 0;
    for (uint64_t bit = UINT64_C(1) << 20; bit != 0; bit /= 2) {
        uint64_t more = root | bit;
        root = more * more * more <= x ? more : root;
    }
    /* Above (root + 1/2)^3 = root^3 + 3/2 root^2 + 3/4 root + 1/8 the next one is nearer. */
    bool up = x - root * root * root > (6 * root * root + 3 * root) / 4;
    return (int32_t)(root + up);
}

/* K = cbrt((W_max - cwnd) / C): §4.2, figure 2. */
static int32_t k_of(uint64_t w_max, uint64_t cwnd, uint32_t mtu)
{
    uint64_t distance = w_max > cwnd ? w_max - cwnd : cwnd - w_max;
    uint64_t ms3 = distance / mtu * MS3_PER_DATAGRAM + distance % mtu * MS3_PER_DATAGRAM / mtu;
    int32_t k = cube_root(ms3);
    return w_max > cwnd ? k : -k;
}

/* W_cubic(t) = C (t - K)^3 + W_max: §4.2, figure 1. */
static uint64_t w_cubic(const struct skua_cubic *cubic, uint32_t mtu, skua_time t)
{
    int64_t ms = (int64_t)skua_time_min(t / SKUA_MSEC, (skua_time)MS_MAX) - cubic->u.epoch.k_ms;
    uint64_t away = (uint64_t)(ms < 0 ? -ms : ms);
    away = away < MS_MAX ? away : MS_MAX;
    uint64_t cube = away * away * away;
    uint64_t bytes =
        cube / MS3_PER_DATAGRAM * mtu + cube % MS3_PER_DATAGRAM * mtu / MS3_PER_DATAGRAM;
    if (ms >= 0) {
        return cubic->w_max + bytes;
    }
    return cubic->w_max > bytes ? cubic->w_max - bytes : 0;
}

static void begin_epoch(struct skua_cc *cc, struct skua_cubic *cubic, skua_time now)
{
    struct skua_cubic_epoch *epoch = &cubic->u.epoch;
    if (cubic->w_max == 0) {
        cubic->w_max = cc->cwnd; /* §4.8, §4.10: no loss says where it should be */
    }
    epoch->start = now;
    epoch->k_ms = k_of(cubic->w_max, cc->cwnd, cc->mtu);
    epoch->w_est = cc->cwnd;
    epoch->running = true;
}

/* W_est grows by alpha datagrams per window, and by one once it is where the reduction was: §4.3.
 */
static void grow_estimate(const struct skua_cc *cc, struct skua_cubic *cubic, uint64_t bytes)
{
    struct skua_cubic_epoch *epoch = &cubic->u.epoch;
    unsigned alpha = epoch->w_est < cubic->reduction.cwnd ? ALPHA : ALPHA_OF;
    uint64_t window = ALPHA_OF * cc->cwnd;
    epoch->est_credit += alpha * bytes * cc->mtu;
    epoch->w_est += epoch->est_credit / window;
    epoch->est_credit %= window;
}

/* Concave and convex region: (target - cwnd) / cwnd for each byte acknowledged: §4.4, §4.5. */
static void grow_to(struct skua_cc *cc, struct skua_cubic_epoch *epoch, uint64_t target,
                    uint64_t bytes)
{
    uint64_t most = cc->cwnd * TARGET_MOST / TARGET_MOST_OF;
    target = target < most ? target : most;
    if (target <= cc->cwnd) {
        return;
    }
    uint64_t step = target - cc->cwnd;
    if (bytes >= cc->cwnd) {
        cc->cwnd = target;
        return;
    }
    step = step < UINT64_MAX / 2 / bytes ? step : UINT64_MAX / 2 / bytes;
    epoch->credit += step * bytes;
    uint64_t growth = epoch->credit / cc->cwnd;
    epoch->credit %= cc->cwnd;
    cc->cwnd += growth;
}

static void avoid_congestion(struct skua_cc *cc, struct skua_cubic *cubic, uint64_t bytes,
                             skua_time now)
{
    struct skua_cubic_epoch *epoch = &cubic->u.epoch;
    if (!epoch->running) {
        begin_epoch(cc, cubic, now);
    }
    skua_time t = skua_time_sub(now, epoch->start);
    grow_estimate(cc, cubic, bytes);
    if (w_cubic(cubic, cc->mtu, t) < epoch->w_est) {
        cc->cwnd = cc->cwnd < epoch->w_est ? epoch->w_est : cc->cwnd; /* Reno-friendly: §4.3 */
    } else {
        grow_to(cc, epoch, w_cubic(cubic, cc->mtu, skua_time_add(t, cc->smoothed_ns)), bytes);
    }
}

static void on_ack(struct skua_cc *cc, const struct skua_cc_ack *ack, skua_time now)
{
    struct skua_cubic *cubic = &cc->state.cubic;
    bool initial = cc->ssthresh == SKUA_CC_NO_SSTHRESH;
    bool grows = ack->cwnd_limited && !skua_reduction_holds(&cubic->reduction, ack->largest_sent);
    uint64_t bytes = skua_slow_start(cc, &cubic->u.hystart, ack, grows);
    if (cc->ssthresh == SKUA_CC_NO_SSTHRESH) {
        return;
    }
    if (initial) {
        cubic->u.epoch = (struct skua_cubic_epoch){.running = false};
    }
    if (bytes > 0) {
        avoid_congestion(cc, cubic, bytes, now);
    } else if (!ack->cwnd_limited) {
        cubic->u.epoch.running =
            false; /* §5.8: time in which the window is not used does not count */
    }
}

static void reduce(struct skua_cc *cc, skua_time now)
{
    struct skua_cubic *cubic = &cc->state.cubic;
    cubic->undo_w_max = cubic->w_max;
    cubic->w_max =
        cc->cwnd < cubic->w_max ? cc->cwnd * CONVERGED / CONVERGED_OF : cc->cwnd; /* §4.7 */
    cubic->u.epoch = (struct skua_cubic_epoch){.running = false};
    skua_reduction_begin(cc, &cubic->reduction, cc->cwnd * BETA / BETA_OF, now);
}

/* RFC 9002 §7.1: as a loss, but that it cannot turn out to be none. */
static void on_ce(struct skua_cc *cc, const struct skua_cc_ce *ce, skua_time now)
{
    struct skua_cubic *cubic = &cc->state.cubic;
    if (!skua_reduction_covers(&cubic->reduction, ce->largest_sent)) {
        reduce(cc, now);
    }
    skua_reduction_on_ce(&cubic->reduction);
}

static void on_loss(struct skua_cc *cc, const struct skua_cc_loss *loss, skua_time now)
{
    struct skua_cubic *cubic = &cc->state.cubic;
    if (!skua_reduction_covers(&cubic->reduction, loss->largest_sent)) {
        reduce(cc, now);
    }
    skua_reduction_on_loss(cc, &cubic->reduction, loss);
    if (loss->persistent) {
        /* §4.8: the stage that follows begins with K = 0 and W_max = cwnd. */
        cubic->w_max = 0;
        cubic->u.epoch = (struct skua_cubic_epoch){.running = false};
    }
}

/* §4.9. */
static void on_spurious(struct skua_cc *cc, const struct skua_cc_spurious *spurious, skua_time now)
{
    (void)now;
    struct skua_cubic *cubic = &cc->state.cubic;
    if (!skua_reduction_on_spurious(cc, &cubic->reduction, spurious)) {
        return;
    }
    cubic->w_max = cubic->undo_w_max;
    if (cc->ssthresh == SKUA_CC_NO_SSTHRESH) {
        skua_hystart_init(&cubic->u.hystart);
    } else {
        cubic->u.epoch = (struct skua_cubic_epoch){.running = false};
    }
}

const struct skua_cc_ops skua_cc_cubic = {
    .controller = SKUA_CONTROLLER_CUBIC,
    .init = start,
    .on_sent = on_sent,
    .on_ack = on_ack,
    .on_ce = on_ce,
    .on_loss = on_loss,
    .on_spurious = on_spurious,
    .on_mtu = skua_cc_window_on_mtu,
    .pacing_rate = skua_cc_window_rate,
};
