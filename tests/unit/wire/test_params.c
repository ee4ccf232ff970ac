/* Transport parameters: defaults, round trips, limits, and what a peer may not send. */
#include "unit.h"

#include "random.h"
#include "wire/params.h"

static size_t write(uint8_t *out, const struct skua_params *p, enum skua_params_from from,
                    uint32_t grease)
{
    struct skua_writer w = skua_writer_of(out, SKUA_LIMIT_PARAMS_MAX);
    skua_params_write(&w, p, from, grease);
    assert_false(w.failed);
    return skua_writer_len(&w);
}

/* Every member at the largest value that the writer's contract allows. */
static void fill_largest(struct skua_params *p)
{
    skua_params_init(p);
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text)                         \
    p->transport.member = (type)(maximum);
#include "wire/params.def"
#undef SKUA_PARAM
    p->transport.max_idle_timeout_ms = SKUA_PARAM_IDLE_END - 1;
    p->transport.initial_max_data = SKUA_PARAM_CREDIT_END - 1;
    p->transport.initial_max_stream_data_bidi_local = SKUA_PARAM_CREDIT_END - 1;
    p->transport.initial_max_stream_data_bidi_remote = SKUA_PARAM_CREDIT_END - 1;
    p->transport.initial_max_stream_data_uni = SKUA_PARAM_CREDIT_END - 1;
    p->transport.max_udp_payload = SKUA_LIMIT_UDP_MAX - 1;
    p->transport.max_datagram_frame_size = UINT16_MAX;
    p->transport.active_id_limit = SKUA_LIMIT_ACTIVE_IDS;
    p->transport.initial_max_streams_bidi = SKUA_LIMIT_STREAMS_MAX;
    p->transport.initial_max_streams_uni = SKUA_LIMIT_STREAMS_MAX;
    memset(p->label, 'x', SKUA_LABEL_MAX);
    p->label_len = SKUA_LABEL_MAX;
    uint8_t id[SKUA_LIMIT_ID_MAX] = {1};
    p->initial_scid = skua_id_of(id, sizeof id);
    p->version_count = 2;
    p->early_data = true;
    p->has_reset_token = true;
    memset(p->reset_token, 0x77, sizeof p->reset_token);
}

static void defaults_are_not_sent(void **state)
{
    (void)state;
    struct skua_params p, q;
    uint8_t bytes[SKUA_LIMIT_PARAMS_MAX];
    skua_params_init(&p);
    assert_int_equal(p.transport.ack_delay_exponent, 3);
    assert_int_equal(p.transport.max_ack_delay_ms, 25);
    assert_int_equal(p.transport.max_udp_payload, SKUA_LIMIT_UDP_MAX);
    assert_int_equal(write(bytes, &p, SKUA_PARAMS_FROM_CLIENT, 0), 0);
    assert_int_equal(skua_params_read(bytes, 0, SKUA_PARAMS_FROM_CLIENT, &q), SKUA_CODE_NO_ERROR);
    assert_memory_equal(&p.transport, &q.transport, sizeof p.transport);
    assert_int_equal(q.label_len, 0);
    /* The server's id is not optional. */
    assert_int_equal(skua_params_read(bytes, 0, SKUA_PARAMS_FROM_SERVER, &q), SKUA_CODE_PARAMETER);
}

static void the_largest_blocks_fit(void **state)
{
    (void)state;
    struct skua_params p, q;
    uint8_t bytes[SKUA_LIMIT_PARAMS_MAX];
    fill_largest(&p);
    for (int from = SKUA_PARAMS_FROM_CLIENT; from <= SKUA_PARAMS_FROM_SERVER; from++) {
        size_t len = write(bytes, &p, (enum skua_params_from)from, 0xffffffff);
        assert_int_equal(skua_params_read(bytes, len, (enum skua_params_from)from, &q),
                         SKUA_CODE_NO_ERROR);
        assert_memory_equal(&p.transport, &q.transport, sizeof p.transport);
        if (from == SKUA_PARAMS_FROM_CLIENT) {
            assert_string_equal(p.label, q.label);
            assert_int_equal(q.version_count, 0);
            assert_false(q.has_reset_token);
        } else {
            assert_true(skua_id_equal(&p.initial_scid, &q.initial_scid));
            assert_memory_equal(p.versions, q.versions, sizeof p.versions);
            assert_true(q.has_reset_token);
            assert_memory_equal(p.reset_token, q.reset_token, sizeof p.reset_token);
            assert_int_equal(q.label_len, 0);
        }
    }
}

