/* Connection ids: what is told, used, given up and refused, in both directions. */
#include "unit.h"

#include <string.h>

#include "base/alloc.h"
#include "path/ids.h"

static struct skua_heap heap;
static const struct skua_secret key = {.bytes = {7}};

static struct skua_id id_of(unsigned n)
{
    uint8_t bytes[SKUA_OWN_ID_LEN] = {1, 2, 3, (uint8_t)(n >> 8), (uint8_t)n, 4, 5, 6};
    return skua_id_of(bytes, sizeof bytes);
}

static void start(struct skua_ids *ids)
{
    const struct skua_id own = id_of(0), peer = id_of(1000);
    skua_heap_init(&heap, NULL);
    skua_ids_init(ids, &own);
    ids->peer = peer;
    skua_ids_on_confirmed(ids);
    skua_ids_check(ids);
}

static void finish(struct skua_ids *ids)
{
    skua_ids_check(ids);
    skua_ids_deinit(ids, &heap);
    assert_int_equal(heap.used, 0);
}

/* The peer's id number `n`; its token is full of `n + 1`. */
static enum skua_code learn(struct skua_ids *ids, uint64_t n, uint64_t retire_prior)
{
    uint8_t token[SKUA_RESET_TOKEN_LEN];
    memset(token, (int)n + 1, sizeof token);
    struct skua_frame f = {.type = SKUA_FRAME_NEW_CONNECTION_ID};
    f.new_id.sequence = n;
    f.new_id.retire_prior = retire_prior;
    f.new_id.id = id_of(1000 + (unsigned)n);
    f.new_id.token = token;
    enum skua_code code = skua_ids_on_new(ids, &heap, &f);
    skua_ids_check(ids);
    return code;
}

/* Lets it write one packet; how many frames, with their records and what they say. */
static size_t write(struct skua_ids *ids, struct skua_record *records, struct skua_frame *frames)
{
    static uint8_t packet[1200];
    struct skua_writer w = skua_writer_of(packet, sizeof packet);
    size_t n = skua_ids_write_frames(ids, &key, &w, records, SKUA_IDS_FRAMES);
    struct skua_reader r = skua_reader_of(packet, skua_writer_len(&w));
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(skua_frame_read(&r, &frames[i]), SKUA_CODE_NO_ERROR);
        assert_int_equal(frames[i].type, records[i].type);
    }
    assert_int_equal(skua_reader_left(&r), 0);
    skua_ids_check(ids);
    return n;
}

static void add(struct skua_ids *ids, unsigned n)
{
    const struct skua_id id = id_of(n);
    assert_true(skua_ids_wants_own(ids));
    skua_ids_add_own(ids, &id);
    skua_ids_check(ids);
}

/* A spare is asked for once, told once, again where it was lost, and replaced when it is retired.
 */
