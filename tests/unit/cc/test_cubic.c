/* CUBIC against the formulae of RFC 9438, computed beside it in floating point. */
#include "unit.h"

#include <math.h>
#include <stdio.h>

#include "cc/cc.h"

enum { MTU = 1200 };

#define MS(n)  ((skua_time)(n)*SKUA_MSEC)
#define SEC(n) ((skua_time)(n)*SKUA_SEC)

static void ack_at(struct skua_cc *cc, uint64_t bytes, skua_time rtt, skua_time now, bool limited)
{
    const struct skua_cc_ack event = {
        .bytes = bytes,
        .bytes_in_flight = cc->cwnd,
        .largest_sent = now - rtt,
        .cwnd_limited = limited,
        .rtt = {.latest_ns = rtt, .smoothed_ns = rtt, .min_ns = rtt},
    };
    skua_cc_on_ack(cc, &event, now);
}

static void lose(struct skua_cc *cc, uint64_t packets, skua_time sent, bool persistent,
                 skua_time now)
{
    const struct skua_cc_loss event = {.bytes = packets * cc->mtu,
                                       .packets = packets,
                                       .bytes_in_flight = cc->cwnd,
                                       .largest_sent = sent,
                                       .persistent = persistent};
    skua_cc_on_loss(cc, &event, now);
}

static void be_spurious(struct skua_cc *cc, uint64_t packets, skua_time since, skua_time now)
{
    const struct skua_cc_spurious event = {
        .bytes = packets * cc->mtu, .packets = packets, .since = since};
    skua_cc_on_spurious(cc, &event, now);
}

/* A window of `datagrams` right after slow start's loss: reduced to 0.7 of it. */
static void begin_reduced(struct skua_cc *cc, uint32_t mtu, uint64_t datagrams, skua_time now)
{
    skua_cc_init(cc, &skua_cc_cubic, mtu, now - SEC(1));
    cc->cwnd = datagrams * mtu;
    lose(cc, 1, now - MS(1), false, now);
}

/* --- the reference: RFC 9438 §4 in segments and seconds, acknowledgement by acknowledgement */

struct reference {
    long double cwnd, prior, w_max, w_est, k, t0, rtt;
};

#define BETA  0.7L
#define C     0.4L
#define ALPHA (3 * (1 - BETA) / (1 + BETA))

static void reference_reduce(struct reference *r)
{
    r->prior = r->cwnd;
    r->w_max = r->cwnd < r->w_max ? r->cwnd * (1 + BETA) / 2 : r->cwnd;
    r->cwnd = r->cwnd * BETA;
}

static void reference_epoch(struct reference *r, long double t0)
{
    r->t0 = t0;
    r->k = cbrtl((r->w_max - r->cwnd) / C);
    r->w_est = r->cwnd;
}

static long double reference_cubic(const struct reference *r, long double t)
{
    return C * powl(t - r->k, 3) + r->w_max;
}

static void reference_ack(struct reference *r, long double segments, long double now)
{
    long double t = now - r->t0;
    long double target = reference_cubic(r, t + r->rtt);
    target = fminl(fmaxl(target, r->cwnd), 1.5L * r->cwnd);
    r->w_est += (r->w_est < r->prior ? ALPHA : 1) * segments / r->cwnd;
    if (reference_cubic(r, t) < r->w_est) {
        r->cwnd = fmaxl(r->cwnd, r->w_est);
    } else {
        r->cwnd += (target - r->cwnd) / r->cwnd * segments;
    }
}

static long double in_segments(const struct skua_cc *cc)
{
    return (long double)cc->cwnd / cc->mtu;
}

static void compare(const struct skua_cc *cc, const struct reference *r, const char *when)
{
    long double off = fabsl(in_segments(cc) - r->cwnd);
    if (off > 0.3L && off > r->cwnd / 2000) {
        fail_msg("%s: cwnd %.3Lf, by the RFC %.3Lf", when, in_segments(cc), r->cwnd);
    }
}