static void random_blocks_round_trip_and_truncations_fail(void **state)
{
    (void)state;
    uint64_t seed = 30;
    for (int i = 0; i < 5000; i++) {
        struct skua_params p, q;
        uint8_t bytes[SKUA_LIMIT_PARAMS_MAX];
        fill_largest(&p);
        p.transport.max_idle_timeout_ms = random_next(&seed) % SKUA_PARAM_IDLE_END;
        p.transport.initial_max_data = random_next(&seed) % (1 << 30);
        p.transport.initial_max_stream_data_uni = random_next(&seed) % (1 << 30);
        p.transport.initial_max_streams_bidi = random_next(&seed) % (SKUA_LIMIT_STREAMS_MAX + 1);
        p.transport.ack_delay_exponent = (uint8_t)(random_next(&seed) % 21);
        p.label_len = (uint8_t)(random_next(&seed) % (SKUA_LABEL_MAX + 1));
        memset(p.label + p.label_len, 0, sizeof p.label - p.label_len);
        size_t len = write(bytes, &p, SKUA_PARAMS_FROM_CLIENT, (uint32_t)random_next(&seed));
        assert_int_equal(skua_params_read(bytes, len, SKUA_PARAMS_FROM_CLIENT, &q),
                         SKUA_CODE_NO_ERROR);
        assert_memory_equal(&p.transport, &q.transport, sizeof p.transport);
        assert_string_equal(p.label, q.label);
        /* A cut between two parameters leaves a valid block, any other cut does not. */
        size_t whole = 0;
        for (size_t cut = 0; cut < len; cut++) {
            whole +=
                skua_params_read(bytes, cut, SKUA_PARAMS_FROM_CLIENT, &q) == SKUA_CODE_NO_ERROR;
        }
        assert_true(whole <= 15);
    }
}

static void every_known_parameter_only_once(void **state)
{
    (void)state;
    struct skua_params p;
    static const uint8_t ids[] = {
#define SKUA_PARAM(name, id, type, member, minimum, maximum, preset, text) (id),
#include "wire/params.def"
#undef SKUA_PARAM
    };
    for (size_t i = 0; i < sizeof ids; i++) {
        uint8_t bytes[] = {ids[i], 2, 0x45, 0x00, ids[i], 2, 0x45, 0x00}; /* 1280 */
        if (ids[i] == SKUA_PARAM_ACK_DELAY_EXPONENT) {
            bytes[2] = bytes[6] = 0x40;
        }
        assert_int_equal(skua_params_read(bytes, 4, SKUA_PARAMS_FROM_CLIENT, &p),
                         SKUA_CODE_NO_ERROR);
        assert_int_equal(skua_params_read(bytes, 8, SKUA_PARAMS_FROM_CLIENT, &p),
                         SKUA_CODE_PARAMETER);
    }
    static const uint8_t flag[] = {SKUA_PARAM_EARLY_DATA, 0, SKUA_PARAM_EARLY_DATA, 0};
    static const uint8_t full[] = {SKUA_PARAM_EARLY_DATA, 1, 1};
    assert_int_equal(skua_params_read(flag, 2, SKUA_PARAMS_FROM_CLIENT, &p), SKUA_CODE_NO_ERROR);
    assert_true(p.early_data);
    assert_int_equal(skua_params_read(flag, 4, SKUA_PARAMS_FROM_CLIENT, &p), SKUA_CODE_PARAMETER);
    assert_int_equal(skua_params_read(full, 3, SKUA_PARAMS_FROM_CLIENT, &p), SKUA_CODE_PARAMETER);
    static const uint8_t label[] = {SKUA_PARAM_LABEL, 1, 'a', SKUA_PARAM_LABEL, 1, 'a'};
    assert_int_equal(skua_params_read(label, 3, SKUA_PARAMS_FROM_CLIENT, &p), SKUA_CODE_NO_ERROR);
    assert_int_equal(skua_params_read(label, 6, SKUA_PARAMS_FROM_CLIENT, &p), SKUA_CODE_PARAMETER);
}

