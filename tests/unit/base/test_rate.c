/* An allowance per second: how much at once, how fast it comes back, how deep debt goes. */
#include "unit.h"

#include "base/rate.h"

enum { PER_SECOND = 100 };
#define COST  (SKUA_SEC / PER_SECOND)
#define BURST SKUA_SEC

static unsigned take_all(struct skua_rate *rate, skua_time now)
{
    unsigned n = 0;
    while (n < 10 * PER_SECOND && skua_rate_take(rate, COST, BURST, now)) {
        n++;
    }
    return n;
}

/* What was not taken is saved up to the burst; one more may be taken on credit. */
static void bursts_are_bounded(void **state)
{
    (void)state;
    struct skua_rate rate = {0};
    skua_time now = 1000 * SKUA_SEC;
    assert_int_equal(take_all(&rate, now), PER_SECOND + 1);
    assert_int_equal(take_all(&rate, now), 0);
    assert_int_equal(take_all(&rate, now + 10 * COST), 10);
    assert_int_equal(take_all(&rate, now + 3600 * SKUA_SEC), PER_SECOND + 1);
}

/* Whatever the pattern, over a long time it is the rate. */
static void the_rate_is_kept(void **state)
{
    (void)state;
    struct skua_rate rate = {0};
    const skua_time start = 50 * SKUA_SEC;
    unsigned n = take_all(&rate, start);
    for (unsigned i = 1; i <= 1000; i++) {
        for (unsigned k = 0; k < 3; k++) { /* three times as often as allowed */
            n += skua_rate_take(&rate, COST, BURST, start + i * COST);
        }
    }
    assert_int_equal(n, PER_SECOND + 1 + 1000);
}

static void debt_is_bounded(void **state)
{
    (void)state;
    struct skua_rate rate = {0};
    const skua_time now = 50 * SKUA_SEC;
    for (unsigned i = 0; i < 100 * PER_SECOND; i++) {
        skua_rate_charge(&rate, COST, BURST, now);
    }
    assert_int_equal(rate.until, now + BURST);
    assert_false(skua_rate_allows(&rate, now + BURST - 1));
    assert_true(skua_rate_allows(&rate, now + BURST));
    /* What costs more than a burst is paid for in full. */
    struct skua_rate other = {0};
    assert_true(skua_rate_take(&other, 10 * BURST, BURST, now));
    assert_int_equal(other.until, now + 9 * BURST);
    /* What costs nothing is never refused. */
    struct skua_rate third = {0};
    assert_true(skua_rate_take(&third, 0, BURST, now));
    assert_true(skua_rate_take(&third, 0, BURST, now));
}

static void time_may_begin_at_nothing(void **state)
{
    (void)state;
    struct skua_rate rate = {0};
    assert_int_equal(take_all(&rate, 0), 1);
    assert_int_equal(take_all(&rate, COST), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bursts_are_bounded),
        cmocka_unit_test(the_rate_is_kept),
        cmocka_unit_test(debt_is_bounded),
        cmocka_unit_test(time_may_begin_at_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
