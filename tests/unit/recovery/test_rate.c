/* Delivery-rate samples: draft-cheng-iccrg-delivery-rate-estimation §3. */
#include "harness.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

/* A path of 1,000,000 bytes per second and 10 ms: one packet per millisecond, acknowledged singly.
 */
static void measures_a_steady_flow(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    for (uint64_t i = 0; i < 200; i++) {
        send_many(&h, 1);
        h.now += MS(1);
        if (i >= 9) {
            ack(&h, i - 9, i - 9);
        }
    }
    assert_true(h.ack.rate.valid);
    assert_false(h.ack.rate.app_limited);
    assert_in_range(h.ack.rate.bytes_per_s, 999000, 1001000);
    assert_int_equal(h.ack.rate.bytes, 10 * PACKET);
    assert_in_range(h.ack.rate.interval_ns, MS(10) - 1000, MS(10) + 1000);
    assert_int_equal(h.ack.rate.delivered, 191 * PACKET);
    assert_int_equal(h.ack.rate.prior_delivered, 181 * PACKET);
    assert_int_equal(h.ack.rate.tx_in_flight, 10 * PACKET);
    end(&h);
}

/* Ten ACKs arrive as one: the sending interval keeps the sample honest. */
static void ack_compression_does_not_overstate(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    for (uint64_t i = 0; i < 10; i++) {
        send_many(&h, 1);
        h.now += MS(10);
    }
    ack(&h, 0, 9);
    assert_true(h.ack.rate.valid);
    /* 10,000 bytes were sent over 90 ms and took 100 ms to be acknowledged. */
    assert_in_range(h.ack.rate.bytes_per_s, 99000, 101000);
    end(&h);
}

static void want_of_data_is_remembered(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 2);
    skua_recovery_on_app_limited(&h.rec);
    h.now += MS(10);
    send_many(&h, 1); /* 2: sent during the phase */
    ack(&h, 0, 1);
    assert_false(h.ack.rate.app_limited);
    h.now += MS(10);
    ack(&h, 2, 2);
    assert_true(h.ack.rate.valid);
    assert_true(h.ack.rate.app_limited);
    /* More than what was in flight has been delivered: the phase is over. */
    send_many(&h, 1);
    h.now += MS(10);
    ack(&h, 3, 3);
    assert_true(h.ack.rate.valid);
    assert_false(h.ack.rate.app_limited);
    end(&h);
}

static void counts_losses_during_the_flight(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 8);
    h.now += MS(10);
    ack(&h, 3, 3);
    assert_int_equal(h.ack.loss.packets, 1);
    assert_int_equal(h.ack.rate.lost, 0);
    ack(&h, 7, 7);
    assert_int_equal(h.ack.rate.lost, PACKET);
    assert_int_equal(h.ack.loss.packets, 3);
    end(&h);
}

static void no_interval_gives_no_sample(void **state)
{
    (void)state;
    struct harness h;
    begin(&h);
    send_many(&h, 1);
    ack(&h, 0, 0);
    assert_false(h.ack.rate.valid);
    (void)send_as(&h, 50, ACK_ONLY);
    h.now += MS(1);
    ack(&h, 1, 1);
    assert_false(h.ack.rate.valid);
    end(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(measures_a_steady_flow),
        cmocka_unit_test(ack_compression_does_not_overstate),
        cmocka_unit_test(want_of_data_is_remembered),
        cmocka_unit_test(counts_losses_during_the_flight),
        cmocka_unit_test(no_interval_gives_no_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
