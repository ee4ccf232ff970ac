/* A time that neither falls back nor is held up. */
#include "unit.h"

#include "base/steady.h"

#define HOUR (3600 * SKUA_SEC)

static void a_good_clock_is_taken_as_it_is(void **state)
{
    (void)state;
    struct skua_steady clock = {0};
    const skua_time start = 5 * SKUA_SEC;
    assert_int_equal(skua_steady_tell(&clock, 0), 0);
    assert_int_equal(skua_steady_tell(&clock, start), start);
    assert_int_equal(skua_steady_tell(&clock, start), start);
    assert_int_equal(skua_steady_tell(&clock, start + HOUR), start + HOUR);
    assert_int_equal(skua_steady_to_raw(&clock, start), start);
    assert_int_equal(clock.raw, start + HOUR);
}

/* However often and far: from then on as many nanoseconds pass as the clock counts. */
static void a_fall_does_not_stop_it(void **state)
{
    (void)state;
    struct skua_steady clock = {0};
    skua_time raw = 10 * HOUR, now = skua_steady_tell(&clock, raw);
    for (unsigned i = 1; i <= 9; i++) {
        raw -= HOUR - i;
        assert_int_equal(skua_steady_tell(&clock, raw), now);
        assert_int_equal(clock.raw, raw);
        assert_int_equal(skua_steady_to_raw(&clock, now + 7), raw + 7);
        raw += i;
        now += i;
        assert_int_equal(skua_steady_tell(&clock, raw), now);
    }
    /* Deadlines of before: past is past, and neither "at once" nor "never". */
    assert_int_equal(skua_steady_to_raw(&clock, 0), 0);
    assert_int_equal(skua_steady_to_raw(&clock, 5 * HOUR), 1);
    assert_int_equal(skua_steady_to_raw(&clock, SKUA_NEVER), SKUA_NEVER);
}

/* Two clocks in turn, one of which is behind: time passes as on the one that is ahead. */
static void small_falls_do_not_add_up(void **state)
{
    (void)state;
    struct skua_steady clock = {0};
    skua_time raw = HOUR;
    for (unsigned i = 0; i < 100000; i++) {
        assert_int_equal(skua_steady_tell(&clock, raw), raw);
        assert_int_equal(skua_steady_tell(&clock, raw - SKUA_STEADY_GRAIN), raw);
        raw += SKUA_USEC;
    }
    assert_int_equal(skua_steady_to_raw(&clock, raw), raw);
    /* One nanosecond more is a fall. */
    raw -= SKUA_USEC;
    assert_int_equal(skua_steady_tell(&clock, raw - SKUA_STEADY_GRAIN - 1), raw);
    assert_int_equal(skua_steady_tell(&clock, raw - SKUA_STEADY_GRAIN), raw + 1);
}

/* Threads that wait for a lock between taking the time and using it. */
static void falls_that_are_none_do_not_add_up(void **state)
{
    (void)state;
    struct skua_steady clock = {0};
    skua_time raw = HOUR;
    skua_time lead = 0;
    for (unsigned i = 0; i < 100000; i++) {
        skua_time told = raw - i * 7919 % 900 * SKUA_MSEC; /* late by this and by that */
        lead = skua_time_max(lead, told);
        assert_int_equal(skua_steady_tell(&clock, told), lead);
        raw += SKUA_MSEC;
    }
    assert_int_equal(skua_steady_tell(&clock, raw), raw);
    assert_int_equal(skua_steady_to_raw(&clock, raw + 5), raw + 5);
}

/* Set an hour back, and set right ten minutes later: ten minutes have passed. */
static void a_clock_that_is_set_right(void **state)
{
    (void)state;
    struct skua_steady clock = {0};
    const skua_time start = 5 * HOUR, later = start + HOUR / 6;
    (void)skua_steady_tell(&clock, start);
    assert_int_equal(skua_steady_tell(&clock, start - HOUR), start);
    assert_int_equal(skua_steady_tell(&clock, later - HOUR), later);
    assert_int_equal(skua_steady_tell(&clock, later + 1), later + 1);
    assert_int_equal(skua_steady_tell(&clock, later + 2), later + 2);
    assert_int_equal(skua_steady_to_raw(&clock, later + 2), later + 2);
}

/* Nothing wraps around at the end of time. */
static void sums_saturate(void **state)
{
    (void)state;
    struct skua_steady clock = {0};
    assert_int_equal(skua_steady_tell(&clock, SKUA_NEVER - 5), SKUA_NEVER - 5);
    assert_int_equal(skua_steady_tell(&clock, 0), SKUA_NEVER - 5);
    assert_int_equal(skua_steady_tell(&clock, 4), SKUA_NEVER - 1);
    assert_int_equal(skua_steady_tell(&clock, 100), SKUA_NEVER);
    assert_int_equal(skua_steady_tell(&clock, 3), SKUA_NEVER);
    assert_int_equal(skua_steady_tell(&clock, SKUA_NEVER), SKUA_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_clock_is_taken_as_it_is),
        cmocka_unit_test(a_fall_does_not_stop_it),
        cmocka_unit_test(small_falls_do_not_add_up),
        cmocka_unit_test(falls_that_are_none_do_not_add_up),
        cmocka_unit_test(a_clock_that_is_set_right),
        cmocka_unit_test(sums_saturate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
