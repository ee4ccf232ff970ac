/* Validation of a path: challenges, answers, the limit towards an address that has not answered. */
#include "unit.h"

#include "path/probe.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

enum { LEAST = 81, LARGE = 1200 };

static const struct skua_path path = {.socket = 1,
                                      .remote = {.family = SKUA_FAMILY_IPV4, .port = 7}};

static void challenge(struct skua_probe *p, uint64_t data, skua_time now)
{
    uint32_t size = skua_probe_size(p, LEAST, now);
    assert_true(size >= LEAST && size <= LARGE);
    skua_probe_on_sent(p, size, true, data, now);
}

static void a_path_that_works(void **state)
{
    (void)state;
    struct skua_probe p;
    skua_time rtt = 0;
    skua_probe_start(&p, &path, false, MS(100), MS(1000));
    assert_int_equal(skua_probe_deadline(&p, LEAST), MS(1000));
    assert_int_equal(skua_probe_size(&p, LEAST, MS(1000)), LARGE);
    challenge(&p, 42, MS(1000));
    assert_int_equal(skua_probe_size(&p, LEAST, MS(1099)), 0);
    assert_int_equal(skua_probe_on_response(&p, 43, &rtt, MS(1030)), SKUA_PROBE_NOTHING);
    assert_false(p.proven);
    assert_int_equal(skua_probe_on_response(&p, 42, &rtt, MS(1030)), SKUA_PROBE_DONE);
    assert_int_equal(rtt, MS(30));
    assert_true(p.proven);
    assert_int_equal(skua_probe_size(&p, LEAST, MS(5000)), 0);
}

/* Repeats after 1, 3, 7, ... PTO, and the end after three seconds or PTO. */
static void a_path_that_does_not(void **state)
{
    (void)state;
    struct skua_probe p;
    skua_probe_start(&p, &path, false, MS(100), 0);
    unsigned sent = 0;
    skua_time now = 0;
    static const skua_time due[] = {0, 100, 300, 700, 1500};
    while ((now = skua_probe_deadline(&p, LEAST)) < p.end_at) {
        assert_int_equal(now, MS(due[sent]));
        challenge(&p, sent++, now);
    }
    assert_int_equal(sent, 5);
    assert_int_equal(p.end_at, SKUA_SEC * 3);
    skua_probe_start(&p, &path, false, MS(2000), 0);
    assert_int_equal(p.end_at, MS(6000));
}

/* The answer to an older challenge counts, and has the RTT of that one; very old ones do not. */
static void late_answers(void **state)
{
    (void)state;
    struct skua_probe p;
    skua_time rtt = 0;
    skua_probe_start(&p, &path, false, MS(1), 0);
    for (uint64_t i = 0; i < 6; i++) {
        p.next_at = MS(i);
        challenge(&p, 100 + i, MS(i));
    }
    assert_int_equal(skua_probe_on_response(&p, 101, &rtt, MS(10)), SKUA_PROBE_NOTHING);
    assert_int_equal(skua_probe_on_response(&p, 102, &rtt, MS(10)), SKUA_PROBE_DONE);
    assert_int_equal(rtt, MS(8));
}

/* Not more than three times what came; once the address has answered, a large challenge. */
static void the_limit(void **state)
{
    (void)state;
    struct skua_probe p;
    skua_time rtt;
    skua_probe_start(&p, &path, true, MS(100), 0);
    assert_int_equal(skua_probe_room(&p), 0);
    assert_int_equal(skua_probe_size(&p, LEAST, 0), 0);
    assert_int_equal(skua_probe_deadline(&p, LEAST), p.end_at); /* nothing can be done before */
    skua_probe_on_received(&p, 26);
    assert_int_equal(skua_probe_size(&p, LEAST, 0), 0); /* 78 bytes are too few */
    skua_probe_on_received(&p, 14);
    assert_int_equal(skua_probe_size(&p, LEAST, 0), 120);
    challenge(&p, 1, 0);
    assert_int_equal(skua_probe_room(&p), 0);
    assert_int_equal(skua_probe_size(&p, LEAST, MS(100)), 0);
    skua_probe_on_received(&p, 1000);
    skua_probe_on_sent(&p, 1000, false, 0, MS(50)); /* an answer to the other side's challenge */
    assert_int_equal(skua_probe_room(&p), 2000);
    assert_int_equal(skua_probe_on_response(&p, 1, &rtt, MS(60)), SKUA_PROBE_SMALL);
    assert_int_equal(skua_probe_room(&p), UINT32_MAX);
    assert_int_equal(skua_probe_size(&p, LEAST, MS(60)), LARGE);
    challenge(&p, 2, MS(60));
    assert_int_equal(skua_probe_on_response(&p, 1, &rtt, MS(70)), SKUA_PROBE_SMALL);
    assert_int_equal(skua_probe_size(&p, LEAST, MS(70)),
                     0); /* a repeat of the first asks nothing */
    assert_int_equal(skua_probe_on_response(&p, 2, &rtt, MS(90)), SKUA_PROBE_DONE);
    assert_int_equal(rtt, MS(30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_that_works),
        cmocka_unit_test(a_path_that_does_not),
        cmocka_unit_test(late_answers),
        cmocka_unit_test(the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
