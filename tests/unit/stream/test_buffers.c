/* The send and the receive buffer: against naive models with many seeds, and their limits. */
#include "unit.h"

#include <stdlib.h>

#include "base/limits.h"
#include "model.h"
#include "stream/recv_buf.h"
#include "stream/send_buf.h"

enum { RUNS = 1500, STEPS = 400 };

static void receive_like_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        model_recv((struct pair_source){.state = seed * 104729}, STEPS);
    }
}

static void send_like_the_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        model_send((struct pair_source){.state = seed * 1299709}, STEPS);
    }
}

struct fixture {
    struct skua_heap heap;
    struct skua_blocks blocks;
    struct skua_stream_mem mem;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    skua_heap_init(&f->heap, NULL);
    skua_blocks_init(&f->blocks, &f->heap, SKUA_STREAM_BLOCK, 0);
    f->mem = (struct skua_stream_mem){.heap = &f->heap, .blocks = &f->blocks};
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    skua_blocks_deinit(&f->blocks);
    assert_int_equal(f->heap.used, 0);
    free(f);
    return 0;
}

static void borrowed_bytes_cost_no_copy(void **state)
{
    struct fixture *f = *state;
    struct skua_recv_buf buf;
    skua_recv_buf_init(&buf);
    static const uint8_t packet[2000] = {7};
    assert_int_equal(skua_recv_buf_put(&buf, &f->mem, 0, packet, 1000, true), SKUA_OK);
    assert_int_equal(skua_recv_buf_put(&buf, &f->mem, 1000, packet + 1000, 1000, true), SKUA_OK);
    struct skua_vec vec[4];
    assert_int_equal(skua_recv_buf_peek(&buf, vec, 4), 2);
    assert_ptr_equal(vec[0].data, packet);
    assert_ptr_equal(vec[1].data, packet + 1000);
    skua_recv_buf_consume(&buf, &f->mem, 1500);
    assert_int_equal(skua_recv_buf_peek(&buf, vec, 4), 1);
    assert_ptr_equal(vec[0].data, packet + 1500);
    skua_recv_buf_consume(&buf, &f->mem, 500);
    assert_false(skua_recv_buf_has_loans(&buf));
    assert_int_equal(skua_blocks_in_use(&f->blocks), 0);
    assert_int_equal(f->heap.used, 0);
    skua_recv_buf_deinit(&buf, &f->mem);
}

static void loans_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct skua_recv_buf buf;
    skua_recv_buf_init(&buf);
    static const uint8_t byte[1] = {42};
    for (uint64_t i = 0; i < SKUA_LIMIT_LOANED_PIECES + 100; i++) {
        assert_int_equal(skua_recv_buf_put(&buf, &f->mem, i, byte, 1, true), SKUA_OK);
    }
    assert_int_equal(f->mem.pieces, SKUA_LIMIT_LOANED_PIECES);
    skua_recv_buf_check(&buf);
    assert_int_equal(skua_recv_buf_readable(&buf), SKUA_LIMIT_LOANED_PIECES + 100);
    uint8_t out[SKUA_LIMIT_LOANED_PIECES + 100];
    assert_int_equal(skua_recv_buf_read(&buf, &f->mem, out, sizeof out), sizeof out);
    assert_int_equal(out[sizeof out - 1], 42);
    assert_int_equal(f->mem.pieces, 0);
    skua_recv_buf_deinit(&buf, &f->mem);
}

static void gaps_are_bounded(void **state)
{
    struct fixture *f = *state;
    struct skua_recv_buf buf;
    skua_recv_buf_init(&buf);
    static const uint8_t bytes[64] = {1};
    uint64_t offset = 2;
    for (unsigned i = 0; i < SKUA_LIMIT_RECV_GAPS_STREAM; i++, offset += 65) {
        assert_int_equal(skua_recv_buf_put(&buf, &f->mem, offset, bytes, 64, false), SKUA_OK);
    }
    assert_int_equal(skua_recv_buf_put(&buf, &f->mem, offset, bytes, 64, false), SKUA_ELIMIT);
    /* What is known already, and what closes a gap, is still welcome. */
    assert_int_equal(skua_recv_buf_put(&buf, &f->mem, 2, bytes, 1, false), SKUA_OK);
    assert_int_equal(skua_recv_buf_put(&buf, &f->mem, 66, bytes, 1, false), SKUA_OK);
    skua_recv_buf_check(&buf);
    skua_recv_buf_deinit(&buf, &f->mem);
    assert_int_equal(f->mem.gaps, 0);
}

/* Single bytes from both ends inwards: each moves all those on its side. */
static void thin_ranges_are_few(void **state)
{
    struct fixture *f = *state;
    struct skua_recv_buf buf;
    skua_recv_buf_init(&buf);
    static const uint8_t bytes[1] = {1};
    const uint64_t top = UINT64_C(8) << 20;
    enum skua_err err = SKUA_OK;
    unsigned n = 0;
    for (; err == SKUA_OK && n < SKUA_LIMIT_RECV_GAPS_STREAM; n++) {
        uint64_t offset = n % 2 == 0 ? 2 + n : top - n;
        err = skua_recv_buf_put(&buf, &f->mem, offset, bytes, 1, false);
    }
    assert_int_equal(err, SKUA_ELIMIT);
    assert_int_equal(n, SKUA_LIMIT_RECV_GAPS_THIN + 1);
    skua_recv_buf_check(&buf);
    skua_recv_buf_deinit(&buf, &f->mem);
}

