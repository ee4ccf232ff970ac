/* ACK frames: what is newly acknowledged, RTT samples, records, lies. */
#include "harness.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

static void counts_what_is_new(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 4);
    assert_int_equal(h.rec.bytes_in_flight, 4 * PACKET);
    h.now += MS(50);
    ack(&h, 0, 1);
    assert_int_equal(h.ack.bytes, 2 * PACKET);
    assert_int_equal(h.ack.packets, 2);
    assert_int_equal(h.ack.largest_pn, 1);
    assert_int_equal(h.ack.bytes_in_flight, 4 * PACKET);
    assert_int_equal(h.ack.size_max, PACKET);
    assert_true(h.ack.eliciting && h.ack.largest_is_new && h.ack.rtt_sampled);
    assert_int_equal(h.rec.rtt.latest, MS(50));
    /* The same again, and one more. */
    ack(&h, 0, 2);
    assert_int_equal(h.ack.packets, 1);
    ack(&h, 0, 2);
    assert_int_equal(h.ack.packets, 0);
    assert_true(h.ack.largest_pn == SKUA_SENT_NO_PN);
    assert_int_equal(h.rec.bytes_in_flight, PACKET);
    end(&h);
}

static void samples_rtt_only_from_a_new_largest_that_elicited(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 3);
    (void)send_as(&h, 50, ACK_ONLY);
    h.now += MS(20);
    ack(&h, 1, 1);
    assert_true(h.ack.rtt_sampled);
    /* Largest not new: the hole is filled late. */
    h.now += MS(500);
    ack(&h, 0, 1);
    assert_int_equal(h.ack.packets, 1);
    assert_false(h.ack.largest_is_new);
    assert_false(h.ack.rtt_sampled);
    assert_int_equal(h.rec.rtt.latest, MS(20));
    /* Largest new, but only an ACK-only packet. */
    ack(&h, 3, 3);
    assert_true(h.ack.largest_is_new);
    assert_false(h.ack.eliciting);
    assert_false(h.ack.rtt_sampled);
    /* It tells the path MTU search that something of its size arrives. */
    assert_int_equal(h.ack.size_max, 50);
    end(&h);
}

static void ack_delay_counts_fully_before_confirmation(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 1);
    h.now += MS(80);
    ack(&h, 0, 0);
    send_many(&h, 1);
    h.now += MS(160);
    assert_int_equal(ack_delayed(&h, 1, 1, MS(80)), SKUA_CODE_NO_ERROR);
    (void)drain(&h, skua_recovery_next_acked, NULL, 0);
    assert_int_equal(h.rec.rtt.smoothed, MS(80));
    h.rec.confirmed = true;
    send_many(&h, 1);
    h.now += MS(185);
    assert_int_equal(ack_delayed(&h, 2, 2, MS(80)), SKUA_CODE_NO_ERROR);
    (void)drain(&h, skua_recovery_next_acked, NULL, 0);
    /* 185 - 25 = 160 */
    assert_int_equal(h.rec.rtt.smoothed, MS(90));
    end(&h);
}

static void yields_records_in_ascending_order(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 10);
    const struct skua_range ranges[] = {{8, 9}, {4, 6}, {1, 1}};
    assert_int_equal(skua_recovery_on_ack(&h.rec, ranges, 3, 0, h.now + 1, &h.ack),
                     SKUA_CODE_NO_ERROR);
    uint64_t ids[10];
    assert_int_equal(drain(&h, skua_recovery_next_acked, ids, 10), 6);
    const uint64_t acked[] = {1, 4, 5, 6, 8, 9};
    assert_memory_equal(ids, acked, sizeof acked);
    /* By count: 0, 2, 3 are three or more below 9; 7 is not. */
    assert_int_equal(drain(&h, skua_recovery_next_lost, ids, 10), 3);
    const uint64_t lost[] = {0, 2, 3};
    assert_memory_equal(ids, lost, sizeof lost);
    assert_int_equal(h.rec.bytes_in_flight, PACKET);
    end(&h);
}

