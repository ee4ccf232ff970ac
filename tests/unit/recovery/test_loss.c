/* Loss by count and by time, the adaptive window, spurious losses, persistent congestion. */
#include "harness.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

/* One packet there and back, so that the RTT is known exactly. */
static void begin_with_rtt(struct harness *h, skua_time rtt)
{
    begin(h);
    send_many(h, 1);
    h->now += rtt;
    ack(h, 0, 0);
    assert_int_equal(h->rec.rtt.smoothed, rtt);
}

static void three_later_packets_make_a_loss(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(100));
    send_many(&h, 4); /* 1 to 4 */
    h.now += MS(100);
    ack(&h, 2, 2);
    assert_int_equal(h.ack.loss.packets, 0);
    ack(&h, 3, 3);
    assert_int_equal(h.ack.loss.packets, 0);
    ack(&h, 4, 4);
    assert_int_equal(h.ack.loss.packets, 1);
    assert_int_equal(h.ack.loss.largest_pn, 1);
    assert_int_equal(h.ack.loss.largest_sent, h.now - MS(100));
    assert_int_equal(h.rec.bytes_in_flight, 0);
    end(&h);
}

/* What PMTUD wants to know: large ones that are lost, with none of full size that left later. */
static void large_losses_are_told_apart(void **state)
{
    (void)state;
    enum { FULL = 1472 };
    struct harness h;
    begin_with_rtt(&h, MS(100));
    (void)send_as(&h, FULL, DATA); /* 1: from before the size was set */
    skua_recovery_set_full(&h.rec, FULL);
    (void)send_as(&h, FULL, DATA); /* 2: 3 arrives */
    (void)send_as(&h, FULL, DATA);
    (void)send_as(&h, FULL, DATA); /* 4 */
    (void)send_as(&h, 1300, DATA); /* 5 */
    (void)send_as(&h, 1200, DATA); /* 6: small */
    (void)send_as(&h, FULL, DATA | SKUA_SENT_MTU_PROBE);
    (void)send_as(&h, FULL, DATA | SKUA_SENT_OTHER_PATH);
    (void)send_as(&h, FULL, DATA); /* 9: a hole in between */
    (void)send_as(&h, 1400, DATA); /* 10: not full, says nothing */
    send_many(&h, 3);
    h.now += MS(100);
    ack(&h, 3, 3);
    assert_int_equal(h.ack.loss.packets, 0);
    ack(&h, 10, 13);
    assert_int_equal(h.ack.size_max, 1400);
    assert_int_equal(h.ack.loss.packets, 6);
    assert_int_equal(h.ack.loss.small, 1);
    assert_int_equal(h.ack.loss.large, 3);
    assert_int_equal(h.ack.loss.large_min, 1300);
    end(&h);
}

static void nine_eighths_of_the_rtt_make_a_loss(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(80));
    send_many(&h, 2); /* 1, 2 */
    skua_time sent = h.now;
    h.now += MS(80);
    ack(&h, 2, 2);
    assert_int_equal(h.ack.loss.packets, 0);
    assert_int_equal(skua_recovery_deadline(&h.rec), sent + MS(90));
    skua_recovery_on_timeout(&h.rec, sent + MS(90) - 1, &h.timeout);
    assert_false(h.timeout.loss_timer || h.timeout.pto);
    time_out(&h);
    assert_true(h.timeout.loss_timer);
    assert_false(h.timeout.pto);
    assert_int_equal(h.timeout.loss.packets, 1);
    assert_true(skua_recovery_deadline(&h.rec) == SKUA_NEVER);
    end(&h);
}

static void nothing_above_the_largest_acked_is_lost(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(10));
    send_many(&h, 1);
    h.now += MS(1);
    send_many(&h, 1);
    h.now += SKUA_SEC;
    ack(&h, 1, 1);
    assert_int_equal(h.ack.loss.packets, 0);
    assert_int_equal(h.rec.bytes_in_flight, PACKET);
    end(&h);
}

