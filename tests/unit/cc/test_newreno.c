/* NewReno: RFC 9002 §7 and appendix B, and undo. */
#include "unit.h"

#include "cc/cc.h"

enum { MTU = 1200 };

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

static const struct skua_cc_rtt rtt = {
    .latest_ns = MS(100), .smoothed_ns = MS(100), .min_ns = MS(100)};

static void begin(struct skua_cc *cc)
{
    skua_cc_init(cc, &skua_cc_newreno, MTU, 0);
}

static void ack(struct skua_cc *cc, uint64_t bytes, skua_time sent, bool limited)
{
    const struct skua_cc_ack event = {.bytes = bytes,
                                      .bytes_in_flight = cc->cwnd,
                                      .largest_sent = sent,
                                      .cwnd_limited = limited,
                                      .rtt = rtt};
    skua_cc_on_ack(cc, &event, sent + MS(100));
}

static void lose(struct skua_cc *cc, uint64_t packets, skua_time sent, bool persistent,
                 skua_time now)
{
    const struct skua_cc_loss event = {.bytes = packets * MTU,
                                       .packets = packets,
                                       .bytes_in_flight = cc->cwnd,
                                       .largest_sent = sent,
                                       .persistent = persistent};
    skua_cc_on_loss(cc, &event, now);
}

static void windows_of_the_rfc(void **state)
{
    (void)state;
    assert_int_equal(skua_cc_initial_window(1200), 12000);
    assert_int_equal(skua_cc_initial_window(1472), 14720);
    assert_int_equal(skua_cc_initial_window(9000), 18000);
    assert_int_equal(skua_cc_initial_window(65507), 131014);
    assert_int_equal(skua_cc_minimum_window(1200), 2400);
}

static void slow_start_doubles_per_round(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    assert_int_equal(cc.cwnd, 12000);
    assert_true(cc.ssthresh == SKUA_CC_NO_SSTHRESH);
    assert_true(skua_cc_in_slow_start(&cc));
    ack(&cc, 12000, MS(1), true);
    assert_int_equal(cc.cwnd, 24000);
    ack(&cc, 24000, MS(100), true);
    assert_int_equal(cc.cwnd, 48000);
}

static void no_growth_without_use(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    ack(&cc, 6000, MS(1), false);
    assert_int_equal(cc.cwnd, 12000);
    lose(&cc, 1, MS(2), false, MS(100));
    ack(&cc, 100000, MS(200), false);
    assert_int_equal(cc.cwnd, 6000);
}

static void a_loss_halves_once_per_round_trip(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    ack(&cc, 12000, MS(1), true);
    lose(&cc, 3, MS(50), false, MS(150));
    assert_int_equal(cc.cwnd, 12000);
    assert_int_equal(cc.ssthresh, 12000);
    assert_int_equal(cc.congestion_events, 1);
    assert_false(skua_cc_in_slow_start(&cc));
    /* Sent before the reduction: neither halves again nor grows. */
    lose(&cc, 3, MS(150), false, MS(200));
    ack(&cc, 50000, MS(150), true);
    assert_int_equal(cc.cwnd, 12000);
    assert_int_equal(cc.congestion_events, 1);
    /* Sent after it: halves. */
    lose(&cc, 1, MS(151), false, MS(260));
    assert_int_equal(cc.cwnd, 6000);
    assert_int_equal(cc.congestion_events, 2);
}

static void avoidance_adds_a_datagram_per_window(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    lose(&cc, 1, MS(1), false, MS(100));
    assert_int_equal(cc.cwnd, 6000);
    for (int i = 0; i < 4; i++) {
        ack(&cc, MTU, MS(101), true);
        assert_int_equal(cc.cwnd, 6000);
    }
    ack(&cc, MTU, MS(101), true);
    assert_int_equal(cc.cwnd, 7200);
    /* One ACK for much counts its bytes, not itself: 7,200 and 8,400. */
    ack(&cc, 15600, MS(101), true);
    assert_int_equal(cc.cwnd, 9600);
}

static void slow_start_ends_at_its_threshold(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    ack(&cc, 12000, MS(1), true);
    lose(&cc, 20, MS(2), true, MS(5000));
    assert_int_equal(cc.cwnd, 2400);
    assert_int_equal(cc.ssthresh, 12000);
    /* 9,600 in slow start, 2,400 towards the next datagram. */
    ack(&cc, 12000, MS(5001), true);
    assert_int_equal(cc.cwnd, 12000);
    ack(&cc, 9600, MS(5001), true);
    assert_int_equal(cc.cwnd, 13200);
}

static void persistent_congestion_collapses_and_recovers(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    lose(&cc, 5, MS(1000), true, MS(3000));
    assert_int_equal(cc.cwnd, 2400);
    assert_int_equal(cc.ssthresh, 6000);
    assert_int_equal(cc.persistent_events, 1);
    /* The rest of the same outage does not take ssthresh down as well. */
    lose(&cc, 2, MS(2900), false, MS(3010));
    assert_int_equal(cc.ssthresh, 6000);
    /* The ACK that ended it grows the window, though its packet is older. */
    ack(&cc, 1200, MS(2950), true);
    assert_int_equal(cc.cwnd, 3600);
}

static void never_below_two_datagrams(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    for (skua_time t = 1; t < 20; t++) {
        lose(&cc, 1, MS(100 * t), false, MS(100 * t + 50));
    }
    assert_int_equal(cc.cwnd, 2400);
    assert_int_equal(cc.ssthresh, 2400);
}