static void keeps_many_records_of_a_packet(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    struct skua_record records[40];
    for (uint64_t i = 0; i < 40; i++) {
        records[i] = (struct skua_record){.id = 100 + i};
    }
    const struct skua_sent_info info = {
        .size = 1200, .flags = DATA, .records = records, .count = 40};
    for (uint64_t pn = 0; pn < 5; pn++) {
        assert_int_equal(skua_recovery_on_sent(&h.rec, pn, &info, h.now), SKUA_OK);
    }
    h.now += MS(1);
    assert_int_equal(ack_delayed(&h, 4, 4, 0), SKUA_CODE_NO_ERROR);
    uint64_t ids[80];
    assert_int_equal(drain(&h, skua_recovery_next_acked, ids, 80), 40);
    assert_int_equal(ids[0], 100);
    assert_int_equal(ids[39], 139);
    assert_int_equal(drain(&h, skua_recovery_next_lost, ids, 80), 80);
    assert_int_equal(ids[39], 139);
    assert_int_equal(ids[40], 100);
    /* Lost and then acknowledged after all: told once more. */
    assert_int_equal(ack_delayed(&h, 0, 1, 0), SKUA_CODE_NO_ERROR);
    assert_int_equal(h.ack.spurious_packets, 2);
    assert_int_equal(drain(&h, skua_recovery_next_acked, ids, 80), 80);
    assert_int_equal(ids[79], 139);
    end(&h);
}

static void acks_of_unsent_numbers_are_lies(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    assert_int_equal(ack_delayed(&h, 0, 0, 0), SKUA_CODE_ACK_UNSENT);
    send_many(&h, 2);
    assert_int_equal(ack_delayed(&h, 0, 2, 0), SKUA_CODE_ACK_UNSENT);
    assert_int_equal(h.rec.bytes_in_flight, 2 * PACKET);
    assert_true(h.rec.largest_acked == SKUA_SENT_NO_PN);
    const uint64_t huge = (UINT64_C(1) << 62) - 1;
    assert_int_equal(ack_delayed(&h, huge, huge, 0), SKUA_CODE_ACK_UNSENT);
    assert_int_equal(ack_delayed(&h, 0, 1, 0), SKUA_CODE_NO_ERROR);
    end(&h);
}

static void acks_of_skipped_numbers_are_lies(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 3);
    assert_int_equal(skua_recovery_skip(&h.rec, 3), SKUA_OK);
    send_many(&h, 3);
    const struct skua_range honest[] = {{4, 5}, {0, 2}};
    assert_int_equal(ack_delayed(&h, 0, 6, 0), SKUA_CODE_ACK_UNSENT);
    assert_int_equal(h.rec.bytes_in_flight, 6 * PACKET);
    assert_int_equal(skua_recovery_on_ack(&h.rec, honest, 2, 0, h.now, &h.ack), SKUA_CODE_NO_ERROR);
    assert_int_equal(h.ack.packets, 5);
    (void)drain(&h, skua_recovery_next_acked, NULL, 0);
    /* Long after the ring has moved on it is still a lie. */
    send_many(&h, 1);
    assert_int_equal(ack_delayed(&h, 3, 3, 0), SKUA_CODE_ACK_UNSENT);
    /* A skipped number is neither acknowledged nor lost. */
    ack(&h, 4, 7);
    assert_int_equal(h.ack.packets, 2);
    assert_int_equal(h.rec.bytes_in_flight, 0);
    end(&h);
}

