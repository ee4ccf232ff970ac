/* Maps, timers, handles and blocks where the models do not look: size, memory, wear. */
#include "unit.h"

#include "base/blocks.h"
#include "base/handles.h"
#include "base/map.h"
#include "base/timers.h"
#include "support.h"

static const uint8_t hash_key[SKUA_MAP_KEY_LEN] = {1, 2, 3};

static void test_nummap_large(void **state)
{
    (void)state;
    enum { N = 20000 };
    static char values[N];
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_nummap map;
    skua_nummap_init(&map, &heap, hash_key);
    assert_int_equal(heap.used, 0);
    for (uint64_t n = 0; n < N; n++) {
        assert_int_equal(skua_nummap_put(&map, n * 4, &values[n]), SKUA_OK);
    }
    skua_nummap_check(&map);
    uint64_t full = heap.used;
    for (uint64_t n = 0; n < N; n++) {
        assert_ptr_equal(skua_nummap_get(&map, n * 4), &values[n]);
        assert_null(skua_nummap_get(&map, n * 4 + 1));
    }
    for (uint64_t n = 1; n < N; n++) {
        assert_ptr_equal(skua_nummap_remove(&map, n * 4), &values[n]);
    }
    skua_nummap_check(&map);
    assert_int_equal(skua_nummap_count(&map), 1);
    assert_true(heap.used < full / 100);
    skua_nummap_deinit(&map);
    assert_int_equal(heap.used, 0);
}

static void test_idmap_order_follows_the_key(void **state)
{
    (void)state;
    static const uint8_t other_key[SKUA_MAP_KEY_LEN] = {9};
    static char values[64];
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_idmap a;
    struct skua_idmap b;
    skua_idmap_init(&a, &heap, hash_key, 8);
    skua_idmap_init(&b, &heap, other_key, 8);
    for (uint8_t i = 0; i < 64; i++) {
        assert_int_equal(skua_idmap_put(&a, &i, 1, &values[i]), SKUA_OK);
        assert_int_equal(skua_idmap_put(&b, &i, 1, &values[i]), SKUA_OK);
    }
    struct skua_map_cursor in_a = {.hash = 0};
    struct skua_map_cursor in_b = {.hash = 0};
    unsigned equal = 0;
    for (unsigned i = 0; i < 64; i++) {
        equal += skua_idmap_next(&a, &in_a) == skua_idmap_next(&b, &in_b) ? 1 : 0;
    }
    assert_true(equal < 16);
    assert_null(skua_idmap_next(&a, &in_a));
    skua_idmap_deinit(&a);
    skua_idmap_deinit(&b);
}

static void test_idmap_lengths(void **state)
{
    (void)state;
    static const uint8_t id[SKUA_IDMAP_ID_MAX + 1] = {0};
    char value;
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_idmap map;
    skua_idmap_init(&map, &heap, hash_key, 16);
    assert_int_equal(skua_idmap_put(&map, NULL, 0, &value), SKUA_OK);
    assert_ptr_equal(skua_idmap_get(&map, NULL, 0), &value);
    assert_null(skua_idmap_get(&map, id, 1));
    /* What a peer sends may be longer than anything the map holds. */
    assert_null(skua_idmap_get(&map, id, 17));
    assert_null(skua_idmap_remove(&map, id, sizeof id));
    assert_int_equal(map.table.stride, 32);
    skua_idmap_deinit(&map);
}

static void test_timers_reserve(void **state)
{
    (void)state;
    struct flaky flaky = {.every = 0};
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    struct skua_timers timers;
    skua_timers_init(&timers, &heap);
    assert_true(skua_timers_next(&timers) == SKUA_NEVER);
    assert_null(skua_timers_pop_due(&timers, SKUA_NEVER));
    assert_int_equal(skua_timers_reserve(&timers, 40), SKUA_OK);
    flaky.every = 1;
    struct skua_timer timer[65] = {{.index = 0}};
    for (size_t i = 0; i < 40; i++) {
        assert_int_equal(skua_timers_set(&timers, &timer[i], 100 - i), SKUA_OK);
    }
    assert_int_equal(skua_timers_reserve(&timers, 65), SKUA_ENOMEM);
    assert_true(skua_timers_next(&timers) == 61);
    assert_ptr_equal(skua_timers_pop_due(&timers, 61), &timer[39]);
    assert_null(skua_timers_pop_due(&timers, 61));
    skua_timers_deinit(&timers);
    assert_int_equal(heap.used, 0);
}