static void own_ids(void **state)
{
    (void)state;
    struct skua_ids ids;
    struct skua_record records[SKUA_IDS_FRAMES];
    struct skua_frame frames[SKUA_IDS_FRAMES];
    start(&ids);
    add(&ids, 1);
    assert_false(skua_ids_wants_own(&ids));
    assert_true(ids.due && !ids.urgent); /* the first spare travels with what leaves anyway */
    assert_int_equal(write(&ids, records, frames), 1);
    assert_int_equal(frames[0].new_id.sequence, 1);
    const struct skua_id one = id_of(1);
    assert_true(skua_id_equal(&frames[0].new_id.id, &one));
    uint8_t token[SKUA_RESET_TOKEN_LEN];
    skua_reset_token(token, &key, one.bytes, one.len);
    assert_memory_equal(frames[0].new_id.token, token, sizeof token);
    assert_false(ids.due);
    skua_ids_on_lost(&ids, &records[0]);
    assert_true(ids.due);
    assert_int_equal(write(&ids, records, frames), 1);
    assert_int_equal(frames[0].new_id.sequence, 1);
    skua_ids_on_acked(&ids, &heap, &records[0]);

    bool gone;
    const struct skua_id zero = id_of(0);
    assert_true(skua_ids_is_other(&ids, one.bytes) && !skua_ids_is_other(&ids, zero.bytes));
    assert_true(skua_ids_is_news(&ids, one.bytes) && !skua_ids_is_news(&ids, zero.bytes));
    skua_ids_on_used(&ids, one.bytes, false);
    struct skua_id used = skua_ids_own(&ids), heard = skua_ids_heard(&ids);
    assert_true(skua_id_equal(&used, &zero) && skua_id_equal(&heard, &one));
    assert_true(skua_ids_is_other(&ids, one.bytes) && skua_ids_is_news(&ids, zero.bytes));
    skua_ids_on_used(&ids, zero.bytes, true);
    heard = skua_ids_heard(&ids);
    assert_true(skua_id_equal(&heard, &zero) && !skua_ids_is_news(&ids, zero.bytes));
    skua_ids_on_used(&ids, one.bytes, true);
    used = skua_ids_own(&ids);
    heard = skua_ids_heard(&ids);
    assert_true(skua_id_equal(&used, &one) && skua_id_equal(&heard, &one));
    assert_int_equal(skua_ids_on_retire(&ids, 0, one.bytes, &gone), SKUA_CODE_NO_ERROR);
    assert_true(gone);
    struct skua_id out;
    assert_true(skua_ids_take_gone(&ids, &out) && skua_id_equal(&out, &zero));
    assert_false(skua_ids_take_gone(&ids, &out));
    add(&ids, 2);
    assert_true(ids.urgent); /* the peer has no spare */
    assert_int_equal(write(&ids, records, frames), 1);
    assert_int_equal(frames[0].new_id.sequence, 2);
    /* A repeat of what was done. */
    assert_int_equal(skua_ids_on_retire(&ids, 0, one.bytes, &gone), SKUA_CODE_NO_ERROR);
    assert_false(gone);
    /* What was lost of an id that is retired is not said again. */
    assert_int_equal(skua_ids_on_retire(&ids, 2, one.bytes, &gone), SKUA_CODE_NO_ERROR);
    skua_ids_on_lost(&ids, &records[0]);
    assert_false(ids.due);
    assert_true(skua_ids_take_any(&ids, &out) && skua_ids_take_any(&ids, &out));
    assert_false(skua_ids_take_any(&ids, &out));
    finish(&ids);
}

static void wrong_retirements(void **state)
{
    (void)state;
    struct skua_ids ids;
    bool gone;
    start(&ids);
    const struct skua_id zero = id_of(0);
    assert_int_equal(skua_ids_on_retire(&ids, 1, zero.bytes, &gone), SKUA_CODE_PROTOCOL);
    assert_int_equal(skua_ids_on_retire(&ids, UINT64_MAX, zero.bytes, &gone), SKUA_CODE_PROTOCOL);
    /* The id that the packet came under. */
    assert_int_equal(skua_ids_on_retire(&ids, 0, zero.bytes, &gone), SKUA_CODE_PROTOCOL);
    /* One that exists, but that the peer cannot know. */
    add(&ids, 1);
    assert_int_equal(skua_ids_on_retire(&ids, 1, zero.bytes, &gone), SKUA_CODE_PROTOCOL);
    assert_false(gone);
    finish(&ids);
}