static void remembers_the_newest_skipped_numbers(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    for (uint64_t i = 0; i < SKUA_RECOVERY_SKIPPED + 1; i++) {
        assert_int_equal(skua_recovery_skip(&h.rec, 2 * i), SKUA_OK);
        send_many(&h, 1);
    }
    for (uint64_t i = 1; i < SKUA_RECOVERY_SKIPPED + 1; i++) {
        assert_int_equal(ack_delayed(&h, 2 * i, 2 * i + 1, 0), SKUA_CODE_ACK_UNSENT);
    }
    assert_int_equal(ack_delayed(&h, 0, 1, 0), SKUA_CODE_NO_ERROR);
    assert_int_equal(drain(&h, skua_recovery_next_acked, NULL, 0), 1);
    end(&h);
}

static void mtu_probes_are_told_apart(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    (void)send_as(&h, 9000, DATA | SKUA_SENT_MTU_PROBE);
    send_many(&h, 4);
    h.now += MS(1);
    ack(&h, 4, 4);
    assert_int_equal(h.ack.loss.mtu_probe, 9000);
    /* Number 1 is lost by count, the probe is not in the sums. */
    assert_int_equal(h.ack.loss.packets, 1);
    assert_int_equal(h.ack.loss.bytes, PACKET);
    assert_int_equal(h.ack.loss.small, 1);
    assert_int_equal(h.ack.loss.large, 0);
    assert_int_equal(h.rec.bytes_in_flight, 2 * PACKET);
    ack(&h, 0, 0);
    assert_int_equal(h.ack.mtu_probe, 9000);
    assert_int_equal(h.ack.spurious_packets, 0);
    assert_int_equal(h.ack.size_max, 0);
    end(&h);
}

static void packets_with_a_mark_are_counted(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    for (int i = 0; i < 10; i++) {
        (void)send_as(&h, PACKET, i % 2 == 0 ? DATA | SKUA_SENT_ECT : DATA);
    }
    h.now += MS(50);
    ack(&h, 6, 7);
    assert_int_equal(h.ack.marked, 1);
    assert_true(h.ack.advances);
    /* 0 to 4 are lost: three of them with a mark. */
    assert_int_equal(h.ack.loss.packets, 5);
    assert_int_equal(h.ack.loss.marked, 3);
    /* An ACK that was overtaken; one of its packets had been taken for lost. */
    ack(&h, 4, 5);
    assert_int_equal(h.ack.marked, 1);
    assert_int_equal(h.ack.spurious_packets, 1);
    assert_true(h.ack.largest_is_new);
    assert_false(h.ack.advances);
    ack(&h, 4, 7);
    assert_int_equal(h.ack.marked, 0);
    ack(&h, 6, 9);
    assert_int_equal(h.ack.marked, 1);
    assert_true(h.ack.advances);
    end(&h);
}

static void old_and_repeated_ranges_cost_nothing(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    /* A hole at the front keeps 100,000 acknowledged entries in the ring; an ACK for each pair
     * repeats the whole run. Quadratic work would take minutes here. */
    h.rec.reorder.persist = 16;
    send_many(&h, 100001);
    for (uint64_t last = 2; last <= 100000; last += 2) {
        h.now += 10;
        assert_int_equal(ack_delayed(&h, 1, last, 0), SKUA_CODE_NO_ERROR);
        assert_int_equal(h.ack.packets, 2);
        (void)drain(&h, skua_recovery_next_acked, NULL, 0);
    }
    assert_int_equal(h.rec.bytes_in_flight, PACKET);
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_what_is_new),
        cmocka_unit_test(samples_rtt_only_from_a_new_largest_that_elicited),
        cmocka_unit_test(ack_delay_counts_fully_before_confirmation),
        cmocka_unit_test(yields_records_in_ascending_order),
        cmocka_unit_test(keeps_many_records_of_a_packet),
        cmocka_unit_test(acks_of_unsent_numbers_are_lies),
        cmocka_unit_test(acks_of_skipped_numbers_are_lies),
        cmocka_unit_test(remembers_the_newest_skipped_numbers),
        cmocka_unit_test(mtu_probes_are_told_apart),
        cmocka_unit_test(packets_with_a_mark_are_counted),
        cmocka_unit_test(old_and_repeated_ranges_cost_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