/* Both, for so many round trips, an ACK for each two datagrams. `cc` has just been reduced. */
static void follow(uint32_t mtu, uint64_t window, skua_time rtt, unsigned rounds)
{
    struct skua_cc cc;
    skua_time now = SEC(10);
    begin_reduced(&cc, mtu, window, now);
    struct reference r = {.cwnd = window, .rtt = (long double)rtt / SKUA_SEC};
    reference_reduce(&r);
    compare(&cc, &r, "reduced");
    bool begun = false;
    char when[80];
    for (unsigned i = 0; i < rounds; i++) {
        uint64_t acks = cc.cwnd / mtu / 2 + 1;
        for (uint64_t k = 0; k < acks; k++) {
            now += rtt / acks;
            if (now - rtt <= SEC(10)) {
                continue; /* still of the round of the loss: nothing grows */
            }
            if (!begun) {
                reference_epoch(&r, (long double)now / SKUA_SEC);
                begun = true;
            }
            ack_at(&cc, 2 * mtu, rtt, now, true);
            reference_ack(&r, 2, (long double)now / SKUA_SEC);
        }
        (void)snprintf(when, sizeof when, "mtu %u, window %u, rtt %u us, round %u", mtu,
                       (unsigned)window, (unsigned)(rtt / SKUA_USEC), i);
        compare(&cc, &r, when);
    }
}

static void grows_as_the_rfc_says(void **state)
{
    (void)state;
    static const skua_time rtts[] = {50 * SKUA_USEC, MS(1), MS(10), MS(50), MS(100), MS(300)};
    static const uint64_t windows[] = {10, 100, 1000, 5000};
    for (size_t i = 0; i < sizeof rtts / sizeof rtts[0]; i++) {
        for (size_t k = 0; k < sizeof windows / sizeof windows[0]; k++) {
            follow(1200, windows[k], rtts[i], 200);
        }
    }
    follow(1472, 20000, MS(100), 300);
    follow(65507, 500, MS(20), 300);
}

/* §4.2: K = cbrt(W_max (1 - beta) / C) after the round of the loss; there the window is back. */
static void is_back_after_k(void **state)
{
    (void)state;
    struct skua_cc cc;
    skua_time now = SEC(10);
    begin_reduced(&cc, MTU, 1000, now);
    assert_int_equal(cc.cwnd, 700 * MTU);
    assert_int_equal(cc.ssthresh, 700 * MTU);
    now += MS(101);
    ack_at(&cc, MTU, MS(100), now, true);
    assert_int_equal(cc.state.cubic.u.epoch.k_ms, 9086); /* cbrt(300 / 0.4) s */
    skua_time k = now + MS(9086);
    while (now < k) {
        now += MS(10);
        ack_at(&cc, cc.cwnd / 10, MS(100), now, true);
    }
    assert_in_range(cc.cwnd, 999 * MTU, 1001 * MTU);
}

/* §4.3: on a short path NewReno with beta = 0.7 and alpha = 9/17 would be faster. */
static void is_friendly_to_reno(void **state)
{
    (void)state;
    struct skua_cc cc;
    skua_time now = SEC(10);
    begin_reduced(&cc, MTU, 100, now);
    now += MS(2);
    for (int round = 0; round < 17; round++) {
        now += MS(1);
        ack_at(&cc, cc.cwnd, MS(1), now, true);
    }
    assert_in_range(cc.cwnd, 79 * MTU - 40, 79 * MTU + 40); /* 70 and 9 in 17 rounds */
    for (int round = 0; round < 60; round++) {
        now += MS(1);
        ack_at(&cc, cc.cwnd, MS(1), now, true);
    }
    /* From the window of the loss on, one datagram each round: 40 rounds to 100, 20 beyond. */
    assert_in_range(cc.cwnd, 119 * MTU, 122 * MTU);
}

static void slow_start_is_newreno_s(void **state)
{
    (void)state;
    struct skua_cc cc, reno;
    skua_cc_init(&cc, &skua_cc_cubic, MTU, 0);
    skua_cc_init(&reno, &skua_cc_newreno, MTU, 0);
    for (unsigned i = 1; i < 8; i++) {
        assert_int_equal(cc.cwnd, reno.cwnd);
        assert_int_equal(cc.pacing_rate, reno.pacing_rate);
        ack_at(&cc, cc.cwnd, MS(50), MS(60 * i), true);
        ack_at(&reno, reno.cwnd, MS(50), MS(60 * i), true);
    }
    assert_int_equal(cc.cwnd, 128 * 12000);
}

static void no_growth_without_use(void **state)
{
    (void)state;
    struct skua_cc cc;
    skua_cc_init(&cc, &skua_cc_cubic, MTU, 0);
    ack_at(&cc, 12000, MS(50), MS(60), false);
    assert_int_equal(cc.cwnd, 12000);
    begin_reduced(&cc, MTU, 100, SEC(10));
    for (unsigned i = 1; i < 1000; i++) {
        ack_at(&cc, 10 * MTU, MS(50), SEC(10 + i), false);
    }
    assert_int_equal(cc.cwnd, 70 * MTU);
}

