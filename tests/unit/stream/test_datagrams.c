/* Datagrams: the queue against a plain array, lifetimes, what fits into a packet, limits. */
#include "unit.h"

#include <stdlib.h>

#include "base/alloc.h"
#include "base/limits.h"
#include "stream/datagrams.h"
#include "wire/frame.h"

enum { MODEL_MAX = 64, LEN_MAX = 3000, LOANS_MAX = 16 };

static uint64_t random_next(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = (*state ^ *state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    return z ^ z >> 31;
}

/* --- memory that can run out */

struct flaky {
    uint64_t calls, fail_at; /* the call that fails; 0 = none */
    int64_t out;
};

static void *get(void *user, size_t size)
{
    struct flaky *f = user;
    if (++f->calls == f->fail_at) {
        return NULL;
    }
    f->out++;
    return malloc(size);
}

static void put(void *user, void *memory, size_t size)
{
    struct flaky *f = user;
    (void)size;
    f->out--;
    free(memory);
}

/* --- the queue against a model */

struct model {
    struct flaky flaky;
    struct skua_heap heap;
    struct skua_dgram_queue q;
    struct {
        uint64_t seed;
        size_t len;
    } held[MODEL_MAX]; /* the oldest first */
    size_t count, borrowed;
    uint8_t *loans[LOANS_MAX];
    size_t loan_count;
    uint64_t rng, next_seed;
};

static void fill(uint8_t *out, uint64_t seed, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(seed * 31 + i * 7);
    }
}

static void expect_oldest(const struct model *m)
{
    const struct skua_dgram *d = skua_dgram_queue_first(&m->q);
    if (m->count == 0) {
        assert_null(d);
        return;
    }
    uint8_t want[LEN_MAX];
    fill(want, m->held[0].seed, m->held[0].len);
    assert_int_equal(d->len, m->held[0].len);
    assert_memory_equal(d->data, want, d->len);
}

static void model_settle(struct model *m)
{
    uint32_t lost = skua_dgram_queue_settle(&m->q);
    assert_true(lost == 0 || m->flaky.fail_at != 0);
    assert_true(lost <= m->borrowed);
    m->count -= lost;
    m->borrowed = 0;
    for (size_t i = 0; i < m->loan_count; i++) {
        memset(m->loans[i], 0xdd, LEN_MAX);
        free(m->loans[i]);
    }
    m->loan_count = 0;
}

static void model_add(struct model *m)
{
    uint8_t bytes[LEN_MAX];
    uint64_t r = random_next(&m->rng);
    size_t len = r % 8 == 0 ? 0 : r % 8 < 6 ? (r >> 8) % 200 : (r >> 8) % LEN_MAX;
    enum skua_err err;
    if (m->count == MODEL_MAX) {
        return;
    }
    if (r % 16 < 8 && m->loan_count < LOANS_MAX) {
        uint8_t *loan = malloc(LEN_MAX);
        assert_non_null(loan);
        fill(loan, m->next_seed, len);
        err = skua_dgram_queue_lend(&m->q, loan, len);
        m->loans[m->loan_count++] = loan;
        m->borrowed += err == SKUA_OK;
    } else {
        model_settle(m);
        fill(bytes, m->next_seed, len);
        err = skua_dgram_queue_put(&m->q, bytes, len, SKUA_NEVER);
        memset(bytes, 0xcc, len);
    }
    assert_true(err == SKUA_OK || m->flaky.fail_at != 0);
    if (err == SKUA_OK) {
        m->held[m->count].seed = m->next_seed;
        m->held[m->count++].len = len;
    }
    m->next_seed++;
}

static void model_pop(struct model *m)
{
    if (m->count != 0) {
        m->borrowed -= m->borrowed == m->count;
        skua_dgram_queue_pop(&m->q);
        memmove(m->held, m->held + 1, --m->count * sizeof m->held[0]);
    }
}

static void run_model(uint64_t seed, uint64_t fail_at, unsigned steps)
{
    struct model m = {.rng = seed};
    m.flaky.fail_at = fail_at;
    skua_heap_init(&m.heap, &(struct skua_alloc){.get = get, .put = put, .user = &m.flaky});
    skua_dgram_queue_init(&m.q, &m.heap);
    for (unsigned i = 0; i < steps; i++) {
        uint64_t what = random_next(&m.rng) % 32;
        if (what < 14 + (i / 200 % 2) * 4) {
            model_add(&m);
        } else if (what < 29) {
            model_pop(&m);
        } else if (what < 31) {
            model_settle(&m);
        } else {
            skua_dgram_queue_trim(&m.q);
        }
        assert_int_equal(m.q.count, m.count);
        assert_int_equal(m.q.borrowed, m.borrowed);
        skua_dgram_queue_check(&m.q);
        expect_oldest(&m);
    }
    model_settle(&m);
    skua_dgram_queue_clear(&m.q);
    assert_int_equal(m.flaky.out, 0);
    assert_int_equal(m.heap.used, 0);
}

