/* The emulated link in virtual time: rate, queue, delay, and decisions that depend on nothing but
 * (seed, direction, packet number). */
#include "link_model.h"
#include "options.h"
#include "unit.h"

#define PAYLOAD 1222 /* 1,250 bytes on the wire: 10,000 bits */

static struct skua_link_dir make_dir(const struct skua_link_params *params, uint64_t seed,
                                     uint64_t direction)
{
    return (struct skua_link_dir){.params = *params, .seed = seed, .direction = direction};
}

static struct skua_link_fate offer(struct skua_link_dir *dir, size_t len, skua_time now)
{
    struct skua_link_fate fate;
    skua_link_offer(dir, len, &fate, now);
    return fate;
}

static void test_clean_link_is_transparent(void **state)
{
    (void)state;
    struct skua_link_dir dir = make_dir(&(struct skua_link_params){0}, 1, 0);
    for (uint64_t i = 0; i < 1000; i++) {
        const struct skua_link_fate fate = offer(&dir, (size_t)i, i);
        assert_int_equal(fate.verdict, SKUA_LINK_DELIVER);
        assert_int_equal(fate.due, i);
        assert_int_equal(fate.number, i);
        assert_int_equal(fate.copies, 1);
        assert_false(fate.held || fate.corrupt);
    }
    assert_int_equal(dir.counts.packets_in, 1000);
    assert_int_equal(dir.counts.bytes_in, 999 * 1000 / 2);
}

/* 10,000 bits at 1 Mbit/s take 10 ms: packets leave one after the other, then travel for 5 ms. */
static void test_rate_spaces_packets(void **state)
{
    (void)state;
    const struct skua_link_params params = {
        .rate_bps = 1000000, .queue_bytes = 1 << 20, .delay_ns = 5 * SKUA_MSEC};
    struct skua_link_dir dir = make_dir(&params, 1, 0);
    for (uint64_t i = 0; i < 20; i++) {
        assert_int_equal(offer(&dir, PAYLOAD, SKUA_SEC).due,
                         SKUA_SEC + (i + 1) * 10 * SKUA_MSEC + 5 * SKUA_MSEC);
    }
    assert_int_equal(skua_link_backlog(&dir, SKUA_SEC), 20 * 1250);
    assert_int_equal(skua_link_backlog(&dir, SKUA_SEC + 100 * SKUA_MSEC), 10 * 1250);
    assert_int_equal(skua_link_backlog(&dir, SKUA_SEC + 200 * SKUA_MSEC), 0);
    /* An idle link does not save up. */
    assert_int_equal(offer(&dir, PAYLOAD, 10 * SKUA_SEC).due, 10 * SKUA_SEC + 15 * SKUA_MSEC);
}

/* 7 bits per second do not divide a nanosecond: over many packets the rate is exact all the same.
 */
static void test_rate_does_not_drift(void **state)
{
    (void)state;
    const struct skua_link_params params = {.rate_bps = 7000003, .queue_bytes = UINT32_MAX};
    struct skua_link_dir dir = make_dir(&params, 1, 0);
    skua_time due = 0;
    for (int i = 0; i < 100000; i++) {
        due = offer(&dir, PAYLOAD, 0).due;
    }
    const uint64_t exact = UINT64_C(100000) * 10000 * 1000000 / 7000003 * 1000;
    assert_in_range(due, exact, exact + 1000);
}

static void test_queue_drops_at_the_tail(void **state)
{
    (void)state;
    const struct skua_link_params params = {.rate_bps = 1000000, .queue_bytes = 5 * 1250};
    struct skua_link_dir dir = make_dir(&params, 1, 0);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(offer(&dir, PAYLOAD, 0).verdict,
                         i < 5 ? SKUA_LINK_DELIVER : SKUA_LINK_QUEUE_FULL);
    }
    /* After 10 ms one packet has left: exactly one fits again. */
    assert_int_equal(offer(&dir, PAYLOAD, 10 * SKUA_MSEC).verdict, SKUA_LINK_DELIVER);
    assert_int_equal(offer(&dir, PAYLOAD, 10 * SKUA_MSEC).verdict, SKUA_LINK_QUEUE_FULL);
    assert_int_equal(dir.counts.dropped_queue, 4);
    assert_int_equal(dir.counts.queue_max, 5 * 1250);
}

