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
            (void)skua_pmtud_on_probe_lost(p, size);
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
                (void)skua_pmtud_on_probe_lost(&p, size);
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
        (void)skua_pmtud_on_probe_lost(&p, expected[i]);
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
        (void)skua_pmtud_on_probe_lost(&p, p.size);
    }
    uint32_t smaller = skua_pmtud_probe_size(&p, 0);
    skua_pmtud_on_probe_sent(&p, smaller);
    assert_true(skua_pmtud_on_probe_acked(&p, 1472));
    assert_int_equal(p.mtu, 1472);
    skua_pmtud_check(&p);
    /* The probe under way has nothing to say any more. */
    assert_false(skua_pmtud_on_probe_lost(&p, smaller));
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

/* Where other packets are lost too, a probe's loss says less. */
static void a_size_fails_after_six_losses_among_others(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, 1460);
    const struct skua_pmtud_loss chance = {.packets = 1, .small = 1};
    for (int i = 0; i < 7; i++) {
        uint32_t size = skua_pmtud_probe_size(&p, 0);
        assert_int_equal(size, i == 0 ? 1460 : 1452);
        skua_pmtud_on_probe_sent(&p, size);
        if (i > 0) {
            assert_false(skua_pmtud_on_packet_lost(&p, &chance, 0));
        }
        assert_false(skua_pmtud_on_probe_lost(&p, size));
        skua_pmtud_check(&p);
    }
    assert_int_equal(p.ceiling, 1452);
    /* The next size begins with a clean record. */
    for (int i = 0; i < 3; i++) {
        uint32_t size = skua_pmtud_probe_size(&p, 0);
        skua_pmtud_on_probe_sent(&p, size);
        assert_false(skua_pmtud_on_probe_lost(&p, size));
        assert_int_equal(p.ceiling, i < 2 ? 1452 : size);
    }
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
    assert_false(skua_pmtud_on_probe_lost(&p, MAX));
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

/* Bulk data, full packets (and, in `mixed`, as many small ones), on a path that loses `loss`
 * percent of all; each packet that arrives is acknowledged, and tells of those lost before it.
 * Returns how many suspicions there were. */
static unsigned run_bulk(struct skua_pmtud *p, unsigned loss, bool mixed, int packets,
                         uint64_t seed)
{
    uint64_t random = seed;
    unsigned suspicions = 0;
    struct skua_pmtud_loss lost = {.packets = 0};
    for (int i = 0; i < packets; i++) {
        uint32_t probe = skua_pmtud_probe_size(p, SKUA_SEC);
        if (probe != 0) {
            skua_pmtud_on_probe_sent(p, probe);
            if (random_next(&random) % 100 < loss) {
                assert_false(skua_pmtud_on_probe_lost(p, probe));
            } else {
                (void)skua_pmtud_on_probe_acked(p, probe);
            }
        }
        uint32_t size = mixed && random_next(&random) % 2 == 0 ? 200 : p->mtu;
        if (random_next(&random) % 100 < loss) {
            lost.packets++;
            lost.small += size <= BASE;
            lost.large += size > BASE;
            lost.large_min = size > BASE ? size : lost.large_min;
            continue;
        }
        (void)skua_pmtud_on_packet_acked(p, size);
        lost.large = size > BASE ? 0 : lost.large; /* one of full size that left later arrived */
        if (lost.packets != 0) {
            suspicions += skua_pmtud_on_packet_lost(p, &lost, SKUA_SEC);
            lost = (struct skua_pmtud_loss){.packets = 0};
        }
        skua_pmtud_check(p);
    }
    return suspicions;
}

static void random_loss_keeps_the_mtu(void **state)
{
    (void)state;
    unsigned suspicions = 0;
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct skua_pmtud p;
        begin(&p, MAX);
        (void)search(&p, MAX, 0, NULL, 0);
        suspicions += run_bulk(&p, 15, false, 20000, seed);
        suspicions += run_bulk(&p, 15, true, 20000, seed);
        assert_int_equal(skua_pmtud_trusted(&p), MAX);
    }
    assert_in_range(suspicions, 1, 500);
}

static const struct skua_pmtud_loss hole = {.packets = 4, .large = 4, .large_min = 1472};

/* On a path that has carried 1,472 bytes. */
static void begin_at_1472(struct skua_pmtud *p)
{
    begin(p, 1472);
    (void)search(p, 1472, 0, NULL, 0);
    assert_int_equal(p->mtu, 1472);
}

static void small_losses_are_no_black_hole(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin_at_1472(&p);
    const struct skua_pmtud_loss small = {.packets = 50, .small = 50};
    for (skua_time t = 1; t < 100; t++) {
        (void)skua_pmtud_on_packet_acked(&p, 200);
        assert_false(skua_pmtud_on_packet_lost(&p, &small, t * SKUA_SEC));
    }
    assert_int_equal(p.mtu, 1472);
}