static void the_queue_against_a_model(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        run_model(seed, 0, 4000);
    }
    for (uint64_t nth = 1; nth <= 30; nth++) {
        run_model(nth, nth, 400);
    }
}

/* --- the object */

struct fixture {
    struct skua_heap heap;
    struct skua_datagrams *d;
    uint8_t packet[2000];
    size_t len; /* of the last packet */
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    skua_heap_init(&f->heap, NULL);
    f->d = skua_datagrams_new(&f->heap, 1000);
    assert_non_null(f->d);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    skua_datagrams_check(f->d);
    skua_datagrams_free(f->d);
    assert_int_equal(f->heap.used, 0);
    free(f);
    return 0;
}

static enum skua_err send_len(struct fixture *f, size_t len, skua_time expires, skua_time now)
{
    static uint8_t bytes[2000];
    memset(bytes, (int)len, len);
    return skua_datagrams_send(f->d, bytes, len, expires, now);
}

/* Fills a packet with `room` bytes for frames; returns how many datagrams went into it. */
static size_t packet_of(struct fixture *f, size_t room, size_t most, skua_time now)
{
    struct skua_writer w = skua_writer_of(f->packet, room);
    struct skua_record record = {0};
    size_t n = skua_datagrams_write(f->d, &w, most, now, &record);
    f->len = skua_writer_len(&w);
    if (n != 0) {
        assert_int_equal(record.type, SKUA_FRAME_DATAGRAM);
        assert_int_equal(record.len, n);
    }
    size_t seen = 0;
    struct skua_reader r = skua_reader_of(f->packet, f->len);
    while (skua_reader_left(&r) != 0) {
        struct skua_frame frame;
        assert_int_equal(skua_frame_read(&r, &frame), SKUA_CODE_NO_ERROR);
        if (frame.type == SKUA_FRAME_PADDING) {
            continue;
        }
        assert_int_equal(frame.type, SKUA_FRAME_DATAGRAM);
        for (size_t i = 0; i < frame.datagram.len; i++) {
            assert_int_equal(frame.datagram.data[i], (uint8_t)frame.datagram.len);
        }
        seen++;
    }
    assert_int_equal(seen, n);
    return n;
}

static void as_many_as_fit(void **state)
{
    struct fixture *f = *state;
    assert_false(skua_datagrams_wants_send(f->d));
    assert_int_equal(skua_datagrams_least_room(f->d), 0);
    assert_int_equal(packet_of(f, 1200, 1199, 5), 0);
    assert_int_equal(f->len, 0);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(send_len(f, 100, SKUA_NEVER, 5), SKUA_OK);
    }
    assert_int_equal(packet_of(f, 515, 1199, 5), 5); /* five times type, two of length, 100 */
    assert_int_equal(f->len, 515);
    assert_int_equal(packet_of(f, 1200, 1199, 5), 5);
    assert_false(skua_datagrams_wants_send(f->d));
    assert_int_equal(f->d->sent, 10);
}

/* The largest has no length, and ends with the packet, whatever room is left. */
static void the_largest_ends_the_packet(void **state)
{
    struct fixture *f = *state;
    for (size_t spare = 0; spare < 6; spare++) {
        assert_int_equal(send_len(f, 1000, SKUA_NEVER, 5), SKUA_OK);
        assert_int_equal(skua_datagrams_least_room(f->d), 1001);
        assert_int_equal(packet_of(f, 1000, 1199, 5), 0);
        assert_int_equal(packet_of(f, 1001 + spare, 1199, 5), 1);
        assert_int_equal(f->len, 1001 + (spare < 2 ? spare : 2));
    }
}

static void a_packet_holds_so_many_frames(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 600; i++) {
        assert_int_equal(send_len(f, 0, SKUA_NEVER, 5), SKUA_OK);
    }
    size_t n = packet_of(f, 2000, 1199, 5);
    assert_true(n > 100 && n <= SKUA_LIMIT_FRAMES_PER_PACKET / 2);
    assert_int_equal(f->len, 2 * n);
}

/* Not after its time, and not where it has become too large: both are counted, and make way. */
static void lifetime_and_size(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(send_len(f, 10, 20, 5), SKUA_OK);
    assert_int_equal(send_len(f, 1100, SKUA_NEVER, 5), SKUA_OK);
    assert_int_equal(send_len(f, 11, 21, 5), SKUA_OK);
    assert_int_equal(packet_of(f, 1200, 1099, 21), 1);
    assert_int_equal(f->d->unsendable, 2);
    assert_int_equal(f->packet[1], 11);
    assert_int_equal(send_len(f, 10, 30, 30), SKUA_OK);
    assert_int_equal(packet_of(f, 1200, 1099, 30), 1);
    assert_int_equal(f->d->sent, 2);
}

