/* Worker threads, buffers, and entries that wait for a verdict. */
#include "unit.h"

#include <ev.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "buffers.h"
#include "pending.h"
#include "pool.h"

/* A job that is submitted again until it has run `left` times. */
struct work {
    struct skua_job job;
    struct skua_pool *pool;
    unsigned left;
    unsigned done;
    atomic_uint runs;
    struct ev_loop *loop; /* broken out of at the end, or NULL */
};

static void run_work(struct skua_job *job)
{
    struct work *work = (struct work *)job;
    (void)atomic_fetch_add(&work->runs, 1);
}

static void done_work(struct skua_job *job)
{
    struct work *work = (struct work *)job;
    work->done++;
    assert_int_equal(atomic_load(&work->runs), work->done);
    if (--work->left > 0) {
        skua_pool_submit(work->pool, &work->job);
    } else if (work->loop != NULL) {
        ev_break(work->loop, EVBREAK_ALL);
    }
}

static void start_work(struct work *work, struct skua_pool *pool, unsigned times)
{
    *work = (struct work){.job = {.run = run_work, .done = done_work}, .pool = pool, .left = times};
    skua_pool_submit(pool, &work->job);
}

static void test_pool_in_a_loop(void **state)
{
    (void)state;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct skua_pool *pool = skua_pool_new(loop, 3);
    struct work work;
    assert_non_null(pool);
    start_work(&work, pool, 500);
    work.loop = loop;
    (void)ev_run(loop, 0);
    assert_int_equal(work.done, 500);
    skua_pool_free(pool);
    ev_loop_destroy(loop);
}

static void test_pool_drain(void **state)
{
    (void)state;
    struct ev_loop *loop = ev_loop_new(EVFLAG_AUTO);
    struct skua_pool *pool = skua_pool_new(loop, 0);
    struct work works[16];
    assert_non_null(pool);
    for (unsigned i = 0; i < 16; i++) {
        start_work(&works[i], pool, 50 + i);
    }
    skua_pool_drain(pool);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(works[i].done, 50 + i);
    }
    skua_pool_drain(pool); /* nothing to wait for */
    skua_pool_free(pool);
    ev_loop_destroy(loop);
}

static void test_buffers_are_shared_out(void **state)
{
    (void)state;
    struct skua_buffers buffers;
    struct skua_buffer_queue held = {0};
    skua_buffers_init(&buffers, 200);
    buffers.users = 1;
    for (;;) {
        struct skua_buffer *buffer = skua_buffers_get(&buffers, held.count);
        if (buffer == NULL) {
            break;
        }
        memset(buffer->data, 0xa5, SKUA_BUFFER_CAP);
        skua_buffer_queue_push(&held, buffer);
    }
    assert_int_equal(held.count, SKUA_BUFFERS_MAX_EACH);
    buffers.users = 4;
    assert_null(skua_buffers_get(&buffers, 50)); /* a quarter of 200 */
    buffers.users = 1000;
    assert_null(skua_buffers_get(&buffers, SKUA_BUFFERS_MIN_EACH));
    struct skua_buffer *one = skua_buffers_get(&buffers, SKUA_BUFFERS_MIN_EACH - 1);
    assert_non_null(one);
    skua_buffers_put(&buffers, one);
    struct skua_buffer *first = held.first;
    assert_ptr_equal(skua_buffer_queue_shift(&held), first);
    skua_buffers_put(&buffers, first);
    assert_int_equal(skua_buffer_queue_clear(&held, &buffers), SKUA_BUFFERS_MAX_EACH - 1);
    assert_null(skua_buffer_queue_shift(&held));
    assert_int_equal(buffers.idle_count, SKUA_BUFFERS_IDLE_MAX);
    skua_buffers_deinit(&buffers);
}

/* Against a plain array. */
static void test_pending(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    static bool there[COUNT];
    struct skua_pending pending = {0};
    struct skua_outcome out;
    uint32_t random = 1;
    size_t count = 0;
    assert_false(skua_pending_take(&pending, 0, &out));
    for (unsigned step = 0; step < 40000; step++) {
        random = random * 1664525U + 1013904223U;
        const uint64_t id = random >> 8 & 0xfff;
        if (id >= COUNT) {
            continue;
        }
        if ((random >> 28) < 9) {
            struct skua_outcome outcome = {.id = id, .size = id * 3};
            assert_true(skua_pending_add(&pending, &outcome));
            count += there[id] ? 0 : 1;
            there[id] = true;
        } else {
            assert_int_equal(skua_pending_take(&pending, id, &out), there[id]);
            assert_true(!there[id] || (out.id == id && out.size == id * 3));
            count -= there[id] ? 1 : 0;
            there[id] = false;
        }
        assert_int_equal(pending.count, count);
    }
    skua_pending_deinit(&pending);
}

static void test_pending_keeps_the_first_path(void **state)
{
    (void)state;
    struct skua_pending pending = {0};
    struct skua_outcome out;
    struct skua_outcome sent = {.id = 7, .status = SKUA_STATUS_OK, .path = strdup("name")};
    struct skua_outcome failed = {.id = 7, .status = SKUA_STATUS_CHANGED, .path = strdup("again")};
    assert_true(skua_pending_add(&pending, &sent));
    assert_null(sent.path);
    assert_true(skua_pending_add(&pending, &failed));
    assert_non_null(failed.path); /* still ours */
    free(failed.path);
    assert_true(skua_pending_take(&pending, 7, &out));
    assert_int_equal(out.status, SKUA_STATUS_CHANGED);
    assert_string_equal(out.path, "name");
    free(out.path);
    skua_pending_deinit(&pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pool_in_a_loop),
        cmocka_unit_test(test_pool_drain),
        cmocka_unit_test(test_buffers_are_shared_out),
        cmocka_unit_test(test_pending),
        cmocka_unit_test(test_pending_keeps_the_first_path),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
