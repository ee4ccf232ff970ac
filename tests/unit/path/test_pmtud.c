/* Path MTU discovery on simulated paths: many sizes, random loss, black holes. */
#include "unit.h"

#include "path/pmtud.h"

enum { BASE = 1200, MAX = 65507 };

/* splitmix64: any seed will do. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void begin(struct skua_pmtud *p, uint32_t max)
{
    skua_pmtud_init(p, max);
    skua_pmtud_start(p, MAX);
}

/* Probes until the search ends on a path that carries `path` bytes and loses `loss` percent;
 * returns how many it took. */
static int search(struct skua_pmtud *p, uint32_t path, unsigned loss, uint64_t *random,
                  skua_time now)
{
    int probes = 0;
    uint32_t size;
    while ((size = skua_pmtud_probe_size(p, now)) != 0) {
        assert_in_range(size, p->mtu + 1, p->max);
        skua_pmtud_on_probe_sent(p, size);
        assert_int_equal(skua_pmtud_probe_size(p, now), 0);
        bool chance = loss != 0 && random_next(random) % 100 < loss;
        if (size > path || chance) {
            skua_pmtud_on_probe_lost(p, size);
        } else {
            (void)skua_pmtud_on_probe_acked(p, size);
        }
        skua_pmtud_check(p);
        probes++;
        assert_true(probes < 200);
    }
    return probes;
}

static void loopback_takes_one_probe(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, MAX);
    assert_int_equal(p.mtu, BASE);
    assert_int_equal(search(&p, MAX, 0, NULL, 0), 1);
    assert_int_equal(p.mtu, MAX);
    assert_true(skua_pmtud_deadline(&p) == SKUA_NEVER);
}

static void nothing_is_probed_before_the_start(void **state)
{
    (void)state;
    struct skua_pmtud p;
    skua_pmtud_init(&p, MAX);
    assert_int_equal(skua_pmtud_probe_size(&p, 0), 0);
    assert_true(skua_pmtud_deadline(&p) == SKUA_NEVER);
    skua_pmtud_start(&p, 1400);
    assert_int_equal(skua_pmtud_probe_size(&p, 0), 1400);
    /* A peer that takes no more than the base leaves nothing to search. */
    skua_pmtud_init(&p, MAX);
    skua_pmtud_start(&p, BASE);
    assert_int_equal(skua_pmtud_probe_size(&p, 0), 0);
    assert_true(skua_pmtud_deadline(&p) == SKUA_NEVER);
}

static void common_paths_are_found_exactly_and_fast(void **state)
{
    (void)state;
    const uint32_t paths[] = {1452, 1472, 8952, 8972, 16384, 32768, MAX};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        struct skua_pmtud p;
        begin(&p, MAX);
        int to_get_there = 0;
        while (p.mtu < paths[i]) {
            uint32_t size = skua_pmtud_probe_size(&p, 0);
            assert_int_not_equal(size, 0);
            skua_pmtud_on_probe_sent(&p, size);
            if (size > paths[i]) {
                skua_pmtud_on_probe_lost(&p, size);
            } else {
                (void)skua_pmtud_on_probe_acked(&p, size);
            }
            to_get_there++;
        }
        assert_in_range(to_get_there, 1, 7);
        (void)search(&p, paths[i], 0, NULL, 0);
        assert_int_equal(p.mtu, paths[i]);
    }
}

static void every_path_is_found_within_a_sixty_fourth(void **state)
{
    (void)state;
    for (uint32_t path = BASE; path <= MAX; path += 1 + path / 97) {
        struct skua_pmtud p;
        begin(&p, MAX);
        int probes = search(&p, path, 0, NULL, 0);
        assert_true(p.mtu <= path);
        assert_true(path - p.mtu <= (p.mtu / 64 > 8 ? p.mtu / 64 : 8));
        assert_true(probes <= 40);
    }
}

static void a_size_fails_after_three_losses(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, 1460);
    /* The goal once, then likely sizes, then the goal again. */
    const uint32_t expected[] = {1460, 1452, 1452, 1452};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(skua_pmtud_probe_size(&p, 0), expected[i]);
        skua_pmtud_on_probe_sent(&p, expected[i]);
        skua_pmtud_on_probe_lost(&p, expected[i]);
    }
    assert_int_equal(p.ceiling, 1452);
    assert_in_range(skua_pmtud_probe_size(&p, 0), BASE + 1, 1451);
}

static void a_late_ack_of_a_lost_probe_counts(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, 1472);
    for (int i = 0; i < 3; i++) {
        skua_pmtud_on_probe_sent(&p, skua_pmtud_probe_size(&p, 0));
        skua_pmtud_on_probe_lost(&p, p.size);
    }
    uint32_t smaller = skua_pmtud_probe_size(&p, 0);
    skua_pmtud_on_probe_sent(&p, smaller);
    assert_true(skua_pmtud_on_probe_acked(&p, 1472));
    assert_int_equal(p.mtu, 1472);
    skua_pmtud_check(&p);
    /* The probe under way has nothing to say any more. */
    skua_pmtud_on_probe_lost(&p, smaller);
    assert_false(skua_pmtud_on_probe_acked(&p, smaller));
    assert_int_equal(skua_pmtud_probe_size(&p, 0), 0);
    assert_int_equal(p.mtu, 1472);
}