/* A spare is taken for a path, becomes the id in use, and what was before is given up. */
static void peers_ids(void **state)
{
    (void)state;
    struct skua_ids ids;
    struct skua_record records[SKUA_IDS_FRAMES];
    struct skua_frame frames[SKUA_IDS_FRAMES];
    const struct skua_id zero = id_of(1000), one = id_of(1001), two = id_of(1002);
    start(&ids);
    assert_false(skua_ids_take(&ids));
    assert_true(skua_id_equal(skua_ids_other(&ids), &zero));
    assert_int_equal(learn(&ids, 2, 0), SKUA_CODE_NO_ERROR);
    assert_int_equal(learn(&ids, 1, 0), SKUA_CODE_NO_ERROR);
    assert_true(skua_ids_take(&ids));
    assert_false(skua_ids_take(&ids)); /* one at a time */
    assert_true(skua_id_equal(skua_ids_other(&ids), &one));
    assert_true(skua_id_equal(&ids.peer, &zero));
    assert_int_equal(skua_ids_adopt(&ids, &heap), SKUA_CODE_NO_ERROR);
    assert_true(skua_id_equal(&ids.peer, &one));
    assert_int_equal(ids.token[0], 2);
    assert_true(ids.urgent);
    assert_int_equal(write(&ids, records, frames), 1);
    assert_int_equal(frames[0].type, SKUA_FRAME_RETIRE_CONNECTION_ID);
    assert_int_equal(frames[0].retire_id, 0);
    skua_ids_on_lost(&ids, &records[0]);
    assert_true(ids.urgent);
    assert_int_equal(write(&ids, records, frames), 1);
    skua_ids_on_acked(&ids, &heap, &records[0]);
    assert_null(ids.retiring);

    /* A path that came to nothing takes its id along. */
    assert_true(skua_ids_take(&ids));
    assert_int_equal(skua_ids_drop_taken(&ids, &heap), SKUA_CODE_NO_ERROR);
    assert_true(skua_id_equal(&ids.peer, &one));
    assert_int_equal(write(&ids, records, frames), 1);
    assert_int_equal(frames[0].retire_id, 2);
    /* Old repeats bring nothing back. */
    for (uint64_t n = 0; n < 3; n++) {
        uint8_t before = ids.spare_count;
        assert_int_equal(learn(&ids, 1, 0), SKUA_CODE_NO_ERROR);
        assert_int_equal(ids.spare_count, before);
    }
    assert_true(skua_id_equal(&ids.peer, &one) && !skua_id_equal(&ids.peer, &two));
    finish(&ids);
}

/* What the peer wants given up is given up, whenever it arrives. */
static void retire_prior(void **state)
{
    (void)state;
    struct skua_ids ids;
    struct skua_record records[SKUA_IDS_FRAMES];
    struct skua_frame frames[SKUA_IDS_FRAMES];
    start(&ids);
    assert_int_equal(learn(&ids, 1, 0), SKUA_CODE_NO_ERROR);
    assert_true(skua_ids_take(&ids)); /* the path that uses it must do without */
    assert_int_equal(learn(&ids, 3, 3), SKUA_CODE_NO_ERROR);
    const struct skua_id three = id_of(1003);
    assert_true(skua_id_equal(&ids.peer, &three));
    assert_true(skua_id_equal(skua_ids_other(&ids), &three));
    assert_int_equal(ids.spare_count, 0);
    assert_int_equal(write(&ids, records, frames), 2);
    assert_int_equal(frames[0].retire_id + frames[1].retire_id, 1);
    /* 2 comes late: it is given up unused, once. */
    assert_int_equal(learn(&ids, 2, 0), SKUA_CODE_NO_ERROR);
    assert_int_equal(learn(&ids, 2, 0), SKUA_CODE_NO_ERROR);
    assert_int_equal(ids.spare_count, 0);
    assert_int_equal(write(&ids, records, frames), 1);
    assert_int_equal(frames[0].retire_id, 2);
    finish(&ids);
}

