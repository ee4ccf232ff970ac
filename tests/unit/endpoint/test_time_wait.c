/* TIME_WAIT records: what they answer, how often, how long they live; and beside a naive model. */
#include "unit.h"

#include "base/alloc.h"
#include "base/limits.h"
#include "endpoint/time_wait.h"

#define MS(n) ((skua_time)(n)*SKUA_MSEC)

static const uint8_t hash_key[16] = {1};

struct fixture {
    struct skua_heap heap;
    struct skua_time_wait tw;
    struct skua_answers answers;
    skua_time now;
};

static struct skua_id id_of(uint32_t number)
{
    struct skua_id id = {.len = 8};
    memcpy(id.bytes, &number, sizeof number);
    return id;
}

static void begin(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    skua_heap_init(&f->heap, NULL);
    skua_time_wait_init(&f->tw, &f->heap, hash_key);
    f->now = 1000 * SKUA_SEC + MS(37);
}

static void end(struct fixture *f)
{
    skua_time_wait_deinit(&f->tw);
    assert_int_equal(f->heap.used, 0);
}

static void add_as(struct fixture *f, uint32_t number, skua_time length, skua_time pto,
                   bool tireless)
{
    static uint8_t packet[40];
    const struct skua_id id = id_of(number);
    memset(packet, (int)number, sizeof packet);
    const struct skua_time_wait_entry entry = {.id = &id,
                                               .packet = packet,
                                               .packet_len = sizeof packet,
                                               .length_ns = length,
                                               .pto_ns = pto,
                                               .tireless = tireless};
    skua_time_wait_add(&f->tw, &entry, f->now);
}

static void add(struct fixture *f, uint32_t number, skua_time length, skua_time pto)
{
    add_as(f, number, length, pto, false);
}

static bool ask(struct fixture *f, uint32_t number, size_t len)
{
    const struct skua_id id = id_of(number);
    const struct skua_path path = {
        .socket = 3, .remote = {.family = SKUA_FAMILY_IPV4, .port = (uint16_t)(number + 1)}};
    const struct skua_question question = {
        .id = id.bytes, .id_len = id.len, .len = len, .path = &path};
    return skua_time_wait_recv(&f->tw, &question, &f->answers, f->now);
}

static bool answered(struct fixture *f, uint32_t number)
{
    uint8_t room[SKUA_ANSWER_LEN_MAX];
    struct skua_tx tx = {.data = room, .cap = sizeof room};
    if (!skua_answers_send(&f->answers, &tx)) {
        return false;
    }
    assert_int_equal(tx.len, 40);
    assert_int_equal(room[0], (uint8_t)number);
    assert_int_equal(tx.path.socket, 3);
    assert_int_equal(tx.path.remote.port, (uint16_t)(number + 1));
    return true;
}

static void answers_longer_packets_only(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    add(&f, 5, MS(300), MS(100));
    assert_false(ask(&f, 6, 100));
    assert_true(ask(&f, 5, 40)); /* as long as the record's own: another record */
    assert_false(answered(&f, 5));
    assert_true(ask(&f, 5, 41));
    assert_true(answered(&f, 5));
    end(&f);
}

/* Answers to 10 s of questions, one each millisecond. */
static unsigned answers_at_a_pace(bool tireless)
{
    struct fixture f;
    begin(&f);
    add_as(&f, 1, 100 * SKUA_SEC, MS(100), tireless);
    unsigned count = 0;
    skua_time last = 0;
    for (int i = 0; i < 10000; i++) {
        assert_true(ask(&f, 1, 1200));
        if (answered(&f, 1)) {
            assert_true(count == 0 || f.now - last >= MS(25) || tireless);
            last = f.now;
            count++;
        }
        f.now += MS(1);
    }
    end(&f);
    return count;
}

static void answers_at_a_pace_and_not_for_ever(void **state)
{
    (void)state;
    assert_int_equal(answers_at_a_pace(false), SKUA_TIME_WAIT_ANSWERS);
    assert_int_equal(answers_at_a_pace(true), 10000);
}

