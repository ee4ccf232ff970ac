/* Probe timeouts: RFC 9002 §6.2. */
#include "harness.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

static void counts_from_the_last_eliciting_packet(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    assert_true(skua_recovery_deadline(&h.rec) == SKUA_NEVER);
    (void)send_as(&h, 50, ACK_ONLY);
    assert_true(skua_recovery_deadline(&h.rec) == SKUA_NEVER);
    send_many(&h, 1);
    /* 333 + 4 * 166.5, and no max_ack_delay before the handshake is confirmed. */
    assert_int_equal(skua_recovery_deadline(&h.rec), h.now + MS(999));
    h.now += MS(10);
    (void)send_as(&h, 50, ACK_ONLY);
    assert_int_equal(skua_recovery_deadline(&h.rec), h.now - MS(10) + MS(999));
    send_many(&h, 1);
    assert_int_equal(skua_recovery_deadline(&h.rec), h.now + MS(999));
    h.rec.confirmed = true;
    assert_int_equal(skua_recovery_deadline(&h.rec), h.now + MS(1024));
    end(&h);
}

/* Packets that leave one by one put it off once. */
static void is_put_off_to_twice_its_length(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    skua_time start = h.now;
    for (unsigned i = 0; i < 20; i++) {
        h.now = start + i * MS(99);
        send_many(&h, 1);
        skua_time last = h.now + MS(999), twice = start + MS(1998);
        assert_int_equal(skua_recovery_deadline(&h.rec), last < twice ? last : twice);
    }
    time_out(&h);
    assert_true(h.timeout.pto);
    assert_int_equal(h.now, start + MS(1998));
    /* The next one is twice as long, and so is what it is put off to. */
    for (unsigned i = 0; i < 40; i++) {
        h.now = start + MS(1998) + i * MS(99);
        send_many(&h, 1);
        skua_time last = h.now + MS(1998), twice = start + MS(1998 + 3996);
        assert_int_equal(skua_recovery_deadline(&h.rec), last < twice ? last : twice);
    }
    /* After a long sleep it fires once. */
    h.now += SKUA_SEC * 3600;
    struct skua_timeout_result out;
    skua_recovery_on_timeout(&h.rec, h.now, &out);
    assert_true(out.pto);
    assert_true(skua_recovery_deadline(&h.rec) < h.now);
    send_many(&h, 1);
    assert_int_equal(skua_recovery_deadline(&h.rec), h.now + MS(3996));
    /* Progress counts. */
    h.now += MS(100);
    ack(&h, 0, 0);
    assert_int_equal(h.rec.pto_count, 0);
    skua_time pto = skua_recovery_pto(&h.rec);
    h.now += pto;
    send_many(&h, 1);
    assert_int_equal(skua_recovery_deadline(&h.rec), h.now + pto);
    end(&h);
}

static void doubles_up_to_eight_seconds(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 1);
    const skua_time expected[] = {999, 1998, 3996, 7992, 8000, 8000, 8000};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(skua_recovery_pto(&h.rec), MS(expected[i]));
        time_out(&h);
        assert_true(h.timeout.pto);
        assert_int_equal(h.timeout.probes, 2);
        assert_int_equal(h.timeout.loss.packets, 0);
        assert_int_equal(h.rec.bytes_in_flight, (i + 1) * PACKET);
        send_many(&h, 1);
    }
    assert_int_equal(h.rec.pto_count, 7);
    ack(&h, 7, 7);
    assert_int_equal(h.rec.pto_count, 0);
    end(&h);
}

static void fires_again_even_if_no_probe_could_be_sent(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 1);
    skua_time sent = h.now;
    time_out(&h);
    assert_int_equal(skua_recovery_deadline(&h.rec), sent + MS(1998));
    time_out(&h);
    assert_true(h.timeout.pto);
    end(&h);
}

static void a_pto_beyond_eight_seconds_stays_itself(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 1);
    h.now += 10 * SKUA_SEC;
    ack(&h, 0, 0);
    assert_int_equal(skua_recovery_pto(&h.rec), 30 * SKUA_SEC);
    h.rec.pto_count = 60;
    assert_int_equal(skua_recovery_pto(&h.rec), 30 * SKUA_SEC);
    h.rec.pto_count = 0;
    end(&h);
}

static void probes_repeat_the_oldest_outstanding(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 2); /* 0, 1 */
    (void)send_as(&h, 50, ACK_ONLY);
    (void)send_as(&h, 9000, DATA | SKUA_SENT_MTU_PROBE);
    const struct skua_sent_info ping = {.size = 40, .flags = DATA};
    assert_int_equal(skua_recovery_on_sent(&h.rec, 4, &ping, h.now), SKUA_OK);
    struct skua_record records[3] = {{.id = 50}, {.id = 51}, {.id = 52}};
    const struct skua_sent_info three = {
        .size = 500, .flags = DATA, .records = records, .count = 3};
    assert_int_equal(skua_recovery_on_sent(&h.rec, 5, &three, h.now), SKUA_OK);
    ack(&h, 1, 1);
    struct skua_record out[3];
    uint64_t cursor = 0;
    assert_int_equal(skua_recovery_probe_records(&h.rec, &cursor, out, 3), 1);
    assert_int_equal(out[0].id, 0);
    /* ACK-only, MTU probe and PING have nothing to repeat. */
    assert_int_equal(skua_recovery_probe_records(&h.rec, &cursor, out, 2), 2);
    assert_int_equal(out[0].id, 50);
    assert_int_equal(out[1].id, 51);
    assert_int_equal(skua_recovery_probe_records(&h.rec, &cursor, out, 3), 0);
    assert_int_equal(h.rec.bytes_in_flight, PACKET + 40 + 500);
    end(&h);
}

static void the_loss_timer_goes_before_the_pto(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 1);
    h.now += MS(80);
    ack(&h, 0, 0);
    send_many(&h, 3);
    h.now += MS(80);
    ack(&h, 2, 2);
    time_out(&h);
    assert_true(h.timeout.loss_timer);
    assert_int_equal(h.rec.pto_count, 0);
    time_out(&h);
    assert_true(h.timeout.pto);
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_from_the_last_eliciting_packet),
        cmocka_unit_test(is_put_off_to_twice_its_length),
        cmocka_unit_test(doubles_up_to_eight_seconds),
        cmocka_unit_test(fires_again_even_if_no_probe_could_be_sent),
        cmocka_unit_test(a_pto_beyond_eight_seconds_stays_itself),
        cmocka_unit_test(probes_repeat_the_oldest_outstanding),
        cmocka_unit_test(the_loss_timer_goes_before_the_pto),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
