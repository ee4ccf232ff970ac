/* ECN validation: what counts and losses say of a path. */
#include "unit.h"

#include "path/ecn.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

static void send(struct skua_ecn *e, unsigned marked)
{
    for (unsigned i = 0; i < marked; i++) {
        skua_ecn_on_sent(e);
    }
    skua_ecn_check(e);
}

/* An ACK that advances, of `marked` packets with a mark and as many in all. */
static uint64_t ack(struct skua_ecn *e, uint64_t marked, uint64_t ect0, uint64_t ect1, uint64_t ce)
{
    const struct skua_ecn_ack a = {.packets = marked,
                                   .marked = marked,
                                   .advances = true,
                                   .ect0 = ect0,
                                   .ect1 = ect1,
                                   .ce = ce};
    uint64_t marks = skua_ecn_on_ack(e, &a, MS(50));
    skua_ecn_check(e);
    return marks;
}

/* An ACK of `packets` without a mark, that tells of `lost` marked ones sent at `sent`. */
static void ack_bare(struct skua_ecn *e, uint64_t packets, uint64_t lost, skua_time sent,
                     skua_time now)
{
    const struct skua_ecn_ack a = {.packets = packets,
                                   .lost_marked = lost,
                                   .lost_newest = sent,
                                   .advances = true,
                                   .ect0 = e->ect0,
                                   .ce = e->ce};
    assert_int_equal(skua_ecn_on_ack(e, &a, now), 0);
    skua_ecn_check(e);
}

static void begin_capable(struct skua_ecn *e)
{
    skua_ecn_init(e);
    send(e, 10);
    (void)ack(e, 10, 10, 0, 0);
    assert_int_equal(e->state, SKUA_ECN_STATE_CAPABLE);
}

static void a_test_is_ten_packets(void **state)
{
    (void)state;
    struct skua_ecn e;
    skua_ecn_init(&e);
    for (int i = 0; i < SKUA_ECN_TEST_PACKETS; i++) {
        assert_true(skua_ecn_marks(&e));
        send(&e, 1);
    }
    assert_int_equal(e.state, SKUA_ECN_STATE_UNKNOWN);
    assert_false(skua_ecn_marks(&e));
    assert_int_equal(ack(&e, 2, 2, 0, 0), 0);
    assert_int_equal(e.state, SKUA_ECN_STATE_CAPABLE);
    assert_true(skua_ecn_marks(&e));
    /* The peer counts what it has, and may acknowledge it later: an ACK holds only so many ranges.
     */
    (void)ack(&e, 3, 8, 0, 0);
    (void)ack(&e, 5, 10, 0, 0);
    assert_int_equal(e.state, SKUA_ECN_STATE_CAPABLE);
}

static void a_thin_flow_is_proved_by_its_first_ack(void **state)
{
    (void)state;
    struct skua_ecn e;
    skua_ecn_init(&e);
    send(&e, 1);
    (void)ack(&e, 1, 1, 0, 0);
    assert_int_equal(e.state, SKUA_ECN_STATE_CAPABLE);
}

static void wrong_counts_fail(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        uint64_t marked, ect0, ect1, ce;
    } bad[] = {
        {"no counts", 1, 0, 0, 0},
        {"bleached in part", 5, 14, 0, 0},
        {"no longer counted", 5, 10, 0, 0},
        {"changed to ECT(1)", 5, 10, 5, 0},
        {"ECT(1) out of nowhere", 5, 15, 1, 0},
        {"more ECT(0) than was sent", 5, 21, 0, 0},
        {"CE on packets without a mark", 5, 15, 0, 6},
        {"counts that shrink", 0, 9, 0, 0},
        {"as large as can be", 5, (UINT64_C(1) << 62) - 1, 0, (UINT64_C(1) << 62) - 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct skua_ecn e;
        begin_capable(&e);
        send(&e, 10);
        if (ack(&e, bad[i].marked, bad[i].ect0, bad[i].ect1, bad[i].ce) != 0 ||
            e.state != SKUA_ECN_STATE_FAILED) {
            fail_msg("%s", bad[i].what);
        }
        assert_false(skua_ecn_marks(&e));
        /* For good. */
        assert_int_equal(ack(&e, 5, 20, 0, 3), 0);
        assert_int_equal(e.state, SKUA_ECN_STATE_FAILED);
    }
}

static void ce_is_told_once(void **state)
{
    (void)state;
    struct skua_ecn e;
    begin_capable(&e);
    send(&e, 20);
    assert_int_equal(ack(&e, 5, 13, 0, 2), 2);
    assert_int_equal(ack(&e, 5, 18, 0, 2), 0);
    assert_int_equal(ack(&e, 5, 20, 0, 5), 3);
    /* Without new packets too: counted and not acknowledged yet. */
    assert_int_equal(ack(&e, 0, 20, 0, 6), 1);
    assert_int_equal(e.state, SKUA_ECN_STATE_CAPABLE);
    assert_int_equal(e.ce, 6);
}