static void test_timers_same_time_in_order(void **state)
{
    (void)state;
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_timers timers;
    skua_timers_init(&timers, &heap);
    struct skua_timer timer[20] = {{.index = 0}};
    for (size_t i = 20; i-- > 0;) {
        assert_int_equal(skua_timers_set(&timers, &timer[i], 5), SKUA_OK);
    }
    /* Set again: last in turn. */
    assert_int_equal(skua_timers_set(&timers, &timer[19], 5), SKUA_OK);
    for (size_t i = 19; i-- > 0;) {
        assert_ptr_equal(skua_timers_pop_due(&timers, 5), &timer[i]);
    }
    assert_ptr_equal(skua_timers_pop_due(&timers, 5), &timer[19]);
    skua_timers_deinit(&timers);
}

static void test_handles_wear_out(void **state)
{
    (void)state;
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_handles handles;
    skua_handles_init(&handles, &heap, 1);
    char object;
    uint64_t first = 0;
    assert_int_equal(skua_handles_new(&handles, 2, &object, &first), SKUA_OK);
    uint64_t none = 0;
    assert_int_equal(skua_handles_new(&handles, 2, &object, &none), SKUA_ELIMIT);
    skua_handles_free(&handles, first);

    /* As after 2^28 - 2 uses. */
    handles.slots[0].stamp = (1U << 28) - 2;
    uint64_t last = 0;
    assert_int_equal(skua_handles_new(&handles, 15, &object, &last), SKUA_OK);
    assert_true(last == UINT64_C(0xffffffff00000000));
    skua_handles_free(&handles, last);
    skua_handles_check(&handles);
    uint64_t next = 0;
    assert_int_equal(skua_handles_new(&handles, 1, &object, &next), SKUA_OK);
    assert_int_equal((uint32_t)next, 1);
    assert_null(skua_handles_get(&handles, last, 15));
    assert_null(skua_handles_get(&handles, first, 2));
    skua_handles_check(&handles);
    skua_handles_deinit(&handles);
    assert_int_equal(heap.used, 0);
}

static void test_handles_reuse_in_turn(void **state)
{
    (void)state;
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_handles handles;
    skua_handles_init(&handles, &heap, 8);
    char object;
    uint64_t handle[4];
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(skua_handles_new(&handles, 1, &object, &handle[i]), SKUA_OK);
    }
    skua_handles_free(&handles, handle[2]);
    skua_handles_free(&handles, handle[0]);
    uint64_t again = 0;
    assert_int_equal(skua_handles_new(&handles, 1, &object, &again), SKUA_OK);
    assert_int_equal((uint32_t)again, (uint32_t)handle[2]);
    assert_true(again != handle[2]);
    skua_handles_deinit(&handles);
}

static void test_blocks(void **state)
{
    (void)state;
    struct flaky flaky = {.every = 0};
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    struct skua_blocks blocks;
    skua_blocks_init(&blocks, &heap, 4096, 2);
    void *block[4];
    for (size_t i = 0; i < 4; i++) {
        block[i] = skua_blocks_get(&blocks);
        assert_non_null(block[i]);
        memset(block[i], 0xaa, 4096);
    }
    assert_int_equal(skua_blocks_in_use(&blocks), 4);
    for (size_t i = 0; i < 4; i++) {
        skua_blocks_put(&blocks, block[i]);
        skua_blocks_check(&blocks);
    }
    skua_blocks_put(&blocks, NULL);
    assert_int_equal(skua_blocks_in_use(&blocks), 0);
    /* Two are kept, and come back without the allocator: the last returned of them first. */
    assert_int_equal(heap.used, 2 * 4096);
    flaky.every = 1;
    assert_ptr_equal(skua_blocks_get(&blocks), block[1]);
    assert_ptr_equal(skua_blocks_get(&blocks), block[0]);
    assert_null(skua_blocks_get(&blocks));
    assert_int_equal(skua_blocks_in_use(&blocks), 2);
    skua_blocks_put(&blocks, block[0]);
    skua_blocks_put(&blocks, block[1]);
    skua_blocks_trim(&blocks, 1);
    assert_int_equal(heap.used, 4096);
    skua_blocks_check(&blocks);
    skua_blocks_deinit(&blocks);
    assert_int_equal(heap.used, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nummap_large),
        cmocka_unit_test(test_idmap_order_follows_the_key),
        cmocka_unit_test(test_idmap_lengths),
        cmocka_unit_test(test_timers_reserve),
        cmocka_unit_test(test_timers_same_time_in_order),
        cmocka_unit_test(test_handles_wear_out),
        cmocka_unit_test(test_handles_reuse_in_turn),
        cmocka_unit_test(test_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