static void tiny_rtts_wait_for_the_granularity(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, 50 * SKUA_USEC);
    send_many(&h, 2);
    skua_time sent = h.now;
    h.now += 50 * SKUA_USEC;
    ack(&h, 2, 2);
    assert_int_equal(skua_recovery_deadline(&h.rec), sent + MS(1));
    end(&h);
}

static void unanswered_acks_are_forgotten_without_timer(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(80));
    (void)send_as(&h, 50, ACK_ONLY);
    send_many(&h, 1);
    h.now += MS(80);
    ack(&h, 2, 2);
    assert_int_equal(h.ack.loss.packets, 0);
    assert_true(skua_recovery_deadline(&h.rec) == SKUA_NEVER);
    end(&h);
}

static void a_spurious_loss_is_noticed_and_ends_counting(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(80));
    send_many(&h, 4); /* 1 to 4 */
    h.now += MS(80);
    ack(&h, 2, 4);
    assert_int_equal(h.ack.loss.packets, 1);
    h.now += MS(1);
    ack(&h, 1, 4);
    assert_int_equal(h.ack.spurious_packets, 1);
    assert_int_equal(h.ack.spurious_bytes, PACKET);
    assert_int_equal(h.ack.bytes, 0);
    /* From now on only time makes losses: 5 is 5 below 10. */
    send_many(&h, 6);
    h.now += MS(80);
    ack(&h, 6, 10);
    assert_int_equal(h.ack.loss.packets, 0);
    time_out(&h);
    assert_int_equal(h.timeout.loss.packets, 1);
    end(&h);
}

/* Sends two, acknowledges the second, lets the first be lost by time; returns how long it took. */
static skua_time lose_one_by_time(struct harness *h)
{
    uint64_t pn = skua_recovery_next_pn(&h->rec);
    skua_time sent = h->now;
    send_many(h, 2);
    h->now += MS(80);
    ack(h, pn + 1, pn + 1);
    assert_int_equal(h->ack.loss.packets, 0);
    time_out(h);
    assert_int_equal(h->timeout.loss.packets, 1);
    return h->now - sent;
}

static void the_window_grows_with_spurious_losses_and_shrinks_again(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(80));
    /* Each late packet widens the window by an eighth, up to two RTTs; the first ends counting. */
    const skua_time expected[] = {90, 90, 100, 110, 120, 130, 140, 150, 160, 160};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(lose_one_by_time(&h), MS(expected[i]));
        uint64_t late = skua_recovery_next_pn(&h.rec) - 2;
        /* One below the largest: no RTT sample disturbs the arithmetic. */
        ack(&h, late, late + 1);
        assert_int_equal(h.ack.spurious_packets, 1);
    }
    /* Sixteen rounds with genuine losses forget it; packets are counted again. */
    for (int i = 0; i < 16; i++) {
        assert_int_equal(lose_one_by_time(&h), MS(160));
    }
    assert_int_equal(h.rec.reorder.mult, 1);
    uint64_t pn = skua_recovery_next_pn(&h.rec);
    send_many(&h, 4);
    h.now += MS(80);
    ack(&h, pn + 1, pn + 3);
    assert_int_equal(h.ack.loss.packets, 1);
    end(&h);
}

static void a_lost_packet_is_kept_for_three_ptos(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(80));
    send_many(&h, 4);
    h.now += MS(80);
    ack(&h, 2, 4);
    assert_true(skua_sent_holds(&h.rec.sent, 1));
    h.now += 3 * skua_rtt_pto(&h.rec.rtt, MS(25));
    ack(&h, 1, 4);
    assert_int_equal(h.ack.spurious_packets, 0);
    assert_int_equal(h.ack.packets, 0);
    end(&h);
}