/* Lets the table run as a driver would, until it is empty; when that was. */
static skua_time empty_at(struct fixture *f)
{
    for (int i = 0; i < 100000 && skua_time_wait_count(&f->tw) > 0; i++) {
        skua_time next = skua_time_wait_next_timeout(&f->tw);
        assert_true(next > f->now);
        f->now = next;
        skua_time_wait_on_timeout(&f->tw, f->now);
    }
    assert_int_equal(skua_time_wait_count(&f->tw), 0);
    assert_true(skua_time_wait_next_timeout(&f->tw) == SKUA_NEVER);
    return f->now;
}

static void lives_for_its_time_and_twice_that_when_asked(void **state)
{
    (void)state;
    static const skua_time lengths[] = {MS(1),    MS(99),   MS(100),   MS(350),
                                        MS(6399), MS(6400), MS(60000), MS(240000)};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct fixture f;
        begin(&f);
        skua_time start = f.now;
        add(&f, 1, lengths[i], MS(100));
        skua_time gone = empty_at(&f);
        assert_true(gone >= start + lengths[i]);
        assert_true(gone <= start + lengths[i] + 2 * SKUA_TIME_WAIT_GRAIN);
        start = f.now;
        add(&f, 2, lengths[i], MS(100));
        assert_true(ask(&f, 2, 100));
        assert_true(answered(&f, 2));
        f.now += MS(1) / 2;
        assert_true(ask(&f, 2, 100));
        gone = empty_at(&f);
        assert_true(gone >= start + 2 * lengths[i]);
        assert_true(gone <= start + 2 * lengths[i] + 2 * SKUA_TIME_WAIT_GRAIN);
        end(&f);
    }
}

static void makes_room_where_it_is_full(void **state)
{
    (void)state;
    static struct fixture f;
    begin(&f);
    for (uint32_t i = 0; i < SKUA_LIMIT_TIME_WAIT_MAX + 10; i++) {
        add(&f, i, MS(200) + i / 100 * MS(100), MS(100));
    }
    assert_int_equal(skua_time_wait_count(&f.tw), SKUA_LIMIT_TIME_WAIT_MAX);
    /* Those that end first have left. */
    const struct skua_id first = id_of(0), last = id_of(SKUA_LIMIT_TIME_WAIT_MAX + 9);
    assert_false(skua_time_wait_has(&f.tw, &first));
    assert_true(skua_time_wait_has(&f.tw, &last));
    end(&f);
}

static uint64_t draw(uint64_t *seed, uint64_t n)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (*seed >> 33) % n;
}

/* Records come, are asked, and go, beside an array of ends. */
static void agrees_with_a_naive_model(void **state)
{
    (void)state;
    enum { IDS = 200 };
    skua_time ends[IDS] = {0}, doubled[IDS] = {0};
    struct fixture f;
    uint64_t seed = 42;
    begin(&f);
    for (int step = 0; step < 50000; step++) {
        uint32_t k = (uint32_t)draw(&seed, IDS);
        const struct skua_id id = id_of(k);
        skua_time length = MS(1) + draw(&seed, 20) * draw(&seed, 20) * MS(30);
        if (ends[k] == 0) {
            add(&f, k, length, MS(100));
            ends[k] = f.now + length;
            doubled[k] = ends[k] + length;
        } else if (draw(&seed, 3) == 0) {
            assert_true(ask(&f, k, 100));
            ends[k] = doubled[k];
        }
        f.now += draw(&seed, 20) * MS(1);
        skua_time_wait_on_timeout(&f.tw, f.now);
        for (uint32_t i = 0; i < IDS; i++) {
            const struct skua_id other = id_of(i);
            bool there = skua_time_wait_has(&f.tw, &other);
            /* Not before its end, and at most a grain and the one it ends in later. */
            assert_true(ends[i] <= f.now || there);
            assert_true(!there || ends[i] + 2 * SKUA_TIME_WAIT_GRAIN > f.now);
            ends[i] = there ? ends[i] : 0;
        }
        (void)id;
        skua_time next = skua_time_wait_next_timeout(&f.tw);
        assert_true(next == SKUA_NEVER || next <= f.now + 65 * SKUA_TIME_WAIT_GRAIN);
    }
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_longer_packets_only),
        cmocka_unit_test(answers_at_a_pace_and_not_for_ever),
        cmocka_unit_test(lives_for_its_time_and_twice_that_when_asked),
        cmocka_unit_test(makes_room_where_it_is_full),
        cmocka_unit_test(agrees_with_a_naive_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