static void random_loss_of_probes_rarely_matters(void **state)
{
    (void)state;
    uint64_t random = 42;
    int exact = 0;
    for (int i = 0; i < 200; i++) {
        struct skua_pmtud p;
        begin(&p, MAX);
        (void)search(&p, 1472, 15, &random, 0);
        assert_true(p.mtu <= 1472);
        exact += p.mtu == 1472;
    }
    /* A size fails wrongly with 0.15 to the third: about 1 in 300 for each of two sizes. */
    assert_true(exact >= 195);
}

static void raises_again_after_ten_minutes(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, MAX);
    (void)search(&p, 1452, 0, NULL, SKUA_SEC);
    assert_int_equal(p.mtu, 1452);
    assert_int_equal(skua_pmtud_deadline(&p), 601 * SKUA_SEC);
    assert_int_equal(skua_pmtud_probe_size(&p, 601 * SKUA_SEC - 1), 0);
    (void)search(&p, 8972, 0, NULL, 601 * SKUA_SEC);
    assert_int_equal(p.mtu, 8972);
}

static void the_kernel_s_refusal_lowers(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, MAX);
    /* A probe: gone at once, no losses needed. */
    skua_pmtud_on_probe_sent(&p, skua_pmtud_probe_size(&p, 0));
    assert_false(skua_pmtud_on_too_big(&p, MAX));
    skua_pmtud_on_probe_lost(&p, MAX);
    assert_int_equal(p.goal_losses, 0);
    (void)search(&p, 1472, 0, NULL, 0);
    assert_int_equal(p.mtu, 1472);
    /* A packet of the present size: down a step, and searching on below. */
    assert_true(skua_pmtud_on_too_big(&p, 1472));
    assert_int_equal(p.mtu, 1452);
    skua_pmtud_check(&p);
    (void)search(&p, 1465, 0, NULL, 0);
    assert_in_range(p.mtu, 1452, 1465);
    /* The base is what every path must carry. */
    assert_false(skua_pmtud_on_too_big(&p, BASE));
    assert_true(skua_pmtud_on_too_big(&p, BASE + 1));
    assert_int_equal(p.mtu, BASE);
    skua_pmtud_check(&p);
}

/* Bulk data in rounds of ten full packets (and, in `mixed`, as many small ones) on a path that
 * loses `loss` percent of all; each ACK tells of two packets, and of a loss when a later one
 * arrived. */
static void run_bulk(struct skua_pmtud *p, unsigned loss, bool mixed, int packets, uint64_t seed)
{
    uint64_t random = seed;
    skua_time now = SKUA_SEC;
    uint64_t lost = 0;
    uint32_t lost_min = 0;
    for (int i = 0; i < packets; i++) {
        now += SKUA_MSEC;
        uint32_t size = mixed && random_next(&random) % 2 == 0 ? 200 : p->mtu;
        if (random_next(&random) % 100 < loss) {
            lost++;
            lost_min = lost_min == 0 || size < lost_min ? size : lost_min;
            continue;
        }
        skua_pmtud_on_packet_acked(p, size);
        if (lost != 0) {
            (void)skua_pmtud_on_packet_lost(p, lost_min, lost, now - SKUA_MSEC, now);
            lost = 0;
            lost_min = 0;
        }
        skua_pmtud_check(p);
    }
}

static void random_loss_keeps_the_mtu(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct skua_pmtud p;
        begin(&p, MAX);
        (void)search(&p, MAX, 0, NULL, 0);
        run_bulk(&p, 15, false, 20000, seed);
        run_bulk(&p, 15, true, 20000, seed);
        run_bulk(&p, 40, false, 20000, seed);
        assert_int_equal(p.mtu, MAX);
        assert_int_equal(p.black_holes, 0);
    }
}

static void congestion_that_hits_small_packets_is_no_black_hole(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, 1472);
    (void)search(&p, 1472, 0, NULL, 0);
    for (skua_time t = 1; t < 100; t++) {
        skua_pmtud_on_packet_acked(&p, 200);
        assert_false(
            skua_pmtud_on_packet_lost(&p, 200, 50, t * SKUA_SEC, t * SKUA_SEC + SKUA_MSEC));
    }
    assert_int_equal(p.mtu, 1472);
}

/* All packets larger than `path` are lost, small ones arrive; returns rounds until the MTU fell. */
static int fall_into(struct skua_pmtud *p, skua_time *now)
{
    uint32_t mtu = p->mtu;
    for (int round = 1; round < 20; round++) {
        skua_time sent = *now;
        *now += 100 * SKUA_MSEC;
        skua_pmtud_on_packet_acked(p, BASE);
        if (skua_pmtud_on_packet_lost(p, mtu, 4, sent, *now)) {
            return round;
        }
        skua_pmtud_check(p);
        *now += SKUA_MSEC;
    }
    return 0;
}