/* §5.8: a pause of the application is no time in which the window grows. */
static void a_pause_does_not_count(void **state)
{
    (void)state;
    struct skua_cc busy, idle;
    skua_time now = SEC(10);
    begin_reduced(&busy, MTU, 1000, now);
    begin_reduced(&idle, MTU, 1000, now);
    now += MS(100);
    for (unsigned i = 0; i < 200; i++) {
        now += MS(10);
        ack_at(&busy, 100 * MTU, MS(100), now, true);
        ack_at(&idle, 100 * MTU, MS(100), now, true);
    }
    assert_int_equal(idle.cwnd, busy.cwnd);
    ack_at(&idle, MTU, MS(100), now, false);
    const skua_time pause = SEC(3600);
    for (unsigned i = 0; i < 1000; i++) {
        now += MS(10);
        ack_at(&busy, 100 * MTU, MS(100), now, true);
        ack_at(&idle, 100 * MTU, MS(100), now + pause, true);
        long double off = in_segments(&busy) - in_segments(&idle);
        assert_true(fabsl(off) < in_segments(&busy) / 200);
    }
    assert_true(busy.cwnd > 900 * MTU);
}

/* ... also where the last ACK of all came while the window was in use. */
static void a_pause_with_a_full_window_does_not_count(void **state)
{
    (void)state;
    struct skua_cc cc;
    skua_time now = SEC(10);
    begin_reduced(&cc, MTU, 1000, now);
    now += MS(101);
    ack_at(&cc, 100 * MTU, MS(100), now, true);
    uint64_t before = cc.cwnd;
    now += SEC(3600);
    const struct skua_cc_sent first = {.pn = 5000, .bytes = MTU, .bytes_in_flight = 0};
    skua_cc_on_sent(&cc, &first, now);
    now += MS(100);
    ack_at(&cc, 100 * MTU, MS(100), now, true);
    assert_true(cc.cwnd >= before && cc.cwnd < before + 10 * MTU);
    /* While others are under way, time goes on. */
    const struct skua_cc_sent next = {.pn = 5001, .bytes = MTU, .bytes_in_flight = MTU};
    skua_cc_on_sent(&cc, &next, now);
    now += SEC(20);
    ack_at(&cc, 100 * MTU, MS(100), now, true);
    assert_true(cc.cwnd > before + 20 * MTU);
}

/* §4.7: a flow that loses before it is back at W_max leaves room for others. */
static void converges_fast(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin_reduced(&cc, MTU, 1000, SEC(10));
    assert_int_equal(cc.state.cubic.w_max, 1000 * MTU);
    lose(&cc, 1, SEC(10) + 1, false, SEC(11));
    assert_int_equal(cc.cwnd, 490 * MTU);
    assert_int_equal(cc.state.cubic.w_max, 595 * MTU); /* 700 * 0.85 */
    /* Beyond W_max it is the window itself. */
    cc.cwnd = 600 * MTU;
    lose(&cc, 1, SEC(11) + 1, false, SEC(12));
    assert_int_equal(cc.state.cubic.w_max, 600 * MTU);
    assert_int_equal(cc.cwnd, 420 * MTU);
    assert_int_equal(cc.congestion_events, 3);
}

static void reduces_once_per_round_trip_and_to_two_datagrams(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin_reduced(&cc, MTU, 100, SEC(10));
    lose(&cc, 5, SEC(10), false, SEC(11));
    ack_at(&cc, 10 * MTU, SEC(1), SEC(11), true);
    assert_int_equal(cc.cwnd, 70 * MTU);
    for (unsigned i = 0; i < 30; i++) {
        lose(&cc, 1, SEC(12 + i), false, SEC(12 + i));
    }
    assert_int_equal(cc.cwnd, 2 * MTU);
    assert_int_equal(cc.ssthresh, 2 * MTU);
}