/* Attack 13: a peer that makes us give up ids, and does not acknowledge that. */
static void limits(void **state)
{
    (void)state;
    struct skua_ids ids;
    start(&ids);
    for (uint64_t n = 1; n < SKUA_LIMIT_ACTIVE_IDS; n++) {
        assert_int_equal(learn(&ids, n, 0), SKUA_CODE_NO_ERROR);
    }
    assert_int_equal(learn(&ids, SKUA_LIMIT_ACTIVE_IDS, 0), SKUA_CODE_CONNECTION_ID_LIMIT);
    finish(&ids);

    start(&ids);
    uint64_t n = 1;
    enum skua_code code = SKUA_CODE_NO_ERROR;
    for (; code == SKUA_CODE_NO_ERROR && n < 100; n++) {
        code = learn(&ids, n, n);
    }
    assert_int_equal(code, SKUA_CODE_CONNECTION_ID_LIMIT);
    assert_int_equal(n, SKUA_LIMIT_RETIREMENTS + 2);
    assert_true(skua_ids_memory(&ids) <= 4 * sizeof(struct skua_spare_id) + 64);
    finish(&ids);

    /* With acknowledgements it can go on for as long as it likes. */
    start(&ids);
    for (n = 1; n < 1000; n++) {
        struct skua_record records[SKUA_IDS_FRAMES];
        struct skua_frame frames[SKUA_IDS_FRAMES];
        assert_int_equal(learn(&ids, n, n), SKUA_CODE_NO_ERROR);
        size_t count = write(&ids, records, frames);
        assert_int_equal(count, 1);
        skua_ids_on_acked(&ids, &heap, &records[0]);
    }
    /* Numbers far ahead of one that is missing. */
    assert_int_equal(learn(&ids, 1000 + 16, 1000 + 16), SKUA_CODE_CONNECTION_ID_LIMIT);
    finish(&ids);
}

static void contradictions(void **state)
{
    (void)state;
    struct skua_ids ids;
    uint8_t token[SKUA_RESET_TOKEN_LEN] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};
    struct skua_frame f = {.type = SKUA_FRAME_NEW_CONNECTION_ID};
    f.new_id.token = token;
    start(&ids);
    assert_int_equal(learn(&ids, 1, 0), SKUA_CODE_NO_ERROR);
    assert_int_equal(learn(&ids, 1, 0), SKUA_CODE_NO_ERROR);
    f.new_id.sequence = 2; /* a known id under another number */
    f.new_id.id = id_of(1001);
    assert_int_equal(skua_ids_on_new(&ids, &heap, &f), SKUA_CODE_PROTOCOL);
    f.new_id.id = id_of(1000);
    assert_int_equal(skua_ids_on_new(&ids, &heap, &f), SKUA_CODE_PROTOCOL);
    f.new_id.sequence = 1; /* a known number for another id */
    f.new_id.id = id_of(1002);
    assert_int_equal(skua_ids_on_new(&ids, &heap, &f), SKUA_CODE_PROTOCOL);
    f.new_id.sequence = 0;
    assert_int_equal(skua_ids_on_new(&ids, &heap, &f), SKUA_CODE_PROTOCOL);
    f.new_id.sequence = 1; /* another token */
    f.new_id.id = id_of(1001);
    token[15] = 0;
    assert_int_equal(skua_ids_on_new(&ids, &heap, &f), SKUA_CODE_PROTOCOL);
    finish(&ids);
}

static unsigned allocations_left;

static void *scarce_get(void *user, size_t size)
{
    (void)user;
    return allocations_left-- > 0 ? test_malloc(size) : NULL;
}

static void scarce_put(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    test_free(memory);
}

static void out_of_memory(void **state)
{
    (void)state;
    static const struct skua_alloc scarce = {.get = scarce_get, .put = scarce_put};
    struct skua_ids ids;
    start(&ids);
    skua_heap_init(&heap, &scarce);
    allocations_left = 0;
    assert_int_equal(learn(&ids, 1, 0), SKUA_CODE_NO_ERROR);
    assert_int_equal(ids.spare_count, 0);
    assert_int_equal(learn(&ids, 1, 0), SKUA_CODE_NO_ERROR);
    finish(&ids);
    start(&ids);
    skua_heap_init(&heap, &scarce);
    allocations_left = 1;
    assert_int_equal(learn(&ids, 1, 1), SKUA_CODE_INTERNAL);
    finish(&ids);
    start(&ids);
    skua_heap_init(&heap, &scarce);
    allocations_left = 2;
    assert_int_equal(learn(&ids, 1, 1), SKUA_CODE_NO_ERROR);
    finish(&ids);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_ids),       cmocka_unit_test(wrong_retirements),
        cmocka_unit_test(peers_ids),     cmocka_unit_test(retire_prior),
        cmocka_unit_test(limits),        cmocka_unit_test(contradictions),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