static void a_black_hole_is_believed_the_second_time(void **state)
{
    (void)state;
    struct skua_pmtud p;
    skua_time now = SKUA_SEC;
    begin(&p, 1472);
    (void)search(&p, 1472, 0, NULL, now);
    assert_int_equal(fall_into(&p, &now), 2);
    assert_int_equal(p.mtu, 1452);
    assert_int_equal(p.black_holes, 1);
    /* The search below finds what the path carries now. */
    (void)search(&p, 1460, 0, NULL, now);
    assert_in_range(p.mtu, 1452, 1460);
    assert_in_range(skua_pmtud_deadline(&p), now + 600 * SKUA_SEC, now + 601 * SKUA_SEC);
}

static void losses_of_one_moment_are_one_suspicion(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, 1472);
    (void)search(&p, 1472, 0, NULL, 0);
    skua_pmtud_on_packet_acked(&p, BASE);
    for (skua_time t = 0; t < 20; t++) {
        /* All sent before the first of them was judged. */
        assert_false(skua_pmtud_on_packet_lost(&p, 1472, 10, 5, 10 + t));
    }
    assert_true(skua_pmtud_on_packet_lost(&p, 1472, 10, 11, 40));
}

static void one_large_packet_that_arrives_clears_the_suspicion(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, 1472);
    (void)search(&p, 1472, 0, NULL, 0);
    for (skua_time t = 1; t < 50; t++) {
        skua_pmtud_on_packet_acked(&p, BASE);
        assert_false(skua_pmtud_on_packet_lost(&p, 1472, 9, t * 100, t * 100 + 50));
        skua_pmtud_on_packet_acked(&p, 1472);
    }
    assert_int_equal(p.black_holes, 0);
}

static void goes_down_step_by_step_to_the_base(void **state)
{
    (void)state;
    struct skua_pmtud p;
    skua_time now = SKUA_SEC;
    begin(&p, MAX);
    (void)search(&p, MAX, 0, NULL, now);
    const uint32_t expected[] = {32768, 8972, 1472, 1452, 1400, 1232, 1200};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        assert_int_equal(fall_into(&p, &now), 2);
        assert_int_equal(p.mtu, expected[i]);
        skua_pmtud_check(&p);
    }
    /* There is nothing below. */
    assert_int_equal(fall_into(&p, &now), 0);
}

static void a_false_alarm_costs_little_and_a_second_one_waits(void **state)
{
    (void)state;
    struct skua_pmtud p;
    skua_time now = SKUA_SEC;
    begin(&p, MAX);
    (void)search(&p, MAX, 0, NULL, now);
    (void)fall_into(&p, &now);
    assert_int_equal(p.mtu, 32768);
    /* The path does carry it: one probe repairs the error. */
    assert_int_equal(search(&p, MAX, 0, NULL, now), 1);
    assert_int_equal(p.mtu, MAX);
    /* Probes pass and data do not: no flapping. */
    (void)fall_into(&p, &now);
    assert_int_equal(p.mtu, 32768);
    assert_int_equal(skua_pmtud_probe_size(&p, now), 0);
    assert_int_equal(skua_pmtud_deadline(&p), now + 600 * SKUA_SEC);
}

static void later_ptos_use_small_packets(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, 1472);
    (void)search(&p, 1472, 0, NULL, 0);
    assert_int_equal(skua_pmtud_pto_size(&p, 1), 1472);
    assert_int_equal(skua_pmtud_pto_size(&p, 2), BASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_takes_one_probe),
        cmocka_unit_test(nothing_is_probed_before_the_start),
        cmocka_unit_test(common_paths_are_found_exactly_and_fast),
        cmocka_unit_test(every_path_is_found_within_a_sixty_fourth),
        cmocka_unit_test(a_size_fails_after_three_losses),
        cmocka_unit_test(a_late_ack_of_a_lost_probe_counts),
        cmocka_unit_test(random_loss_of_probes_rarely_matters),
        cmocka_unit_test(raises_again_after_ten_minutes),
        cmocka_unit_test(the_kernel_s_refusal_lowers),
        cmocka_unit_test(random_loss_keeps_the_mtu),
        cmocka_unit_test(congestion_that_hits_small_packets_is_no_black_hole),
        cmocka_unit_test(a_black_hole_is_believed_the_second_time),
        cmocka_unit_test(losses_of_one_moment_are_one_suspicion),
        cmocka_unit_test(one_large_packet_that_arrives_clears_the_suspicion),
        cmocka_unit_test(goes_down_step_by_step_to_the_base),
        cmocka_unit_test(a_false_alarm_costs_little_and_a_second_one_waits),
        cmocka_unit_test(later_ptos_use_small_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