static void values_out_of_range(void **state)
{
    (void)state;
    static const struct {
        uint8_t bytes[28];
        uint8_t len;
        enum skua_params_from from;
        enum skua_code code;
    } cases[] = {
        {{0x03, 2, 0x44, 0xaf}, 4, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER}, /* 1199 */
        {{0x03, 2, 0x44, 0xb0}, 4, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_NO_ERROR},  /* 1200 */
        {{0x0a, 1, 20}, 3, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_NO_ERROR},
        {{0x0a, 1, 21}, 3, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER},
        {{0x0b, 4, 0x80, 0x00, 0x40, 0x00}, 6, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER},
        {{0x08, 8, 0xc8, 0, 0, 0, 0, 0, 0, 0}, 10, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_NO_ERROR},
        {{0x08, 8, 0xc8, 0, 0, 0, 0, 0, 0, 1}, 10, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER},
        {{0x04, 2, 1, 0}, 4, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER}, /* byte too many */
        {{0x04, 0}, 2, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER},       /* none */
        {{0x31, 0}, 2, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER},
        {{0x31, 2, 'a', 0}, 4, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER},     /* zero inside */
        {{0x30, 4, 1, 2, 3, 4}, 6, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER}, /* server's */
        {{0x0f, 8, 1, 2, 3, 4, 5, 6, 7, 8}, 10, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER},
        {{0x0f, 8, 1, 2, 3, 4, 5, 6, 7, 8}, 10, SKUA_PARAMS_FROM_SERVER, SKUA_CODE_NO_ERROR},
        {{0x0f, 7, 1, 2, 3, 4, 5, 6, 7}, 9, SKUA_PARAMS_FROM_SERVER, SKUA_CODE_PARAMETER},
        {{0x0f, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0x31, 1, 'a'},
         13,
         SKUA_PARAMS_FROM_SERVER,
         SKUA_CODE_PARAMETER}, /* client's */
        {{0x0f, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0x30, 3, 0, 0, 0},
         15,
         SKUA_PARAMS_FROM_SERVER,
         SKUA_CODE_PARAMETER},
        {{0x02, 16}, 18, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_PARAMETER}, /* server's */
        {{0x0f, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0x02, 15},
         27,
         SKUA_PARAMS_FROM_SERVER,
         SKUA_CODE_PARAMETER}, /* a token cut short */
        {{0x0f, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0x02, 16},
         28,
         SKUA_PARAMS_FROM_SERVER,
         SKUA_CODE_NO_ERROR},
        {{0x1b, 3, 1, 2, 3, 0x1b, 0}, 7, SKUA_PARAMS_FROM_CLIENT, SKUA_CODE_NO_ERROR}, /* unknown */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct skua_params p;
        assert_int_equal(skua_params_read(cases[i].bytes, cases[i].len, cases[i].from, &p),
                         cases[i].code);
    }
    struct skua_params p;
    static const uint8_t jumbo[] = {0x03, 4, 0x80, 0x00, 0xff, 0xff};
    assert_int_equal(skua_params_read(jumbo, sizeof jumbo, SKUA_PARAMS_FROM_CLIENT, &p),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(p.transport.max_udp_payload, SKUA_LIMIT_UDP_MAX);
    static const uint8_t vast[] = {0x20, 4, 0x80, 0x01, 0x00, 0x01};
    assert_int_equal(skua_params_read(vast, sizeof vast, SKUA_PARAMS_FROM_CLIENT, &p),
                     SKUA_CODE_NO_ERROR);
    assert_int_equal(p.transport.max_datagram_frame_size, UINT16_MAX);
    uint8_t lengthy[SKUA_LIMIT_PARAMS_MAX + 1] = {0x1b, 0x40, SKUA_LIMIT_PARAMS_MAX - 3};
    assert_int_equal(skua_params_read(lengthy, SKUA_LIMIT_PARAMS_MAX, SKUA_PARAMS_FROM_CLIENT, &p),
                     SKUA_CODE_NO_ERROR);
    lengthy[2]++;
    assert_int_equal(skua_params_read(lengthy, sizeof lengthy, SKUA_PARAMS_FROM_CLIENT, &p),
                     SKUA_CODE_PARAMETER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_not_sent),
        cmocka_unit_test(the_largest_blocks_fit),
        cmocka_unit_test(random_blocks_round_trip_and_truncations_fail),
        cmocka_unit_test(every_known_parameter_only_once),
        cmocka_unit_test(values_out_of_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