/* However many long ranges there are. */
static void long_ranges_buy_no_thin_ones(void **state)
{
    struct fixture *f = *state;
    struct skua_recv_buf buf;
    skua_recv_buf_init(&buf);
    static const uint8_t bytes[64] = {1};
    for (uint64_t i = 0; i < 4000; i++) {
        assert_int_equal(skua_recv_buf_put(&buf, &f->mem, 1 + 100 * i, bytes, 64, false), SKUA_OK);
    }
    enum skua_err err = SKUA_OK;
    unsigned n = 0;
    for (; err == SKUA_OK && n < 3900; n++) {
        uint64_t next = 1 + 100 * (uint64_t)(n + 1);
        err = skua_recv_buf_put(&buf, &f->mem, next - 20, bytes, 1, false); /* one more */
        if (err == SKUA_OK) {
            err = skua_recv_buf_put(&buf, &f->mem, next - 19, bytes, 19, false); /* one less */
        }
    }
    assert_int_equal(err, SKUA_ELIMIT);
    assert_in_range(n, SKUA_LIMIT_RECV_GAPS_THIN, SKUA_LIMIT_RECV_GAPS_THIN * 5 / 4);
    skua_recv_buf_check(&buf);
    skua_recv_buf_deinit(&buf, &f->mem);
}

/* A path that always has some 1,500 packets missing, and every tenth of what comes is small. */
static void thin_ranges_among_many_may_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct skua_recv_buf buf;
    skua_recv_buf_init(&buf);
    static const uint8_t bytes[100] = {1};
    enum { STEP = 200, STANDING = 1500, ALL = 40000 };
    for (uint64_t i = 0; i < ALL; i++) {
        size_t len = i % 10 == 0 ? 10 : 100;
        assert_int_equal(skua_recv_buf_put(&buf, &f->mem, i * STEP + 50, bytes, len, false),
                         SKUA_OK);
        if (i >= STANDING) { /* what is missing in front of the oldest comes */
            for (uint64_t at = buf.end; at < (i - STANDING) * STEP + 50; at += 100) {
                assert_int_equal(skua_recv_buf_put(&buf, &f->mem, at, bytes, 100, false), SKUA_OK);
            }
        }
        skua_recv_buf_consume(&buf, &f->mem, skua_recv_buf_readable(&buf));
    }
    assert_true(skua_recv_buf_gaps(&buf) > SKUA_LIMIT_RECV_GAPS_THIN);
    skua_recv_buf_check(&buf);
    skua_recv_buf_deinit(&buf, &f->mem);
}

/* Small frames of which now and then one is lost, as long as a stream may last. */
static void thin_ranges_may_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct skua_recv_buf buf;
    skua_recv_buf_init(&buf);
    static const uint8_t bytes[1] = {1};
    assert_int_equal(skua_recv_buf_put(&buf, &f->mem, 1 << 20, bytes, 1, false), SKUA_OK);
    for (uint64_t at = 0; at < 10000; at += 2) {
        assert_int_equal(skua_recv_buf_put(&buf, &f->mem, at + 1, bytes, 1, false), SKUA_OK);
        assert_int_equal(skua_recv_buf_put(&buf, &f->mem, at, bytes, 1, false), SKUA_OK);
    }
    skua_recv_buf_check(&buf);
    skua_recv_buf_deinit(&buf, &f->mem);
}

static void sparse_bytes_cost_what_they_touch(void **state)
{
    struct fixture *f = *state;
    struct skua_recv_buf buf;
    skua_recv_buf_init(&buf);
    static const uint8_t byte[1] = {1};
    const uint64_t window = 8 << 20;
    assert_int_equal(skua_recv_buf_put(&buf, &f->mem, window - 1, byte, 1, false), SKUA_OK);
    /* One byte at the far end of 8 MiB: one block, and 8 bytes of ring per block of the span. */
    assert_true(f->heap.used < 3 * SKUA_STREAM_BLOCK + window / SKUA_STREAM_BLOCK * 8);
    skua_recv_buf_deinit(&buf, &f->mem);
}

static void short_lends_are_copied_long_ones_stay(void **state)
{
    struct fixture *f = *state;
    struct skua_send_buf buf;
    skua_send_buf_init(&buf);
    uint8_t lent[5000];
    memset(lent, 1, sizeof lent);
    assert_int_equal(skua_send_buf_lend(&buf, &f->mem, lent, 100), SKUA_OK);
    assert_int_equal(skua_send_buf_lend(&buf, &f->mem, lent + 100, 1000), SKUA_OK);
    assert_int_equal(skua_send_buf_lend(&buf, &f->mem, lent + 1100, 2000), SKUA_OK);
    memset(lent, 2, sizeof lent);
    uint8_t out[3100];
    skua_send_buf_copy(&buf, 0, out, sizeof out);
    assert_int_equal(out[99], 1);
    assert_int_equal(out[1099], 1);
    assert_int_equal(out[1100], 2);
    skua_send_buf_sent(&buf, 3100);
    assert_int_equal(skua_send_buf_acked(&buf, &f->mem, 0, 3100), SKUA_OK);
    assert_int_equal(skua_blocks_in_use(&f->blocks), 0);
    skua_send_buf_clear(&buf, &f->mem);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(receive_like_the_model),
        cmocka_unit_test(send_like_the_model),
        cmocka_unit_test_setup_teardown(borrowed_bytes_cost_no_copy, setup, teardown),
        cmocka_unit_test_setup_teardown(loans_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(gaps_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(thin_ranges_are_few, setup, teardown),
        cmocka_unit_test_setup_teardown(long_ranges_buy_no_thin_ones, setup, teardown),
        cmocka_unit_test_setup_teardown(thin_ranges_among_many_may_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(thin_ranges_may_come_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(sparse_bytes_cost_what_they_touch, setup, teardown),
        cmocka_unit_test_setup_teardown(short_lends_are_copied_long_ones_stay, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
