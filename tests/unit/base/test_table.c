/* Keys that share a hash: out of reach of a map's keys, so the table is asked directly. */
#include "unit.h"

#include <stdbool.h>

#include "base/table.h"
#include "support.h"

enum { KEYS = 24 };

/* 24 keys with six hashes: two of them at home in the last slot of any table, one in the first. */
struct fixture {
    uint64_t words[KEYS][2];
    uint64_t hash[KEYS];
};

static struct skua_table_key key_of(const struct fixture *f, size_t i)
{
    return (struct skua_table_key){.hash = f->hash[i], .words = f->words[i]};
}

static void fill(struct fixture *f)
{
    static const uint64_t hashes[6] = {UINT64_MAX, UINT64_MAX - 1,    0,
                                       5,          UINT64_C(1) << 63, (UINT64_C(1) << 63) + 1};
    for (size_t i = 0; i < KEYS; i++) {
        f->hash[i] = hashes[i % 6];
        f->words[i][0] = i % 2;
        f->words[i][1] = i;
    }
}

/* In any order of coming and going, each key has its own value and is visited once, in order of
 * hash and key. */
static void test_collisions(void **state)
{
    (void)state;
    struct fixture f;
    fill(&f);
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_table t;
    skua_table_init(&t, &heap, 2);
    bool there[KEYS] = {false};
    uint64_t seed = 11;
    for (unsigned round = 0; round < 20000; round++) {
        size_t i = (size_t)(random_next(&seed) % KEYS);
        if (there[i]) {
            assert_ptr_equal(skua_table_remove(&t, key_of(&f, i)), f.words[i]);
        } else {
            assert_int_equal(skua_table_put(&t, key_of(&f, i), f.words[i]), SKUA_OK);
        }
        there[i] = !there[i];
        skua_table_check(&t);
        for (size_t k = 0; k < KEYS; k++) {
            assert_ptr_equal(skua_table_get(&t, key_of(&f, k)), there[k] ? f.words[k] : NULL);
        }
    }
    skua_table_deinit(&t);
    assert_int_equal(heap.used, 0);
}

static void test_collisions_in_order(void **state)
{
    (void)state;
    struct fixture f;
    fill(&f);
    struct skua_heap heap;
    skua_heap_init(&heap, NULL);
    struct skua_table up;
    struct skua_table down;
    skua_table_init(&up, &heap, 2);
    skua_table_init(&down, &heap, 2);
    for (size_t i = 0; i < KEYS; i++) {
        assert_int_equal(skua_table_put(&up, key_of(&f, i), f.words[i]), SKUA_OK);
        size_t k = KEYS - 1 - i;
        assert_int_equal(skua_table_put(&down, key_of(&f, k), f.words[k]), SKUA_OK);
    }
    struct skua_map_cursor a = {.hash = 0};
    struct skua_map_cursor b = {.hash = 0};
    const uint64_t *last = NULL;
    for (size_t n = 0; n < KEYS; n++) {
        const uint64_t *words = skua_table_next(&up, &a);
        assert_non_null(words);
        assert_ptr_equal(words, skua_table_next(&down, &b));
        if (last != NULL) {
            uint64_t before = f.hash[last[1]];
            uint64_t hash = f.hash[words[1]];
            assert_true(before < hash ||
                        (before == hash &&
                         (last[0] < words[0] || (last[0] == words[0] && last[1] < words[1]))));
        }
        last = words;
    }
    assert_null(skua_table_next(&up, &a));
    assert_null(skua_table_next(&down, &b));
    skua_table_deinit(&up);
    skua_table_deinit(&down);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_collisions),
        cmocka_unit_test(test_collisions_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
