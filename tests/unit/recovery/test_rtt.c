/* RTT arithmetic step by step: RFC 9002 §5 and §6.2.1. */
#include "unit.h"

#include "recovery/rtt.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

static void starts_from_the_initial_guess(void **state)
{
    (void)state;
    struct skua_rtt rtt;
    skua_rtt_init(&rtt);
    assert_false(skua_rtt_is_known(&rtt));
    assert_int_equal(rtt.smoothed, MS(333));
    assert_int_equal(rtt.var, 166500000);
    /* 333 + 4 * 166.5 + 25 */
    assert_int_equal(skua_rtt_pto(&rtt, MS(25)), MS(1024));
}

static void first_sample_sets_everything(void **state)
{
    (void)state;
    struct skua_rtt rtt;
    skua_rtt_init(&rtt);
    skua_rtt_update(&rtt, MS(100), MS(30), MS(25));
    assert_int_equal(rtt.latest, MS(100));
    assert_int_equal(rtt.smoothed, MS(100));
    assert_int_equal(rtt.var, MS(50));
    assert_int_equal(rtt.min, MS(100));
    assert_int_equal(skua_rtt_pto(&rtt, 0), MS(300));
}

static void later_samples_are_averaged(void **state)
{
    (void)state;
    struct skua_rtt rtt;
    skua_rtt_init(&rtt);
    skua_rtt_update(&rtt, MS(80), 0, MS(25));
    /* 136 - 16 = 120: var = 3/4 * 40 + 1/4 * 40 = 40, smoothed = 7/8 * 80 + 1/8 * 120 = 85 */
    skua_rtt_update(&rtt, MS(136), MS(16), MS(25));
    assert_int_equal(rtt.latest, MS(136));
    assert_int_equal(rtt.var, MS(40));
    assert_int_equal(rtt.smoothed, MS(85));
    assert_int_equal(rtt.min, MS(80));
}

static void ack_delay_is_believed_up_to_its_maximum(void **state)
{
    (void)state;
    struct skua_rtt rtt;
    skua_rtt_init(&rtt);
    skua_rtt_update(&rtt, MS(80), 0, MS(25));
    /* 185 - 25 (not 100) = 160 */
    skua_rtt_update(&rtt, MS(185), MS(100), MS(25));
    assert_int_equal(rtt.smoothed, MS(90));
}

static void ack_delay_never_goes_below_the_minimum(void **state)
{
    (void)state;
    struct skua_rtt rtt;
    skua_rtt_init(&rtt);
    skua_rtt_update(&rtt, MS(80), 0, MS(25));
    /* 96 - 20 would be below 80: the sample counts as it is */
    skua_rtt_update(&rtt, MS(96), MS(20), MS(25));
    assert_int_equal(rtt.smoothed, MS(82));
    /* 96 - 16 is just the minimum */
    skua_rtt_update(&rtt, MS(96), MS(16), MS(25));
    assert_int_equal(rtt.smoothed, MS(82) - MS(82) / 8 + MS(10));
}

static void variance_never_makes_the_pto_finer_than_the_granularity(void **state)
{
    (void)state;
    struct skua_rtt rtt;
    skua_rtt_init(&rtt);
    for (int i = 0; i < 100; i++) {
        skua_rtt_update(&rtt, 50 * SKUA_USEC, 0, 0);
    }
    assert_in_range(skua_rtt_pto(&rtt, 0), 1049 * SKUA_USEC, 1051 * SKUA_USEC);
}

static void minimum_can_start_anew(void **state)
{
    (void)state;
    struct skua_rtt rtt;
    skua_rtt_init(&rtt);
    skua_rtt_restart_min(&rtt);
    assert_true(rtt.min == SKUA_NEVER);
    skua_rtt_update(&rtt, MS(10), 0, 0);
    skua_rtt_update(&rtt, MS(70), 0, 0);
    assert_int_equal(rtt.min, MS(10));
    skua_rtt_restart_min(&rtt);
    assert_int_equal(rtt.min, MS(70));
}

static void absurd_delays_saturate(void **state)
{
    (void)state;
    struct skua_rtt rtt;
    skua_rtt_init(&rtt);
    skua_rtt_update(&rtt, MS(10), 0, 0);
    skua_rtt_update(&rtt, MS(10), SKUA_NEVER, SKUA_NEVER);
    assert_int_equal(rtt.smoothed, MS(10));
    skua_rtt_update(&rtt, 0, 0, 0);
    assert_int_equal(rtt.latest, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_from_the_initial_guess),
        cmocka_unit_test(first_sample_sets_everything),
        cmocka_unit_test(later_samples_are_averaged),
        cmocka_unit_test(ack_delay_is_believed_up_to_its_maximum),
        cmocka_unit_test(ack_delay_never_goes_below_the_minimum),
        cmocka_unit_test(variance_never_makes_the_pto_finer_than_the_granularity),
        cmocka_unit_test(minimum_can_start_anew),
        cmocka_unit_test(absurd_delays_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