static void test_empty_queue_takes_any_packet(void **state)
{
    (void)state;
    const struct skua_link_params params = {.rate_bps = 1000000, .queue_bytes = 10};
    struct skua_link_dir dir = make_dir(&params, 1, 0);
    assert_int_equal(offer(&dir, 65507, 0).verdict, SKUA_LINK_DELIVER);
    assert_int_equal(offer(&dir, 1, 0).verdict, SKUA_LINK_QUEUE_FULL);
}

static void test_mtu(void **state)
{
    (void)state;
    struct skua_link_dir dir = make_dir(&(struct skua_link_params){.mtu = 1400}, 1, 0);
    assert_int_equal(offer(&dir, 1400, 0).verdict, SKUA_LINK_DELIVER);
    assert_int_equal(offer(&dir, 1401, 0).verdict, SKUA_LINK_TOO_LARGE);
    assert_int_equal(dir.counts.dropped_mtu, 1);
}

/* Shares come true within five standard deviations of 100,000 draws. */
static void test_shares(void **state)
{
    (void)state;
    const struct skua_link_params params = {.loss = SKUA_SHARE_ONE / 50,
                                            .duplicate = SKUA_SHARE_ONE / 20,
                                            .corrupt = SKUA_SHARE_ONE / 100,
                                            .reorder = SKUA_SHARE_ONE / 10,
                                            .reorder_by_ns = SKUA_MSEC};
    struct skua_link_dir dir = make_dir(&params, 42, 1);
    uint64_t held = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        const struct skua_link_fate fate = offer(&dir, 100, i * SKUA_USEC);
        held += fate.held ? 1 : 0;
        assert_true(!fate.corrupt || fate.corrupt_bit < 800);
        if (fate.verdict == SKUA_LINK_DELIVER) {
            assert_int_equal(fate.due, i * SKUA_USEC + (fate.held ? SKUA_MSEC : 0));
        }
    }
    assert_in_range(dir.counts.lost, 2000 - 222, 2000 + 222);
    assert_in_range(dir.counts.duplicated, 4900 - 345, 4900 + 345);
    assert_in_range(dir.counts.corrupted, 980 - 156, 980 + 156);
    assert_in_range(held, 9800 - 475, 9800 + 475);
}

static void test_all_or_nothing_shares(void **state)
{
    (void)state;
    struct skua_link_dir all = make_dir(&(struct skua_link_params){.loss = SKUA_SHARE_ONE}, 9, 0);
    struct skua_link_dir none = make_dir(&(struct skua_link_params){.loss = 0}, 9, 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(offer(&all, 10, 0).verdict, SKUA_LINK_LOST);
        assert_int_equal(offer(&none, 10, 0).verdict, SKUA_LINK_DELIVER);
    }
}

/* Jitter stays in its range, uses it, and never lets a packet overtake another. */
static void test_jitter_keeps_order(void **state)
{
    (void)state;
    const struct skua_link_params params = {.delay_ns = 10 * SKUA_MSEC, .jitter_ns = 5 * SKUA_MSEC};
    struct skua_link_dir dir = make_dir(&params, 3, 0);
    skua_time last = 0;
    skua_time least = SKUA_NEVER;
    skua_time most = 0;
    for (uint64_t i = 0; i < 10000; i++) {
        const skua_time now = i * 100 * SKUA_USEC;
        const skua_time due = offer(&dir, 100, now).due;
        assert_true(due >= last);
        last = due;
        least = due - now < least ? due - now : least;
        most = due - now > most ? due - now : most;
    }
    assert_in_range(least, 10 * SKUA_MSEC, 13 * SKUA_MSEC);
    assert_in_range(most, 14 * SKUA_MSEC, 15 * SKUA_MSEC);
}