/* Packets one after the other over `span`, all lost, then one that is acknowledged. */
static void black_out(struct harness *h, skua_time span)
{
    send_many(h, 1);
    h->now += span;
    send_many(h, 1);
    h->now += MS(1);
    send_many(h, 3);
    h->now += MS(80);
    uint64_t last = skua_recovery_next_pn(&h->rec) - 1;
    ack(h, last, last);
}

static void a_long_black_out_is_persistent_congestion(void **state)
{
    (void)state;
    /* RFC 9002 §7.6.1: 3 (smoothed + 4 var + max_ack_delay) = 3 * (80 + 4 * 40 + 25) = 795 ms. The
     * ACK that reveals the losses first changes the RTT: 80 again, so var = 30: 3 * 225 = 675 ms.
     */
    struct harness h;
    begin_with_rtt(&h, MS(80));
    h.now += MS(1);
    black_out(&h, MS(675));
    assert_int_equal(h.ack.loss.packets, 2);
    assert_true(h.ack.loss.persistent);
    assert_int_equal(h.rec.rtt.min, h.rec.rtt.latest);
    end(&h);

    begin_with_rtt(&h, MS(80));
    h.now += MS(1);
    black_out(&h, MS(675) - 1);
    assert_int_equal(h.ack.loss.packets, 2);
    assert_false(h.ack.loss.persistent);
    end(&h);
}

static void an_ack_in_between_is_no_persistent_congestion(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(80));
    h.now += MS(1);
    send_many(&h, 1); /* 1: lost */
    h.now += MS(400);
    send_many(&h, 1); /* 2: acknowledged below */
    h.now += MS(400);
    send_many(&h, 4); /* 3: lost */
    h.now += MS(80);
    const struct skua_range ranges[] = {{6, 6}, {2, 2}};
    assert_int_equal(skua_recovery_on_ack(&h.rec, ranges, 2, 0, h.now, &h.ack), SKUA_CODE_NO_ERROR);
    assert_int_equal(h.ack.loss.packets, 2);
    assert_false(h.ack.loss.persistent);
    end(&h);
}

static void no_persistent_congestion_before_the_first_sample(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    black_out(&h, 20 * SKUA_SEC);
    assert_int_equal(h.ack.loss.packets, 2);
    assert_false(h.ack.loss.persistent);
    end(&h);
}

static void black_outs_are_seen_across_acks(void **state)
{
    (void)state;
    struct harness h;
    begin_with_rtt(&h, MS(80));
    h.now += MS(1);
    send_many(&h, 1); /* 1 */
    h.now += MS(1000);
    send_many(&h, 4); /* 2 to 5 */
    h.now += MS(80);
    /* 4 reveals 1 by count; 2 follows by time. 3 too. */
    ack(&h, 4, 4);
    assert_int_equal(h.ack.loss.packets, 1);
    assert_false(h.ack.loss.persistent);
    time_out(&h);
    assert_int_equal(h.timeout.loss.packets, 2);
    assert_true(h.timeout.loss.persistent);
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_later_packets_make_a_loss),
        cmocka_unit_test(large_losses_are_told_apart),
        cmocka_unit_test(nine_eighths_of_the_rtt_make_a_loss),
        cmocka_unit_test(nothing_above_the_largest_acked_is_lost),
        cmocka_unit_test(tiny_rtts_wait_for_the_granularity),
        cmocka_unit_test(unanswered_acks_are_forgotten_without_timer),
        cmocka_unit_test(a_spurious_loss_is_noticed_and_ends_counting),
        cmocka_unit_test(the_window_grows_with_spurious_losses_and_shrinks_again),
        cmocka_unit_test(a_lost_packet_is_kept_for_three_ptos),
        cmocka_unit_test(a_long_black_out_is_persistent_congestion),
        cmocka_unit_test(an_ack_in_between_is_no_persistent_congestion),
        cmocka_unit_test(no_persistent_congestion_before_the_first_sample),
        cmocka_unit_test(black_outs_are_seen_across_acks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
