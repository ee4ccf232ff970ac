/* When an ACK is owed, and what it says: RFC 9000 §13.2. */
#include "unit.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "recovery/acks.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

struct fixture {
    struct skua_heap heap;
    struct skua_acks acks;
};

static void begin(struct fixture *f)
{
    skua_heap_init(&f->heap, NULL);
    skua_acks_init(&f->acks, &f->heap);
}

static void end(struct fixture *f)
{
    skua_acks_check(&f->acks);
    skua_acks_deinit(&f->acks);
    assert_int_equal(f->heap.used, 0);
}

static void take(struct fixture *f, uint64_t pn, skua_time now)
{
    skua_acks_on_received(&f->acks, pn, true, 0, now);
    skua_acks_check(&f->acks);
}

static void every_second_eliciting_packet(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    assert_false(skua_acks_due(&f.acks, MS(1000)));
    assert_true(skua_acks_deadline(&f.acks) == SKUA_NEVER);
    take(&f, 0, MS(10));
    assert_false(skua_acks_due(&f.acks, MS(10)));
    assert_int_equal(skua_acks_deadline(&f.acks), MS(35));
    take(&f, 1, MS(11));
    assert_true(skua_acks_due(&f.acks, MS(11)));
    assert_int_equal(skua_acks_deadline(&f.acks), 0);
    skua_acks_on_sent(&f.acks);
    assert_false(skua_acks_due(&f.acks, MS(1000)));
    assert_false(skua_acks_pending(&f.acks));
    end(&f);
}

static void a_single_one_waits_for_max_ack_delay(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    take(&f, 0, MS(10));
    assert_false(skua_acks_due(&f.acks, MS(35) - 1));
    assert_true(skua_acks_due(&f.acks, MS(35)));
    assert_int_equal(skua_acks_delay(&f.acks, MS(35)), MS(25));
    end(&f);
}

static void packets_that_elicit_nothing_get_nothing(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (uint64_t pn = 0; pn < 10; pn++) {
        skua_acks_on_received(&f.acks, pn, false, 0, MS(1));
    }
    assert_false(skua_acks_due(&f.acks, SKUA_NEVER - 1));
    assert_true(skua_acks_deadline(&f.acks) == SKUA_NEVER);
    /* But they are part of what is said when there is an ACK. */
    assert_true(skua_acks_pending(&f.acks));
    end(&f);
}

static void a_gap_is_told_at_once(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    take(&f, 0, MS(1));
    skua_acks_on_sent(&f.acks);
    take(&f, 2, MS(2));
    assert_true(skua_acks_due(&f.acks, MS(2)));
    skua_acks_on_sent(&f.acks);
    /* The gap is old news for what follows it. */
    take(&f, 3, MS(3));
    assert_false(skua_acks_due(&f.acks, MS(3)));
    skua_acks_on_sent(&f.acks);
    /* Filling it is not. */
    take(&f, 1, MS(4));
    assert_true(skua_acks_due(&f.acks, MS(4)));
    end(&f);
}

static void acks_in_between_are_no_gap(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    take(&f, 0, MS(1));
    skua_acks_on_sent(&f.acks);
    skua_acks_on_received(&f.acks, 1, false, 0, MS(1));
    skua_acks_on_received(&f.acks, 2, false, 0, MS(1));
    take(&f, 3, MS(1));
    assert_false(skua_acks_due(&f.acks, MS(1)));
    skua_acks_on_sent(&f.acks);
    /* Nor is what was forgotten because the peer knows it. */
    skua_acks_on_received(&f.acks, 4, false, 0, MS(1));
    skua_acks_on_received(&f.acks, 5, false, 0, MS(1));
    skua_acks_on_ack_of_ack(&f.acks, 5);
    take(&f, 6, MS(1));
    assert_false(skua_acks_due(&f.acks, MS(1)));
    end(&f);
}

static void congestion_marks_are_told_at_once(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    skua_acks_on_received(&f.acks, 0, true, 2, MS(1));
    assert_false(skua_acks_due(&f.acks, MS(1)));
    skua_acks_on_sent(&f.acks);
    skua_acks_on_received(&f.acks, 1, true, 3, MS(1));
    assert_true(skua_acks_due(&f.acks, MS(1)));
    assert_int_equal(f.acks.marks[1], 1);
    assert_int_equal(f.acks.marks[2], 1);
    assert_int_equal(f.acks.marks[0], 0);
    end(&f);
}