/* The fate of a packet depends on seed, direction and number: not on times, lengths, or on what
 * other settings decide. */
static void test_decisions_are_functions_of_the_number(void **state)
{
    (void)state;
    const struct skua_link_params lossy = {.loss = SKUA_SHARE_ONE / 3};
    const struct skua_link_params busy = {.loss = SKUA_SHARE_ONE / 3,
                                          .duplicate = SKUA_SHARE_ONE / 2,
                                          .jitter_ns = SKUA_MSEC,
                                          .delay_ns = SKUA_SEC};
    struct skua_link_dir a = make_dir(&lossy, 7, 0);
    struct skua_link_dir b = make_dir(&busy, 7, 0);
    struct skua_link_dir other_seed = make_dir(&lossy, 8, 0);
    struct skua_link_dir other_direction = make_dir(&lossy, 7, 1);
    unsigned differ_seed = 0;
    unsigned differ_direction = 0;
    for (uint64_t i = 0; i < 3000; i++) {
        const enum skua_link_verdict verdict = offer(&a, 100, 0).verdict;
        assert_int_equal(offer(&b, 1 + (size_t)(i % 1000), i * SKUA_MSEC).verdict, verdict);
        differ_seed += offer(&other_seed, 100, 0).verdict != verdict;
        differ_direction += offer(&other_direction, 100, 0).verdict != verdict;
    }
    /* Independent draws differ with probability 2 * 1/3 * 2/3 = 4/9. */
    assert_in_range(differ_seed, 1333 - 140, 1333 + 140);
    assert_in_range(differ_direction, 1333 - 140, 1333 + 140);
}

static void test_every_packet_is_accounted_for(void **state)
{
    (void)state;
    const struct skua_link_params params = {.rate_bps = 10000000,
                                            .queue_bytes = 20000,
                                            .loss = SKUA_SHARE_ONE / 10,
                                            .duplicate = SKUA_SHARE_ONE / 10,
                                            .mtu = 1400};
    struct skua_link_dir dir = make_dir(&params, 5, 0);
    uint64_t copies = 0;
    for (uint64_t i = 0; i < 20000; i++) {
        copies += offer(&dir, 1 + (size_t)(i * 7919 % 1500), i * 500 * SKUA_USEC).copies;
    }
    const struct skua_link_counts *c = &dir.counts;
    assert_true(c->lost > 0 && c->dropped_mtu > 0 && c->dropped_queue > 0 && c->duplicated > 0);
    assert_int_equal(c->packets_in + c->duplicated,
                     copies + c->lost + c->dropped_mtu + c->dropped_queue);
    assert_true(c->queue_max <= 20000);
}

static void test_default_queue(void **state)
{
    (void)state;
    assert_int_equal(skua_link_default_queue(0, SKUA_SEC), 96000);
    assert_int_equal(skua_link_default_queue(100000000, 40 * SKUA_MSEC), 500000);
    assert_int_equal(skua_link_default_queue(UINT64_C(1000000000000), 7200 * SKUA_SEC),
                     UINT64_C(125000000000) * 7200);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clean_link_is_transparent),
        cmocka_unit_test(test_rate_spaces_packets),
        cmocka_unit_test(test_rate_does_not_drift),
        cmocka_unit_test(test_queue_drops_at_the_tail),
        cmocka_unit_test(test_empty_queue_takes_any_packet),
        cmocka_unit_test(test_mtu),
        cmocka_unit_test(test_shares),
        cmocka_unit_test(test_all_or_nothing_shares),
        cmocka_unit_test(test_jitter_keeps_order),
        cmocka_unit_test(test_decisions_are_functions_of_the_number),
        cmocka_unit_test(test_every_packet_is_accounted_for),
        cmocka_unit_test(test_default_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