/* Data leave in small packets at once; probes say that the path is as before. */
static void a_probe_dismisses_a_suspicion(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin_at_1472(&p);
    const struct skua_pmtud_loss three = {.packets = 3, .large = 3, .large_min = 1472};
    const struct skua_pmtud_loss one = {.packets = 9, .small = 8, .large = 1, .large_min = 1472};
    assert_false(skua_pmtud_on_packet_lost(&p, &three, 0));
    assert_true(skua_pmtud_on_packet_lost(&p, &one, 0)); /* small ones among them or not */
    assert_int_equal(p.mtu, BASE);
    assert_int_equal(skua_pmtud_trusted(&p), 1472);
    skua_pmtud_check(&p);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(skua_pmtud_probe_size(&p, 0), 1472);
        skua_pmtud_on_probe_sent(&p, 1472);
        assert_int_equal(skua_pmtud_probe_size(&p, 0), 0);
        if (i < 2) {
            assert_false(skua_pmtud_on_probe_lost(&p, 1472));
        }
    }
    assert_true(skua_pmtud_on_probe_acked(&p, 1472));
    assert_int_equal(p.mtu, 1472);
    assert_int_equal(p.suspect, 0);
    assert_int_equal(skua_pmtud_probe_size(&p, 0), 0); /* the search is over, as it was before */
    skua_pmtud_check(&p);
}

static void three_lost_probes_make_a_black_hole(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin_at_1472(&p);
    assert_true(skua_pmtud_on_packet_lost(&p, &hole, 0));
    for (int i = 0; i < 3; i++) {
        skua_pmtud_on_probe_sent(&p, skua_pmtud_probe_size(&p, 0));
        assert_true(skua_pmtud_on_probe_lost(&p, 1472) == (i == 2));
        skua_pmtud_check(&p);
    }
    assert_int_equal(p.mtu, BASE);
    assert_int_equal(skua_pmtud_trusted(&p), BASE);
    /* The search below finds what the path carries now, and the one ten minutes later the rest. */
    (void)search(&p, 1400, 0, NULL, SKUA_SEC);
    assert_in_range(p.mtu, 1400 - 1400 / 64, 1400);
    assert_int_equal(skua_pmtud_deadline(&p), 601 * SKUA_SEC);
    (void)search(&p, 1472, 0, NULL, 601 * SKUA_SEC);
    assert_int_equal(p.mtu, 1472);
}

static void six_where_small_packets_are_lost_as_well(void **state)
{
    (void)state;
    struct skua_pmtud p;
    const struct skua_pmtud_loss small = {.packets = 1, .small = 1};
    const struct skua_pmtud_loss large = {.packets = 1};
    for (int lossy = 0; lossy < 2; lossy++) {
        begin_at_1472(&p);
        assert_true(skua_pmtud_on_packet_lost(&p, &hole, 0));
        int needed = lossy != 0 ? 6 : 3;
        for (int i = 1; i <= needed; i++) {
            skua_pmtud_on_probe_sent(&p, skua_pmtud_probe_size(&p, 0));
            /* Large ones that are still missing left before the suspicion, and say nothing. */
            assert_false(skua_pmtud_on_packet_lost(&p, lossy != 0 ? &small : &large, 0));
            assert_true(skua_pmtud_on_probe_lost(&p, 1472) == (i == needed));
        }
    }
}

static void one_large_packet_that_arrives_clears_the_losses(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin_at_1472(&p);
    const struct skua_pmtud_loss three = {.packets = 3, .large = 3, .large_min = 1400};
    for (skua_time t = 1; t < 50; t++) {
        assert_false(skua_pmtud_on_packet_lost(&p, &three, 0));
        assert_false(skua_pmtud_on_packet_acked(&p, 1399 + t % 2)); /* smaller ones do not */
        if (t % 2 == 0) {
            assert_true(skua_pmtud_on_packet_lost(&p, &three, 0));
            /* A late one ends the suspicion too, the probe under way notwithstanding. */
            skua_pmtud_on_probe_sent(&p, skua_pmtud_probe_size(&p, 0));
            assert_false(skua_pmtud_on_packet_acked(&p, 1471));
            assert_true(skua_pmtud_on_packet_acked(&p, 1472));
            assert_int_equal(p.mtu, 1472);
            assert_false(skua_pmtud_on_probe_lost(&p, 1472));
            assert_false(skua_pmtud_on_packet_acked(&p, 1472));
            skua_pmtud_check(&p);
        }
    }
}

static void suspect_and_dismiss(struct skua_pmtud *p)
{
    assert_true(skua_pmtud_on_packet_lost(p, &hole, SKUA_SEC));
    assert_int_equal(p->suspect, 1472);
    skua_pmtud_on_probe_sent(p, skua_pmtud_probe_size(p, SKUA_SEC));
    assert_true(skua_pmtud_on_probe_acked(p, 1472));
    skua_pmtud_check(p);
}