static void an_ack_that_was_overtaken_says_nothing(void **state)
{
    (void)state;
    struct skua_ecn e;
    begin_capable(&e);
    send(&e, 10);
    assert_int_equal(ack(&e, 8, 18, 0, 0), 0);
    const struct skua_ecn_ack late = {.packets = 2, .marked = 2, .ect0 = 11, .ce = 1};
    assert_int_equal(skua_ecn_on_ack(&e, &late, MS(60)), 0);
    assert_int_equal(e.state, SKUA_ECN_STATE_CAPABLE);
    assert_int_equal(e.ect0, 18);
}

static void acks_of_bare_packets_need_no_counts(void **state)
{
    (void)state;
    struct skua_ecn e;
    skua_ecn_init(&e);
    send(&e, 1);
    const struct skua_ecn_ack plain = {.packets = 4, .advances = true};
    assert_int_equal(skua_ecn_on_ack(&e, &plain, MS(10)), 0);
    assert_int_equal(e.state, SKUA_ECN_STATE_TESTING);
}

static void a_first_test_swallowed_is_failure(void **state)
{
    (void)state;
    struct skua_ecn e;
    skua_ecn_init(&e);
    send(&e, 10);
    /* Two losses can be chance. */
    ack_bare(&e, 2, 2, MS(1), MS(50));
    assert_int_equal(e.state, SKUA_ECN_STATE_UNKNOWN);
    ack_bare(&e, 1, 8, MS(1), MS(60));
    assert_int_equal(e.state, SKUA_ECN_STATE_FAILED);
    /* The same, lost by time. */
    skua_ecn_init(&e);
    send(&e, 3);
    skua_ecn_on_lost(&e, 3, MS(1));
    assert_int_equal(e.state, SKUA_ECN_STATE_TESTING);
    ack_bare(&e, 1, 0, 0, MS(70));
    assert_int_equal(e.state, SKUA_ECN_STATE_FAILED);
}

static void losses_are_no_hole_while_marked_packets_arrive(void **state)
{
    (void)state;
    struct skua_ecn e;
    begin_capable(&e);
    for (unsigned i = 0; i < 100; i++) {
        send(&e, 10);
        const struct skua_ecn_ack a = {.packets = 1,
                                       .marked = 1,
                                       .lost_marked = 9,
                                       .lost_newest = MS(i),
                                       .advances = true,
                                       .ect0 = 11 + i};
        (void)skua_ecn_on_ack(&e, &a, MS(i));
        skua_ecn_on_lost(&e, 2, MS(i));
        ack_bare(&e, 1, 0, 0, MS(i));
    }
    assert_int_equal(e.state, SKUA_ECN_STATE_CAPABLE);
}

static void a_capable_path_that_swallows_is_tested_again(void **state)
{
    (void)state;
    struct skua_ecn e;
    begin_capable(&e);
    send(&e, 50);
    ack_bare(&e, 2, 50, MS(90), MS(100));
    assert_int_equal(e.state, SKUA_ECN_STATE_TESTING);
    /* What was sent before does not count. */
    ack_bare(&e, 2, 5, MS(99), MS(110));
    skua_ecn_on_lost(&e, 5, MS(99));
    ack_bare(&e, 2, 0, 0, MS(111));
    assert_int_equal(e.state, SKUA_ECN_STATE_TESTING);
    send(&e, 10);
    assert_false(skua_ecn_marks(&e));
    struct skua_ecn other = e;
    ack_bare(&e, 2, 10, MS(120), MS(140));
    assert_int_equal(e.state, SKUA_ECN_STATE_FAILED);
    /* It was chance after all. */
    (void)ack(&other, 10, 20, 0, 0);
    assert_int_equal(other.state, SKUA_ECN_STATE_CAPABLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_test_is_ten_packets),
        cmocka_unit_test(a_thin_flow_is_proved_by_its_first_ack),
        cmocka_unit_test(wrong_counts_fail),
        cmocka_unit_test(ce_is_told_once),
        cmocka_unit_test(an_ack_that_was_overtaken_says_nothing),
        cmocka_unit_test(acks_of_bare_packets_need_no_counts),
        cmocka_unit_test(a_first_test_swallowed_is_failure),
        cmocka_unit_test(losses_are_no_hole_while_marked_packets_arrive),
        cmocka_unit_test(a_capable_path_that_swallows_is_tested_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