static void spurious_losses_are_undone(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    lose(&cc, 2, MS(1), false, MS(100));
    lose(&cc, 1, MS(90), false, MS(110));
    assert_int_equal(cc.cwnd, 6000);
    const struct skua_cc_spurious one = {.bytes = MTU, .packets = 1, .since = MS(100)};
    skua_cc_on_spurious(&cc, &one, MS(120));
    skua_cc_on_spurious(&cc, &one, MS(121));
    assert_int_equal(cc.cwnd, 6000);
    skua_cc_on_spurious(&cc, &one, MS(122));
    assert_int_equal(cc.cwnd, 12000);
    assert_true(cc.ssthresh == SKUA_CC_NO_SSTHRESH);
    assert_int_equal(cc.undone_events, 1);
    /* And only once. */
    skua_cc_on_spurious(&cc, &one, MS(123));
    assert_int_equal(cc.undone_events, 1);
}

static void one_genuine_loss_keeps_the_reduction(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    lose(&cc, 3, MS(1), false, MS(100));
    const struct skua_cc_spurious two = {.bytes = 2 * MTU, .packets = 2, .since = MS(100)};
    skua_cc_on_spurious(&cc, &two, MS(120));
    assert_int_equal(cc.cwnd, 6000);
    assert_int_equal(cc.undone_events, 0);
}

static void see_ce(struct skua_cc *cc, skua_time sent, skua_time now)
{
    const struct skua_cc_ce event = {.packets = 1, .largest_sent = sent};
    skua_cc_on_ce(cc, &event, now);
}

static void ce_counts_as_a_loss_once_per_round_trip(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    ack(&cc, 12000, MS(1), true);
    see_ce(&cc, MS(50), MS(150));
    assert_int_equal(cc.cwnd, 12000);
    assert_int_equal(cc.ssthresh, 12000);
    see_ce(&cc, MS(150), MS(200));
    lose(&cc, 1, MS(150), false, MS(200));
    assert_int_equal(cc.cwnd, 12000);
    assert_int_equal(cc.congestion_events, 1);
    see_ce(&cc, MS(151), MS(260));
    assert_int_equal(cc.cwnd, 6000);
    assert_int_equal(cc.congestion_events, 2);
}

static void ce_is_never_spurious(void **state)
{
    (void)state;
    struct skua_cc cc;
    const struct skua_cc_spurious one = {.bytes = MTU, .packets = 1, .since = MS(103)};
    /* Alone, in the round of a loss, and before one. */
    for (int i = 0; i < 3; i++) {
        begin(&cc);
        if (i == 1) {
            lose(&cc, 1, MS(1), false, MS(100));
        }
        see_ce(&cc, MS(2), MS(101));
        if (i == 2) {
            lose(&cc, 1, MS(3), false, MS(102));
        }
        skua_cc_on_spurious(&cc, &one, MS(120));
        assert_int_equal(cc.cwnd, 6000);
        assert_int_equal(cc.undone_events, 0);
    }
}

static void windows_follow_the_mtu(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    skua_cc_on_mtu(&cc, 1472);
    assert_int_equal(cc.cwnd, 14720);
    skua_cc_on_mtu(&cc, 65507);
    assert_int_equal(cc.cwnd, 131014);
    /* Not a new initial window once something was learnt. */
    begin(&cc);
    lose(&cc, 1, MS(1), false, MS(100));
    skua_cc_on_mtu(&cc, 1472);
    assert_int_equal(cc.cwnd, 6000);
    skua_cc_on_mtu(&cc, 9000);
    assert_int_equal(cc.cwnd, 18000);
    assert_int_equal(cc.ssthresh, 18000);
    skua_cc_on_mtu(&cc, 1200);
    assert_int_equal(cc.cwnd, 18000);
}

static void pacing_rate_follows_window_and_rtt(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    assert_true(cc.pacing_rate == SKUA_CC_UNPACED);
    skua_cc_on_rtt(&cc, &rtt);
    /* 2 * 12,000 bytes per 100 ms */
    assert_int_equal(cc.pacing_rate, 240000);
    lose(&cc, 1, MS(1), false, MS(100));
    /* 1.25 * 6,000 bytes per 100 ms */
    assert_int_equal(cc.pacing_rate, 75000);
    const struct skua_cc_rtt loopback = {.latest_ns = 50000, .smoothed_ns = 50000, .min_ns = 50000};
    begin(&cc);
    skua_cc_on_rtt(&cc, &loopback);
    assert_int_equal(cc.pacing_rate, 480000000);
    /* Windows beyond reason do not overflow. */
    cc.cwnd = UINT64_C(1) << 50;
    assert_true(skua_cc_window_rate(&cc) == SKUA_CC_UNPACED);
}

static void room_is_what_the_window_leaves(void **state)
{
    (void)state;
    struct skua_cc cc;
    begin(&cc);
    assert_int_equal(skua_cc_room(&cc, 0), 12000);
    assert_int_equal(skua_cc_room(&cc, 11000), 1000);
    assert_int_equal(skua_cc_room(&cc, 50000), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_of_the_rfc),
        cmocka_unit_test(slow_start_doubles_per_round),
        cmocka_unit_test(no_growth_without_use),
        cmocka_unit_test(a_loss_halves_once_per_round_trip),
        cmocka_unit_test(avoidance_adds_a_datagram_per_window),
        cmocka_unit_test(slow_start_ends_at_its_threshold),
        cmocka_unit_test(persistent_congestion_collapses_and_recovers),
        cmocka_unit_test(never_below_two_datagrams),
        cmocka_unit_test(spurious_losses_are_undone),
        cmocka_unit_test(one_genuine_loss_keeps_the_reduction),
        cmocka_unit_test(ce_counts_as_a_loss_once_per_round_trip),
        cmocka_unit_test(ce_is_never_spurious),
        cmocka_unit_test(windows_follow_the_mtu),
        cmocka_unit_test(pacing_rate_follows_window_and_rtt),
        cmocka_unit_test(room_is_what_the_window_leaves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