/* §4.10: HyStart++ ends slow start without a loss: K = 0, W_max = cwnd. */
static void leaves_slow_start_without_a_loss(void **state)
{
    (void)state;
    struct skua_cc cc;
    skua_time now = SEC(1);
    uint64_t pn = 0;
    skua_cc_init(&cc, &skua_cc_cubic, MTU, now);
    for (unsigned round = 0; cc.ssthresh == SKUA_CC_NO_SSTHRESH; round++) {
        assert_true(round < 40);
        skua_time rtt = MS(50 + round * 10); /* a queue grows */
        for (unsigned i = 0; i < 10 && cc.ssthresh == SKUA_CC_NO_SSTHRESH; i++) {
            now += rtt / 10;
            pn++;
            const struct skua_cc_ack event = {
                .bytes = MTU,
                .largest_pn = pn,
                .largest_sent = now - rtt,
                .next_pn = pn + 10,
                .cwnd_limited = true,
                .rtt_sampled = true,
                .rtt = {.latest_ns = rtt, .smoothed_ns = rtt, .min_ns = MS(50)}};
            skua_cc_on_ack(&cc, &event, now);
        }
    }
    assert_int_equal(cc.congestion_events, 0);
    uint64_t window = cc.ssthresh;
    assert_int_equal(cc.state.cubic.w_max, window);
    assert_int_equal(cc.state.cubic.u.epoch.k_ms, 0);
    struct reference r = {.cwnd = (long double)window / MTU, .rtt = 0.05L};
    r.w_max = r.prior = r.cwnd;
    cc.cwnd = window;
    reference_epoch(&r, (long double)now / SKUA_SEC);
    for (unsigned i = 0; i < 500; i++) {
        now += MS(50);
        ack_at(&cc, cc.cwnd, MS(50), now, true);
        reference_ack(&r, r.cwnd, (long double)now / SKUA_SEC);
        compare(&cc, &r, "after HyStart++");
    }
}

/* §4.8: after persistent congestion, slow start to the threshold, then K = 0 and W_max = cwnd. */
static void collapses_and_recovers(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin_reduced(&cc, MTU, 100, SEC(10));
    lose(&cc, 9, SEC(11), true, SEC(20));
    assert_int_equal(cc.cwnd, 2 * MTU);
    assert_int_equal(cc.ssthresh, 49 * MTU);
    assert_int_equal(cc.persistent_events, 1);
    /* The ACK that ends it is of an older packet. */
    ack_at(&cc, 2 * MTU, SEC(1), SEC(20), true);
    assert_int_equal(cc.cwnd, 4 * MTU);
    ack_at(&cc, 45 * MTU, MS(100), SEC(21), true);
    assert_int_equal(cc.cwnd, 49 * MTU);
    ack_at(&cc, MTU, MS(100), SEC(22), true);
    assert_int_equal(cc.state.cubic.w_max, 49 * MTU);
    assert_int_equal(cc.state.cubic.u.epoch.k_ms, 0);
}

/* §4.9: as if nothing had been lost. */
static void spurious_losses_are_undone(void **state)
{
    (void)state;
    struct skua_cc with, without;
    skua_time now = SEC(10);
    begin_reduced(&with, MTU, 1000, now);
    begin_reduced(&without, MTU, 1000, now);
    now += MS(100);
    for (unsigned i = 0; i < 300; i++) { /* 3 s: short of K */
        now += MS(10);
        ack_at(&with, 80 * MTU, MS(100), now, true);
        ack_at(&without, 80 * MTU, MS(100), now, true);
    }
    uint64_t window = with.cwnd;
    lose(&with, 2, now, false, now);
    lose(&with, 1, now, false, now + MS(5));
    assert_int_equal(with.cwnd, window * 7 / 10);
    be_spurious(&with, 2, now, now + MS(6));
    assert_int_equal(with.cwnd, window * 7 / 10);
    be_spurious(&with, 1, now + MS(5), now + MS(7));
    assert_int_equal(with.cwnd, window);
    assert_int_equal(with.ssthresh, without.ssthresh);
    assert_int_equal(with.undone_events, 1);
    for (unsigned i = 0; i < 1000; i++) {
        now += MS(10);
        ack_at(&with, 80 * MTU, MS(100), now, true);
        ack_at(&without, 80 * MTU, MS(100), now, true);
        long double off = in_segments(&with) - in_segments(&without);
        assert_true(fabsl(off) < in_segments(&without) / 200);
    }
    /* And only once. */
    be_spurious(&with, 5, now, now);
    assert_int_equal(with.undone_events, 1);
}

static void an_undone_first_loss_leads_back_to_slow_start(void **state)
{
    (void)state;
    struct skua_cc cc;
    skua_cc_init(&cc, &skua_cc_cubic, MTU, 0);
    lose(&cc, 1, MS(1), false, MS(100));
    assert_int_equal(cc.cwnd, 8400);
    ack_at(&cc, MTU, MS(50), MS(200), true); /* an epoch has begun */
    be_spurious(&cc, 1, MS(100), MS(210));
    assert_true(cc.ssthresh == SKUA_CC_NO_SSTHRESH);
    assert_int_equal(cc.cwnd, 12000);
    ack_at(&cc, 12000, MS(50), MS(300), true);
    assert_int_equal(cc.cwnd, 24000);
}

