/* rangeset and replay where the models do not look: memory, bounds, the very ends. */
#include "unit.h"

#include "base/rangeset.h"
#include "base/replay.h"
#include "support.h"

static void test_rangeset_small_needs_no_memory(void **state)
{
    (void)state;
    struct flaky flaky = {.every = 1};
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    struct skua_rangeset set;
    skua_rangeset_init(&set, &heap, 100, SKUA_RANGESET_FORGET_LOWEST);
    for (uint64_t i = 0; i < SKUA_RANGESET_EMBEDDED; i++) {
        assert_int_equal(skua_rangeset_add(&set, 10 * i, 10 * i + 5), SKUA_OK);
    }
    assert_int_equal(flaky.calls, 0);
    assert_int_equal(skua_rangeset_add(&set, 100, 100), SKUA_ENOMEM);
    assert_false(skua_rangeset_contains(&set, 100));
    assert_int_equal(skua_rangeset_add(&set, 6, 6), SKUA_OK);
    skua_rangeset_check(&set);
    skua_rangeset_deinit(&set);
}

static void test_rangeset_returns_memory(void **state)
{
    (void)state;
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_rangeset set;
    skua_rangeset_init(&set, &heap, 1000, SKUA_RANGESET_FORGET_LOWEST);
    for (uint64_t i = 0; i < 1000; i++) {
        assert_int_equal(skua_rangeset_add(&set, 2 * i, 2 * i), SKUA_OK);
    }
    assert_int_equal(skua_rangeset_count(&set), 1000);
    assert_true(heap.used > 0);
    assert_int_equal(skua_rangeset_add(&set, 1, 1999), SKUA_OK);
    assert_int_equal(skua_rangeset_count(&set), 1);
    assert_int_equal(heap.used, 0);
    assert_int_equal(skua_rangeset_min(&set), 0);
    assert_int_equal(skua_rangeset_max(&set), 1999);
    skua_rangeset_clear(&set);
    assert_int_equal(skua_rangeset_count(&set), 0);
    skua_rangeset_deinit(&set);
}

static void test_rangeset_whole_line(void **state)
{
    (void)state;
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_rangeset set;
    skua_rangeset_init(&set, &heap, 8, SKUA_RANGESET_REFUSE);
    assert_int_equal(skua_rangeset_add(&set, 0, UINT64_MAX), SKUA_OK);
    assert_int_equal(skua_rangeset_remove(&set, UINT64_MAX, UINT64_MAX), SKUA_OK);
    assert_int_equal(skua_rangeset_remove(&set, 0, 0), SKUA_OK);
    assert_true(skua_rangeset_min(&set) == 1);
    assert_true(skua_rangeset_max(&set) == UINT64_MAX - 1);
    assert_int_equal(skua_rangeset_remove(&set, 0, UINT64_MAX), SKUA_OK);
    assert_int_equal(skua_rangeset_count(&set), 0);
    skua_rangeset_deinit(&set);
}

static void test_replay_in_order_needs_no_memory(void **state)
{
    (void)state;
    struct flaky flaky = {.every = 1};
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    struct skua_replay replay;
    skua_replay_init(&replay);
    /* Pairs swapped and one in 200 late: the embedded ring is enough. */
    for (uint64_t n = 0; n < 40000; n += 2) {
        skua_replay_commit(&replay, n + 1, &heap);
        if (n % 200 != 0) {
            skua_replay_commit(&replay, n, &heap);
        } else if (n >= 200) {
            skua_replay_commit(&replay, n - 200, &heap);
        }
    }
    assert_int_equal(flaky.calls, 0);
    assert_int_equal(skua_replay_check(&replay, 39800), SKUA_VERDICT_OK);
    assert_int_equal(skua_replay_check(&replay, 39600), SKUA_VERDICT_DUPLICATE);
    assert_int_equal(skua_replay_check(&replay, 5), SKUA_VERDICT_TOO_OLD);
}

static void test_replay_whole_window(void **state)
{
    (void)state;
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_replay replay;
    skua_replay_init(&replay);
    uint64_t largest = 20000;
    uint64_t lowest = largest - SKUA_LIMIT_REPLAY_WINDOW + 1;
    skua_replay_commit(&replay, 0, &heap);
    skua_replay_commit(&replay, largest, &heap);
    assert_int_equal(skua_replay_check(&replay, lowest - 1), SKUA_VERDICT_TOO_OLD);
    assert_int_equal(skua_replay_check(&replay, lowest), SKUA_VERDICT_OK);
    for (uint64_t n = lowest; n < largest; n += 3) {
        skua_replay_commit(&replay, n, &heap);
    }
    for (uint64_t n = lowest; n < largest; n++) {
        assert_int_equal(skua_replay_check(&replay, n),
                         (n - lowest) % 3 == 0 ? SKUA_VERDICT_DUPLICATE : SKUA_VERDICT_OK);
    }
    assert_int_equal(heap.used, SKUA_LIMIT_REPLAY_WINDOW / 8);
    skua_replay_trim(&replay, &heap);
    assert_int_equal(heap.used, 0);
    assert_int_equal(skua_replay_check(&replay, lowest + 1), SKUA_VERDICT_DUPLICATE);
    assert_int_equal(skua_replay_check(&replay, largest), SKUA_VERDICT_DUPLICATE);
    assert_int_equal(skua_replay_check(&replay, largest + 1), SKUA_VERDICT_OK);
    skua_replay_deinit(&replay, &heap);
}

static void test_replay_without_memory_takes_nothing_twice(void **state)
{
    (void)state;
    struct flaky flaky = {.every = 1};
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    struct skua_replay replay;
    skua_replay_init(&replay);
    skua_replay_commit(&replay, 0, &heap);
    skua_replay_commit(&replay, 1000, &heap);
    assert_true(flaky.calls > 0);
    assert_int_equal(skua_replay_check(&replay, 0), SKUA_VERDICT_DUPLICATE);
    assert_int_equal(skua_replay_check(&replay, 744), SKUA_VERDICT_DUPLICATE);
    assert_int_equal(skua_replay_check(&replay, 745), SKUA_VERDICT_OK);
    assert_int_equal(skua_replay_check(&replay, 1000), SKUA_VERDICT_DUPLICATE);
    assert_int_equal(skua_replay_check(&replay, UINT64_MAX), SKUA_VERDICT_TOO_OLD);
    assert_int_equal(skua_replay_check(&replay, UINT64_MAX - 1), SKUA_VERDICT_OK);
    skua_replay_commit(&replay, UINT64_MAX - 1, &heap);
    assert_int_equal(skua_replay_check(&replay, UINT64_MAX - 1), SKUA_VERDICT_DUPLICATE);
    skua_replay_check_invariants(&replay);
    skua_replay_deinit(&replay, &heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rangeset_small_needs_no_memory),
        cmocka_unit_test(test_rangeset_returns_memory),
        cmocka_unit_test(test_rangeset_whole_line),
        cmocka_unit_test(test_replay_in_order_needs_no_memory),
        cmocka_unit_test(test_replay_whole_window),
        cmocka_unit_test(test_replay_without_memory_takes_nothing_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