/* The raise timer runs out meanwhile: it is looked at again afterwards. */
static void a_suspicion_holds_the_raise_timer(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, MAX);
    (void)search(&p, 1472, 0, NULL, SKUA_SEC);
    assert_true(skua_pmtud_on_packet_lost(&p, &hole, 700 * SKUA_SEC));
    assert_true(skua_pmtud_deadline(&p) == SKUA_NEVER);
    assert_int_equal(skua_pmtud_probe_size(&p, 700 * SKUA_SEC), 1472);
    skua_pmtud_on_probe_sent(&p, 1472);
    assert_true(skua_pmtud_deadline(&p) == SKUA_NEVER);
    assert_true(skua_pmtud_on_probe_acked(&p, 1472));
    assert_int_equal(skua_pmtud_deadline(&p), 601 * SKUA_SEC);
    assert_int_equal(skua_pmtud_probe_size(&p, 700 * SKUA_SEC), MAX);
}

/* Probes pass and data do not: no third time. */
static void a_path_that_lets_only_probes_pass(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin_at_1472(&p);
    suspect_and_dismiss(&p);
    suspect_and_dismiss(&p);
    assert_false(skua_pmtud_on_packet_acked(&p, 1471));
    assert_true(skua_pmtud_on_packet_lost(&p, &hole, SKUA_SEC));
    assert_int_equal(p.suspect, 0);
    assert_int_equal(p.mtu, BASE);
    assert_int_equal(skua_pmtud_probe_size(&p, SKUA_SEC), 0);
    assert_int_equal(skua_pmtud_deadline(&p), 601 * SKUA_SEC);
    skua_pmtud_check(&p);
    /* Data of full size in between: by chance, each time. */
    begin_at_1472(&p);
    for (int i = 0; i < 10; i++) {
        suspect_and_dismiss(&p);
        assert_false(skua_pmtud_on_packet_acked(&p, 1472));
    }
}

static void the_kernel_s_refusal_decides_a_suspicion(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin_at_1472(&p);
    assert_true(skua_pmtud_on_packet_lost(&p, &hole, 0));
    skua_pmtud_on_probe_sent(&p, skua_pmtud_probe_size(&p, 0));
    assert_false(skua_pmtud_on_too_big(&p, 1472)); /* nothing leaves in that size any more */
    assert_int_equal(p.suspect, 0);
    assert_false(skua_pmtud_on_probe_lost(&p, 1472));
    skua_pmtud_check(&p);
    (void)search(&p, 1460, 0, NULL, 0);
    assert_in_range(p.mtu, 1440, 1460);
}

static void a_suspicion_interrupts_the_search(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, MAX);
    while (p.mtu < 1472) {
        uint32_t size = skua_pmtud_probe_size(&p, 0);
        skua_pmtud_on_probe_sent(&p, size);
        if (size > 1472) {
            assert_false(skua_pmtud_on_probe_lost(&p, size));
        } else {
            (void)skua_pmtud_on_probe_acked(&p, size);
        }
    }
    uint32_t next = skua_pmtud_probe_size(&p, 0);
    skua_pmtud_on_probe_sent(&p, next);
    suspect_and_dismiss(&p);
    assert_false(skua_pmtud_on_probe_lost(&p, next)); /* the one before: nothing to say any more */
    assert_int_equal(skua_pmtud_probe_size(&p, 0), next);
    (void)search(&p, 1500, 0, NULL, 0);
    assert_in_range(p.mtu, 1477, 1500);
}

static void ptos_use_small_packets(void **state)
{
    (void)state;
    struct skua_pmtud p;
    begin(&p, 1472);
    (void)search(&p, 1472, 0, NULL, 0);
    /* Packets along another path, by no timeout. */
    assert_int_equal(skua_pmtud_pto_size(&p, 0, 1), 1472);
    assert_int_equal(skua_pmtud_pto_size(&p, 0, 0), 1472);
    /* The first timeout: a large one and a small one. Those after it: small ones. */
    assert_int_equal(skua_pmtud_pto_size(&p, 1, 1), 1472);
    assert_int_equal(skua_pmtud_pto_size(&p, 1, 0), BASE);
    assert_int_equal(skua_pmtud_pto_size(&p, 2, 1), BASE);
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
        cmocka_unit_test(a_size_fails_after_six_losses_among_others),
        cmocka_unit_test(random_loss_keeps_the_mtu),
        cmocka_unit_test(small_losses_are_no_black_hole),
        cmocka_unit_test(a_probe_dismisses_a_suspicion),
        cmocka_unit_test(three_lost_probes_make_a_black_hole),
        cmocka_unit_test(six_where_small_packets_are_lost_as_well),
        cmocka_unit_test(one_large_packet_that_arrives_clears_the_losses),
        cmocka_unit_test(a_suspicion_holds_the_raise_timer),
        cmocka_unit_test(a_path_that_lets_only_probes_pass),
        cmocka_unit_test(the_kernel_s_refusal_decides_a_suspicion),
        cmocka_unit_test(a_suspicion_interrupts_the_search),
        cmocka_unit_test(ptos_use_small_packets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
