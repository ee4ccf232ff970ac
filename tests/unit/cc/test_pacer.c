/* The pacer in virtual time, with a timer that is late as timers are. */
#include "unit.h"

#include "cc/pacer.h"

enum { MTU = 1452 };

#define GBIT UINT64_C(125000000)

/* splitmix64: any seed will do. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Sends as much as it may for `duration`, waking up to `late` after each deadline; returns bytes.
 */
static uint64_t run(uint64_t rate, skua_time duration, skua_time late)
{
    struct skua_pacer pacer;
    skua_time now = SKUA_SEC;
    skua_pacer_init(&pacer, MTU, now);
    skua_pacer_set_rate(&pacer, rate, MTU, now);
    skua_time finish = now + duration;
    uint64_t random = rate;
    uint64_t sent = 0;
    while (now < finish) {
        uint64_t budget;
        while ((budget = skua_pacer_budget(&pacer, now)) != 0) {
            assert_true(budget >= MTU);
            uint64_t burst = budget < 44 * MTU ? budget / MTU * MTU : 44 * MTU;
            skua_pacer_on_sent(&pacer, burst, now);
            sent += burst;
        }
        skua_time next = skua_pacer_next(&pacer, now);
        assert_true(next > now);
        now = next + (late != 0 ? random_next(&random) % late : 0);
    }
    return sent;
}

static void reaches_its_rate_with_late_timers(void **state)
{
    (void)state;
    const uint64_t gbits[] = {1, 10, 25, 100};
    const skua_time lates[] = {0, 60 * SKUA_USEC, SKUA_MSEC};
    for (size_t i = 0; i < sizeof gbits / sizeof *gbits; i++) {
        for (size_t k = 0; k < sizeof lates / sizeof *lates; k++) {
            uint64_t sent = run(gbits[i] * GBIT, SKUA_SEC, lates[k]);
            assert_in_range(sent, gbits[i] * GBIT / 100 * 98, gbits[i] * GBIT / 100 * 101);
        }
    }
}

static void reaches_slow_rates_too(void **state)
{
    (void)state;
    /* 1 kbit/s over an hour, 100 kbit/s over ten minutes, 10 Mbit/s over ten seconds. */
    assert_in_range(run(125, 3600 * SKUA_SEC, SKUA_MSEC), 125 * 3600 * 98 / 100,
                    125 * 3600 * 102 / 100);
    assert_in_range(run(12500, 600 * SKUA_SEC, SKUA_MSEC), 12500 * 600 / 100 * 98,
                    12500 * 600 / 100 * 102);
    assert_in_range(run(1250000, 10 * SKUA_SEC, SKUA_MSEC), 12500000 / 100 * 98,
                    12500000 / 100 * 101);
}

static void a_pause_gives_one_burst_and_no_more(void **state)
{
    (void)state;
    struct skua_pacer pacer;
    skua_pacer_init(&pacer, MTU, 0);
    skua_pacer_set_rate(&pacer, GBIT, MTU, 0);
    /* 250 us and 1 ms worth. */
    assert_int_equal(pacer.quantum, GBIT / 4000);
    assert_int_equal(skua_pacer_budget(&pacer, 3600 * SKUA_SEC), GBIT / 4000 + GBIT / 1000);
    assert_int_equal(skua_pacer_budget(&pacer, SKUA_NEVER - 1), GBIT / 4000 + GBIT / 1000);
}

static void quantum_is_bounded_both_ways(void **state)
{
    (void)state;
    struct skua_pacer pacer;
    skua_pacer_init(&pacer, MTU, 0);
    skua_pacer_set_rate(&pacer, 1000, MTU, 0);
    assert_int_equal(pacer.quantum, 2 * MTU);
    skua_pacer_set_rate(&pacer, 100 * GBIT, MTU, 0);
    assert_int_equal(pacer.quantum, 1 << 20);
    skua_pacer_set_rate(&pacer, 1000, 65507, 0);
    assert_int_equal(pacer.quantum, 2 * 65507);
}