static void the_caller_can_insist(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    take(&f, 0, MS(1));
    skua_acks_set_immediate(&f.acks);
    assert_true(skua_acks_due(&f.acks, MS(1)));
    skua_acks_on_sent(&f.acks);
    assert_false(skua_acks_due(&f.acks, MS(1)));
    end(&f);
}

static void tolerance_can_be_raised(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    f.acks.tolerance = 10;
    for (uint64_t pn = 0; pn < 9; pn++) {
        take(&f, pn, MS(1));
        assert_false(skua_acks_due(&f.acks, MS(1)));
    }
    take(&f, 9, MS(1));
    assert_true(skua_acks_due(&f.acks, MS(1)));
    end(&f);
}

static void a_batch_needs_one_ack(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (uint64_t pn = 0; pn < 700; pn++) {
        take(&f, pn, MS(1));
    }
    assert_true(skua_acks_due(&f.acks, MS(1)));
    struct skua_range range;
    assert_int_equal(skua_acks_ranges(&f.acks, &range, 1), 1);
    assert_int_equal(range.first, 0);
    assert_int_equal(range.last, 699);
    skua_acks_on_sent(&f.acks);
    assert_false(skua_acks_due(&f.acks, MS(100)));
    end(&f);
}

static void ranges_come_newest_first_and_bounded(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (uint64_t pn = 0; pn < 20000; pn += 2) {
        take(&f, pn, MS(1));
    }
    struct skua_range ranges[SKUA_LIMIT_ACK_RANGES_KEPT + 1];
    size_t count = skua_acks_ranges(&f.acks, ranges, SKUA_LIMIT_ACK_RANGES_KEPT + 1);
    assert_int_equal(count, SKUA_LIMIT_ACK_RANGES_KEPT);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(ranges[i].last, 19998 - 2 * i);
        assert_int_equal(ranges[i].first, ranges[i].last);
    }
    assert_int_equal(skua_acks_ranges(&f.acks, ranges, 3), 3);
    assert_int_equal(ranges[2].last, 19994);
    /* Too low for the memory that is left: not reported, not harmful. */
    take(&f, 1, MS(1));
    assert_int_equal(skua_acks_ranges(&f.acks, ranges, 300), SKUA_LIMIT_ACK_RANGES_KEPT);
    assert_true(ranges[SKUA_LIMIT_ACK_RANGES_KEPT - 1].first > 1);
    end(&f);
}

static void what_the_peer_knows_is_forgotten(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (uint64_t pn = 0; pn < 100; pn += 10) {
        take(&f, pn, MS(1));
        take(&f, pn + 1, MS(1));
    }
    skua_acks_on_ack_of_ack(&f.acks, 51);
    struct skua_range ranges[16];
    assert_int_equal(skua_acks_ranges(&f.acks, ranges, 16), 5);
    assert_int_equal(ranges[4].first, 51);
    assert_int_equal(ranges[4].last, 51);
    assert_int_equal(ranges[3].first, 60);
    /* Everything, and even more than everything: the largest stays. */
    skua_acks_on_ack_of_ack(&f.acks, 1000);
    assert_int_equal(skua_acks_ranges(&f.acks, ranges, 16), 1);
    assert_int_equal(ranges[0].first, 91);
    skua_acks_on_ack_of_ack(&f.acks, 0);
    assert_int_equal(skua_acks_ranges(&f.acks, ranges, 16), 1);
    end(&f);
}

static void delay_counts_from_the_largest(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    take(&f, 5, MS(10));
    take(&f, 3, MS(20));
    assert_int_equal(f.acks.largest, 5);
    assert_int_equal(skua_acks_delay(&f.acks, MS(22)), MS(12));
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_second_eliciting_packet),
        cmocka_unit_test(a_single_one_waits_for_max_ack_delay),
        cmocka_unit_test(packets_that_elicit_nothing_get_nothing),
        cmocka_unit_test(a_gap_is_told_at_once),
        cmocka_unit_test(acks_in_between_are_no_gap),
        cmocka_unit_test(congestion_marks_are_told_at_once),
        cmocka_unit_test(the_caller_can_insist),
        cmocka_unit_test(tolerance_can_be_raised),
        cmocka_unit_test(a_batch_needs_one_ack),
        cmocka_unit_test(ranges_come_newest_first_and_bounded),
        cmocka_unit_test(what_the_peer_knows_is_forgotten),
        cmocka_unit_test(delay_counts_from_the_largest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
