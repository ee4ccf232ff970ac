/* The ring of answers: order, the oldest gives way, unfilled places are skipped. */
#include "unit.h"

#include "endpoint/answers.h"

static void put(struct skua_answers *answers, uint16_t number)
{
    struct skua_path path = {.socket = number % 16u, .remote = {.port = number}};
    struct skua_answer *answer = skua_answers_add(answers, &path);
    answer->bytes[0] = (uint8_t)(number >> 8);
    answer->bytes[1] = (uint8_t)number;
    answer->len = (uint8_t)(2 + number % 100);
}

static void expect(struct skua_answers *answers, uint16_t number)
{
    uint8_t room[SKUA_ANSWER_LEN_MAX];
    struct skua_tx tx = {.data = room, .cap = sizeof room};
    assert_true(skua_answers_send(answers, &tx));
    assert_int_equal(tx.len, 2 + number % 100);
    assert_int_equal(tx.segment_size, tx.len);
    assert_int_equal(tx.path.remote.port, number);
    assert_int_equal(tx.path.socket, number % 16u);
    assert_int_equal(room[0] << 8 | room[1], number);
}

static void expect_none(struct skua_answers *answers)
{
    uint8_t room[SKUA_ANSWER_LEN_MAX];
    struct skua_tx tx = {.data = room, .cap = sizeof room};
    assert_false(skua_answers_send(answers, &tx));
    assert_int_equal(answers->count, 0);
}

static void come_out_in_order(void **state)
{
    (void)state;
    static struct skua_answers answers;
    uint16_t in = 0, out = 0;
    expect_none(&answers);
    for (unsigned round = 0; round < 500; round++) {
        for (unsigned i = 0; i < round % 60; i++) {
            put(&answers, in++);
        }
        while (out < in) {
            expect(&answers, out++);
        }
        expect_none(&answers);
    }
}

static void the_oldest_gives_way(void **state)
{
    (void)state;
    static struct skua_answers answers;
    for (uint16_t i = 0; i < 3 * SKUA_ANSWERS_MAX + 5; i++) {
        put(&answers, i);
        assert_true(answers.count <= SKUA_ANSWERS_MAX);
    }
    for (uint16_t i = 2 * SKUA_ANSWERS_MAX + 5; i < 3 * SKUA_ANSWERS_MAX + 5; i++) {
        expect(&answers, i);
    }
    expect_none(&answers);
}

static void unfilled_places_are_skipped(void **state)
{
    (void)state;
    static struct skua_answers answers;
    const struct skua_path path = {.socket = 0};
    (void)skua_answers_add(&answers, &path);
    put(&answers, 1);
    (void)skua_answers_add(&answers, &path);
    (void)skua_answers_add(&answers, &path);
    put(&answers, 2);
    (void)skua_answers_add(&answers, &path);
    expect(&answers, 1);
    expect(&answers, 2);
    expect_none(&answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(come_out_in_order),
        cmocka_unit_test(the_oldest_gives_way),
        cmocka_unit_test(unfilled_places_are_skipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
