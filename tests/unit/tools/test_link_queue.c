/* Packets under way: order against a naive model, and chunks that come back. */
#include <stdlib.h>

#include "link_queue.h"
#include "unit.h"

static uint64_t next_random(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* A naive model: an unsorted array of what is in the queue. */
struct model {
    struct skua_link_packet packets[4096];
    size_t count;
};

static size_t model_first(const struct model *model)
{
    size_t best = 0;
    for (size_t i = 1; i < model->count; i++) {
        const struct skua_link_packet *a = &model->packets[i];
        const struct skua_link_packet *b = &model->packets[best];
        if (a->due < b->due || (a->due == b->due && a->number < b->number)) {
            best = i;
        }
    }
    return best;
}

static void test_order_against_model(void **state)
{
    (void)state;
    static struct model model;
    struct skua_link_queue queue = {0};
    struct skua_link_chunk *chunk = calloc(1, sizeof *chunk);
    assert_non_null(chunk);
    uint64_t random = 1;
    uint64_t number = 0;
    skua_time now = 0;
    for (int step = 0; step < 40000; step++) {
        now += next_random(&random) % 3;
        if (model.count < 4000 && next_random(&random) % 100 < (step < 20000 ? 60U : 40U)) {
            const bool held = next_random(&random) % 5 == 0;
            const struct skua_link_packet packet = {
                .due = now + (held ? 40 : 0), .number = number++, .chunk = chunk};
            assert_true(skua_link_queue_push(&queue, &packet, held));
            model.packets[model.count++] = packet;
        } else if (model.count > 0) {
            const size_t first = model_first(&model);
            assert_int_equal(skua_link_queue_peek(&queue)->number, model.packets[first].number);
            const struct skua_link_packet packet = skua_link_queue_pop(&queue);
            assert_int_equal(packet.number, model.packets[first].number);
            assert_int_equal(packet.due, model.packets[first].due);
            model.packets[first] = model.packets[--model.count];
            chunk->packets--;
        } else {
            assert_null(skua_link_queue_peek(&queue));
        }
        assert_int_equal(skua_link_queue_count(&queue), model.count);
        assert_int_equal(chunk->packets, model.count);
    }
    assert_true(number > 10000);
    skua_link_queue_deinit(&queue);
    free(chunk);
}

/* Fills the room with a packet of `len` bytes, each with the packet's number. */
static bool receive(struct skua_link_pool *pool, struct skua_link_queue *queue, uint64_t number,
                    size_t len)
{
    uint8_t *room = skua_link_pool_room(pool);
    if (room == NULL) {
        return false;
    }
    memset(room, (int)(number & 0xff), SKUA_LINK_RX_ROOM);
    const struct skua_link_packet packet = {.due = number,
                                            .number = number,
                                            .chunk = pool->current,
                                            .offset = (uint32_t)(room - pool->current->data),
                                            .len = (uint32_t)len};
    assert_true(skua_link_queue_push(queue, &packet, false));
    skua_link_pool_take(pool, len);
    return true;
}

static void send_one(struct skua_link_pool *pool, struct skua_link_queue *queue)
{
    const struct skua_link_packet packet = skua_link_queue_pop(queue);
    for (size_t i = 0; i < packet.len; i++) {
        assert_int_equal(packet.chunk->data[packet.offset + i], packet.number & 0xff);
    }
    skua_link_packet_release(pool, &packet);
}

/* No packet's bytes are overwritten while it waits, and memory is reused. */
static void test_pool_keeps_bytes_and_reuses_chunks(void **state)
{
    (void)state;
    struct skua_link_pool pool = {.limit = 8};
    struct skua_link_queue queue = {0};
    uint64_t random = 9;
    uint64_t number = 0;
    uint64_t waiting = 0; /* bytes */
    for (int step = 0; step < 20000; step++) {
        const size_t len = 1 + (size_t)(next_random(&random) % 1500);
        if (waiting < (3 << 20) && receive(&pool, &queue, number, len)) {
            number++;
            waiting += len;
        }
        if (skua_link_queue_count(&queue) > 0 && next_random(&random) % 3 != 0) {
            waiting -= skua_link_queue_peek(&queue)->len;
            send_one(&pool, &queue);
        }
    }
    assert_true(number > 15000);
    assert_true(pool.chunks <= 6);
    while (skua_link_queue_count(&queue) > 0) {
        send_one(&pool, &queue);
    }
    skua_link_queue_deinit(&queue);
    skua_link_pool_deinit(&pool);
}

static void test_pool_stops_at_its_limit(void **state)
{
    (void)state;
    struct skua_link_pool pool = {.limit = 2};
    struct skua_link_queue queue = {0};
    uint64_t number = 0;
    while (receive(&pool, &queue, number, SKUA_LINK_RX_ROOM)) {
        number++;
    }
    assert_int_equal(number, 2 * SKUA_LINK_CHUNK_LEN / SKUA_LINK_RX_ROOM);
    /* The first chunk comes free when all of its packets have left. */
    for (int i = 0; i < SKUA_LINK_CHUNK_LEN / SKUA_LINK_RX_ROOM; i++) {
        assert_null(skua_link_pool_room(&pool));
        send_one(&pool, &queue);
    }
    assert_non_null(skua_link_pool_room(&pool));
    while (skua_link_queue_count(&queue) > 0) {
        send_one(&pool, &queue);
    }
    skua_link_queue_deinit(&queue);
    skua_link_pool_deinit(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_against_model),
        cmocka_unit_test(test_pool_keeps_bytes_and_reuses_chunks),
        cmocka_unit_test(test_pool_stops_at_its_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
