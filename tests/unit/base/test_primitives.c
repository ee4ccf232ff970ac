/* Saturating time, byte cursors, the accounting allocator, random numbers and the list. */
#include "unit.h"

#include "base/cursor.h"
#include "base/list.h"
#include "base/rng.h"
#include "base/time.h"
#include "support.h"

static void test_time(void **state)
{
    (void)state;
    assert_true(skua_time_add(1, 2) == 3);
    assert_true(skua_time_add(SKUA_NEVER - 1, 1) == SKUA_NEVER);
    assert_true(skua_time_add(SKUA_NEVER - 1, 2) == SKUA_NEVER);
    assert_true(skua_time_add(SKUA_NEVER, SKUA_NEVER) == SKUA_NEVER);
    assert_true(skua_time_sub(5, 3) == 2);
    assert_true(skua_time_sub(3, 5) == 0);
    assert_true(skua_time_mul(SKUA_NEVER / 2, 2) == SKUA_NEVER - 1);
    assert_true(skua_time_mul(SKUA_NEVER / 2 + 1, 2) == SKUA_NEVER);
    assert_true(skua_time_mul(SKUA_NEVER, 0) == 0);
    assert_true(skua_time_min(1, 2) == 1);
    assert_true(skua_time_max(1, 2) == 2);
}

static void test_reader(void **state)
{
    (void)state;
    static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    struct skua_reader r = skua_reader_of(bytes, sizeof bytes);
    assert_int_equal(skua_reader_u8(&r), 1);
    assert_int_equal(skua_reader_u16(&r), 0x0203);
    assert_int_equal(skua_reader_u32(&r), 0x04050607);
    assert_int_equal(skua_reader_left(&r), 2);
    /* Failure reads zeros, consumes what is left, and sticks. */
    assert_int_equal(skua_reader_u32(&r), 0);
    assert_true(r.failed);
    assert_int_equal(skua_reader_left(&r), 0);
    assert_null(skua_reader_bytes(&r, 0));
    uint8_t out[2] = {7, 7};
    skua_reader_copy(&r, out, sizeof out);
    assert_int_equal(out[0] | out[1], 0);

    r = skua_reader_of(bytes, 8);
    assert_true(skua_reader_u64(&r) == UINT64_C(0x0102030405060708));
    assert_false(r.failed);
    r = skua_reader_of(NULL, 0);
    assert_int_equal(skua_reader_u8(&r), 0);
    assert_true(r.failed);
}

static void test_writer(void **state)
{
    (void)state;
    uint8_t room[16];
    memset(room, 0xee, sizeof room);
    struct skua_writer w = skua_writer_of(room, 15);
    skua_writer_u8(&w, 1);
    skua_writer_u16(&w, 0x0203);
    skua_writer_u32(&w, 0x04050607);
    skua_writer_copy(&w, "ab", 2);
    skua_writer_zero(&w, 1);
    assert_int_equal(skua_writer_len(&w), 10);
    assert_memory_equal(room, "\1\2\3\4\5\6\7ab\0", 10);
    /* What does not fit is not begun, and nothing follows it. */
    skua_writer_u64(&w, 1);
    assert_true(w.failed);
    assert_int_equal(skua_writer_left(&w), 0);
    skua_writer_u8(&w, 1);
    assert_int_equal(skua_writer_len(&w), 10);
    assert_int_equal(room[10], 0xee);
}

static void test_heap(void **state)
{
    (void)state;
    struct flaky flaky = {.every = 3};
    struct skua_heap heap;
    flaky_heap(&heap, &flaky);
    uint8_t *a = skua_heap_get(&heap, 100);
    void *b = skua_heap_get_raw(&heap, 50);
    assert_non_null(a);
    assert_non_null(b);
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(a[i], 0);
    }
    assert_int_equal(heap.used, 150);
    assert_null(skua_heap_get(&heap, 10));
    assert_int_equal(heap.used, 150);
    skua_heap_put(&heap, a, 100);
    skua_heap_put(&heap, NULL, 7);
    assert_int_equal(heap.used, 50);
    skua_heap_put(&heap, b, 50);
    assert_int_equal(heap.used, 0);
    assert_int_equal(heap.peak, 150);
}

static void fill_from_seed(void *user, void *out, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        ((uint8_t *)out)[i] = (uint8_t)(random_next(user) >> 32);
    }
}

/* The same byte again and again. */
static void fill_same(void *user, void *out, size_t len)
{
    uint8_t *byte = user;
    memset(out, *byte, len);
    (*byte)--;
}

static void test_rng(void **state)
{
    (void)state;
    uint64_t seed = 1;
    const struct skua_rng rng = {.fill = fill_from_seed, .user = &seed};
    unsigned seen[10] = {0};
    for (unsigned i = 0; i < 10000; i++) {
        uint64_t v = skua_rng_below(&rng, 10);
        assert_true(v < 10);
        seen[v]++;
    }
    for (unsigned i = 0; i < 10; i++) {
        assert_in_range(seen[i], 850, 1150);
    }
    assert_int_equal(skua_rng_below(&rng, 1), 0);
    assert_true(skua_rng_u64(&rng) != skua_rng_u64(&rng));

    /* 2^64 - 1 lies in the incomplete last block of ten, so it is drawn again. */
    uint8_t byte = 0xff;
    const struct skua_rng same = {.fill = fill_same, .user = &byte};
    assert_true(skua_rng_below(&same, 10) == UINT64_C(0xfefefefefefefefe) % 10);
    /* For a power of two there is no incomplete block. */
    byte = 0xff;
    assert_int_equal(skua_rng_below(&same, 256), 0xff);
}

struct item {
    int value;
    struct skua_node node;
};

static void assert_list(const struct skua_node *list, const char *expected)
{
    skua_list_check(list);
    char text[16] = {0};
    size_t n = 0;
    for (struct skua_node *node = skua_list_first(list); node != NULL;
         node = skua_list_next(list, node)) {
        text[n++] = (char)SKUA_CONTAINER_OF(node, struct item, node)->value;
    }
    assert_string_equal(text, expected);
}

static void test_list(void **state)
{
    (void)state;
    struct item a = {.value = 'a'};
    struct item b = {.value = 'b'};
    struct item c = {.value = 'c'};
    struct skua_node list;
    skua_list_init(&list);
    assert_true(skua_list_empty(&list));
    assert_null(skua_list_first(&list));
    assert_null(skua_list_last(&list));
    assert_null(skua_list_pop_front(&list));
    assert_list(&list, "");

    skua_list_push_back(&list, &b.node);
    skua_list_push_front(&list, &a.node);
    skua_list_push_back(&list, &c.node);
    assert_list(&list, "abc");
    assert_ptr_equal(skua_list_last(&list), &c.node);
    assert_true(skua_list_is_linked(&b.node));

    skua_list_remove(&b.node);
    skua_list_remove(&b.node);
    assert_false(skua_list_is_linked(&b.node));
    assert_list(&list, "ac");
    skua_list_insert_before(&c.node, &b.node);
    assert_list(&list, "abc");

    assert_ptr_equal(skua_list_pop_front(&list), &a.node);
    assert_false(skua_list_is_linked(&a.node));
    assert_ptr_equal(skua_list_pop_front(&list), &b.node);
    assert_list(&list, "c");
    skua_list_remove(&c.node);
    assert_true(skua_list_empty(&list));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time), cmocka_unit_test(test_reader), cmocka_unit_test(test_writer),
        cmocka_unit_test(test_heap), cmocka_unit_test(test_rng),    cmocka_unit_test(test_list),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