static void the_send_queue_has_a_limit(void **state)
{
    struct fixture *f = *state;
    size_t taken = 0;
    while (send_len(f, 1000, 100, 5) == SKUA_OK) {
        taken++;
    }
    assert_int_equal(taken, SKUA_LIMIT_DATAGRAMS_UNSENT / (1000 + SKUA_LIMIT_DATAGRAM_COST));
    assert_int_equal(send_len(f, 1000, 100, 5), SKUA_EAGAIN);
    assert_false(skua_datagrams_has_room(f->d));
    while (skua_datagrams_wants_send(f->d)) {
        assert_int_equal(packet_of(f, 1200, 1199, 5), 1);
    }
    assert_true(skua_datagrams_has_room(f->d));
    assert_false(skua_datagrams_has_room(f->d)); /* said once */
    /* What has expired makes room at once. */
    while (send_len(f, 1000, 100, 5) == SKUA_OK) {
    }
    assert_int_equal(send_len(f, 1000, SKUA_NEVER, 101), SKUA_OK);
    assert_int_equal(f->d->unsendable, taken);
    /* Empty ones count as well. */
    size_t empty = 0;
    while (send_len(f, 0, SKUA_NEVER, 101) == SKUA_OK) {
        empty++;
    }
    assert_true(empty < SKUA_LIMIT_DATAGRAMS_UNSENT / SKUA_LIMIT_DATAGRAM_COST);
    skua_datagrams_check(f->d);
}

static void unread_ones_are_bounded_and_the_oldest_go(void **state)
{
    struct fixture *f = *state;
    uint8_t bytes[20][100];
    for (size_t i = 0; i < 20; i++) {
        memset(bytes[i], (int)i, sizeof bytes[i]);
        skua_datagrams_on_frame(f->d, bytes[i], sizeof bytes[i], i % 3 != 0);
        skua_datagrams_check(f->d);
    }
    size_t held = 1000 / (100 + SKUA_LIMIT_DATAGRAM_COST);
    assert_true(skua_datagrams_has_loans(f->d));
    skua_datagrams_settle(f->d);
    assert_false(skua_datagrams_has_loans(f->d));
    memset(bytes, 0xdd, sizeof bytes);
    for (size_t i = 20 - held; i < 20; i++) {
        const struct skua_dgram *dgram = skua_datagrams_peek(f->d);
        assert_non_null(dgram);
        assert_int_equal(dgram->data[99], i);
        skua_datagrams_take(f->d);
    }
    assert_null(skua_datagrams_peek(f->d));
    assert_int_equal(f->d->received, 20);
    assert_int_equal(f->d->unfit, 20 - held);
    /* One that is larger than all that is allowed drives the others out and is none. */
    skua_datagrams_on_frame(f->d, bytes[0], 950, true);
    assert_null(skua_datagrams_peek(f->d));
    assert_int_equal(f->d->unfit, 21 - held);
    skua_datagrams_on_frame(f->d, bytes[0], 0, true);
    skua_datagrams_discard(f->d);
    assert_null(skua_datagrams_peek(f->d));
}

static void queues_that_are_empty_cost_nothing(void **state)
{
    struct fixture *f = *state;
    uint64_t bare = f->heap.used;
    assert_int_equal(skua_datagrams_memory(f->d), bare);
    assert_int_equal(send_len(f, 1000, SKUA_NEVER, 5), SKUA_OK);
    skua_datagrams_on_frame(f->d, (const uint8_t *)"x", 1, false);
    assert_int_equal(skua_datagrams_memory(f->d), f->heap.used);
    assert_true(f->heap.used > bare);
    skua_datagrams_trim(f->d); /* not what is in use */
    assert_int_equal(packet_of(f, 1200, 1199, 5), 1);
    assert_int_equal(skua_datagrams_peek(f->d)->data[0], 'x');
    skua_datagrams_take(f->d);
    skua_datagrams_trim(f->d);
    assert_int_equal(f->heap.used, bare);
}

static void fates_are_counted(void **state)
{
    struct fixture *f = *state;
    const struct skua_record record = {.type = SKUA_FRAME_DATAGRAM, .len = 3};
    for (int i = 0; i < 6; i++) {
        assert_int_equal(send_len(f, 10, SKUA_NEVER, 5), SKUA_OK);
    }
    assert_int_equal(packet_of(f, 1200, 1199, 5), 6);
    skua_datagrams_on_acked(f->d, &record);
    skua_datagrams_on_lost(f->d, &record);
    assert_int_equal(f->d->acked, 3);
    assert_int_equal(f->d->lost, 3);
    assert_false(skua_datagrams_wants_send(f->d)); /* nothing is sent again */
}

#define object_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_against_a_model),
        object_test(as_many_as_fit),
        object_test(the_largest_ends_the_packet),
        object_test(a_packet_holds_so_many_frames),
        object_test(lifetime_and_size),
        object_test(the_send_queue_has_a_limit),
        object_test(unread_ones_are_bounded_and_the_oldest_go),
        object_test(queues_that_are_empty_cost_nothing),
        object_test(fates_are_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