static void old_losses_do_not_undo_a_new_reduction(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin_reduced(&cc, MTU, 100, SEC(10));
    lose(&cc, 1, SEC(11), false, SEC(12));
    be_spurious(&cc, 1, SEC(10), SEC(13));
    assert_int_equal(cc.cwnd, 49 * MTU);
    be_spurious(&cc, 1, SEC(12), SEC(13));
    assert_int_equal(cc.cwnd, 70 * MTU);
}

static void ce_is_a_reduction_that_stays(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin_reduced(&cc, MTU, 100, SEC(10));
    const struct skua_cc_ce again = {.packets = 1, .largest_sent = SEC(10)};
    skua_cc_on_ce(&cc, &again, SEC(11));
    assert_int_equal(cc.cwnd, 70 * MTU);
    be_spurious(&cc, 1, SEC(10), SEC(11));
    assert_int_equal(cc.cwnd, 70 * MTU);
    const struct skua_cc_ce ce = {.packets = 1, .largest_sent = SEC(11)};
    skua_cc_on_ce(&cc, &ce, SEC(12));
    assert_int_equal(cc.cwnd, 49 * MTU);
    assert_int_equal(cc.congestion_events, 2);
    assert_int_equal(cc.undone_events, 0);
}

/* Years, and windows that no path has: saturation, not nonsense. */
static void absurd_values_do_no_harm(void **state)
{
    (void)state;
    static const uint32_t mtus[] = {1200, 65507};
    for (size_t i = 0; i < 2; i++) {
        struct skua_cc cc;
        uint64_t window = UINT64_C(1) << 34;
        begin_reduced(&cc, mtus[i], window / mtus[i], SEC(10));
        for (unsigned k = 1; k < 60; k++) {
            uint64_t before = cc.cwnd;
            ack_at(&cc, k % 3 == 0 ? window : mtus[i], MS(300),
                   SEC(10) + (UINT64_C(1) << k) + SEC(1), true);
            assert_true(cc.cwnd >= before && cc.cwnd <= before + before / 2 + mtus[i]);
            if (cc.cwnd > window) {
                cc.cwnd = window;
            }
        }
        lose(&cc, 1, UINT64_MAX - 1, true, UINT64_MAX - 1);
        assert_int_equal(cc.cwnd, 2 * mtus[i]);
    }
}

static void windows_follow_the_mtu(void **state)
{
    (void)state;
    struct skua_cc cc;
    skua_cc_init(&cc, &skua_cc_cubic, MTU, 0);
    skua_cc_on_mtu(&cc, 1472);
    assert_int_equal(cc.cwnd, 14720);
    begin_reduced(&cc, MTU, 10, SEC(10));
    skua_cc_on_mtu(&cc, 9000);
    assert_int_equal(cc.cwnd, 18000);
    assert_int_equal(cc.ssthresh, 18000);
}

static void controllers_are_found_by_name(void **state)
{
    (void)state;
    unsigned found = 0;
    for (unsigned i = 1; skua_controller_name((enum skua_controller)i) != NULL; i++) {
        const struct skua_cc_ops *ops = skua_cc_find((enum skua_controller)i);
        assert_non_null(ops);
        assert_int_equal(ops->controller, i);
        found++;
    }
    assert_int_equal(found, 2);
    assert_string_equal(skua_controller_name(SKUA_CONTROLLER_CUBIC), "cubic");
    assert_null(skua_controller_name(SKUA_CONTROLLER_DEFAULT));
    assert_null(skua_cc_find(SKUA_CONTROLLER_DEFAULT));
    assert_null(skua_cc_find((enum skua_controller)99));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows_as_the_rfc_says),
        cmocka_unit_test(is_back_after_k),
        cmocka_unit_test(is_friendly_to_reno),
        cmocka_unit_test(slow_start_is_newreno_s),
        cmocka_unit_test(no_growth_without_use),
        cmocka_unit_test(a_pause_does_not_count),
        cmocka_unit_test(a_pause_with_a_full_window_does_not_count),
        cmocka_unit_test(converges_fast),
        cmocka_unit_test(reduces_once_per_round_trip_and_to_two_datagrams),
        cmocka_unit_test(leaves_slow_start_without_a_loss),
        cmocka_unit_test(collapses_and_recovers),
        cmocka_unit_test(spurious_losses_are_undone),
        cmocka_unit_test(an_undone_first_loss_leads_back_to_slow_start),
        cmocka_unit_test(old_losses_do_not_undo_a_new_reduction),
        cmocka_unit_test(ce_is_a_reduction_that_stays),
        cmocka_unit_test(absurd_values_do_no_harm),
        cmocka_unit_test(windows_follow_the_mtu),
        cmocka_unit_test(controllers_are_found_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