static void waits_for_a_whole_quantum(void **state)
{
    (void)state;
    struct skua_pacer pacer;
    skua_pacer_init(&pacer, MTU, 0);
    skua_pacer_set_rate(&pacer, GBIT, MTU, 0);
    uint64_t budget = skua_pacer_budget(&pacer, 0);
    skua_pacer_on_sent(&pacer, budget, 0);
    assert_int_equal(skua_pacer_budget(&pacer, 0), 0);
    /* 20 us are worth a datagram, but a quantum has not gathered. */
    assert_int_equal(skua_pacer_budget(&pacer, 20 * SKUA_USEC), 0);
    skua_time next = skua_pacer_next(&pacer, 20 * SKUA_USEC);
    assert_in_range(next, 249 * SKUA_USEC, 250 * SKUA_USEC);
    assert_int_equal(skua_pacer_budget(&pacer, next - 10), 0);
    assert_int_equal(skua_pacer_budget(&pacer, next), GBIT / 4000);
    /* A burst under way may end in smaller steps. */
    skua_pacer_on_sent(&pacer, 20 * MTU, next);
    assert_int_equal(skua_pacer_budget(&pacer, next), GBIT / 4000 - 20 * MTU);
    assert_int_equal(skua_pacer_next(&pacer, next), next);
}

static void what_exceeds_the_budget_is_paid_back(void **state)
{
    (void)state;
    struct skua_pacer pacer;
    skua_pacer_init(&pacer, MTU, 0);
    skua_pacer_set_rate(&pacer, 1000000, MTU, 0);
    skua_pacer_on_sent(&pacer, skua_pacer_budget(&pacer, 0), 0);
    skua_pacer_on_sent(&pacer, MTU, 0); /* a probe */
    /* Three datagrams at 1 MB/s. */
    assert_int_equal(skua_pacer_next(&pacer, 0), 3 * MTU * SKUA_USEC);
    /* The debt is bounded: two datagrams and 1 ms. */
    skua_pacer_on_sent(&pacer, UINT32_MAX, 0);
    assert_int_equal(skua_pacer_next(&pacer, 0), (4 * MTU + 1000) * SKUA_USEC);
}

static void without_a_rate_nothing_is_held_back(void **state)
{
    (void)state;
    struct skua_pacer pacer;
    skua_pacer_init(&pacer, MTU, 0);
    for (int i = 0; i < 10; i++) {
        assert_true(skua_pacer_budget(&pacer, 5) == UINT64_MAX);
        skua_pacer_on_sent(&pacer, 1 << 20, 5);
        assert_int_equal(skua_pacer_next(&pacer, 5), 5);
    }
    skua_pacer_set_rate(&pacer, SKUA_PACER_RATE_MAX, MTU, 5);
    assert_true(skua_pacer_budget(&pacer, 5) == UINT64_MAX);
    /* The bucket is full when pacing begins. */
    skua_pacer_set_rate(&pacer, 1000, MTU, 5);
    assert_true(skua_pacer_budget(&pacer, 5) >= 2 * MTU);
}

static void a_clock_that_stands_still_or_goes_back_earns_nothing(void **state)
{
    (void)state;
    struct skua_pacer pacer;
    skua_pacer_init(&pacer, MTU, SKUA_SEC);
    skua_pacer_set_rate(&pacer, 1000000, MTU, SKUA_SEC);
    skua_pacer_on_sent(&pacer, 2 * MTU, SKUA_SEC);
    assert_int_equal(skua_pacer_budget(&pacer, SKUA_SEC), 0);
    assert_int_equal(skua_pacer_budget(&pacer, SKUA_SEC / 2), 0);
    assert_int_equal(skua_pacer_budget(&pacer, SKUA_SEC), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reaches_its_rate_with_late_timers),
        cmocka_unit_test(reaches_slow_rates_too),
        cmocka_unit_test(a_pause_gives_one_burst_and_no_more),
        cmocka_unit_test(quantum_is_bounded_both_ways),
        cmocka_unit_test(waits_for_a_whole_quantum),
        cmocka_unit_test(what_exceeds_the_budget_is_paid_back),
        cmocka_unit_test(without_a_rate_nothing_is_held_back),
        cmocka_unit_test(a_clock_that_stands_still_or_goes_back_earns_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
